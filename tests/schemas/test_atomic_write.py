"""A file is there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.atomic_write import write_atomically


def test_a_file_is_written_with_its_folder_and_written_again(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.json"
    for content in (b"1", b"", b"\x00\xff"):
        write_atomically(path, content)
        assert path.read_bytes() == content
    assert [each.name for each in path.parent.iterdir()] == ["b.json"]


def test_what_cannot_be_written_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    with pytest.raises(OSError):
        write_atomically(tmp_path / "file", b"1")
    assert [each.name for each in tmp_path.iterdir()] == ["file"] and (tmp_path / "file").is_dir()
