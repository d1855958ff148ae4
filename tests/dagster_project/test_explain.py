"""From a figure back to its messages, and from the messages alone to the same figure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from dagster_project.days.spans import Span
from dagster_project.explain.figure import Known, Question, explain
from dagster_project.explain.replay import read_raw, replay
from schemas.contract import Contract
from schemas.errors import Misdeclared
from schemas.event import encode_event
from schemas.fields import SHANGHAI
from schemas.regions import load_regions
from tests.dagster_project.house import AIR, CONTRACTS, HEALTH, INDICATORS, REQUESTS, Event, House, noon
from tests.dagster_project.test_command import liaowang

pytestmark = pytest.mark.stack
DAY = date(2024, 3, 1)
ONE = timedelta(days=1)
GOOD = INDICATORS["ecology.good-air-days"]
MONTHLY = INDICATORS["health.monthly-incidence"]
IN_TIME = INDICATORS["governance.resolved-in-time"]
KNOWN = Known({contract.table: contract for contract in CONTRACTS.values()}, load_regions())


def land(house: House, contract: Contract, *events: Event, base: Mapping[str, Any]) -> None:
    """Land events with the bytes they came as."""
    base = {**dict.fromkeys(field.name for field in contract.fields), **base}
    rows = []
    for event in events:
        data = {**base, **event.data}
        plain = {
            name: value.isoformat() if isinstance(value, date) else value
            for name, value in data.items()
            if name != "time" and value is not None
        }
        time = data.get("time", noon(event.day))
        raw = encode_event(
            id=event.id,
            source=event.source,
            type=contract.event_type,
            time=time,
            data=plain,
            corrects=event.corrects,
        )
        rows.append(
            Event(event.id, event.day, {**event.data, "raw": raw.decode()}, event.corrects, event.source)
        )
    house.land(*rows, contract=contract, base=base)


AIR_DATA = {"station": "1233A", "region": "330110", "averaging": "24h", "pm25": 30.0, "aqi": None}
HEALTH_DATA = {"region": "330100", "disease": "influenza", "date": DAY, "cases": 10}


def air(id: str, day: date, pm25: float, region: str = "330110", corrects: str = "") -> Event:
    return Event(id, day, {"pm25": pm25, "region": region, "station": region}, corrects)


def publish(house: House, contract: Contract, indicator: str, span: Span) -> int:
    attempt = house.attempt(span)
    house.build(attempt, contract)
    _, judged = house.figure(attempt, INDICATORS[indicator])
    assert judged.passed
    return house.publish(attempt).seq or 0


def test_a_figure_leads_back_to_release_builds_verdicts_departments_and_messages(house: House) -> None:
    land(house, AIR, air("a", DAY, 30), air("b", DAY, 90, "330203"), base=AIR_DATA)
    publish(house, AIR, GOOD.id, Span(DAY, DAY))
    land(house, AIR, air("c", DAY + ONE, 90), air("a2", DAY, 80, corrects="a"), base=AIR_DATA)
    publish(house, AIR, GOOD.id, Span(DAY + ONE, DAY + ONE))
    found = explain(house.warehouse, KNOWN, Question(GOOD, "330100", DAY + ONE))
    assert (found.figure["value"], found.figure["numerator"], found.figure["denominator"]) == (50.0, 1.0, 2.0)
    assert (found.region_name, found.period, found.first, found.last) == (
        "杭州市",
        "2024-03-02",
        DAY + ONE,
        DAY + ONE,
    )
    release = found.release
    assert (release.seen_in, release.seq, release.parent, release.code, release.version) == (
        2,
        2,
        1,
        "test",
        GOOD.version,
    )
    assert (release.verdict.passed, release.verdict.suite.startswith("indicator.")) == (True, True)
    assert (found.build.first, found.build.parent, found.build.offsets) == (
        DAY + ONE,
        1,
        {f"{AIR.topic}/0/0": 4},
    )
    (source,) = found.sources
    assert (source.feed, source.department, source.topic) == (AIR.feed, "ecology", AIR.topic)
    assert [(part.first, part.rows, part.passed, part.read_up_to) for part in source.parts] == [
        (DAY, 2, True, {f"{AIR.topic}/0/0": 2}),
        (DAY + ONE, 1, True, {f"{AIR.topic}/0/0": 4}),
    ]
    assert source.parts[0].contract_versions == (AIR.version,)
    assert [(item.partition, item.first, item.last, item.messages) for item in source.offsets] == [
        (0, 0, 2, 2)
    ]
    assert [(item.offset, item.id) for item in found.messages] == [(0, "a"), (2, "c")]
    assert [(item.period, item.value) for item in found.compared] == [("2024-03-01", 100.0)]


def test_a_correction_stands_with_its_own_offset_under_the_id_it_corrects(house: House) -> None:
    land(house, AIR, air("a", DAY, 30), air("a2", DAY, 80, corrects="a"), base=AIR_DATA)
    publish(house, AIR, GOOD.id, Span(DAY, DAY))
    question = Question(GOOD, "330100", DAY)
    (message,) = explain(house.warehouse, KNOWN, question).messages
    assert (message.offset, message.id, message.event) == (1, "a2", "a")
    assert replay(house.warehouse, KNOWN, question, [message]).value == 0.0


def test_the_past_is_explained_as_of_a_release(house: House) -> None:
    land(house, AIR, air("a", DAY, 30), base=AIR_DATA)
    publish(house, AIR, GOOD.id, Span(DAY, DAY))
    land(house, AIR, air("a2", DAY, 80, corrects="a"), base=AIR_DATA)
    publish(house, AIR, GOOD.id, Span(DAY, DAY))
    values = []
    for release in (1, 2, None):
        question = Question(GOOD, "330000", DAY, release)
        found = explain(house.warehouse, KNOWN, question)
        again = replay(house.warehouse, KNOWN, question, found.messages)
        values.append((found.release.seq, found.figure["value"], again.value))
    assert values == [(1, 100.0, 100.0), (2, 0.0, 0.0), (2, 0.0, 0.0)]


@pytest.mark.parametrize("region", ["330000", "330100", "330110", "330203"])
def test_the_messages_alone_make_the_same_figure(house: House, region: str) -> None:
    """Read back from landing by their offsets, decoded, and run through the same SQL."""
    start = datetime(2024, 3, 1, 10, tzinfo=SHANGHAI)
    base = {
        "request": "R",
        "region": "330110",
        "channel": "hotline",
        "category": "housing",
        "stage": "received",
        "received_at": start,
        "limit_hours": 72,
    }
    events = []
    for n in range(60):
        county = ("330110", "330106", "330203")[n % 3]
        own = {"request": f"R{n}", "region": county, "time": start}
        events.append(Event(f"r{n}", DAY, own))
        if n % 4:
            end = start + timedelta(hours=20 + n)
            events.append(Event(f"h{n}", end.date(), {**own, "stage": "handled", "time": end}))
    land(house, REQUESTS, *events, base=base)
    publish(house, REQUESTS, IN_TIME.id, Span(DAY, DAY + 5 * ONE))
    question = Question(IN_TIME, region, DAY + 3 * ONE)
    found = explain(house.warehouse, KNOWN, question)
    assert found.sufficient
    assert len(found.messages) == found.messages_total
    assert (found.messages_total < len(events)) is (region != "330000")
    house.warehouse.rows(f"TRUNCATE TABLE built.{REQUESTS.table}")
    again = replay(house.warehouse, KNOWN, question, found.messages)
    figure = found.figure
    assert (again.numerator, again.denominator, again.value, again.absent) == (
        figure["numerator"],
        figure["denominator"],
        figure["value"],
        0,
    )
    fewer = replay(house.warehouse, KNOWN, question, found.messages[::2])
    assert (fewer.numerator, fewer.denominator) != (again.numerator, again.denominator)


def test_a_month_leads_to_the_messages_of_its_days_and_their_bytes(house: House) -> None:
    days = [date(2024, 2, 29), DAY, date(2024, 3, 31)]
    reports = [Event(f"m{n}", day, {"date": day}) for n, day in enumerate(days)]
    land(house, HEALTH, *reports, base=HEALTH_DATA)
    publish(house, HEALTH, MONTHLY.id, Span(days[0], days[-1]))
    found = explain(house.warehouse, KNOWN, Question(MONTHLY, "330100", days[-1]), limit=1)
    assert (found.period, found.first, found.messages_total, len(found.messages)) == ("2024-03", DAY, 2, 1)
    ((place, raw),) = read_raw(house.warehouse, HEALTH, found.messages).items()
    assert place == (0, 0, 1)
    assert '"id":"m1"' in raw


@pytest.mark.parametrize(
    ("region", "day", "words"),
    [("330199", DAY, "no region 330199"), ("330100", DAY - ONE, "2024-03-01 to 2024-03-01")],
)
def test_a_figure_that_is_not_there_is_told_with_what_there_is(
    house: House, region: str, day: date, words: str
) -> None:
    land(house, AIR, air("a", DAY, 30), base=AIR_DATA)
    publish(house, AIR, GOOD.id, Span(DAY, DAY))
    with pytest.raises(Misdeclared, match=words):
        explain(house.warehouse, KNOWN, Question(GOOD, region, day))


def test_the_command_tells_it_as_json_and_as_a_page_and_replays_it(house: House) -> None:
    land(house, AIR, air("<a>", DAY, 30), air("b", DAY, 90, "330203"), base=AIR_DATA)
    publish(house, AIR, GOOD.id, Span(DAY, DAY))
    asked = ["explain", GOOD.id, "--region", "杭州市", "--period", str(DAY)]
    done = liaowang(house.settings, *asked, "--json", "--replay", "--page")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["figure"]["value"], told["release"]["seq"], told["release"]["verdict"]["passed"]) == (
        100,
        1,
        True,
    )
    assert told["sources"][0]["offsets"] == [
        {"log_epoch": 0, "partition": 0, "first": 0, "last": 0, "messages": 1}
    ]
    assert [(item["topic"], item["offset"], item["id"]) for item in told["messages"]] == [
        (AIR.topic, 0, "<a>")
    ]
    assert (told["replay"]["value"], told["replay"]["same"]) == (100, True)
    page = (house.settings.home / "docs" / "explain" / GOOD.id / f"330100-{DAY}.html").read_text()
    assert "杭州市" in page and "&lt;a&gt;" in page and "<a>" not in page
    wrong = liaowang(house.settings, *asked[:-1], "2024-03")
    assert (wrong.returncode, "write 2024-03-31" in wrong.stderr) == (2, True)
