"""A department is added whole or not at all: its entry, its token, and what runs."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from deploy.environment import settings_from
from deploy.local.departments import add, another_token
from deploy.local.secrets import ensure_secrets
from schemas.errors import LiaowangError, Misdeclared
from schemas.in_use import FILES, FOLDER, departments_of, files_of, take
from schemas.settings import PREFIX, Settings

GIVEN: dict[str, Any] = {
    "department": "transport",
    "name": {"zh": "浙江省交通运输厅", "en": "Department of Transport"},
    "regions": ["330000"],
    "contact": {"stewards": ["transport-steward"]},
}


class Home:
    """A home with a folder of declarations of its own; settings are read as a new command reads them."""

    def __init__(self, path: Path) -> None:
        take(path / "own", FILES)
        self.folder, self.path = path / "own" / FOLDER, path / "home"
        self.file = self.folder / "departments.yaml"
        self.numbers = count(1)

    @property
    def settings(self) -> Settings:
        return settings_from({f"{PREFIX}HOME": str(self.path), f"{PREFIX}DECLARATIONS": str(self.folder)})

    def token(self) -> str:
        return f"t{next(self.numbers)}"

    def all(self) -> dict[str, bytes]:
        kept = (self.file, self.path / "secrets.json")
        return {path.name: path.read_bytes() for path in kept if path.exists()}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_entry_and_token_are_made_and_again_it_changes_nothing(home: Home) -> None:
    done = add(home.settings, GIVEN, home.token)
    assert (done.path, done.new, done.token, done.running) == (home.file, True, "t1", False)
    assert departments_of(files_of(home.settings)).name("transport") == "浙江省交通运输厅"
    assert home.settings.tokens() == {"transport": "t1"}
    assert stat.S_IMODE((home.path / "secrets.json").stat().st_mode) == 0o600
    before = home.all()
    again = add(home.settings, GIVEN, home.token)
    assert (again.new, again.token) == (False, "") and home.all() == before


def test_the_secrets_of_before_and_the_file_itself_are_kept(home: Home) -> None:
    ensure_secrets(home.path, home.token, FILES)
    before, text = json.loads((home.path / "secrets.json").read_text()), home.file.read_text()
    home.file.chmod(0o640)
    made = add(home.settings, GIVEN, home.token).token
    after = json.loads((home.path / "secrets.json").read_text())
    key = f"{PREFIX}DEPARTMENT_TOKENS"
    assert {k: v for k, v in after.items() if k != key} == {k: v for k, v in before.items() if k != key}
    assert after[key] == f"{before[key]},transport={made}"
    assert home.file.read_text().startswith(text) and stat.S_IMODE(home.file.stat().st_mode) == 0o640


def test_a_declared_department_without_a_token_gets_one(home: Home) -> None:
    given = {
        "department": "ecology",
        "name": {"zh": "浙江省生态环境厅", "en": "Department of Ecology and Environment"},
    }
    contact = {"contact": {"stewards": ["ecology-data-steward"]}, "regions": ["330000"]}
    text = home.file.read_bytes()
    done = add(home.settings, given | contact, home.token)
    assert (done.new, done.token) == (False, "t1") and home.file.read_bytes() == text


def test_what_is_declared_otherwise_is_not_overwritten(home: Home) -> None:
    add(home.settings, GIVEN, home.token)
    before = home.all()
    with pytest.raises(
        Misdeclared, match=r"department add: --zh: .*departments\.yaml says something else of"
    ):
        add(home.settings, GIVEN | {"name": {"zh": "交通厅", "en": "Department of Transport"}}, home.token)
    with pytest.raises(Misdeclared, match=r"department add: --region: no such region"):
        add(home.settings, GIVEN | {"department": "other", "regions": ["1"]}, home.token)
    assert home.all() == before


@pytest.mark.parametrize("first", [True, False], ids=["no secrets before", "secrets before"])
def test_what_fails_midway_leaves_all_as_it_was(home: Home, first: bool) -> None:
    if not first:
        ensure_secrets(home.path, home.token)
    before = home.all()
    in_the_way = home.file.with_name(f"{home.file.name}.{os.getpid()}")
    in_the_way.mkdir()
    with pytest.raises(LiaowangError, match=r"departments\.yaml cannot be written: "):
        add(home.settings, GIVEN, home.token)
    assert home.all() == before
    in_the_way.rmdir()
    assert add(home.settings, GIVEN, home.token).new, "what failed can be done again"


def test_a_folder_without_a_list_gets_one_of_its_own(home: Home) -> None:
    home.file.unlink()
    shipped = FILES.departments.read_bytes()
    done = add(home.settings, GIVEN, home.token)
    assert done.path == home.file and home.file.read_bytes().startswith(shipped)
    assert FILES.departments.read_bytes() == shipped, "that of the installation is not written"


def test_another_token_takes_the_place_of_the_first(home: Home) -> None:
    add(home.settings, GIVEN, home.token)
    assert another_token(home.settings, "transport", home.token).token == "t2"
    assert home.settings.tokens() == {"transport": "t2"}
    assert another_token(home.settings, "health", home.token).token == "t3"
    assert home.settings.tokens() == {"transport": "t2", "health": "t3"}
    with pytest.raises(
        Misdeclared, match=r"department token: helth: no such department.*did you mean health\?"
    ):
        another_token(home.settings, "helth", home.token)


def test_tokens_that_come_from_the_environment_are_not_written_over(home: Home) -> None:
    given = replace(home.settings, department_tokens="ecology=mine")
    with pytest.raises(
        LiaowangError, match=r"the tokens come from the environment \(LIAOWANG_DEPARTMENT_TOKENS"
    ):
        add(given, GIVEN, home.token)
    assert "transport" not in home.file.read_text() and not (home.path / "secrets.json").exists()


def test_two_at_once_are_both_there(home: Home) -> None:
    stale = home.settings
    add(home.settings, GIVEN, home.token)
    other = GIVEN | {"department": "water", "name": {"zh": "浙江省水利厅", "en": "Department of Water"}}
    add(stale, other, home.token)
    assert home.settings.tokens() == {"transport": "t1", "water": "t2"}
