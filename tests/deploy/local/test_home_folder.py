"""A home is for its owner alone, also one that was open before; and a folder of many is none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from deploy.local.home_folder import close_home, close_what_is_made
from deploy.local.process import CannotStart
from deploy.local.secrets import ensure_secrets


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_new_home_is_closed_and_nothing_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    close_home(tmp_path / "a" / "home", said.append)
    assert mode(tmp_path / "a" / "home") == 0o700 and said == []
    ensure_secrets(tmp_path / "b")
    assert mode(tmp_path / "b") == 0o700 and mode(tmp_path / "b" / "secrets.json") == 0o600


def test_an_open_home_is_closed_with_what_stands_in_it_and_that_is_said_once(tmp_path: Path) -> None:
    home, said = tmp_path / "home", list[str]()
    for folder in ("run", "logs", "kafka", "duty", "docs"):
        (home / folder).mkdir(parents=True)
        (home / folder).chmod(0o755)
    (home / "supervisord.conf").touch(0o644)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    elsewhere.chmod(0o755)
    (home / "link").symlink_to(elsewhere)
    home.chmod(0o755)
    close_home(home, said.append)
    close_home(home, said.append)
    assert mode(home) == 0o700 and len(said) == 1 and "it was 0755" in said[0]
    assert {mode(home / name) for name in ("run", "logs", "kafka", "duty", "docs")} == {0o700}
    assert mode(home / "supervisord.conf") == 0o600
    assert mode(elsewhere) == 0o755, "what a link leads to is not ours to close"


@pytest.mark.parametrize("shared", [0o1777, 0o777])
def test_a_folder_that_many_write_to_is_no_home(tmp_path: Path, shared: int) -> None:
    tmp_path.chmod(shared)
    with pytest.raises(CannotStart, match="others write to"):
        close_home(tmp_path, lambda _: None)
    assert tmp_path.stat().st_mode & 0o7777 == shared


def test_a_home_that_is_a_file_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotStart, match="cannot be written"):
        close_home(tmp_path / "file", lambda _: None)


def test_what_programs_make_is_closed(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        close_what_is_made()
        (tmp_path / "made").touch()
        assert mode(tmp_path / "made") == 0o600
    finally:
        os.umask(before)
