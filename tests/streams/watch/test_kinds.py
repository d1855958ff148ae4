"""Each kind of condition against a plain model that knows the whole series, and at its edges by hand."""

from __future__ import annotations

import statistics
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.arithmetic.matrices import Singular
from schemas.fields import SHANGHAI
from streams.watch.conditions.figures import quantile
from streams.watch.conditions.surge import _bounded
from streams.watch.declare.baseline import BaselineTable, slot_of
from streams.watch.detect import Point, detect, make
from tests.streams.watch.trying import (
    CASES,
    MINUTE,
    REQUESTS,
    START,
    air,
    cases,
    clock,
    request,
    rule,
    series,
    steps,
    transitions,
)

HOUR = timedelta(hours=1)
timed = st.lists(
    st.tuples(st.integers(1, 20), st.sampled_from([10.0, 60.5, 99.9, 100.0, 150.1, 210.0])),
    min_size=1,
    max_size=60,
)


def levels_at_events(found: list[tuple[str, str, float]], minutes: list[float]) -> list[str]:
    """The level open at each of these minutes."""
    levels, at, open_level = [], 0, ""
    for minute in minutes:
        while at < len(found) and found[at][2] <= minute:
            open_level = "" if found[at][0] == "recovered" else found[at][1]
            at += 1
        levels.append(open_level)
    return levels


FIGURES = {
    "count": len,
    "sum": sum,
    "mean": statistics.fmean,
    "min": min,
    "max": max,
    "distinct": lambda values: len(set(values)),
}


@pytest.mark.parametrize("name", FIGURES)
@given(timed)
@settings(max_examples=60, deadline=None)
def test_sliding_windows_agree_with_a_plain_one(name: str, steps_of: list[tuple[int, float]]) -> None:
    bound = {"count": 4, "sum": 400.0, "distinct": 3}.get(name, 100.0)
    condition = {"kind": "aggregate", "aggregate": name, "window": "PT30M"}
    if name != "count":
        condition["field"] = "pm25"
    minute, rows = 0, []
    for gap, value in steps_of:
        minute += gap
        rows.append((minute, value))
    watched = rule(condition, {"blue": bound})
    found = transitions(watched, [air(START + at * MINUTE, value) for at, value in rows])
    wanted = []
    for at, _ in rows:
        window = [value for then, value in rows if at - 30 < then <= at]
        wanted.append("blue" if FIGURES[name](window) >= bound else "")
    assert levels_at_events(steps(found), [at for at, _ in rows]) == wanted


@given(timed)
@settings(max_examples=60, deadline=None)
def test_tumbling_windows_agree_with_a_plain_one(steps_of: list[tuple[int, float]]) -> None:
    minute, rows = 0, []
    for gap, value in steps_of:
        minute += gap
        rows.append((minute, value))
    condition = {
        "kind": "aggregate",
        "aggregate": "mean",
        "field": "pm25",
        "window": "PT30M",
        "windows": "tumbling",
    }
    end = minute // 30 * 30 + 60
    found = transitions(
        rule(condition, {"blue": 100}),
        [air(START + at * MINUTE, v) for at, v in rows],
        START + end * MINUTE + MINUTE,
    )
    wanted = []
    for start in range(0, end, 30):
        window = [value for at, value in rows if start <= at < start + 30]
        wanted.append("blue" if window and statistics.fmean(window) >= 100 else "")
    assert levels_at_events(steps(found), [float(start + 30) for start in range(0, end, 30)]) == wanted


@given(timed)
@settings(max_examples=60, deadline=None)
def test_a_change_agrees_with_a_plain_one(steps_of: list[tuple[int, float]]) -> None:
    minute, rows = 0, []
    for gap, value in steps_of:
        minute += gap
        rows.append((minute, value))
    condition = {"kind": "change", "field": "pm25", "over": "PT30M"}
    found = transitions(
        rule(condition, {"blue": 50}), [air(START + at * MINUTE, value) for at, value in rows]
    )
    wanted, level = [], ""
    for at, value in rows:
        then = [earlier for when, earlier in rows if at - 60 < when <= at - 30]
        if then:
            level = "blue" if value - then[-1] >= 50 else ""
        wanted.append(level)
    assert levels_at_events(steps(found), [at for at, _ in rows]) == wanted


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30), st.sampled_from([0.25, 0.5, 0.75]))
@settings(max_examples=200, deadline=None)
def test_a_quantile_is_that_of_the_standard_library(values: list[float], share: float) -> None:
    cuts = statistics.quantiles(values, n=4, method="inclusive")
    assert quantile(values, share) == pytest.approx(cuts[round(share * 4) - 1], rel=1e-12, abs=1e-6)


