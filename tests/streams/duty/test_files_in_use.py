"""A running duty has the declarations in use: files that are edited or broken meanwhile do not concern it."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from schemas.contract import load_contracts
from schemas.errors import Misdeclared
from schemas.in_use import FILES, Roots, in_use, take, taken
from schemas.roles import load_roles
from schemas.settings import Settings
from streams.duty.database.database import Database
from streams.duty.notify.channels.home import channels_path, open_channels
from streams.duty.rosters.desk import Desks, roster_path
from streams.duty.rosters.files import kept, kept_path
from streams.duty.shifts.roles import roles_of, rules_in_use
from tests.streams.duty.api import Api
from tests.streams.duty.moments import NOW

EXTRA = "  - {role: extra-duty, title: {zh: 另设, en: Extra}}\n"


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """The same for both databases."""
    return sqlite_url


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home that has taken a role more, and a rule less, than the files have now."""
    (tmp_path / "copy").mkdir()
    take(tmp_path / "copy", FILES)
    copy = taken(tmp_path / "copy")
    assert copy is not None
    copy.roles.write_text(copy.roles.read_text(encoding="utf-8").rstrip() + "\n" + EXTRA, encoding="utf-8")
    (copy.rules / "ecology" / "city-silent.yaml").unlink()
    home = tmp_path / "home"
    home.mkdir()
    take(home, copy)
    return home


def test_roles_are_taken_with_the_others_and_a_home_of_before_has_those_of_the_file(home: Path) -> None:
    assert "extra-duty" in load_roles(in_use(Settings(home=home)).roles) and "extra-duty" not in load_roles()
    in_use(Settings(home=home)).roles.unlink()
    assert in_use(Settings(home=home)).roles == FILES.roles


def test_officers_silences_and_holes_know_roles_and_rules_in_use(database: Database, home: Path) -> None:
    with Api(database, home).running() as api:
        root = api.officer("admin-of-all", "admin", "330000")
        asked = {"login": "e", "name": "e", "grants": [{"role": "extra-duty", "region": "330000"}]}
        assert root.post("/api/v1/officers", json=asked).status_code == 201
        given = {"role": "extra-duty", "region": "330100"}
        assert root.post("/api/v1/officers/e/grants", json=given).status_code == 200
        times = {"starts": NOW.isoformat(), "ends": (NOW + timedelta(hours=1)).isoformat(), "reason": "r"}
        gone = root.post("/api/v1/silences", json={**times, "rules": ["ecology.city-silent"]})
        assert gone.status_code == 422 and "no such rule" in gone.json()["detail"]
        known = {**times, "rules": [rules_in_use(Settings(home=home))[0].id]}
        assert root.post("/api/v1/silences", json=known).status_code == 201
        assert root.get("/api/v1/holes").status_code == 200
    assert roles_of(rules_in_use(Settings(home=home))) < set(
        load_roles(in_use(Settings(home=home)).roles).titles
    )


def test_what_is_broken_is_503_without_a_word_of_where(
    database: Database, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> tuple[str, ...]:
        raise Misdeclared(str(home / "some.yaml"), "key", "must be otherwise")

    with Api(database, home).running() as api:
        api.published = broken
        root = api.officer("admin-of-all", "admin", "330000")
        times = {"starts": NOW.isoformat(), "ends": (NOW + timedelta(hours=1)).isoformat(), "reason": "r"}
        said = root.post("/api/v1/silences", json={**times, "rules": ["trial.none"]})
    assert said.status_code == 503 and said.json()["title"] == "Misdeclared"
    assert str(home) not in said.text and said.headers["retry-after"] == "5"
    assert "some.yaml: key: must be otherwise" in caplog.text


def test_a_roster_that_was_right_is_in_use_until_the_broken_one_is_mended(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(home=home)
    first = Desks(settings).now().roster
    text = roster_path(settings).read_text(encoding="utf-8")
    roster_path(settings).write_text("teams: [", encoding="utf-8")
    with caplog.at_level(logging.ERROR):
        again = Desks(settings)
    assert replace(again.now().roster, path=first.path) == first and "roster.yaml" in caplog.text
    mended = text.replace("look_ahead: 14", "look_ahead: 15")
    roster_path(settings).write_text(mended + "\n", encoding="utf-8")
    assert again.now().roster.path == roster_path(settings)
    assert Desks(settings).now().roster.teams == first.teams


def test_a_roster_that_never_was_right_is_refused(home: Path) -> None:
    settings = Settings(home=home)
    roster_path(settings).parent.mkdir(parents=True)
    roster_path(settings).write_text("teams: [", encoding="utf-8")
    with pytest.raises(Misdeclared, match="roster"):
        Desks(settings)


def test_channels_that_were_right_are_in_use_and_may_name_roles_in_use(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(home=home, webhook_key="k")
    before, _ = open_channels(settings)
    text = channels_path(settings).read_text(encoding="utf-8")
    channels_path(settings).write_text("channels: [", encoding="utf-8")
    with caplog.at_level(logging.ERROR):
        after, _ = open_channels(settings)
    assert after == before and "channels.yaml" in caplog.text
    named = text.replace("{kind: webhook}", "{kind: webhook, roles: [extra-duty]}")
    channels_path(settings).write_text(named, encoding="utf-8")
    found, _ = open_channels(settings)
    assert found.channels["webhook"].roles == ("extra-duty",)


def test_all_declarations_that_a_process_reads_are_those_in_use(home: Path) -> None:
    roots: Roots = in_use(Settings(home=home))
    assert all(home in each.parents for each in vars(roots).values())
    assert load_contracts(roots.feeds).keys() == load_contracts().keys()


def test_a_right_file_that_cannot_be_remembered_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "roster.yaml"
    path.write_text("a: 1\n")
    (tmp_path / "in-use").write_text("no folder")
    assert kept(path, Path.read_text) == "a: 1\n"
    assert "is right, and cannot be remembered" in caplog.text


def test_what_is_written_while_it_is_read_is_not_remembered(tmp_path: Path) -> None:
    path = tmp_path / "roster.yaml"
    path.write_text("a: 1\n")

    def load(each: Path) -> str:
        text = each.read_text()
        path.write_text("a: 2\n")
        return text

    assert kept(path, load) == "a: 1\n" and not kept_path(path).exists()
