"""Confinement of a process of its own: what it may open afterwards, and what no longer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.confine import available

CONFINED = """
import sys
from pathlib import Path
from threading import Event, Thread
from deploy.local.confine import confine

read, write, record, none = (Path(path) for path in sys.argv[1:])
assert confine([read, Path("/not/there")], [write], [record])

def attempt(what):
    try:
        what()
    except PermissionError:
        return "denied"
    return "done"

for folder in (read, write, record, none):
    print(attempt((folder / "old").read_text), attempt(lambda: (folder / "new").write_text("x")))
print(attempt(lambda: (write / "new").rename(write / "sub" / "new")), attempt((write / "sub" / "new").unlink))
"""
THREADED = """
from threading import Event, Thread
from deploy.local.confine import confine

Thread(target=Event().wait, daemon=True).start()
confine([], [])
"""

pytestmark = pytest.mark.skipif(not available(), reason="this kernel has no Landlock")


def python(code: str, *arguments: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True)


def test_only_what_is_named_can_be_opened(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("read", "write", "record", "none")]
    for folder in folders:
        (folder / "sub").mkdir(parents=True)
        (folder / "old").write_text("x")
    ended = python(CONFINED, *folders)
    assert ended.stdout.splitlines() == [
        "done denied",
        "done done",
        "denied done",
        "denied denied",
        "done done",
    ], ended.stderr


def test_it_is_refused_beside_other_threads() -> None:
    assert "RuntimeError: confine: other threads run already" in python(THREADED).stderr
