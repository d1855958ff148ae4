"""A correction of an event that has counted never counts as another one, and never lifts what it lowers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.event import encode_event
from streams.watch.declare.rule import Rule
from streams.watch.engine.trial_events import TrialEvent
from streams.watch.episodes.episode import Transition
from tests.streams.watch.test_every_kind import KINDS
from tests.streams.watch.trying import AIR, CONTRACTS, START, clock, rule, steps, transitions

DAY = timedelta(days=1)
COUNTY = {"subject": ["{region}"]}
"""A subject that does not keep the feed's key: judged in the second stage."""
WEEK = {"kind": "aggregate", "aggregate": "sum", "field": "cases", "window": "P7D"}
HEALTH = {"feed": "health.infectious-disease", "subject": ["region", "disease"]}


def reading(id: str, at: datetime, value: float, corrects: str = "", averaging: str = "1h") -> TrialEvent:
    data = {"station": "S1", "region": "330106", "averaging": averaging, "pm25": value}
    raw = encode_event(
        id=id, source="/t", type=CONTRACTS[AIR].event_type, time=at, data=data, corrects=corrects
    )
    return TrialEvent(AIR, int(at.timestamp() * 1000), raw)


def report(id: str, at: datetime, count: int, corrects: str = "") -> TrialEvent:
    data = {"region": "330100", "disease": "influenza", "date": at.date().isoformat(), "cases": count}
    feed = HEALTH["feed"]
    assert isinstance(feed, str)
    raw = encode_event(
        id=id, source="/t", type=CONTRACTS[feed].event_type, time=at, data=data, corrects=corrects
    )
    return TrialEvent(feed, int(at.timestamp() * 1000), raw)


def told(found: Sequence[Transition]) -> list[tuple[str, str, str, int]]:
    """Transitions without their places in the log."""
    return sorted((each.id, each.kind, each.level, each.at) for each in found)


logs = st.lists(
    st.tuples(
        st.integers(1, 15),
        st.sampled_from([20, 99, 120, 160, 260, 400]),
        st.sampled_from(["1h", "1h", "24h"]),
        st.lists(st.tuples(st.integers(0, 9), st.sampled_from([10, 90, 150, 500])), max_size=2),
    ),
    min_size=1,
    max_size=25,
)
"""(minutes after the one before, value, averaging, corrections that follow: (how far back, value))."""


def written(
    plan: Sequence[tuple[int, int, str, list[tuple[int, int]]]],
) -> tuple[list[TrialEvent], list[TrialEvent]]:
    """The log with its corrections, and the same log without them; a tick now and then."""
    at, events, whole = START, list[tuple[str, datetime]](), list[TrialEvent]()
    plain: list[TrialEvent] = []
    for number, (minutes, value, averaging, corrections) in enumerate(plan):
        at += timedelta(minutes=minutes)
        events.append((f"e{number}", at))
        step = [reading(f"e{number}", at, value, averaging=averaging)]
        if number % 4 == 3:
            step.append(clock(at))
        plain += step
        whole += step
        for order, (back, corrected) in enumerate(corrections):
            name, when = events[max(0, len(events) - 1 - back)]
            arrived = replace(reading(f"c{number}-{order}", when, corrected, name), arrival=step[0].at)
            whole.append(arrived)
    end = at + timedelta(hours=6)
    return [*whole, clock(end)], [*plain, clock(end)]


ADDING = [name for name, each in KINDS.items() if each.accumulates]


@pytest.mark.parametrize("kind", ADDING)
@given(logs)
@settings(max_examples=60, deadline=None)
def test_to_rules_whose_events_add_up_a_correction_is_a_copy(
    kind: str, plan: list[tuple[int, int, str, list[tuple[int, int]]]]
) -> None:
    corrected, plain = written(plan)
    assert told(transitions(KINDS[kind], corrected)) == told(transitions(KINDS[kind], plain))


@pytest.mark.parametrize("condition", [{"kind": "count", "window": "PT15M"}, {**WEEK, "field": "pm25"}])
@given(logs)
@settings(max_examples=60, deadline=None)
def test_in_the_second_stage_as_well(
    condition: dict[str, object], plan: list[tuple[int, int, str, list[tuple[int, int]]]]
) -> None:
    county = rule(condition, {"blue": 4, "red": 900}, **COUNTY)
    assert county.rekeyed
    corrected, plain = written(plan)
    assert told(transitions(county, corrected)) == told(transitions(county, plain))