def test_a_mean_does_not_drift_however_long_it_slides() -> None:
    """Tenths have no exact float: a running float sum would be off by now, and the bound missed or hit wrongly."""
    values = [0.05 + number % 4 / 100 for number in range(5000)] + [0.1] * 30
    condition = {"kind": "aggregate", "aggregate": "mean", "field": "pm25", "window": "PT30M"}
    (only,) = transitions(rule(condition, {"blue": 0.1}), series(values))
    assert (only.kind, only.value, steps([only])[0][2]) == ("opened", 0.1, 5029)


def test_silence_empties_a_sliding_window_and_ends_the_warning() -> None:
    watched = rule(
        {"kind": "aggregate", "aggregate": "mean", "field": "pm25", "window": "PT30M"}, {"blue": 100}
    )
    found = transitions(watched, [air(START, 150)], START + 31 * MINUTE)
    assert steps(found) == [("opened", "blue", 0), ("recovered", "blue", 30)]
    assert found[-1].value is None


def test_a_count_that_falls_short_is_told_by_silence() -> None:
    condition = {"kind": "aggregate", "aggregate": "count", "window": "PT30M", "direction": "below"}
    found = transitions(rule(condition, {"blue": 1, "red": 0}), series([50, 50, 50]), START + HOUR)
    assert steps(found) == [
        ("opened", "blue", 0),
        ("recovered", "blue", 1),
        ("opened", "blue", 31),
        ("raised", "red", 32),
    ]


def test_a_ratio_needs_its_least_divisor() -> None:
    share = {
        "kind": "ratio", "window": "PT1H", "minimum": 3,
        "of": {"aggregate": "count", "where": {"averaging": "1h"}}, "to": {"aggregate": "count"},
    }  # fmt: skip
    assert steps(transitions(rule(share, {"blue": 0.5}), series([50, 50, 50]))) == [("opened", "blue", 2)]


@pytest.mark.parametrize(("against", "back"), [("yesterday", 1), ("last-week", 7)])
def test_the_same_hour_of_another_day(against: str, back: int) -> None:
    condition = {"kind": "change", "field": "pm25", "against": against, "as": "relative"}
    before = [air(START + timedelta(minutes=20 * at), 40 + 20 * (at == 1)) for at in (0, 1, 4)]  # 40, 60 | 40
    later = START + timedelta(days=back)
    found = transitions(
        rule(condition, {"blue": 0.5}), [*before, air(later + 50 * MINUTE, 74), air(later + 59 * MINUTE, 75)]
    )
    assert [(each.kind, each.value, dict(each.details)["then"]) for each in found] == [("opened", 0.5, 50.0)]


def test_a_relative_change_against_nothing_is_not_judged() -> None:
    condition = {"kind": "change", "field": "aqi", "over": "PT1M", "as": "relative"}
    assert transitions(rule(condition, {"blue": 0.1}), series([50, 60])) == []


def test_a_sequence_that_is_not_answered_in_time() -> None:
    dispatched = {"where": {"stage": "dispatched"}}
    watched = rule(
        {"kind": "sequence", "first": dispatched, "then": {"where": {"stage": "handled"}}},
        {"blue": "PT2H", "red": "PT8H"}, feed=REQUESTS, subject=["region", "request"],
    )  # fmt: skip
    log = [
        request(START, "A", "dispatched"),
        request(START, "B", "dispatched"),
        request(START + 10 * MINUTE, "A", "dispatched"),  # again: the first one counts
        request(START + 2 * HOUR, "B", "handled"),  # at the bound is in time
        request(START + 9 * HOUR, "A", "handled"),
        request(START + 9 * HOUR, "C", "handled"),  # nothing was asked
        request(START + 9 * HOUR, "D", "dispatched"),
        request(START + 9 * HOUR, "D", "handled"),  # at once
    ]
    found = transitions(watched, log, START + 30 * HOUR)
    assert [(each.subject, *step) for each, step in zip(found, steps(found), strict=True)] == [
        ("330106|A", "opened", "blue", 120),
        ("330106|A", "raised", "red", 480),
        ("330106|A", "recovered", "red", 540),
    ]
    assert found[-1].value == 9 * 3600 and found[0].region == "330106"


def test_a_sequence_by_fewer_fields_than_its_subject_has() -> None:
    """The second event has the request's number only; the warning names the region of the first."""
    watched = rule(
        {"kind": "sequence", "first": {"where": {"stage": "dispatched"}, "by": ["request"]},
         "then": {"where": {"stage": "handled"}}},
        {"blue": "PT2H"}, feed=REQUESTS, subject=["region", "request"],
    )  # fmt: skip
    assert watched.rekeyed and watched.inputs[1].key == ("request",)


