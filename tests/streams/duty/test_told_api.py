"""The API about replays, accounts that end, roles that are none, and silences of rules published from a file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from schemas.errors import Unavailable
from streams.duty.cases.opening import hear
from streams.duty.database.database import Database
from tests.streams.duty.api import Api
from tests.streams.duty.moments import NOW, warning

OLD = "winter 2014"
SPAN = {"starts": NOW.isoformat(), "ends": (NOW + timedelta(hours=1)).isoformat(), "reason": "calibration"}


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """The same for both databases."""
    return sqlite_url


@pytest.fixture
def api(database: Database, tmp_path: Path) -> Iterator[Api]:
    with Api(database, tmp_path / "home").running() as api:
        yield api


def away() -> tuple[str, ...]:
    raise Unavailable("rules at 127.0.0.1:1: no broker")


def test_replays_and_their_warnings_are_asked_for_by_themselves(api: Api) -> None:
    with api.database.writing() as session:
        events = [warning(f"old{n}", level="red", timeline=OLD) for n in range(3)]
        hear(session, api.desk, NOW, events, dry={OLD})
    own, other = api.as_("hangzhou-ecology-1"), api.as_("health-1")
    assert own.get("/api/v1/cases").json()["total"] == 0
    (replay,) = own.get("/api/v1/replays").json()["items"]
    assert (replay["timeline"], replay["warnings"], replay["levels"]["red"]) == (OLD, 3, 3)
    asked = {"timeline": OLD, "limit": 2}
    page = own.get("/api/v1/replays/warnings", params=asked)
    assert page.json()["total"] == 3 and len(page.json()["items"]) == 2 and "next" in page.links
    assert all(each["replay"] and each["timeline"] == OLD for each in page.json()["items"])
    assert other.get("/api/v1/replays").json() == {"items": []}
    assert other.get("/api/v1/replays/warnings", params=asked).json()["total"] == 0
    assert own.get("/api/v1/replays/warnings").status_code == 422


def test_an_account_that_ends_keeps_no_case_and_a_role_that_is_none_is_refused(api: Api) -> None:
    api.warn("e1")
    admin, leaver = api.officer("root", "admin", "330000"), api.as_("hangzhou-ecology-2")
    (case,) = admin.get("/api/v1/cases").json()["items"]
    assert case["assignee"] == "hangzhou-ecology-2"
    off = admin.post("/api/v1/officers/hangzhou-ecology-2/active", json={"active": False})
    assert off.status_code == 200 and leaver.get("/api/v1/me").status_code == 401
    assert admin.get(f"/api/v1/cases/{case['id']}").json()["assignee"] == "ecology-2"
    wrong = {"role": "ecolgy-duty", "region": "330000"}
    refused = admin.post("/api/v1/officers/health-1/grants", json=wrong)
    assert refused.status_code == 422 and "no such duty role: 'ecolgy-duty'" in refused.text


def test_a_rule_published_from_a_file_may_be_silenced_and_an_absent_broker_is_said(api: Api) -> None:
    planner = api.officer("planner", "supervisor", "330000")
    asked = {"rules": ["trial.edit"], **SPAN}
    assert planner.post("/api/v1/silences", json=asked).status_code == 422
    api.published = away
    answer = planner.post("/api/v1/silences", json=asked)
    assert answer.status_code == 503 and "no broker; whether these rules were published" in answer.text
    assert planner.post("/api/v1/silences", json={"rules": ["ecology.pm25-high"], **SPAN}).status_code == 201
    api.published = lambda: ["trial.edit"]
    made = planner.post("/api/v1/silences", json=asked)
    assert made.status_code == 201 and made.json()["rules"] == ["trial.edit"]
