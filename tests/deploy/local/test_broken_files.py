"""A file of the home that is broken takes down nobody who reads it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.local import ends, marker, progress
from streams import aside, waits

READERS: dict[str, tuple[Callable[[Path], object], object]] = {
    "run/ends.json": (ends.read_ends, ends.Ends()),
    "run/health.json": (progress.read, progress.Noted()),
    "run/up.json": (marker.left, "this home was not stopped cleanly"),
    "aside/duty.json": (lambda home: aside.read(home, "duty"), None),
    "run/duty.waits": (lambda home: waits.read(home, "duty"), {}),
}


@pytest.mark.parametrize("raw", [b"", b"\0\0\0", b'{"count": "\xff"', b"[" * 100_000], ids=len)
@pytest.mark.parametrize("name", READERS)
def test_a_broken_file_is_as_one_that_says_nothing(tmp_path: Path, name: str, raw: bytes) -> None:
    read, nothing = READERS[name]
    path = tmp_path / name
    path.parent.mkdir()
    path.write_bytes(raw)
    assert read(tmp_path) == nothing


@pytest.mark.parametrize("name", READERS)
def test_text_that_is_no_utf8_says_nothing_either(tmp_path: Path, name: str) -> None:
    read, nothing = READERS[name]
    path = tmp_path / name
    path.parent.mkdir()
    for key in ("times", "starting", "home", "since", "x"):
        path.write_bytes(b'{"%s": {"\xff": []}}' % key.encode())
        assert read(tmp_path) == nothing
        path.write_bytes(b'{"%s": "\xff"}' % key.encode())
        assert read(tmp_path) == nothing