@pytest.mark.parametrize("method", ["ears-c1", "ears-c2", "ears-c3", "ewma", "cusum"])
@given(st.lists(st.integers(0, 40), min_size=15, max_size=60), st.floats(0.5, 3))
@settings(max_examples=25, deadline=None)
def test_a_surge_says_what_the_detector_says_of_the_whole_series(
    method: str, counts: list[int], bound: float
) -> None:
    parameters = {"cusum": {"m": 10}, "ewma": {"m": 10, "sd": 3}}.get(method, {})
    condition = {
        "kind": "surge", "method": method, "field": "cases", "aggregate": "last", "every": "P1D",
        "parameters": parameters,
    }  # fmt: skip
    if method == "ewma":
        bound *= 10
    watched = rule(condition, {"blue": bound}, feed=CASES, subject=["region"])
    days = [START + timedelta(days=day) for day in range(len(counts))]
    found = transitions(watched, list(map(cases, days, counts)), days[-1] + timedelta(days=1))
    judged = detect(make(method, parameters, "test"), [Point(day, float(n)) for day, n in enumerate(counts)])
    wanted = ["blue" if each.statistic is not None and each.statistic >= bound else "" for each in judged]
    ends = [16 * 60 + day * 1440 for day in range(len(counts))]  # Shanghai's midnight is 16:00 UTC
    assert levels_at_events(steps(found), [float(end) for end in ends]) == wanted


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("farrington-flexible", {"b": 3, "w": 1, "alpha": 0.01}),
        ("ears-c2", {"baseline": 7}),
        ("cusum", {"m": 20}),
    ],
)
def test_months_of_the_calendar_are_points_too(method: str, parameters: dict[str, float]) -> None:
    """A report in the first minute of each month and one in its last, one month without any."""
    firsts = [datetime(2022 + month // 12, month % 12 + 1, 1, tzinfo=SHANGHAI) for month in range(61)]
    random = Random(5)
    counts = [random.randrange(7, 13) * (4 if month in (44, 52) else 1) for month in range(60)]
    log = [
        each
        for first, after, count in zip(firsts, firsts[1:], counts, strict=False)
        if first != firsts[50]
        for each in (cases(first, count), cases(after - MINUTE, count))
    ]
    condition = {
        "kind": "surge", "method": method, "parameters": parameters, "every": "P1M", "field": "cases",
        "aggregate": "sum", "measure": "alarm",
    }  # fmt: skip
    found = transitions(rule(condition, {"red": 1}, feed=CASES, subject=["region"]), log, firsts[60])
    points = [
        Point(first.date(), 0.0 if first == firsts[50] else 2.0 * count)
        for first, count in zip(firsts, counts, strict=False)
    ]
    takes = {"freq": 12} if method.startswith("farrington") else {}
    alarms = [each.alarm is True for each in detect(make(method, parameters | takes, "test"), points)]
    changed = [
        (before, now, at) for before, now, at in zip([False, *alarms], alarms, firsts[1:], strict=False)
    ]
    assert any(alarms)
    assert [(each.kind, each.at) for each in found] == [
        ("opened" if now else "recovered", at.timestamp() * 1000)
        for before, now, at in changed
        if now != before
    ]


def test_weeks_of_a_surge_begin_on_monday() -> None:
    condition = {
        "kind": "surge",
        "method": "cusum",
        "parameters": {"m": 1},
        "every": "P1W",
        "measure": "alarm",
    }
    watched = rule(condition, {"red": 1}, feed=CASES, subject=["region"])
    tuesday = datetime(2026, 3, 3, tzinfo=SHANGHAI)
    log = [cases(tuesday + number * HOUR, 1, number=number) for number in range(9)]
    found = transitions(watched, log, tuesday + timedelta(days=20))
    assert found[0].at == datetime(2026, 3, 9, tzinfo=SHANGHAI).timestamp() * 1000


@pytest.mark.parametrize(
    ("window", "start"),
    [
        pytest.param("P1D", datetime(2026, 3, 3, tzinfo=SHANGHAI), id="day"),
        pytest.param("PT6H", datetime(2026, 3, 3, 6, tzinfo=SHANGHAI), id="quarter of a day"),
        pytest.param("P1W", datetime(2026, 3, 9, tzinfo=SHANGHAI), id="week"),
    ],
)
@pytest.mark.parametrize("kind", ["count", "aggregate"])
def test_windows_that_tumble_begin_at_midnight_and_weeks_on_monday(
    kind: str, window: str, start: datetime
) -> None:
    """Two events a minute apart are of two windows, and none of them is enough; two of one window are."""
    count = {"kind": "count", "window": window}
    condition = (
        count if kind == "count" else {**count, "kind": kind, "aggregate": "count", "windows": "tumbling"}
    )
    watched, end = rule(condition, {"blue": 2}), start + timedelta(days=15)
    assert transitions(watched, [air(start - MINUTE, 1), air(start, 1)], end) == []
    assert [each.kind for each in transitions(watched, [air(start, 1), air(start + MINUTE, 1)], end)] == [
        "opened",
        "recovered",
    ]


@pytest.mark.parametrize("order", [("330106", "330110"), ("330110", "330106")])
@pytest.mark.parametrize(
    ("subject", "region"),
    [("{region:city}", "330100"), ("{region:province}", "330000"), ("averaging", "330106")],
)
def test_the_region_of_a_warning_does_not_depend_on_who_reports_first(
    order: tuple[str, str], subject: str, region: str
) -> None:
    """A rule by city or province has it as its region; one of no region the least of those that came at once."""
    watched = rule({"kind": "count", "window": "PT1H"}, {"blue": 2}, subject=[subject])
    log = [air(START, 1, station=f"S{at}", region=code) for at, code in enumerate(order)]
    assert {each.region for each in transitions(watched, log, START + timedelta(hours=3))} == {region}


def test_an_alarm_is_a_level_too_and_an_empty_day_a_zero_or_missing() -> None:
    condition = {"kind": "surge", "method": "ears-c1", "every": "P1D", "measure": "alarm"}
    days = [
        START + timedelta(days=day, minutes=minute)
        for day in range(8)
        for minute in range(30 if day == 7 else 2)
    ]
    for empty, kinds in (("zero", ["opened", "recovered"]), ("missing", ["opened"])):
        watched = rule(condition | {"empty": empty}, {"orange": 1}, feed=CASES, subject=["region"])
        log = [cases(day, 1, number=number) for number, day in enumerate(days)]
        found = transitions(watched, log, days[-1] + timedelta(days=3))
        assert [each.kind for each in found] == kinds
        assert dict(found[0].details)["observed"] == 30


def test_a_series_that_falls_off_is_a_level_too() -> None:
    condition = {"kind": "surge", "method": "ears-c1", "field": "cases", "every": "P1D", "direction": "below"}
    watched = rule(condition, {"blue": -3, "red": -20}, feed=CASES, subject=["region"])
    log = [cases(START + timedelta(days=day), 30 + day % 2) for day in range(8)]
    found = transitions(watched, log, START + timedelta(days=9))
    assert [(each.kind, each.level, dict(each.details)["observed"]) for each in found] == [
        ("opened", "red", 0)
    ]


TABLE = BaselineTable(7, {("S1", slot_of("hour-of-day", int(START.timestamp() * 1000))): (50.0, 10.0)})


@pytest.mark.parametrize(("unit", "value"), [("absolute", 40.0), ("relative", 0.8), ("sigma", 4.0)])
def test_a_deviation_from_the_baseline_of_its_hour(unit: str, value: float) -> None:
    condition = {"kind": "baseline", "field": "pm25", "slot": "hour-of-day", "as": unit}
    watched = rule(condition, {"blue": value})
    log = [
        air(START, 90),
        air(START + HOUR, 900),
        air(START, 900, "S2"),
    ]  # another hour, another station: unknown
    (only,) = transitions(watched, log, baselines={"test.rule": TABLE})
    assert (only.kind, only.value, dict(only.details)["baseline_version"]) == ("opened", value, 7)
    assert transitions(watched, log) == []


def test_the_slots_of_the_calendar_are_those_of_shanghai() -> None:
    at = int((START + timedelta(hours=17)).timestamp() * 1000)  # Monday 2026-03-02, 01:00 in Shanghai
    slots = ("hour-of-day", "day-of-week", "hour-of-week", "month", "none")
    assert [slot_of(slot, at) for slot in slots] == [1, 0, 1, 3, 0]
    days = [START + timedelta(days=day) for day in range(0, 4000, 13)]
    assert [slot_of("month", int(day.timestamp() * 1000)) for day in days] == [
        (day + timedelta(hours=8)).month for day in days
    ]


def test_a_tick_alone_moves_time() -> None:
    watched = rule({"kind": "threshold", "field": "pm25"}, {"blue": 100}, for_="PT10M")
    found = transitions(watched, [air(START, 150), clock(START + 10 * MINUTE), clock(START + 11 * MINUTE)])
    assert steps(found) == [("opened", "blue", 10)]


def test_a_detector_without_an_answer_misses_the_point_and_a_fault_of_the_program_is_none() -> None:
    def raising(error: Exception) -> Any:
        def step(state: list[Any], t: Any, observed: float | None, population: float | None = None) -> Any:
            if observed is not None:
                raise error
            return state, None, None, None

        return _bounded(step)

    for error in (ValueError("math domain error"), ZeroDivisionError(), OverflowError(), Singular("none")):
        assert raising(error)([], 1, 5.0) == ([], None, None, None)
    for fault in (ValueError("shapes do not fit"), TypeError("a bug"), IndexError("a bug")):
        with pytest.raises(type(fault)):
            raising(fault)([], 1, 5.0)
