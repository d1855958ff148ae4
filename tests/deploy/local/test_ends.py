"""What ends by itself is written down by a real supervisor, as a value; what is told to stop is not."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from deploy.local.control import Control
from deploy.local.ends import NEWEST, Ends, Recorder, ends_path, read_ends, with_one
from deploy.local.services import SERVICES
from deploy.local.supervisor_conf import supervisor_config

PROGRAM = """#!/bin/sh
test "$4" = docs && exit 1
exec sleep 600
"""
"""The program of every service: `docs` ends at once, the others stay."""


@contextmanager
def supervised(home: Path) -> Iterator[Control]:
    """A supervisor of this home whose services are that program."""
    for folder in ("run", "logs"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    program, config = home / "program", home / "supervisord.conf"
    program.write_text(PROGRAM)
    program.chmod(0o700)
    config.write_text(supervisor_config(home, str(program)))
    command = [sys.executable, "-P", "-m", "supervisor.supervisord", "--nodaemon", "-c", str(config)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    control = Control(home)
    try:
        eventually(lambda: control.processes() is not None, "the supervisor to answer")
        yield control
    finally:
        process.terminate()
        process.wait(60)


def eventually(holds: Callable[[], bool], what: str, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, f"waited for {what}"
        time.sleep(0.1)


@pytest.mark.timeout(300)
def test_the_supervisor_writes_down_what_ends_by_itself(tmp_path: Path) -> None:
    before = time.time()
    with supervised(tmp_path) as control:
        ended = read_ends(tmp_path)
        assert before <= ended.since <= time.time() and not ended.times
        control.start(["docs", "receiver"])
        eventually(lambda: len(read_ends(tmp_path).times.get("docs", ())) >= 2, "two ends")
        control.stop(["receiver"])
        eventually(lambda: (control.processes() or {})["receiver"].ended, "the other one to end")
        found = read_ends(tmp_path)
        assert found.since == ended.since and set(found.times) == {"docs"}
        times = found.times["docs"]
        assert sorted(times) == list(times) and before <= times[0] <= times[-1] <= time.time()
        assert set(control.processes() or {}) == {service.name for service in SERVICES}
    with supervised(tmp_path):
        assert read_ends(tmp_path).since > found.since and not read_ends(tmp_path).times


def test_so_many_ends_are_kept_of_each_service() -> None:
    times: dict[str, tuple[float, ...]] = {}
    for at in range(NEWEST + 3):
        times = with_one(times, "land", float(at))
    assert times == {"land": tuple(float(at) for at in range(3, NEWEST + 3))}
    assert with_one(times, "watch", 1.0)["land"] == times["land"]


def test_what_cannot_be_written_is_said_and_written_with_the_next(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("no folder")
    said, now = list[str](), [10.0]
    recorder = Recorder(ends_path(tmp_path), lambda: now[0], said.append)
    assert said == [f"{ends_path(tmp_path)} cannot be written: File exists"] and read_ends(tmp_path) == Ends()
    (tmp_path / "run").unlink()
    recorder._hear(SimpleNamespace(process=SimpleNamespace(config=SimpleNamespace(name="land"))))
    assert read_ends(tmp_path) == Ends(10.0, {"land": (10.0,)})
