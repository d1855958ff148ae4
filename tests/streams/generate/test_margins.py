"""Noise never warns and every anomaly warns once, whatever the seed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.simulate.model import Derived
from streams.generate.makers import derived
from streams.generate.model import Line, Span
from streams.generate.world import make_world
from tests.streams.generate.world_of import UNTIL, Made, clean, contracts, few_places, made, places, series

HOUR = timedelta(hours=1)
NAMES = ("blue", "yellow", "orange", "red")
Episode = tuple[str, str, str, datetime, datetime | None]


def episodes(
    rule: str,
    subject: str,
    points: Iterable[tuple[datetime, float]],
    levels: Sequence[float],
    recovery: float,
) -> list[Episode]:
    """Threshold with hysteresis, written for this test: opens at the first level, ends below recovery."""
    found: list[Episode] = []
    opened, highest = None, 0
    for time, value in points:
        level = sum(value >= threshold for threshold in levels)
        if level and opened is None:
            opened, highest = time, 0
        highest = max(highest, level)
        if opened is not None and value < recovery:
            found.append((rule, subject, NAMES[highest - 1], opened, time))
            opened = None
    if opened is not None:
        found.append((rule, subject, NAMES[highest - 1], opened, None))
    return found


def windows(lines: Iterable[Line]) -> dict[str, dict[datetime, list[datetime]]]:
    """Times of the received requests of each county, by the start of their clock hour."""
    found: dict[str, dict[datetime, list[datetime]]] = defaultdict(lambda: defaultdict(list))
    for event in clean(lines):
        if event["data"]["stage"] == "received":
            time = datetime.fromisoformat(event["time"])
            found[event["data"]["region"]][time.replace(minute=0, second=0)].append(time)
    return found


def surges(county: str, hours: Mapping[datetime, Sequence[datetime]]) -> list[Episode]:
    """Opens with the fortieth request of an hour, recovers at the end of a later hour with less than 30."""
    found: list[Episode] = []
    opened, highest = None, 0
    for start in sorted(hours):
        times = hours[start]
        level = sum(len(times) >= threshold for threshold in (40, 60, 90, 130))
        if level and opened is None:
            opened, highest = times[39], 0
        highest = max(highest, level)
        if opened is not None and len(times) < 30:
            found.append(("governance.request-surge", county, NAMES[highest - 1], opened, start + HOUR))
            opened = None
    assert opened is None
    return found


def silences(station: str, times: Sequence[datetime], end: datetime) -> list[Episode]:
    """Gaps of more than 6 hours between reports, orange from 24 hours on."""
    found: list[Episode] = []
    for before, after in zip(times, [*times[1:], None], strict=True):
        gap = (after or end) - before
        if gap >= 6 * HOUR:
            level = "orange" if gap >= 24 * HOUR else "yellow"
            found.append(("ecology.station-silent", station, level, before + 6 * HOUR, after))
    return found


def expected_of_rules(world: Made) -> list[Episode]:
    """Every episode that the four rules see in the ordinary events."""
    air = series(world.lines["ecology.air-quality"], "pm25", "station")
    cases = series(world.lines["health.infectious-disease"], "cases", "region", "disease")
    requests = windows(world.lines["governance.citizen-request"])
    found = [
        e for s, p in air.items() for e in episodes("ecology.pm25-high", s, p, (115, 150, 250, 350), 100)
    ]
    found += [
        e for s, p in cases.items() for e in episodes("health.daily-cases", s, p, (200, 400, 800, 1600), 150)
    ]
    found += [e for county, hours in requests.items() for e in surges(county, hours)]
    found += [e for s, p in air.items() for e in silences(s, [time for time, _ in p], world.span.end)]
    return sorted(found, key=str)


def planted_episodes(world: Made) -> list[Episode]:
    return sorted(
        ((a.rule, a.subject, a.level, a.opened_at, a.recovered_at) for a in world.anomalies), key=str
    )


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 2**63),
    days=st.integers(1, 9),
    until=st.dates(date(2020, 1, 1), date(2030, 12, 31)),
)
def test_the_rules_see_exactly_what_was_planted(seed: int, days: int, until: date) -> None:
    world = made(days, seed, few_places(1), until)
    assert expected_of_rules(world) == planted_episodes(world)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**63), until=st.dates(date(2020, 1, 1), date(2030, 12, 31)))
def test_noise_keeps_its_margins(seed: int, until: date) -> None:
    world = made(4, seed, few_places(1), until)
    air = series(world.lines["ecology.air-quality"], "pm25", "station")
    assert all(0 < value < 95 for points in air.values() for _, value in points)
    cases = series(world.lines["health.infectious-disease"], "cases", "region", "disease")
    assert all(0 <= value <= 130 for points in cases.values() for _, value in points)
    requests = windows(world.lines["governance.citizen-request"])
    assert all(len(times) <= 20 for hours in requests.values() for times in hours.values())


def test_a_month_of_all_counties_plants_every_rule_and_level() -> None:
    world = made(30, 77)
    assert expected_of_rules(world) == planted_episodes(world)
    kinds = {(a.rule, a.level) for a in world.anomalies}
    for rule in ("ecology.pm25-high", "health.daily-cases", "governance.request-surge"):
        assert {(rule, level) for level in NAMES} <= kinds
    assert {("ecology.station-silent", "yellow"), ("ecology.station-silent", "orange")} <= kinds


def test_anomalies_stay_away_from_the_ends_and_one_subject_has_one() -> None:
    span = Span(30, UNTIL, 78)
    world = make_world(contracts().values(), places(), span)
    for anomaly in world.anomalies:
        assert span.start + timedelta(days=2) <= anomaly.onset
        assert anomaly.recovered_at is not None
        assert anomaly.recovered_at <= span.end - timedelta(days=2)
    assert len({(a.rule, a.subject) for a in world.anomalies}) == len(world.anomalies)


def test_nine_in_ten_requests_are_handled_in_time_and_stages_follow_each_other() -> None:
    world = made(30, 79, few_places(2))
    stages: dict[str, list[str]] = {}
    handled = in_time = 0
    for event in clean(world.lines["governance.citizen-request"]):
        data = event["data"]
        stages.setdefault(data["request"], []).append(data["stage"])
        if data["stage"] == "handled":
            spent = datetime.fromisoformat(event["time"]) - datetime.fromisoformat(data["received_at"])
            handled += 1
            in_time += spent <= timedelta(hours=data["limit_hours"])
        assert ("rating" in data) == (data["stage"] == "rated")
    order = ["received", "dispatched", "handled", "rated"]
    assert all(found == order[: len(found)] for found in stages.values())
    assert 0.90 <= in_time / handled <= 0.96


def test_air_quality_index_follows_the_table_of_the_standard() -> None:
    table = {
        0.0: 0,
        35.0: 50,
        35.1: 51,
        75.0: 100,
        115.0: 150,
        150.0: 200,
        250.0: 300,
        350.0: 400,
        500.0: 500,
    }
    simulate = contracts()["ecology.air-quality"].simulate
    assert simulate is not None
    maker = next(made.maker for made in simulate.fields if made.name == "aqi")
    assert isinstance(maker, Derived)
    aqi = derived(maker)
    assert {value: aqi({"pm25": value}) for value in table} == table
    assert aqi({"pm25": 900.0}) == 500
    assert aqi({}) is None
