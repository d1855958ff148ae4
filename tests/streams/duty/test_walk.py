"""Every question the API answers, asked from another county: nothing written in Hangzhou is told there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import pytest

from streams.duty.database.database import Database
from streams.duty.systems.cap_index import current
from tests.streams.duty.api import Api
from tests.streams.duty.marks import GIVER, MARK, REPLAY, TAKER, TEAM, Marked, mark
from tests.streams.duty.moments import NOW, root

TOLD_TO_HEAD = (
    *("/api/v1/cases", "/api/v1/cases/{case_id}", "/api/v1/cases/{case_id}/attachments/{attachment_id}"),
    *("/api/v1/overrides", "/api/v1/handovers", "/api/v1/silences", "/api/v1/officers"),
    *("/api/v1/cap/index.atom", "/api/v1/cap/index.rss", "/api/v1/cap/messages/{identifier}.xml"),
    *("/api/v1/replays", "/api/v1/replays/warnings"),
)
"""Where the mark must show to who may see it: else the walk would find nothing anywhere."""


@pytest.fixture
def walked(database: Database, tmp_path: Path) -> Iterator[tuple[Api, dict[str, list[Any]]]]:
    """An API with the mark in it, and what each parameter of a question may be."""
    with Api(database, tmp_path / "home").running() as api:
        with database.writing() as session:
            marked = mark(session, api.desk, NOW)
        with database.reading() as session:
            told = current(session, api.app.state.deps.cap, root(api.desk.regions), api.desk.regions, NOW)
        yield api, values(marked, [each.identifier for each in told])


def values(marked: Marked, messages: list[str]) -> dict[str, list[Any]]:
    return {
        "case_id": [marked.case],
        "attachment_id": [marked.file],
        "identifier": messages,
        "team": [TEAM],
        "login": [GIVER, TAKER, "reached"],
        "officer": [GIVER, TAKER],
        "assignee": [GIVER, TAKER],
        "timeline": [REPLAY],
        "role": ["ecology-duty"],
        "region": ["330110", "330100", "330000"],
        "from": ["2026-11-25"],
        "rule": ["ecology.pm25-high"],
        "q": [MARK[:4]],
        "since": [0],
        "over": ["true"],
        "state": ["new", "acknowledged"],
        "level": ["yellow"],
        "kind": ["warning"],
        "open": ["true"],
        "drill": ["true", "false"],
        "origin": [marked.case],
        "at": ["2026-11-26T12:00:00+08:00"],
        "days": [30],
        "ahead": [30],
        "limit": [50],
        "offset": [0],
        "token": [""],
    }


def questions(api: Api, values: dict[str, list[Any]]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path as declared, path as asked, query: each alone with what it needs, and with each thing it may take."""
    for declared, verbs in api.app.openapi()["paths"].items():
        if "get" not in verbs:
            continue
        asked = verbs["get"].get("parameters", [])
        inside = [each["name"] for each in asked if each["in"] == "path"]
        needed = [each["name"] for each in asked if each["in"] == "query" and each["required"]]
        free = [each["name"] for each in asked if each["in"] == "query" and not each["required"]]
        for given in product(*(values[name] for name in (*inside, *needed))):
            known = dict(zip((*inside, *needed), given, strict=True))
            path = re.sub(r"{(\w+)}", lambda found, known=known: str(known[found[1]]), declared)
            query = {name: known[name] for name in needed}
            yield declared, path, query
            yield from ((declared, path, query | {name: one}) for name in free for one in values[name])


def test_nothing_of_another_county_is_told_by_any_question(walked: tuple[Api, dict[str, list[Any]]]) -> None:
    api, known = walked
    askers = {
        "county": api.officer("haishu", "ecology-duty", "330203"),
        "viewer of a city": api.officer("ningbo", "viewer", "330200"),
        "another duty": api.officer("health-here", "health-duty", "330203"),
        "head of a city": api.officer("head-ningbo", "supervisor", "330200"),
        "admin of a city": api.officer("admin-ningbo", "admin", "330200"),
    }
    head = api.officer("admin-of-all", "admin", "330000")
    shown: set[str] = set()
    for declared, path, query in questions(api, known):
        if MARK in said(head, path, query):
            shown.add(declared)
        for who, client in askers.items():
            assert MARK not in said(client, path, query), (who, path, query)
    assert shown >= set(TOLD_TO_HEAD)


def said(client: httpx.Client, path: str, query: dict[str, Any]) -> str:
    """What is told: body and headers, without what was asked."""
    answer = client.get(path, params=query)
    assert answer.status_code < 500, (path, query)
    whole = answer.text + str(list(answer.headers.items()))
    return whole.replace(REPLAY, "") if "timeline" in query and answer.json().get("total") == 0 else whole


def test_counts_and_changes_do_not_move_with_what_happens_elsewhere(
    walked: tuple[Api, dict[str, list[Any]]],
) -> None:
    api, _ = walked
    client = api.officer("haishu", "ecology-duty", "330203")
    paths = ("/api/v1/cases", "/api/v1/counts", "/api/v1/rules", "/api/v1/replays", "/api/v1/silences")
    before = [client.get(path).json() for path in paths]
    api.warn("one-more", region="330110")
    assert [client.get(path).json() for path in paths] == before
    seen = client.get("/api/v1/changes", params={"since": 0}).json()
    assert not seen.get("cases") and not seen.get("items")
