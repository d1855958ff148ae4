"""For every kind of condition: frames, restarts, copies, order within `wait`, partitions do not matter."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.decoder import Decoder
from schemas.event import encode_event, encode_tick
from streams.watch.conditions import Condition
from streams.watch.conditions.baseline import Baseline
from streams.watch.declare.baseline import BaselineTable
from streams.watch.declare.rule import Rule
from streams.watch.engine.partition import Partition
from streams.watch.engine.trial_events import TrialEvent
from streams.watch.episodes.episode import OWN, Transition
from streams.watch.publish.published import RuleSet
from streams.watch.trial.offline import OfflineRecord
from streams.watch.worker.state import StateKeeper
from tests.streams.watch.trying import AIR, CONTRACTS, MINUTE, START, air, clock, rule

AIR_CONTRACT = CONTRACTS[AIR]
DECODE = Decoder(AIR_CONTRACT).decode
QUIET = [{"from": "09:00", "to": "09:40", "up_to": "yellow"}]
MAINTENANCE = [{"from": "2026-03-01T09:30:00+08:00", "to": "2026-03-01T10:10:00+08:00", "subjects": ["S1"]}]
BLUE = {"blue": 100, "yellow": {"threshold": 150, "for": "PT5M"}, "red": 200}


def kinds(**more: object) -> dict[str, Rule]:
    """One rule of each kind that is judged where its events come in."""
    mean = {"kind": "aggregate", "aggregate": "mean", "field": "pm25", "window": "PT20M"}
    high = {"aggregate": "count", "where": {"averaging": "1h"}}
    return {
        "threshold": rule({"kind": "threshold", "field": "pm25"}, BLUE, recovery=90, **more),
        "below": rule(
            {"kind": "threshold", "field": "pm25", "direction": "below"}, {"blue": 60, "red": 20}, **more
        ),
        "dwelling": rule(
            {"kind": "threshold", "field": "pm25"}, BLUE, for_="PT10M", keep_open_for="PT7M",
            recovery={"threshold": 80, "for": "PT12M"}, **more,
        ),
        "flapping": rule(
            {"kind": "threshold", "field": "pm25"}, BLUE, flapping={"rises": 3, "within": "PT30M"}, **more
        ),
        "quiet": rule({"kind": "threshold", "field": "pm25"}, BLUE, quiet=QUIET, maintenance=MAINTENANCE, **more),
        "change": rule({"kind": "change", "field": "pm25", "over": "PT10M"}, {"blue": 50, "red": 150}, **more),
        "sliding": rule(mean, {"blue": 100, "red": 180}, recovery=90, **more),
        "sliding-dwell": rule({**mean, "aggregate": "max"}, {"blue": 150}, keep_open_for="PT5M", **more),
        "tumbling": rule(
            {**mean, "windows": "tumbling"}, {"blue": 100, "red": 180}, keep_open_for="PT30M", **more
        ),
        "below-count": rule(
            {"kind": "aggregate", "aggregate": "count", "window": "PT20M", "direction": "below"}, {"blue": 2},
            **more,
        ),
        "ratio": rule(
            {"kind": "ratio", "of": {"aggregate": "max", "field": "pm25"}, "to": high, "window": "PT30M"},
            {"blue": 40, "red": 100}, **more,
        ),
        "count": rule({"kind": "count", "window": "PT15M"}, {"blue": 2, "red": 4}, keep_open_for="PT15M", **more),
        "absence": rule({"kind": "absence"}, {"blue": "PT30M", "red": "PT1H"}, keep_open_for="PT10M", **more),
        "absence-maintained": rule({"kind": "absence"}, {"blue": "PT30M"}, maintenance=MAINTENANCE, **more),
        "surge": rule(
            {"kind": "surge", "method": "ewma", "every": "PT10M", "field": "pm25", "aggregate": "max",
             "parameters": {"m": 60, "sd": 20, "lambda": 0.5}},
            {"blue": 100, "red": 150}, keep_open_for="PT10M", **more,
        ),
        "baseline": rule(
            {"kind": "baseline", "field": "pm25", "as": "sigma", "slot": "hour-of-day"},
            {"blue": 1, "red": 4}, **more,
        ),
        "sequence": rule(
            {"kind": "sequence", "first": {"where": {"averaging": "1h"}}, "then": {"where": {"averaging": "24h"}}},
            {"blue": "PT10M", "red": "PT40M"}, **more,
        ),
    }  # fmt: skip


KINDS = kinds()
WAITING = kinds(wait="PT10M")
every_kind = pytest.mark.parametrize("kind", KINDS)
gaps = st.lists(st.integers(0, 25), min_size=1, max_size=40)


def made(steps: Sequence[int], random: Random, stations: int = 3) -> list[TrialEvent]:
    """Readings in order of time at least a second apart, a tick now and then, and a long silence at the end."""
    at, found = START, []
    for number, step in enumerate(steps):
        at += timedelta(minutes=step, seconds=1)
        if random.random() < 0.1:
            found.append(clock(at))
        station = f"S{random.randrange(stations)}"
        each = air(at, random.choice([10, 50, 95, 100, 149, 150, 160, 220]), station, number=number)
        if random.random() < 0.3:
            each = replace(each, raw=each.raw.replace(b'"1h"', b'"24h"'))
        found.append(each)
    return [*found, clock(at + timedelta(hours=4))]


def with_copies(trial_events: Sequence[TrialEvent], random: Random) -> list[TrialEvent]:
    """The same with some events once more, any time later."""
    found = [*trial_events]
    for each in trial_events:
        if not each.tick and random.random() < 0.3:
            found.insert(random.randint(found.index(each) + 1, len(found)), each)
    return found


def entries(trial_events: Iterable[TrialEvent]) -> list[OfflineRecord]:
    """A log that arrives long after its events, so that no clock runs ahead of it."""
    arrival = int(datetime(2026, 6, 1, tzinfo=START.tzinfo).timestamp() * 1000)
    return [OfflineRecord(number, arrival + number, each.raw) for number, each in enumerate(trial_events)]


def fresh(watched: Rule) -> Partition:
    return Partition(
        AIR_CONTRACT, DECODE, [watched], AIR_CONTRACT.topic, 0, supply_baselines=supply_baselines
    )


def supply_baselines(condition: Condition) -> None:
    if isinstance(condition, Baseline):
        usual = {(name, hour): (60.0 + hour, 20.0) for name in ("S0", "S1") for hour in range(24)}
        condition.supply_baselines({"test.rule": BaselineTable(1, usual)})


def run(watched: Rule, log: Sequence[OfflineRecord], cuts: Iterable[int] = ()) -> list[Transition]:
    found: list[Transition] = []
    partition = fresh(watched)
    for start, end in itertools.pairwise([0, *sorted(cuts), len(log)]):
        partition.observe(log[start:end], found.append)
    return found


def by_id(found: Iterable[Transition]) -> list[Transition]:
    return sorted(found, key=lambda each: each.id)


def plain(found: Iterable[Transition]) -> list[Transition]:
    """Transitions without the log's own coordinates."""
    return by_id(replace(each, offset=0, watermark=0, partition=0) for each in found)


