"""The second stage: what re-keyed rules decide is a function of the logs, whoever reads what first."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.contract import load_contracts
from schemas.decoder import Decoder
from schemas.event import encode_event, encode_tick
from streams.watch.declare.rule import Rule
from streams.watch.declare.rule_yaml import parse_rule
from streams.watch.engine import batches
from streams.watch.engine.batches import Batch, encode_batches
from streams.watch.engine.flow import Flow, Handed
from streams.watch.engine.partition import Partition
from streams.watch.engine.second import SecondLane, SecondStage
from streams.watch.episodes.episode import Transition
from streams.watch.publish.published import RuleSet, UnknownRuleEpoch, fixed
from streams.watch.trial.offline import OfflineRecord
from streams.watch.worker.state import StateKeeper

CONTRACTS = load_contracts()
FEED = "ecology.air-quality"
AIR = CONTRACTS[FEED]
DECODE = Decoder(AIR).decode
START = datetime(2026, 3, 1, tzinfo=UTC)
ARRIVAL = int(datetime(2026, 6, 1, tzinfo=UTC).timestamp() * 1000)
COUNTIES = ("330106", "330203", "330482")

FRAME = """
rule: {id}
version: {version}
title: {{zh: 试, en: trial}}
feed: ecology.air-quality
subject: [region]
{rest}
runbook: none
duty_role: duty-desk
"""
COUNT = "condition: {kind: count, window: PT1H}\nwhere: {averaging: 1h}\nlevels: {yellow: 3, red: 6}"
HIGH = "condition: {kind: threshold, field: pm25}\nlevels: {blue: 100, red: 300}\nrecovery: 80"
SILENT = "condition: {kind: absence}\nlevels: {yellow: PT2H}"
WAITS = "condition: {kind: count, window: PT30M}\nlevels: {yellow: 2}\nwait: PT10M"
OWN = """
rule: t.own
version: 1
title: {zh: 试, en: trial}
feed: ecology.air-quality
subject: [station, region]
condition: {kind: threshold, field: pm25}
levels: {red: 300}
runbook: none
duty_role: duty-desk
"""
BOTH = """
rule: t.both
version: 1
title: {zh: 试, en: trial}
condition: {kind: composite, of: [t.own, t.high], count: warnings, within: PT1H}
levels: {orange: 2, red: 4}
runbook: none
duty_role: duty-desk
"""


def rule(id: str, rest: str, version: int = 1) -> Rule:
    return parse_rule(FRAME.format(id=id, version=version, rest=rest), id, CONTRACTS)


def made(text: str) -> Rule:
    return parse_rule(text, "t", CONTRACTS)


RULES = (
    rule("t.count", COUNT), rule("t.high", HIGH), rule("t.silent", SILENT), rule("t.waits", WAITS),
    made(OWN), made(BOTH),
)  # fmt: skip


def event(number: int, at: datetime, station: int, value: int, timeline: str = "") -> bytes:
    region = COUNTIES[station % len(COUNTIES)]
    data = {"station": f"S{station}", "region": region, "averaging": "1h", "pm25": value}
    return encode_event(
        id=f"a{number}", source="/t", type=AIR.event_type, time=at, data=data, timeline=timeline
    )


Log = list[tuple[int, bytes]]
"""(station, bytes) in order of arrival; station -1: a tick in every partition."""

steps = st.lists(
    st.tuples(st.integers(0, 25), st.integers(0, 8), st.sampled_from([20, 90, 120, 350]), st.integers(0, 5)),
    min_size=1,
    max_size=60,
)


def log_of(made_steps: Iterable[tuple[int, int, int, int]], timeline: str = "", change: int = -1) -> Log:
    """Events in order of time with a tick now and then, and one at the end, days later.

    At step `change` stands a tick that brings the second set of rules.
    """
    at, log = START, Log()
    for number, (minutes, station, value, tick) in enumerate(made_steps):
        at += timedelta(minutes=minutes)
        if tick == 0 or number == change:
            epoch = 2 if number == change else 0
            log.append((-1, encode_tick(id=f"t{number}", clock=at, timeline=timeline, epoch=epoch)))
        log.append((station, event(number, at, station, value, timeline)))
    return [*log, (-1, encode_tick(id="end", clock=at + timedelta(days=2), timeline=timeline))]


def split(log: Log, partitions: int) -> list[list[OfflineRecord]]:
    parts: list[list[bytes]] = [[] for _ in range(partitions)]
    for station, raw in log:
        for number in range(partitions) if station < 0 else [station % partitions]:
            parts[number].append(raw)
    return [[OfflineRecord(at, ARRIVAL + at, raw) for at, raw in enumerate(part)] for part in parts]


def flow(logs: Sequence[list[OfflineRecord]], rules: Sequence[Rule] = RULES) -> list[Transition]:
    """What both stages say when each partition is fed whole."""
    found: list[Transition] = []
    whole = Flow(CONTRACTS, rules, {FEED: len(logs)})
    for number, log in enumerate(logs):
        whole.observe(FEED, number, log, found.append)
    return ordered(found)


EDITED = (
    rule("t.count", COUNT.replace("yellow: 3", "yellow: 2"), 2), rule("t.high", HIGH.replace("100", "85"), 2),
    rule("t.waits", WAITS.replace("[region]", "[station]").replace("PT10M", "PT2M"), 2), made(OWN), made(BOTH),
)  # fmt: skip
"""The same rules edited; `t.silent` is retired."""


def book(epoch: int) -> RuleSet:
    return RuleSet(epoch, EDITED if epoch == 2 else RULES)


def changing(logs: Sequence[list[OfflineRecord]], random: Random | None = None) -> list[Transition]:
    """What both stages say of logs whose ticks change the rules; fed whole, or in frames at random."""
    found: list[Transition] = []
    whole = Flow(CONTRACTS, RULES, {FEED: len(logs)}, epoch=1, book=book)
    todo = [list(frames(log, random)) if random else [log] for log in logs]
    while any(todo):
        number = next(number for number, left in enumerate(todo) if left)
        if random:
            number = random.choice([number for number, left in enumerate(todo) if left])
        whole.observe(FEED, number, todo[number].pop(0), found.append)
    return ordered(found)


AHEAD = [(m, int(at == 2), 20, 0) for at, m in enumerate((0, 0, 0, 8, 9, 10, 14, 15, 15, 16, 17, 17))]
"""One partition is read past the change of rules before the other has begun."""


@given(steps, st.integers(1, 4), st.integers(0, 59), st.randoms(use_true_random=False))
@example(AHEAD, 2, 10, Random(0))
@example(AHEAD, 2, 10, Random(1))
@settings(max_examples=60, deadline=None)
def test_rules_change_at_the_same_place_whoever_reads_what_first(
    made_steps: list[tuple[int, int, int, int]], parts: int, change: int, random: Random
) -> None:
    logs = split(log_of(made_steps, change=change % len(made_steps)), parts)
    assert changing(logs, random) == changing(logs)
    assert unplaced(changing(logs)) == unplaced(
        changing(split(log_of(made_steps, change=change % len(made_steps)), 1))
    )


class Whole(SecondStage):
    """Looks at every rule and every source for each batch, and remembers nothing of what can be derived."""

    def _concerned(self, lane: SecondLane, moved: Collection[tuple[str, int]]) -> list[str]:
        lane.by_source = None
        return super()._concerned(lane, moved)

    def _epochs(self, lane: SecondLane) -> list[int]:
        lane.epochs = None
        lane.through.clear()
        self._rules.forget(1 << 60)
        return super()._epochs(lane)


def said_by(
    kind: type[SecondStage], logs: Sequence[list[OfflineRecord]], seed: int, targets: int
) -> list[Any]:
    """All that the second stage says, ships and keeps of logs whose ticks change the rules, in order."""
    random, said = Random(seed), list[Any]()
    partials: list[list[Handed]] = [[] for _ in range(targets)]

    def ship(target: int, batch: Batch) -> None:
        raw = encode_batches([batch])
        partials[target].append(Handed(len(partials[target]), 0, raw))
        said.append((target, raw))

    firsts = [
        Partition(AIR, DECODE, RULES, AIR.topic, number, targets=targets, epoch=1, book=book)
        for number in range(len(logs))
    ]
    parts = {FEED: len(logs)}
    seconds = [kind(CONTRACTS, book, number, targets=targets, partitions=parts) for number in range(targets)]
    todo = [list(frames(log, random)) for log in logs]
    while any(todo):
        number = random.choice([number for number, left in enumerate(todo) if left])
        firsts[number].observe(todo[number].pop(0), said.append, ship)
        for at in random.sample(range(targets), random.randint(0, targets)):
            done = seconds[at].offset + 1
            seconds[at].observe(partials[at][done : done + random.randint(1, 9)], said.append, ship)
            said.append(seconds[at].head())
            if seconds[at].offset >= 0 and random.random() < 0.1:
                kept = StateKeeper(seconds[at]).checkpoint({})
                assert kept is not None
                seconds[at] = kind(CONTRACTS, book, at, targets=targets, partitions=parts)
                StateKeeper(seconds[at]).restore(
                    {key: value for key, value in (*kept.buckets, kept.header) if value is not None}
                )
    for _ in range(3):
        for each, waiting in zip(seconds, partials, strict=True):
            each.observe(list(waiting), said.append, ship)
            said.append(each.head())
    return said


@given(steps, st.integers(1, 4), st.integers(1, 3), st.integers(0, 59), st.integers(0, 999), st.booleans())
@example(AHEAD, 2, 2, 10, 0, True)
@settings(max_examples=60, deadline=None)
def test_what_a_batch_does_not_concern_says_nothing_by_it(
    made_steps: list[tuple[int, int, int, int]], parts: int, targets: int, change: int, seed: int, more: bool
) -> None:
    log = log_of(made_steps, change=change % len(made_steps))
    if more:
        log = [*log_of(made_steps[: len(made_steps) // 2 + 1], "old"), *log]
    logs = split(log, parts)
    assert said_by(SecondStage, logs, seed, targets) == said_by(Whole, logs, seed, targets)


def test_an_epoch_that_is_not_known_yet_is_waited_for_with_all_before_it_applied() -> None:
    known = [1]

    def slow(epoch: int) -> RuleSet:
        if epoch > known[-1]:
            raise UnknownRuleEpoch(epoch)
        return book(epoch)

    log = split(log_of([(1, 0, 400, 1), (1, 0, 20, 1), (1, 0, 400, 1)], change=1), 1)[0]
    found: list[Transition] = []
    partition = Partition(AIR, DECODE, RULES, AIR.topic, 0, epoch=1, book=slow)
    with pytest.raises(UnknownRuleEpoch):
        partition.observe(log, found.append)
    assert ([each.kind for each in found], partition.offset) == (["opened"], 0)
    known.append(2)
    partition.observe(log, found.append)
    assert [each.kind for each in found] == ["opened", "recovered", "opened"]


def test_a_retired_rule_cancels_what_is_open() -> None:
    found = changing(split(log_of([(1, 0, 20, 1), (300, 3, 20, 1), (1, 0, 20, 1)], change=2), 1))
    assert [(each.kind, dict(each.details)["reason"]) for each in found if each.kind == "cancelled"] == [
        ("cancelled", "rule-retired")
    ]


def ordered(transitions: Iterable[Transition]) -> list[Transition]:
    return sorted(transitions, key=lambda each: (each.rule, each.id))


def unplaced(transitions: Iterable[Transition]) -> list[Transition]:
    """Without where in the log they were decided."""
    return ordered(replace(each, partition=0, offset=0, watermark=0, topic="") for each in transitions)


@given(steps, st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_the_number_of_partitions_does_not_matter(
    made_steps: list[tuple[int, int, int, int]], parts: int
) -> None:
    log = log_of(made_steps)
    assert unplaced(flow(split(log, parts))) == unplaced(flow(split(log, 1)))


@given(steps, st.integers(1, 4), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_neither_frames_nor_the_order_of_partitions_matter(
    made_steps: list[tuple[int, int, int, int]], parts: int, random: Random
) -> None:
    logs = split(log_of(made_steps), parts)
    found: list[Transition] = []
    whole = Flow(CONTRACTS, RULES, {FEED: parts})
    todo = [list(frames(log, random)) for log in logs]
    while any(todo):
        number = random.choice([number for number, left in enumerate(todo) if left])
        whole.observe(FEED, number, todo[number].pop(0), found.append)
    assert ordered(found) == flow(logs)


def frames(log: list[OfflineRecord], random: Random) -> Iterable[list[OfflineRecord]]:
    cuts = sorted(random.randrange(len(log) + 1) for _ in range(random.randrange(6)))
    return (log[start:end] for start, end in itertools.pairwise([0, *cuts, len(log)]))


class Workers:
    """Both stages with a log of batches for each partition of `partials`, as workers have them."""

    def __init__(self, partitions: int, targets: int) -> None:
        self.partitions, self.targets = partitions, targets
        self.partials: list[list[Handed]] = [[] for _ in range(targets)]
        self.changelog: dict[bytes, bytes] = {}
        self.found: dict[str, Transition] = {}
        self.keepers: dict[tuple[int, int], StateKeeper[Partition | SecondStage]] = {}
        for number in range(partitions):
            self.keepers[1, number] = self.restored(1, number)
        for number in range(targets):
            self.keepers[2, number] = self.restored(2, number)

    def restored(self, stage: int, number: int) -> StateKeeper[Partition | SecondStage]:
        fresh: Partition | SecondStage
        if stage == 1:
            fresh = Partition(AIR, DECODE, RULES, AIR.topic, number, targets=self.targets)
        else:
            fresh = SecondStage(
                CONTRACTS, fixed(RULES), number, targets=self.targets, partitions={FEED: self.partitions}
            )
        keeper = StateKeeper(fresh)
        keeper.restore(self.changelog)
        return keeper

    def ship(self, target: int, batch: Batch) -> None:
        log = self.partials[target]
        log.append(Handed(len(log), 0, encode_batches([batch])))

    def note(self, transition: Transition) -> None:
        assert self.found.setdefault(transition.id, transition) == transition

    def run(self, stage: int, number: int, records: Sequence[OfflineRecord | Handed]) -> None:
        self.keepers[stage, number].partition.observe(records, self.note, self.ship)

    def applied(self, stage: int, number: int) -> int:
        return self.keepers[stage, number].partition.offset + 1

    def checkpoint(self, stage: int, number: int, whole: bool) -> None:
        point = self.keepers[stage, number].checkpoint({})
        if point is None:
            return
        for key, value in [*point.buckets, *([point.header] if whole else [])]:
            if value is None:
                self.changelog.pop(key, None)
            else:
                self.changelog[key] = value


actions = st.sampled_from(["run", "run", "run", "checkpoint", "crash", "torn"])


@given(steps, st.integers(1, 3), st.integers(1, 3), st.data())
@settings(max_examples=60, deadline=None)
def test_crashes_at_any_moment_and_batches_sent_twice_do_not_matter(
    made_steps: list[tuple[int, int, int, int]], partitions: int, targets: int, data: st.DataObject
) -> None:
    logs = split(log_of(made_steps), partitions)
    workers = Workers(partitions, targets)
    stages = sorted(workers.keepers)
    for action, (stage, number), length in data.draw(
        st.lists(st.tuples(actions, st.sampled_from(stages), st.integers(1, 25)), max_size=30)
    ):
        source: Sequence[OfflineRecord | Handed] = logs[number] if stage == 1 else workers.partials[number]
        if action == "run":
            at = workers.applied(stage, number)
            workers.run(stage, number, source[at : at + length])
        elif action == "crash":
            workers.keepers[stage, number] = workers.restored(stage, number)
        else:
            workers.checkpoint(stage, number, whole=action == "checkpoint")
            if action == "torn":
                workers.keepers[stage, number] = workers.restored(stage, number)
    for number, log in enumerate(logs):
        workers.run(1, number, log)
    for _ in range(4):  # composites of the second stage hear of its own transitions
        for number in range(targets):
            workers.run(2, number, workers.partials[number])
    assert unplaced(workers.found.values()) == unplaced(flow(logs))


def test_a_full_batch_is_cut_before_the_tick() -> None:
    log = log_of([(1, number % 9, 120, 1) for number in range(batches.ROWS + 5)])
    cuts: list[Batch] = []
    partition = Partition(AIR, DECODE, [RULES[0]], AIR.topic, 0)
    partition.observe(split(log, 1)[0], lambda each: None, lambda target, batch: cuts.append(batch))
    assert [(sum(each.size for each in cut.portions), cut.watermark is None) for cut in cuts] == [
        (batches.ROWS, True), (5, False),
    ]  # fmt: skip


def test_a_county_is_counted_over_all_partitions() -> None:
    stations = [0, 3, 6]  # of one county, in three partitions
    log = log_of([(1, station, 20, 1) for station in stations])
    found = flow(split(log, 3), [RULES[0]])
    assert [(each.subject, each.kind, each.level) for each in found] == [
        ("330106", "opened", "yellow"), ("330106", "recovered", "yellow"),
    ]  # fmt: skip


def test_nothing_is_judged_beyond_what_every_partition_has_reached() -> None:
    log = log_of([(1, station, 400, 1) for station in (0, 3, 6)])
    parts, found = split(log, 3), list[Transition]()
    whole = Flow(CONTRACTS, [RULES[1]], {FEED: 3})
    for number in (0, 1):
        whole.observe(FEED, number, parts[number], found.append)
    assert found == []
    whole.observe(FEED, 2, parts[2], found.append)
    assert [each.kind for each in found] == ["opened"]


def test_events_shuffled_within_wait_change_nothing() -> None:
    rules = [RULES[3]]
    made_steps = [(1, number % 9, 20, 1) for number in range(80)]
    log = log_of(made_steps)
    shuffled = [*log]
    random = Random(5)
    for start in range(0, 80, 8):
        random.shuffle(block := shuffled[start : start + 8])
        shuffled[start : start + 8] = block
    assert unplaced(flow(split(shuffled, 2), rules)) == unplaced(flow(split(log, 2), rules))


def test_replays_are_apart_from_live_events() -> None:
    live, old = log_of([(1, 0, 400, 1)]), log_of([(1, 0, 400, 1)], timeline="old")
    found = flow(split([*live, *old], 1), [RULES[1]])
    assert sorted(each.timeline for each in found) == ["", "old"]
