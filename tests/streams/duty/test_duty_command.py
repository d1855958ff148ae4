"""`liaowang duty`: cases, roster and officers on the command line of a home of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deploy.cli.groups import duty as app
from schemas.settings import Settings
from streams.duty.accounts.officers import bearer, check_password
from streams.duty.cases.opening import hear
from streams.duty.database.database import Database
from streams.duty.home import open_home
from streams.duty.refusals import Refused
from tests.streams.duty.moments import warning


@dataclass
class Home:
    """A home whose duty database stands in a file."""

    settings: Settings

    def run(self, *arguments: object, code: int = 0, given: str | None = None) -> str:
        environment = {
            "LIAOWANG_HOME": str(self.settings.home),
            "LIAOWANG_DUTY_DATABASE_URL": self.settings.duty_database_url,
            "COLUMNS": "250",
        }
        done = CliRunner().invoke(app, list(map(str, arguments)), env=environment, input=given)
        if isinstance(done.exception, Refused):
            return str(done.exception)
        assert done.exit_code == code, done.output
        return done.output

    def json(self, *arguments: object, code: int = 0) -> Any:
        return json.loads(self.run(*arguments, "--json", code=code))


@pytest.fixture
def home(sqlite_url: str, tmp_path: Path) -> Iterator[Home]:
    settings = Settings(home=tmp_path, duty_database_url=sqlite_url)
    database, desks = open_home(settings, datetime.now(UTC))
    with database.writing() as session:
        hear(session, desks.now(), datetime.now(UTC), [warning("e1"), warning("e2", level="red")])
    database.close()
    yield Home(settings)


def test_who_only_looks_waits_for_no_writer(home: Home) -> None:
    with closing(Database(home.settings.duty_database)) as database, database.writing():
        assert "duty-province" in home.run("who", "--role", "duty-desk", "--region", "330106")
        assert len(home.json("cases")["items"]) == 2


def test_a_case_is_dealt_with_on_the_command_line(home: Home) -> None:
    assert [case["id"] for case in home.json("cases")["items"]] == [2, 1]
    assert home.json("cases", "--level", "red")["total"] == 1
    taken = home.json("ack", 1, "--as", "ecology-1")
    assert (taken["state"], taken["assignee"]) == ("acknowledged", "ecology-1")
    assert "cannot be acknowledged" in home.run("ack", 1)
    assert home.json("comment", 1, "on the way")["state"] == "acknowledged"
    assert home.json("dispose", 1, "--done", "filter changed")["state"] == "disposed"
    assert home.json("confirm", 1, "true")["verdict"] == "true"
    assert home.run("close", 1, "--as", "ecology-1") == "case 1: closed, true, yellow, ecology-1\n"
    shown = home.json("show", 1)
    kinds = [entry["kind"] for entry in shown["entries"]]
    assert kinds == [
        *("opened", "assigned", "acknowledged", "commented", "started", "disposed", "confirmed", "closed")
    ]
    assert shown["entries"][2]["who"] == "ecology-1" and shown["entries"][3]["who"].startswith("operator:")
    assert all(entry["origin"].startswith("cli ") for entry in shown["entries"][2:])
    assert [case["id"] for case in home.json("cases")["items"]] == [2]
    assert "filter changed" in home.run("show", 1)
    assert home.json("reassign", 2, "--to", "ecology-2")["assignee"] == "ecology-2"


def test_an_officer_may_no_more_on_the_command_line_than_by_the_api(home: Home) -> None:
    assert "no case 1 that health-1 may see" in home.run("ack", 1, "--as", "health-1")
    assert home.json("cases", "--as", "health-1")["total"] == 0
    assert "no active officer nobody" in home.run("cases", "--as", "nobody")


def test_who_and_holes(home: Home) -> None:
    asked = ("--role", "governance-duty", "--region", "330112", "--at", "2026-11-25T09:00")
    assert home.json("who", *asked)["officer"] == "linan-governance-1"
    assert home.run("holes") == "no holes in 14 days\n"
    home.run("officer", "deactivate", "operations-3")
    found = home.json("holes", code=3)["items"]
    assert {(each["kind"], each["role"]) for each in found} == {("unmanned", "ecology-operations")}
    roster = home.settings.home / "duty" / "roster.yaml"
    roster.write_text(roster.read_text().replace("role: any ", "role: duty-desk "))
    nobody = home.json("who", "--role", "no-such-duty", "--region", "330112", code=3)
    assert (nobody["hole"], nobody["officer"], nobody["last_resort"]) == (True, None, "head-1")


def test_overrides_swaps_and_handovers_on_the_command_line(home: Home) -> None:
    at = datetime.now(UTC).year + 1
    span = ("--from", f"{at}-03-01T08:00", "--to", f"{at}-03-02T08:00")
    made = home.json("override", "--team", "health-province", *span, "--officer", "head-1")["items"][0]
    asked = ("--role", "health-duty", "--region", "330000", "--at", f"{at}-03-01T12:00+08:00")
    assert home.json("who", *asked)["officer"] == "head-1"
    home.run("withdraw", made["id"])
    assert home.json("who", *asked)["officer"].startswith("health-")
    turns = home.json("shifts", "--at", f"{at}-03-01T10:00", "--days", 4, "--team", "health-province")
    logins = [turn["officer"] for turn in turns["items"]]
    one, other = turns["items"][0]["starts"], turns["items"][1]["starts"]
    home.run("swap", "--team", "health-province", "--one", one, "--other", other)
    again = home.json("shifts", "--at", f"{at}-03-01T10:00", "--days", 4, "--team", "health-province")
    assert [turn["officer"] for turn in again["items"]][:2] == [logins[1], logins[0]]
    handed = home.json("handover", "--team", "health-province", "--giver", "health-1", "--to", "health-2")
    assert (handed["from"], handed["to"], handed["cases"]) == ("health-1", "health-2", [])
    assert home.run("calendar", "--team", "health-province").startswith("BEGIN:VCALENDAR")


def test_passwords_and_tokens_are_shown_once_and_kept_as_hashes(home: Home) -> None:
    made = home.json(
        "officer", "add", "new-one", "--name", "新", "--role", "ecology-duty", "--region", "330100"
    )
    token = home.json("token", "new-one")["token"]
    asked = home.run(
        "officer", "password", "ecology-1", "--prompt", given="a long password\na long password\n"
    )
    assert "a long password" not in asked
    raw = Path(home.settings.duty_database_url.removeprefix("sqlite:///")).read_bytes()
    assert made["password"].encode() not in raw and token.encode() not in raw
    database, _ = open_home(home.settings, datetime.now(UTC))
    with database.reading() as session:
        assert check_password(session, "new-one", made["password"])
        assert check_password(session, "ecology-1", "a long password")
        assert not check_password(session, "ecology-1", "another") and not check_password(
            session, "ecology-2", ""
        )
        actor = bearer(session, token, datetime.now(UTC), "test")
        assert actor is not None and actor.who == "new-one"
    database.close()
    listed = home.json("token", "new-one", "--list")["items"]
    assert token not in json.dumps(listed)
    assert home.json("token", "new-one", "--revoke", listed[0]["id"])["items"][0]["revoked"]
    assert "at least 12 characters" in home.run(
        "officer", "password", "ecology-1", "--prompt", given="short\nshort\n"
    )
    shown = {each["login"]: each for each in home.json("officer", "list")["items"]}
    assert shown["new-one"]["password"] == "set" and shown["ecology-2"]["password"] == "none"


def test_a_wrong_roster_stops_the_command_with_file_and_key(home: Home) -> None:
    roster = home.settings.home / "duty" / "roster.yaml"
    roster.write_text(roster.read_text().replace('region: "330100"', 'region: "330199"'))
    done = CliRunner().invoke(app, ["holes"], env={"LIAOWANG_HOME": str(home.settings.home)})
    assert str(done.exception) == (
        f"{roster}: teams[1].region: '330199' is no region code; put one such as \"330100\" in quotes"
    )


def test_a_role_that_is_none_is_refused_with_those_there_are(home: Home) -> None:
    said = home.run("officer", "grant", "health-1", "--role", "helth-duty", "--region", "330000")
    assert said.startswith("role: no such duty role: 'helth-duty'; there are duty-desk, ")
    new = ("officer", "add", "new-two", "--name", "新", "--role", "any", "--region", "330100")
    assert "no such duty role: 'any'" in home.run(*new)
    assert home.run("officer", "grant", "health-1", "--role", "viewer", "--region", "330000")


def test_an_account_that_ends_hands_its_cases_on(home: Home) -> None:
    case = home.json("cases", "--level", "red")["items"][0]
    said = home.run("officer", "deactivate", case["assignee"])
    assert "2 open cases go on to others: #1, #2" in said
    after = home.json("show", case["id"])
    assert after["assignee"] not in (None, case["assignee"]) and after["state"] == "new"
    assert [entry["kind"] for entry in after["entries"]][-2:] == ["reassigned", "assigned"]
    assert "go on" not in home.run("officer", "activate", case["assignee"])


def test_replays_are_listed_with_what_they_warned_of(home: Home) -> None:
    database, desks = open_home(home.settings, datetime.now(UTC))
    with database.writing() as session:
        old = warning("old", level="red", timeline="winter-2014")
        hear(session, desks.now(), datetime.now(UTC), [old], dry={"winter-2014"})
    database.close()
    assert home.json("cases")["total"] == 2
    (replay,) = home.json("replays")["items"]
    assert (replay["timeline"], replay["warnings"], replay["levels"]["red"]) == ("winter-2014", 1, 1)
    (found,) = home.json("replays", "winter-2014")["items"]
    assert found["replay"] is True and found["kind"] == "opened"
    assert "winter-2014" in home.run("replays") and "red" in home.run("replays", "winter-2014")