@every_kind
@given(gaps, st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_frames_and_restarts_do_not_matter(kind: str, steps: list[int], random: Random) -> None:
    """Whatever was restored from buckets written at any moment goes on as if nothing had been."""
    log = entries(made(steps, random))
    whole = run(KINDS[kind], log)
    assert len({each.id for each in whole}) == len(whole)
    changelog: dict[bytes, bytes] = {}
    found: dict[str, Transition] = {}

    def note(transition: Transition) -> None:
        assert found.setdefault(transition.id, transition) == transition

    keeper = StateKeeper(fresh(KINDS[kind]))
    while keeper.partition.offset + 1 < len(log):
        start = keeper.partition.offset + 1
        keeper.partition.observe(log[start : start + random.randint(1, 12)], note)
        if random.random() < 0.6:
            point = keeper.checkpoint({})
            if point is not None:
                for key, value in point.buckets:
                    changelog.pop(key, None) if value is None else changelog.update({key: value})
                changelog[point.header[0]] = point.header[1]
        if random.random() < 0.3:
            keeper = StateKeeper(fresh(KINDS[kind]))
            keeper.restore(changelog)
    assert by_id(found.values()) == by_id(whole)


@every_kind
@given(gaps, st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_shuffled_within_wait_and_sent_twice_it_is_the_same(
    kind: str, steps: list[int], random: Random
) -> None:
    watched = WAITING[kind]
    in_order = made(steps, random)
    events, end = [each for each in in_order if not each.tick], in_order[-1]
    delayed = sorted(events, key=lambda each: each.at + random.randint(0, 10 * 60_000))
    copied = [each for event in delayed for each in [event] * random.choice([1, 1, 1, 2])]
    assert plain(run(watched, entries([*copied, end]))) == plain(run(watched, entries([*events, end])))


@every_kind
@given(gaps, st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_copies_at_any_later_time_change_nothing(kind: str, steps: list[int], random: Random) -> None:
    log = made(steps, random)
    assert plain(run(KINDS[kind], entries(with_copies(log, random)))) == plain(run(KINDS[kind], entries(log)))


@every_kind
@given(gaps, st.randoms(use_true_random=False), st.integers(2, 4))
@settings(max_examples=30, deadline=None)
def test_partitions_do_not_matter(kind: str, steps: list[int], random: Random, partitions: int) -> None:
    trial_events = made(steps, random)
    whole = plain(run(KINDS[kind], entries(trial_events)))
    parts = []
    for part in range(partitions):
        own = [each for each in trial_events if each.tick or _station(each) % partitions == part]
        parts += run(KINDS[kind], entries(own))
    assert plain(parts) == whole


def _station(each: TrialEvent) -> int:
    return int(each.raw.partition(b'"station":"S')[2][:1])


def edited(kind: str, log: Sequence[OfflineRecord], at: int, **changes: object) -> list[Transition]:
    """What a rule says whose second version comes with a tick before the entry `at`."""
    second = replace(KINDS[kind], version=2, **changes)  # type: ignore[arg-type]
    rules = {1: RuleSet(1, (KINDS[kind],)), 2: RuleSet(2, (second,))}
    found: list[Transition] = []
    partition = Partition(
        AIR_CONTRACT,
        DECODE,
        [KINDS[kind]],
        AIR_CONTRACT.topic,
        0,
        epoch=1,
        book=rules.__getitem__,
        supply_baselines=supply_baselines,
    )
    change = OfflineRecord(log[at].offset, log[at].timestamp, encode_tick(id="change", clock=START, epoch=2))
    after = [replace(each, offset=each.offset + 1) for each in log[at:]]
    partition.observe([*log[:at], change, *after], found.append)
    return found


@every_kind
@given(gaps, st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_an_edit_keeps_open_episodes_and_what_is_pending(kind: str, steps: list[int], random: Random) -> None:
    """A second version that says the same goes on as the first would have, under its own number."""
    log = entries(made(steps, random))
    found = edited(kind, log, random.randrange(len(log)), title="another title")
    versions = [each.rule_version for each in found]
    assert versions == sorted(versions)
    assert plain(replace(each, rule_version=1) for each in found) == plain(run(KINDS[kind], log))


@every_kind
@given(gaps, st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_another_subject_closes_what_is_open_with_the_reason(
    kind: str, steps: list[int], random: Random
) -> None:
    log = entries(made(steps, random))
    at = random.randrange(len(log))
    (source, *rest) = KINDS[kind].inputs
    other = [
        replace(each, subject=("station", "region"), key=("station", "region")) for each in (source, *rest)
    ]
    found = edited(kind, log, at, subject=("station", "region"), inputs=tuple(other))
    cancelled = [each for each in found if each.kind == "cancelled"]
    assert {(("reason", "rule-changed"),)} >= {each.details for each in cancelled}
    before = {each.episode: each.kind for each in run(KINDS[kind], log[:at])}
    still_open = {name for name, step in before.items() if step != "recovered"}
    assert {each.episode for each in cancelled} == still_open


@every_kind
def test_the_logs_of_these_tests_make_it_warn_and_recover(kind: str) -> None:
    """Otherwise the tests above would hold of a rule that does nothing."""
    said = set()
    for seed in range(40):
        random = Random(seed)
        log = entries(made([random.randrange(20) for _ in range(40)], random))
        said |= {each.kind for each in run(KINDS[kind], log)}
    assert said >= {"opened", "recovered"}, said


@every_kind
@given(gaps, st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_one_fast_clock_changes_nothing_for_others(kind: str, steps: list[int], random: Random) -> None:
    """Events arrive when they occur, but those of S9, whose clock is minutes to days ahead."""
    honest, log = made(steps, random), list[tuple[int, bytes]]()
    for number, each in enumerate(honest):
        log.append((each.at, each.raw))
        if random.random() < 0.2:
            ahead = START + timedelta(milliseconds=each.at, minutes=random.choice([1, 4, 20, 9999]))
            fast = air(ahead - timedelta(seconds=START.timestamp()), 220, "S9", number=f"f{number}")
            log.append((each.at, fast.raw))
    plainly = [OfflineRecord(number, each.at, each.raw) for number, each in enumerate(honest)]
    fast_too = [OfflineRecord(number, arrival, raw) for number, (arrival, raw) in enumerate(log)]
    others = [each for each in run(KINDS[kind], fast_too) if each.subject != "S9"]
    assert plain(others) == plain(run(KINDS[kind], plainly))


def sent_ahead(each: TrialEvent, ahead: timedelta) -> bytes:
    """The bytes of a reading whose clock was ahead by so much."""
    time = datetime.fromisoformat(json.loads(each.raw)["time"])
    return each.raw.replace(time.isoformat().encode(), (time + ahead).isoformat().encode(), 1)


@every_kind
@given(gaps, st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_a_clock_ahead_within_the_skew_is_one_that_is_right_and_beyond_it_says_nothing(
    kind: str, steps: list[int], random: Random
) -> None:
    """For its own subject as well: readings count as their arrival, or are rejected and leave no trace."""
    honest, log = made(steps, random), list[tuple[int, bytes]]()
    for each in honest:
        if not each.tick and random.random() < 0.3:
            year = each.raw.replace(b'"id":"', b'"id":"y', 1)
            log.append((each.at, sent_ahead(replace(each, raw=year), timedelta(days=365))))
        within = timedelta(seconds=random.choice([1, 60, 300]))
        ahead = not each.tick and random.random() < 0.5
        log.append((each.at, sent_ahead(each, within) if ahead else each.raw))
    found = run(KINDS[kind], [OfflineRecord(number, at, raw) for number, (at, raw) in enumerate(log)])
    right = [OfflineRecord(number, each.at, each.raw) for number, each in enumerate(honest)]
    assert plain(found) == plain(run(KINDS[kind], right))


@pytest.mark.parametrize("corrects", ["", "a"])
@pytest.mark.parametrize("restarted", [False, True])
def test_an_id_that_comes_again_too_late_to_be_known_is_new_also_without_a_restart(
    restarted: bool, corrects: str
) -> None:
    """What a partition happens to remember still must not decide, for after a restart it has forgotten it."""
    watched = KINDS["count"]
    late = START + AIR_CONTRACT.lateness + timedelta(hours=1)

    def reading(id: str, at: datetime, corrects: str = "") -> TrialEvent:
        data = {"station": "S1", "region": "330106", "averaging": "1h", "pm25": 5.0}
        raw = encode_event(
            id=id, source="/t", type=AIR_CONTRACT.event_type, time=at, data=data, corrects=corrects
        )
        return TrialEvent(AIR, int(at.timestamp() * 1000), raw)

    again = reading("c", late + 3 * MINUTE, "a") if corrects else reading("a", late + 3 * MINUTE)
    log = entries([reading("a", START), clock(late), reading("b", late + MINUTE), again])
    keeper, changelog = StateKeeper(fresh(watched)), dict[bytes, bytes | None]()
    for entry in log:
        keeper.partition.observe([entry], lambda transition: None)
        if restarted and (point := keeper.checkpoint({})) is not None:
            changelog |= dict([*point.buckets, point.header])
            keeper = StateKeeper(fresh(watched))
            keeper.restore({key: value for key, value in changelog.items() if value is not None})
    (count,) = (record[OWN] for _, each in keeper.partition.conditions() for record in each.records.values())
    assert sum(count.values()) == 2, "b and what came again are counted in their hour, both ways"
