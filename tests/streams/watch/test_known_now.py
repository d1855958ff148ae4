"""On complete data rules say what they would have said had nothing been late: as live, where nothing was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.watch.declare.rule import Rule
from streams.watch.declare.rule_yaml import parse_rule
from streams.watch.engine.trial_events import TrialEvent
from streams.watch.episodes.episode import Transition
from streams.watch.publish.published import History, RuleBook, RuleRecord, fixed
from streams.watch.trial.known_now import MINUTE as MS
from streams.watch.trial.known_now import Course, decide
from streams.watch.trial.review import AGREED, compare
from tests.streams.watch.test_every_kind import KINDS, WAITING
from tests.streams.watch.trying import AIR, CONTRACTS, MINUTE, START, air, clock, rule, transitions

BEGIN = int(START.timestamp() * 1000)
HIGH = {"kind": "threshold", "field": "pm25"}
COUNTY = rule({"kind": "count", "window": "PT15M"}, {"blue": 3}, subject=["{region}"])
readings = st.lists(
    st.tuples(
        st.integers(0, 25), st.sampled_from(["S1", "S2", "S3"]), st.sampled_from([20, 99, 120, 160, 260])
    ),
    min_size=1,
    max_size=40,
)


def log(plan: Sequence[tuple[int, str, int]]) -> list[TrialEvent]:
    """Readings in order of time, each with a name of its own."""
    at, found = START, []
    for number, (minutes, station, value) in enumerate(plan):
        at += minutes * MINUTE
        found.append(air(at, value, station, number=f"{number:03}"))
    return found


def known_now(rules: Sequence[Rule], events: Sequence[TrialEvent], end: int) -> list[Transition]:
    """What rules say of these events on complete data, up to a moment."""
    ordered = sorted((each.at, each.raw) for each in events)
    found: list[Transition] = []
    course = Course("", BEGIN, end - 20 * MS, {AIR: end}, [(BEGIN, 0)])
    assert decide(CONTRACTS, fixed(rules), course, {AIR: ordered}, found.append) == len(events)
    return found


def told(found: Sequence[Transition]) -> list[tuple[str, str, str, int, str]]:
    return sorted((each.id, each.kind, each.level, each.at, str(each.value)) for each in found)


def live(rules: Sequence[Rule], events: Sequence[TrialEvent], end: int) -> list[Transition]:
    """What watch says of them as they come."""
    hours = (end - BEGIN) / 3_600_000
    return transitions(rules, [*events, *[clock(START + timedelta(hours=hours))] * 2])


@pytest.mark.parametrize("kind", [*KINDS, *(f"{name} waiting" for name in WAITING), "second stage"])
@given(readings)
@settings(max_examples=12, deadline=None)
def test_without_late_events_known_now_is_known_then(kind: str, plan: list[tuple[int, str, int]]) -> None:
    name, _, waiting = kind.partition(" ")
    each = COUNTY if waiting == "stage" else (WAITING if waiting else KINDS)[name]
    events = log(plan)
    end = events[-1].at + 3 * 3_600_000
    now, then = known_now([each], events, end), live([each], events, end)
    assert told(now) == told(then)
    ranks = {each.id: [rank for rank, _ in each.bounds]}
    assert {every.verdict for every in compare(now, then, ranks)} <= {AGREED}


@given(readings, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_of_a_shuffled_log_known_now_is_the_verdict_of_the_log_in_order(
    plan: list[tuple[int, str, int]], random: Random
) -> None:
    """Late by hours, the same events in any order: complete data know no arrival."""
    rules = [KINDS["sliding"], COUNTY]
    rules[0] = replace(rules[0], id="test.sliding")
    events = log(plan)
    end = events[-1].at + 3 * 3_600_000
    shuffled = random.sample(events, len(events))
    assert told(known_now(rules, shuffled, end)) == told(live(rules, events, end))


def test_a_late_reading_was_missed_and_its_warning_is_found() -> None:
    high = rule(HIGH, {"blue": 100, "red": 250})
    on_time = [air(START + minute * MINUTE, 20, "S1") for minute in range(0, 600, 60)]
    late = air(START + 90 * MINUTE, 300, "S1", number="late")
    end = BEGIN + 600 * MS
    then = live([high], [*on_time, replace(late, arrival=end)], end)
    now = known_now([high], [*on_time, late], end)
    found = compare(now, then, {high.id: [1, 4]})
    assert [(each.rank, each.verdict, each.now) for each in found] == [
        (1, "missed", late.at),
        (4, "missed", late.at),
    ]


def test_silence_counts_as_far_as_the_clock_has_come() -> None:
    silent = rule({"kind": "absence"}, {"blue": "PT30M"})
    events = [air(START, 20)]
    assert known_now([silent], events, BEGIN + 30 * MS) == []
    (opened,) = known_now([silent], events, BEGIN + 31 * MS)
    assert opened.at == BEGIN + 30 * MS


def test_rules_change_at_their_moment() -> None:
    text = rule(HIGH, {"blue": 100}).text
    second = text.replace("version: 1", "version: 2").replace("blue: 100", "blue: 150")
    versions = [
        RuleRecord(rule="test.rule", version=number, text=each, at=START)
        for number, each in ((1, text), (2, second))
    ]
    book = RuleBook(History(enumerate(versions)), lambda text, where: parse_rule(text, where, CONTRACTS))
    events = [air(START + minute * MINUTE, 120, f"S{minute}") for minute in (10, 20, 30, 40)]
    course = Course("", BEGIN, BEGIN, {AIR: BEGIN + 60 * MS}, [(BEGIN, 1), (BEGIN + 25 * MS, 2)])
    found: list[Transition] = []
    decide(CONTRACTS, book.rule_set, course, {AIR: [(each.at, each.raw) for each in events]}, found.append)
    assert [(each.subject, each.rule_version) for each in found] == [("S10", 1), ("S20", 1)]


def test_ticks_come_every_hour_then_every_minute_and_at_each_end() -> None:
    course = Course("", 0, 3 * 60 * MS, {"a": 182 * MS + 5, "b": 90 * MS}, [(0, 1), (100 * MS + 7, 2)])
    minutes = [at / MS for at in course.moments()]
    assert minutes[:4] == [60, 90, 100 + 7 / MS, 120]
    assert minutes[4:] == [181, 182, 182 + 5 / MS]
    assert [course.epoch(at) for at in (0, 100 * MS, 100 * MS + 7)] == [1, 1, 2]
