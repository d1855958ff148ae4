"""Warnings as CAP 1.2: documents other systems can read, an index of what holds, nothing personal in either."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import Misdeclared
from schemas.regions import load_regions
from schemas.settings import Settings
from streams.duty.cases import service
from streams.duty.database.database import Database
from streams.duty.shifts.roles import publisher_of
from streams.duty.systems import cap
from streams.duty.systems.cap_index import ATOM, Publisher
from tests.streams.duty.api import Api
from tests.streams.duty.cap_schema import CAP, faults
from tests.streams.duty.moments import NOW, root

FEED = "/api/v1/cap"
EVENTS = {"ecology.pm25-high": ("站点细颗粒物小时浓度超限", "Hourly PM2.5 at a station is high")}
REGIONS = load_regions()
TOLD = cap.Told(
    identifier=cap.identifier("3f0c3f62-0d07-5bd0-a3a9-d2a1a0b7f3c1", 0),
    kind="opened",
    sent=NOW,
    level="red",
    title="PM2.5 at 1233A is 360",
    event=EVENTS["ecology.pm25-high"],
    rule="ecology.pm25-high",
    subject="1233A",
    region=REGIONS.province,
    onset=NOW,
    runbook="Ask the station.",
    value=360.0,
    threshold=350.0,
)


@pytest.fixture
def api(database: Database, tmp_path: Path) -> Iterator[Api]:
    made = Api(database, tmp_path / "home", Publisher("duty@example.org", "https://duty.example.org", EVENTS))
    with made.running() as running:
        yield running


def texts(element: Element, name: str) -> list[str]:
    return [found.text or "" for found in element.iter(f"{CAP}{name}")]


def entries(client: httpx.Client, **params: str) -> list[tuple[str, str]]:
    """Title and link of each entry of the Atom index."""
    answer = client.get(f"{FEED}/index.atom", params=params)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/atom+xml")
    found = fromstring(answer.content).findall(f"{{{ATOM}}}entry")
    titles = [each.findtext(f"{{{ATOM}}}title") or "" for each in found]
    return list(zip(titles, [each.find(f"{{{ATOM}}}link").attrib["href"] for each in found], strict=True))  # type: ignore[union-attr]


def test_an_episode_is_an_alert_then_updates_then_a_cancel_that_name_what_went_before(api: Api) -> None:
    client = api.as_("ecology-1")
    documents: list[bytes] = []
    steps = (("opened", "yellow"), ("raised", "red"), ("lowered", "blue"), ("recovered", "blue"))
    for ordinal, (kind, level) in enumerate(steps):
        api.clock.now = NOW + timedelta(minutes=ordinal)
        api.warn("e1", ordinal=ordinal, kind=kind, level=level, value=100.0 + ordinal)
        [(_, link)] = entries(client)
        answer = client.get(link)
        assert answer.headers["content-type"].startswith(cap.MEDIA_TYPE)
        documents.append(answer.content)
    assert [faults(document) for document in documents] == [[], [], [], []]
    alerts = [fromstring(document) for document in documents]
    assert [texts(alert, "msgType")[0] for alert in alerts] == ["Alert", "Update", "Update", "Cancel"]
    named = [f"duty@example.org,{texts(a, 'identifier')[0]},{texts(a, 'sent')[0]}" for a in alerts]
    assert [texts(alert, "references") for alert in alerts] == [
        [],
        [named[0]],
        [" ".join(named[:2])],
        [" ".join(named[:3])],
    ]
    assert [texts(alert, "severity")[0] for alert in alerts] == ["Moderate", "Extreme", "Minor", "Minor"]
    assert [texts(alert, "urgency")[0] for alert in alerts] == ["Expected", "Immediate", "Future", "Past"]
    assert "101" in texts(alerts[1], "value"), "each says what it was then"
    first = alerts[0]
    assert texts(first, "language") == ["zh-CN", "en-US"]
    assert texts(first, "event") == list(EVENTS["ecology.pm25-high"])
    assert texts(first, "areaDesc") == [REGIONS.get("330110").name, REGIONS.get("330110").name_en]  # type: ignore[union-attr]
    geocode = first.find(f".//{CAP}geocode")
    assert geocode is not None and [child.text for child in geocode] == ["GB/T 2260", "330110"]
    assert texts(first, "web")[0] == "https://duty.example.org/cases/1"
    assert client.get(documents and entries(client)[0][1]).status_code == 200


def test_the_index_shows_what_holds_and_what_ended_within_a_day(api: Api) -> None:
    client = api.as_("ecology-1")
    api.warn("e1", "e2", level="orange")
    api.warn("e1", ordinal=1, kind="recovered", level="orange")
    titles = [title for title, _ in entries(client)]
    assert sorted(title.partition(" ")[0] for title in titles) == ["[橙色预警]", "[橙色预警解除]"]
    api.clock.now = NOW + timedelta(days=2)
    assert [title.partition(" ")[0] for title, _ in entries(client)] == ["[橙色预警]"]
    answer = client.get(f"{FEED}/index.rss")
    assert answer.headers["content-type"].startswith("application/rss+xml")
    [item] = fromstring(answer.content).findall("./channel/item")
    assert faults(client.get(item.findtext("link") or "").content) == []


def test_a_reader_sees_his_regions_and_needs_a_token_that_opens_nothing_else(api: Api) -> None:
    api.warn("e1", region="330110")
    api.warn("e2", region="330203")
    assert len(entries(api.as_("ecology-1"))) == 2
    assert len(entries(api.as_("ecology-1"), region="330200")) == 1
    assert len(entries(api.as_("hangzhou-ecology-1"))) == 1
    assert entries(api.as_("health-1")) == []
    assert api.bare().get(f"{FEED}/index.atom").status_code == 401
    token = api.token("hangzhou-ecology-1", "cap")
    [(_, link)] = entries(api.bare(), token=token)
    assert faults(api.bare().get(link).content) == [], "a reader without headers can follow the links"
    bearer = api.bare({"Authorization": f"Bearer {token}"})
    assert bearer.get("/api/v1/cases").status_code == 401
    calendar = "/api/v1/calendar/officers/hangzhou-ecology-1.ics"
    assert bearer.get(calendar).status_code == 401
    mine = entries(api.as_("ecology-1"), region="330200")[0][1]
    assert bearer.get(mine).status_code == 404, "what he may not see is not there"
    assert bearer.get(f"{FEED}/index.atom", params={"region": "999999"}).status_code == 404


def test_what_officers_wrote_and_who_they_are_stands_nowhere(api: Api) -> None:
    api.warn("e1", evidence='{"raw":"a resident of 3 Long Lane"}')
    regions = api.desk.regions
    with api.database.writing() as session:
        service.comment(session, api.desk, root(regions), NOW, 1, text="called Mrs Li at 13900000001")
    client = api.as_("ecology-1")
    said = client.get(f"{FEED}/index.atom").text + client.get(entries(client)[0][1]).text
    for word in ("Long Lane", "Mrs Li", "13900000001", "ecology-1", "值班员"):
        assert word not in said


def test_replays_are_tests_and_holes_in_the_roster_concern_nobody_else(api: Api) -> None:
    api.warn("e1", timeline="t1")
    api.warn("e2", rule="duty.roster-hole")
    [(_, link)] = entries(api.as_("head-1"))
    assert texts(fromstring(api.as_("head-1").get(link).content), "status") == ["Test"]


@given(
    st.text(),
    st.sampled_from(sorted(cap.TYPES)),
    st.sampled_from(sorted(cap.SEVERITY)),
    st.sampled_from(REGIONS.all),
    st.none() | st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.text(max_size=20),
    st.integers(0, 2**32),
)
@settings(max_examples=100, deadline=None)
def test_whatever_a_warning_says_its_document_keeps_the_schema(
    title: str, kind: str, level: str, region: object, value: float | None, runbook: str, at: int
) -> None:
    earlier = () if kind == "opened" else (cap.Earlier("3f0c.0", NOW),)
    told = replace(
        TOLD,
        title=title,
        subject=title,
        kind=kind,
        level=level,
        region=region,
        value=value,
        runbook=runbook,
        onset=datetime.fromtimestamp(at, UTC),
        earlier=earlier,
    )
    assert faults(cap.document(told, "duty@example.org")) == []


def test_the_checker_finds_what_breaks_the_schema() -> None:
    good = cap.document(TOLD, "duty@example.org")
    assert faults(good) == []
    for was, becomes in (
        (b"<status>Actual</status>", b""),
        (b"<status>Actual</status>", b"<status>Real</status>"),
        (b"<msgType>Alert</msgType>", b"<msgType>Update</msgType>"),
        (b"+08:00</sent>", b"Z</sent>"),
        (b"<urgency>Immediate</urgency><severity>Extreme</severity>", b"<severity>Extreme</severity>"),
        (b"<category>Env</category>", b"<category>Smog</category>"),
        (b"duty@example.org", b"duty desk"),
    ):
        assert was in good
        assert faults(good.replace(was, becomes, 1)) != [], becomes


def test_a_sender_that_cap_forbids_is_refused_at_the_start() -> None:
    with pytest.raises(Misdeclared, match="LIAOWANG_CAP_SENDER"):
        publisher_of(Settings(cap_sender="duty desk"), ())