def test_a_downward_correction_within_the_week_does_not_lift_the_sum() -> None:
    week = rule(WEEK, {"yellow": 800, "red": 1200}, **HEALTH)
    log = [report("a", START, 700), report("b", START + DAY, 150)]
    opened = transitions(week, log)
    assert [(each.kind, each.value) for each in opened] == [("opened", 850)]
    lowered = [*log, report("c", START + DAY, 100, "b"), report("d", START, 650, "a")]
    assert told(transitions(week, lowered)) == told(opened)


changes = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 900)), max_size=2)


@given(st.lists(st.tuples(st.integers(0, 900), changes), min_size=1, max_size=20))
@settings(max_examples=200, deadline=None)
def test_a_downward_correction_of_a_count_opens_and_raises_nothing(
    plan: list[tuple[int, list[tuple[int, int]]]],
) -> None:
    """Threshold on the daily count: whatever a correction brings about, it is no opening and no raise."""
    counts = rule({"kind": "threshold", "field": "cases"}, {"yellow": 200, "red": 600}, **HEALTH)
    log: list[TrialEvent] = []
    values: list[int] = []
    corrections: set[int] = set()
    for day, (count, changes) in enumerate(plan):
        values.append(count)
        log.append(report(f"e{day}", START + day * DAY, count))
        for order, (back, to) in enumerate(changes):
            which = max(0, day - back)
            values[which] = min(to, values[which])
            corrections.add(len(log))
            when = START + which * DAY
            late = report(f"c{day}-{order}", when, values[which], f"e{which}")
            log.append(replace(late, arrival=log[-1].arrival or log[-1].at))
    found = transitions(counts, log)
    assert not [each for each in found if each.offset in corrections and each.kind in ("opened", "raised")]


def test_a_correction_that_comes_first_stands_for_the_event() -> None:
    """Its original, rejected or still on its way, is a copy then; and so is the correction sent twice."""
    week = rule(WEEK, {"yellow": 100}, **HEALTH)
    first = report("c", START, 120, "a")
    log = [first, report("a", START, 500), first, report("b", START + DAY, 10)]
    found = transitions(week, log)
    assert [(each.kind, each.value) for each in found] == [("opened", 120)]


@pytest.mark.parametrize("more", [{}, COUNTY])
@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_held_back_by_wait_the_corrected_value_alone_is_judged(more: Rule, names: tuple[str, str]) -> None:
    high = rule({"kind": "threshold", "field": "pm25"}, {"blue": 100}, wait="PT10M", **dict(more))
    original, correction = names
    minute = timedelta(minutes=1)
    log = [
        reading(original, START, 500),
        reading("x", START + minute, 20),
        replace(reading(correction, START, 50, original), arrival=int((START + minute).timestamp() * 1000)),
    ]
    assert transitions(high, log) == []
    upward = [reading(original, START, 50), reading(correction, START, 500, original)]
    assert steps(transitions(high, upward)) == [("opened", "blue", 0.0)]


@pytest.mark.parametrize("more", [{}, COUNTY])
@pytest.mark.parametrize("of", ["a", "b"])
@pytest.mark.parametrize("known", [True, False])
def test_the_last_of_several_corrections_is_judged_alone(more: Rule, of: str, known: bool) -> None:
    """The third corrects the second, or the first once more; also where the first never came."""
    high = rule({"kind": "threshold", "field": "pm25"}, {"blue": 100}, wait="PT10M", **dict(more))
    log = [reading("a", START, 500), reading("b", START, 700, "a"), reading("c", START, 50, of)]
    assert transitions(high, log[not known :]) == []
    upward = [reading("a", START, 10), reading("b", START, 20, "a"), reading("c", START, 500, of)]
    assert steps(transitions(high, upward[not known :])) == [("opened", "blue", 0.0)]


def test_a_correction_of_the_newest_is_judged_at_once() -> None:
    high = rule({"kind": "threshold", "field": "pm25"}, {"blue": 100})
    found = transitions(high, [reading("a", START, 500), reading("b", START, 50, "a")])
    assert [each.kind for each in found] == ["opened", "recovered"]


def test_an_event_that_names_itself_corrects_nothing() -> None:
    week = rule(WEEK, {"yellow": 100}, **HEALTH)
    assert [each.value for each in transitions(week, [report("a", START, 120, "a")])] == [120]
