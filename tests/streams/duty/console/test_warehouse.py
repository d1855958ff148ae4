"""With a real warehouse: the chart around a warning and its messages, indicators and targets, the pipeline."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import pytest

from dagster_project.mart.rule_quality import RuleDay, RuleWarning, store
from dagster_project.warehouse import warehouse as connected
from deploy.local.warehouse import warehouse_running
from deploy.provision.migrate import migrate
from schemas.errors import Unavailable
from schemas.findings import Finding, Found, encode, words_of
from streams.console import facts
from streams.console.evidence import find, place_of, wanted_of
from streams.console.reviewed import reviews
from tests.dagster_project.house import AIR, INDICATORS, READING, REQUESTS, Event
from tests.dagster_project.house import House as Log
from tests.streams.duty.console.house import House, house_open, settings_for, until

pytestmark = pytest.mark.stack
DAY = date(2026, 3, 1)
WARNED = datetime(2026, 3, 1, 0, tzinfo=UTC)
HOURS = range(-30, 13)


@dataclass(frozen=True)
class Both:
    """A console and the log of the warehouse it reads."""

    console: House
    log: Log
    case: int


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    settings = settings_for(tmp_path_factory.mktemp("home"))
    with warehouse_running(settings):
        migrate(settings)
        with connected(settings) as connection, house_open(settings) as console:
            log = Log(settings, connection, datetime(2026, 3, 2, tzinfo=UTC), DAY)
            console.officer("head", "supervisor", "330000")
            console.officer("linan", "ecology-duty", "330112")
            log.land(*readings("1233A", 160), *readings("9999A", 10), base=READING | {"averaging": "1h"})
            evidence = '{"topic":"feed.ecology.air-quality","partition":0,"offset":30}'
            case = console.warn(1, subject="1233A", region="330110", evidence=evidence)
            yield Both(console, log, case)


def readings(station: str, peak: float) -> list[Event]:
    """A reading an hour around the warning, which is the peak."""
    events = []
    for hour in HOURS:
        at = WARNED + timedelta(hours=hour)
        data = {"station": station, "time": at, "pm25": peak if hour == 0 else 40.0 + hour}
        events.append(Event(f"{station}-{hour}", (at + timedelta(hours=8)).date(), data))
    return events


def test_the_case_page_draws_the_values_with_the_thresholds_and_names_the_messages(both: Both) -> None:
    with both.console.visitor("head") as client:
        page = client.get(f"/cases/{both.case}").text
    chart = page.split('<svg class="chart"')[1].split("</svg>")[0]
    assert chart.count("<circle") == len(HOURS), "every hour of this station, and of no other"
    assert re.findall(r'class="bound (\w+)"', chart) == ["red", "orange", "yellow", "blue"]
    assert chart.count('class="dot over"') == 1 and "2026-03-01 08:00: 160" in chart
    assert chart.count('class="mark"') == 1
    messages = page.split('id="d-messages"')[1].split("</details>")[0]
    assert "1233A-0 <strong>(触发本次预警)</strong>" in messages
    assert (
        "feed.ecology.air-quality/0@30" in messages and "pm25 = 160" in messages and "9999A" not in messages
    )


def test_a_rule_that_counts_shows_the_number_in_each_window(both: Both) -> None:
    deps = both.console.console.deps
    base: dict[str, object] = {"request": "r", "region": "330106", "channel": "hotline", "category": "other"}
    base |= {"stage": "received", "received_at": WARNED, "limit_hours": 24, "rating": None}
    events = [
        Event(f"r-{n}", DAY, {"time": WARNED + timedelta(minutes=n % 50, hours=n // 45)}) for n in range(100)
    ]
    both.log.land(*events, *events[:5], contract=REQUESTS, base=base)
    wanted = wanted_of(
        deps.rules, deps.contracts, "governance.request-surge", subject="330106", timeline="",
        at=WARNED + timedelta(minutes=40), place=None,
    )  # fmt: skip
    assert wanted is not None
    found = find(deps.service, wanted)
    assert [value for _, value in found.series.points] == [45.0, 45.0, 10.0], "a copy counts once"
    assert dict(found.series.bounds)["red"] == 130.0


def test_a_replay_shows_its_own_values_only(both: Both) -> None:
    case = both.console.warn(2, subject="1233A")
    stored = both.console.stored(case)
    deps = both.console.console.deps
    wanted = wanted_of(
        deps.rules,
        deps.contracts,
        stored.rule,
        subject="1233A",
        timeline="replay",
        at=WARNED,
        place=(0, 30),
    )
    assert wanted is not None and find(deps.service, wanted).series.points == ()
    assert place_of("{}") is None and place_of("no json") is None


def test_indicators_stand_against_their_targets_and_lead_to_every_region(both: Both) -> None:
    deps, log = both.console.console.deps, both.log
    with both.console.visitor("head") as client:
        assert facts.standings(deps.mart) == ()
        until(lambda: "尚未发布" in client.get("/screen").text)
        days = [reading_of(region, value) for region, value in (("330100", 20.0), ("330200", 90.0))]
        log.land(*days)
        attempt = log.attempt()
        log.build(attempt, AIR)
        good = INDICATORS["ecology.good-air-days"]
        log.figure(attempt, good)
        log.publish(attempt)
        (standing,) = facts.standings(deps.mart)
        assert standing.id == "ecology.good-air-days" and standing.day == DAY
        values = {figure.region: figure.value for figure in standing.figures if figure.value is not None}
        assert values["330100"] == 100.0 and values["330200"] == 0.0 and standing.known == len(values)
        assert standing.province is not None and 0 < standing.province < 100
        deps.standings.forget()
        until(lambda: "空气" in client.get("/screen").text)
        page = client.get("/screen").text
        assert '<a href="/indicators/ecology.good-air-days">' in page and "未达标" in page
        rows = client.get("/indicators/ecology.good-air-days").text
        assert rows.index("杭州市") < rows.index("宁波市"), "the best first"
        assert client.get("/indicators/no.such").status_code == 404


def reading_of(region: str, value: float) -> Event:
    return Event(f"{region}-{value}", DAY, {"station": f"s{region}", "region": region, "pm25": value})


def test_the_pipeline_tells_of_feeds_gate_and_releases(both: Both) -> None:
    deps = both.console.console.deps
    states = {state.feed: state for state in facts.feed_states(deps.service, deps.contracts, None)}
    assert (
        states["ecology.air-quality"].accepted >= 2 * len(HOURS) and states["ecology.air-quality"].lag is None
    )
    ends = {("feed.ecology.air-quality", 0): 10_000, ("feed.ecology.air-quality", 1): 7}
    states = {state.feed: state for state in facts.feed_states(deps.service, deps.contracts, ends)}
    landed = states["ecology.air-quality"].accepted
    assert states["ecology.air-quality"].lag == 10_007 - landed
    told = facts.trust(deps.service, deps.mart)
    assert [release.seq for release in told.releases] == [1]
    assert {gate.table for gate in told.gates} >= {"ecology_air_quality"} and told.failures == ()
    with both.console.visitor("head") as client:
        until(lambda: "ecology_air_quality" in client.get("/health").text)
        until(lambda: "ecology.air-quality" in client.get("/health").text)
        assert "未知" in client.get("/health").text, "the broker is away"
        assert (
            "浙江省生态环境厅<br>" in client.get("/health").text and "监测中心" in client.get("/health").text
        )


def test_what_the_gate_found_is_told_in_the_visitor_s_language(both: Both) -> None:
    """What an earlier version stored in words alone is shown under its check, as it was written."""
    deps = both.console.console.deps
    gap = Finding(Found.GAP, {"partition": 3, "offset": 7}, "ledger_contiguous", "ledger_contiguous")
    columns = ("table", "day", "build_id", "passed", "failed", "decided")
    rows = [
        ("t_new", DAY, "b1", 0, [words_of(gap)], WARNED, [encode(gap)]),
        ("t_old", DAY, "b0", 0, ['drift_day: 5 of "7" rows: odd', "no colon"], WARNED),
    ]
    both.log.warehouse.insert("quality.verdict", (*columns, "findings"), rows[:1])
    both.log.warehouse.insert("quality.verdict", columns, rows[1:])
    new, old = facts.trust(deps.service, deps.mart).failures
    assert new.findings == (gap,) and [item.check for item in old.findings] == ["drift_day", ""]
    assert old.words("en") == ('drift_day: 5 of "7" rows: odd', "no colon")
    deps.trust.forget()
    with both.console.visitor("head") as client:
        until(lambda: "t_new" in client.get("/health").text)
        shown = client.get("/health").text.split('id="d-failures"')[1].split("</details>")[0]
        assert "t_new 2026-03-01: 位点连续：分区 3 在位点 7 处有缺口" in shown and "partition" not in shown
        client.headers["accept-language"] = "en"
        shown = client.get("/health").text.split('id="d-failures"')[1].split("</details>")[0]
        assert "t_new 2026-03-01: ledger_contiguous: partition 3 has a gap at 7" in shown
    both.log.warehouse.rows("TRUNCATE TABLE quality.verdict")


def test_a_reading_that_fails_for_another_reason_does_not_shut_the_warehouse_out(both: Both) -> None:
    service = both.console.console.deps.service
    with pytest.raises(Unavailable, match="nowhere"):
        service.rows("SELECT * FROM landing.nowhere")
    assert service.rows("SELECT 1") == [(1,)]


def test_the_list_of_rules_tells_what_reviews_found_of_what_one_may_see(both: Both) -> None:
    rule, deps = "ecology.pm25-high", both.console.console.deps
    verdicts = [("330110", "missed"), ("330110", "agreed"), ("330112", "later"), ("330112", "spurious")]
    day = RuleDay(rule, DAY, 1, "", "red", 1, 0, 1, 1, 1, (60.0,), True, 9, WARNED)
    warned = [
        RuleWarning(rule, DAY, 1, "", "red", region + verdict, region, verdict, None, None, "e", WARNED)
        for region, verdict in verdicts
    ]
    store(both.log.warehouse, [day], warned)
    store(both.log.warehouse, [replace(day, day=DAY - timedelta(days=40), reviewed=WARNED)], [])
    found = reviews(deps.mart)
    assert found.spans == {rule: (DAY - timedelta(days=40), DAY)}
    deps.reviews.forget()

    def row(login: str) -> str:
        with both.console.visitor(login) as client:
            until(lambda: "按完整数据复盘 2026-01-20 至 2026-03-01" in client.get("/rules").text)
            return client.get("/rules").text.split(f"{rule} v")[1].split("</tr>")[0]

    assert re.findall(r">(\d+ / \d+)<", row("head")) == ["1 / 3", "1 / 3"]
    assert re.findall(r">(\d+ / \d+)<", row("linan")) == ["0 / 1", "1 / 2"]
