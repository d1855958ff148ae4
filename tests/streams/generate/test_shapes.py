"""What each shape promises, held over seeds by feeds that exist for tests alone."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from random import Random
from statistics import correlation, mean
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import Rejected
from schemas.event import encode_event
from schemas.simulate.model import MONTH, Planted
from schemas.workdays import judge
from streams.generate.clock import Clock
from streams.generate.course import course
from streams.generate.model import Line, Span
from streams.generate.noise import spread_over, stream
from streams.generate.rhythm import day_factor
from tests.streams.generate.examples_of import block, example_decoders, examples
from tests.streams.generate.world_of import clean, contracts, few_places, made, places

SEEDS = st.integers(-(2**63), 2**63)
UNTIL = date(2026, 3, 9)


def one(feed: str, days: int, seed: int, until: date = UNTIL, counties: int = 2) -> list[Line]:
    """The lines of one feed."""
    return made(days, seed, few_places(counties), until, {feed: examples()[feed]}).lines[feed]


def moment(event: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(event["time"])


@pytest.mark.parametrize("feed", sorted(examples()))
@settings(max_examples=8, deadline=None)
@given(seed=SEEDS, days=st.integers(1, 8))
def test_every_line_is_accepted_or_rejected_as_planted(feed: str, seed: int, days: int) -> None:
    last, ids = "", set()
    for line in one(feed, days, seed):
        wrong = line.dirt and line.dirt.outcome == "rejected"
        try:
            event = example_decoders()[feed].decode(line.raw)
        except Rejected as error:
            assert line.dirt is not None and (error.field, error.rule) == (line.dirt.field, line.dirt.rule)
            continue
        assert not wrong, line
        if line.dirt is None:
            assert event.time.isoformat() >= last and event.id not in ids
            last = event.time.isoformat()
        ids.add(event.id)


@pytest.mark.parametrize("feed", sorted(examples()))
@settings(max_examples=5, deadline=None)
@given(seed=SEEDS)
def test_what_is_late_is_clearly_late_for_its_source_and_a_copy_is_not(feed: str, seed: int) -> None:
    clocks: dict[str, datetime] = {}
    lateness = examples()[feed].lateness
    for line in one(feed, 7, seed):
        if line.dirt and line.dirt.outcome == "rejected":
            continue
        event = json.loads(line.raw)
        behind = clocks.get(event["source"], moment(event)) - moment(event)
        if line.dirt and line.dirt.outcome == "late":
            assert behind > 1.5 * lateness
        elif line.dirt:
            assert behind <= lateness
        else:
            assert behind <= timedelta(0)
            clocks[event["source"]] = moment(event)


@settings(max_examples=6, deadline=None)
@given(seed=SEEDS)
def test_stages_follow_each_other_and_keep_what_a_thing_is(seed: int) -> None:
    order = [stage.name for stage in block("governance.permit").stages]
    things: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in clean(one("governance.permit", 20, seed)):
        things[event["data"]["permit"]].append(event)
    for events in things.values():
        places = [order.index(event["data"]["stage"]) for event in events]
        assert places[0] == 0 and places == sorted(set(places))
        assert "withdrawn" not in [order[n] for n in places[:-1]], "nothing follows a stage that ends all"
        for name in ("region", "kind", "applied_on", "limit_days"):
            assert len({event["data"][name] for event in events}) == 1
        assert events[0]["data"]["applied_on"] == events[0]["time"][:10]
        for event in events:
            assert event["data"]["updated_at"] == event["time"]
            assert ("granted" in event["data"]) == (event["data"]["stage"] == "decided")


def test_deadlines_are_missed_as_often_as_declared_and_known_from_then_on() -> None:
    lines = made(60, 4, few_places(3), UNTIL, {"governance.permit": examples()["governance.permit"]}).lines
    first: dict[str, datetime] = {}
    missed = decided = 0
    for event in clean(lines["governance.permit"]):
        data = event["data"]
        if data["stage"] == "applied":
            first[data["permit"]] = moment(event)
        if data["stage"] == "decided" and not data["permit"].endswith("/9000"):
            late = moment(event) - first[data["permit"]] > timedelta(days=data["limit_days"])
            decided, missed = decided + 1, missed + late
            if "reason" in data:
                assert (data["reason"] == "late") == late
    assert decided > 1800
    assert 0.08 < missed / decided < 0.12


@settings(max_examples=8, deadline=None)
@given(seed=SEEDS)
def test_a_register_enters_everyone_on_its_first_day_and_changes_only_what_may_change(seed: int) -> None:
    moves = {
        "in-use": {"in-use", "repair", "drained"},
        "repair": {"in-use"},
        "drained": {"in-use", "drained"},
    }
    known: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in clean(one("industry.reservoir", 12, seed)):
        known[event["data"]["reservoir"]].append(event)
    assert len(known) == 2 * len(few_places(2).counties)
    start = datetime.fromisoformat("2026-02-26T00:00:00+08:00")
    for events in known.values():
        assert moment(events[0]) < start + timedelta(days=1)
        assert len({(e["data"]["grade"], e["data"]["name"], e["data"]["region"]) for e in events}) == 1
        states = [event["data"]["state"] for event in events]
        assert all(after in moves[before] for before, after in pairwise(states))


def test_entities_of_a_register_change_as_often_as_declared_and_slowly() -> None:
    lines = made(60, 9, few_places(8), UNTIL, {"industry.reservoir": examples()["industry.reservoir"]}).lines
    fills: dict[str, list[float]] = defaultdict(list)
    for event in clean(lines["industry.reservoir"]):
        if event["data"]["fill"] <= 85:  # what was planted is beyond
            fills[event["data"]["reservoir"]].append(event["data"]["fill"])
    assert 29 < mean(map(len, fills.values())) < 33  # once entered, a change every other day
    pairs = [pair for each in fills.values() for pair in pairwise(each)]
    assert correlation(*zip(*pairs, strict=True)) > 0.7


def test_a_reading_remembers_and_what_is_derived_follows() -> None:
    outputs: dict[str, list[float]] = defaultdict(list)
    for event in clean(one("economy.output", 30, 2)):
        outputs[event["data"]["works"]].append(event["data"]["output"])
        assert event["data"]["load"] == pytest.approx(event["data"]["output"] * 0.025, abs=1.0)
    assert set(outputs) == {"W2"}, "works in counties that are not there have no events"
    noon = [outputs["W2"][n] for n in range(len(outputs["W2"])) if 54 <= n % 144 < 66]
    assert correlation(noon[:-1], noon[1:]) > 0.6


def test_incidents_follow_people_hours_weekdays_and_holidays() -> None:
    contract = {"safety.incident": examples()["safety.incident"]}
    until = date(2025, 10, 31)
    events = [*clean(made(61, 5, places(), until, contract).lines["safety.incident"])]
    ordinary = [e for e in events if int(e["id"].rsplit("-", 1)[1]) < 9000]
    regions = Counter(event["data"]["region"] for event in ordinary)
    people = {county.code: county for county in places().counties}
    plain = [code for code, county in people.items() if not county.mountain and code != "330106"]
    rate = {code: regions[code] / (people[code].population or 1) for code in people}
    usual = mean(rate[code] for code in plain)
    assert 1.7 < rate["330106"] / usual < 2.3
    assert 0.6 < mean(rate[code] for code, county in people.items() if county.mountain) / usual < 0.8
    hours = Counter(moment(event).hour for event in ordinary)
    assert hours[8] > 10 * hours[2]
    days = Counter(moment(event).date() for event in ordinary)
    national = [date(2025, 10, day) for day in range(1, 8)]
    mondays = [day for day in days if day.weekday() == 0 and judge(day, {}).workday]
    assert mean(days[day] for day in national) > 1.2 * mean(days[day] for day in mondays)
    assert all("loss" not in e["data"] or e["data"]["loss"] >= 150 for e in events)
    assert 0.65 < sum("loss" in e["data"] for e in ordinary) / len(ordinary) < 0.75


def test_a_weekend_on_which_people_make_up_counts_as_a_workday_and_unannounced_years_follow_the_week() -> (
    None
):
    rhythm = block("governance.permit").rhythm
    assert day_factor(rhythm, date(2025, 10, 11)) == 1.0  # Saturday, made up for National Day
    assert day_factor(rhythm, date(2025, 10, 3)) == 0.0  # Friday of the holiday
    assert day_factor(rhythm, date(2031, 10, 3)) == 1.0  # Friday: nothing is announced
    assert day_factor(rhythm, date(2031, 10, 4)) == 0.0


def test_a_new_feed_disturbs_no_other() -> None:
    where = few_places(1)
    feeds = {**contracts(), **examples()}
    alone = made(6, 8, where, feeds=contracts())
    together = made(6, 8, where, feeds=feeds)
    assert set(together.lines) > set(alone.lines)
    assert {feed: together.lines[feed] for feed in alone.lines} == alone.lines
    assert stream(1, "a.b", "events").random() != stream(1, "a.c", "events").random()
    assert stream(1, "a.b", "events").random() != stream(2, "a.b", "events").random()


def test_more_dirt_changes_no_ordinary_event() -> None:
    feed = "governance.permit"
    simulate = block(feed)
    dirtier = replace(examples()[feed], simulate=replace(simulate, dirt=replace(simulate.dirt, every=3)))
    plain, dirty = (
        made(6, 8, few_places(1), UNTIL, {feed: contract}).lines[feed]
        for contract in (examples()[feed], dirtier)
    )
    assert [line for line in plain if not line.dirt] == [line for line in dirty if not line.dirt]
    assert sum(bool(line.dirt) for line in dirty) > 5 * sum(bool(line.dirt) for line in plain)


@settings(max_examples=10, deadline=None)
@given(seed=SEEDS)
def test_what_is_planted_is_there_though_its_field_often_is_not(seed: int) -> None:
    feed, simulate = "economy.output", block("economy.output")
    fields = tuple(replace(each, chance=0.2) if each.name == "output" else each for each in simulate.fields)
    rare = replace(examples()[feed], simulate=replace(simulate, fields=fields))
    found = made(20, seed, few_places(2), UNTIL, {feed: rare})
    low = Counter(
        event["data"]["works"]
        for event in clean(found.lines[feed])
        if event["data"].get("output", 900) <= simulate.anomalies[0].opens
    )
    assert found.anomalies and set(low) == {each.subject for each in found.anomalies}


@given(seed=st.integers(0, 2**63), falling=st.booleans(), digits=st.integers(0, 2))
def test_a_spike_is_one_episode_whatever_the_seed(seed: int, falling: bool, digits: int) -> None:
    sizes = (
        {"blue": (2.0, 3.0), "red": (0.0, 1.0)}
        if falling
        else {"blue": (115.0, 149.0), "red": (350.0, 480.0)}
    )
    opens, ends = (3.0, 5.0) if falling else (115.0, 100.0)
    planted = Planted("a.b", "drop" if falling else "spike", 1, sizes, opens, ends, lasts=(1, 9))
    for level, (low, high) in sizes.items():
        values = course(planted, level, digits, Random(seed))
        assert 1 <= len(values) <= 9
        peak = min(values) if falling else max(values)
        assert low <= peak <= high
        top = values.index(peak)
        assert values[:top] == sorted(values[:top], reverse=falling)
        assert values[top:] == sorted(values[top:], reverse=not falling)
        assert values[0] <= opens if falling else values[0] >= opens
        assert all(value <= ends if falling else value >= ends for value in values)
        assert all(round(value, digits) == value for value in values)


@settings(max_examples=5, deadline=None)
@given(seed=SEEDS)
def test_lines_are_what_the_encoder_of_events_writes(seed: int) -> None:
    contract = examples()["governance.permit"]
    for event in clean(one("governance.permit", 3, seed)):
        raw = encode_event(
            id=event["id"],
            source=event["source"],
            type=contract.event_type,
            time=moment(event),
            data=event["data"],
        )
        assert json.loads(raw) == event
    first = next(line for line in one("governance.permit", 3, seed) if line.dirt is None)
    told = json.loads(first.raw)
    assert first.raw == encode_event(
        id=told["id"], source=told["source"], type=told["type"], time=moment(told), data=told["data"]
    )


def _days(clock: Clock, every: int, at: int = 0) -> Iterator[datetime]:
    return (clock.time(step) for step in clock.steps(every, at))


@settings(max_examples=30, deadline=None)
@given(days=st.integers(1, 400), until=st.dates(date(2015, 1, 1), date(2040, 12, 31)))
def test_weeks_begin_on_monday_and_months_on_their_first_whatever_the_span(days: int, until: date) -> None:
    clock = Clock(Span(days, until, 1))
    assert all(time.weekday() == 0 for time in _days(clock, 7 * 86_400))
    assert all((time.day, time.hour) == (1, 8) for time in _days(clock, MONTH, 8 * 3600))
    assert len([*_days(clock, 3600)]) == 24 * days
    assert abs(len([*_days(clock, 7 * 86_400)]) - days / 7) < 1


@given(at=st.integers(-(10**6), 2 * 10**6))
def test_times_as_texts_are_those_of_datetime(at: int) -> None:
    clock = Clock(Span(10, UNTIL, 1))
    assert clock.text(at) == clock.time(at).isoformat()
    assert clock.day(at) == clock.time(at).date()


@given(st.lists(st.integers(0, 5), min_size=1, max_size=9).filter(any), st.floats(0, 1, exclude_max=True))
def test_a_place_by_weight_is_never_one_of_weight_nothing(weights: list[int], number: float) -> None:
    assert weights[spread_over(weights)(number)] > 0
