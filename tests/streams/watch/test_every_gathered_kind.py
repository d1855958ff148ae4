"""For every kind of condition in the second stage: partitions, frames, crashes, copies, order within `wait`."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.decoder import Decoder
from streams.watch.conditions import Condition
from streams.watch.conditions.baseline import Baseline
from streams.watch.declare.baseline import BaselineTable
from streams.watch.declare.rule import Rule
from streams.watch.engine.batches import Batch, encode_batches
from streams.watch.engine.flow import Flow, Handed
from streams.watch.engine.partition import Partition
from streams.watch.engine.second import SecondStage
from streams.watch.engine.trial_events import TrialEvent, tick
from streams.watch.episodes.episode import Transition
from streams.watch.publish.published import fixed
from streams.watch.trial.offline import OfflineRecord
from streams.watch.worker.state import StateKeeper
from tests.streams.watch.test_every_kind import with_copies
from tests.streams.watch.trying import AIR, CASES, CONTRACTS, START, air, cases, rule

FEEDS = (AIR, CASES)
DECODE = {feed: Decoder(CONTRACTS[feed]).decode for feed in FEEDS}
COUNTIES = ("330106", "330203", "330110")
BLUE = {"blue": 100, "yellow": {"threshold": 150, "for": "PT5M"}, "red": 200}
PM25 = {"kind": "threshold", "field": "pm25"}
QUIET = [{"from": "09:00", "to": "09:40", "up_to": "yellow"}]
MAINTENANCE = [
    {"from": "2026-03-01T09:30:00+08:00", "to": "2026-03-01T10:10:00+08:00", "regions": ["330106"]}
]
TABLE = BaselineTable(1, {("330106", 0): (60.0, 20.0), ("330203", 0): (90.0, 5.0)})

Rules = tuple[Rule, ...]


def kinds(**more: object) -> dict[str, Rules]:
    """Rules of each kind by county, over the stations of all partitions; composites with their members."""
    mean = {"kind": "aggregate", "aggregate": "mean", "field": "pm25", "window": "PT20M"}
    rated = {"where": {"averaging": "24h"}}
    by_county = {"subject": ["region"], **more}
    member = {"version": 1, **more}
    own = rule(PM25, {"red": 200}, rule="test.own", **member)
    high = rule(PM25, {"blue": 100}, rule="test.high", subject=["region"], **member)
    smog = {"feed": AIR, "subject": "{region:city}", "field": "pm25", "at_least": 100}
    ill = {
        "feed": CASES,
        "subject": "{region:city}",
        "region": "{region:city}",
        "field": "cases",
        "at_least": 10,
    }
    one = {
        "dwelling": rule(PM25, BLUE, for_="PT10M", keep_open_for="PT7M",
                         recovery={"threshold": 80, "for": "PT12M"}, **by_county),
        "flapping": rule(PM25, BLUE, flapping={"rises": 3, "within": "PT30M"}, **by_county),
        "quiet": rule(PM25, BLUE, quiet=QUIET, maintenance=MAINTENANCE, **by_county),
        "change": rule({"kind": "change", "field": "pm25", "over": "PT10M"}, {"blue": 50, "red": 150},
                       **by_county),
        "sliding": rule(mean, {"blue": 100, "red": 180}, recovery=90, keep_open_for="PT5M", **by_county),
        "tumbling": rule({**mean, "aggregate": "distinct", "field": "station", "windows": "tumbling"},
                         {"blue": 2, "red": 3}, **by_county),
        "ratio": rule({"kind": "ratio", "of": {"aggregate": "count", **rated}, "to": {"aggregate": "count"},
                       "window": "PT30M", "minimum": 2}, {"blue": 0.3, "red": 0.6}, **by_county),
        "count": rule({"kind": "count", "window": "PT15M"}, {"blue": 2, "red": 4}, **by_county),
        "absence": rule({"kind": "absence"}, {"blue": "PT30M", "red": "PT1H"}, **by_county),
        "sequence": rule({"kind": "sequence", "first": {"where": {"averaging": "1h"}}, "then": rated},
                         {"blue": "PT10M", "red": "PT40M"}, **by_county),
        "baseline": rule({"kind": "baseline", "field": "pm25", "as": "sigma"}, {"blue": 1, "red": 4}, **by_county),
        "surge": rule({"kind": "surge", "method": "ewma", "every": "PT10M", "field": "pm25", "aggregate": "max",
                       "parameters": {"m": 60, "sd": 20, "lambda": 0.5}}, {"blue": 100, "red": 150}, **by_county),
        "sequence of two feeds": rule(
            {"kind": "sequence", "first": {"feed": AIR}, "then": {"feed": CASES}},
            {"blue": "PT10M", "red": "PT40M"}, feed=None, **{**more, "subject": "{region:city}"}),
        "correlation": rule({"kind": "correlation", "of": [smog, ill], "within": "PT30M"},
                            {"blue": "any", "red": "all"}, feed=None, **{**more, "subject": "{region:city}"}),
    }  # fmt: skip
    composite = rule(
        {"kind": "composite", "of": ["test.own", "test.high"], "count": "warnings", "within": "PT20M"},
        {"blue": 1, "red": 3}, feed=None, **{**more, "subject": None},
    )  # fmt: skip
    return {**{name: (each,) for name, each in one.items()}, "composite": (own, high, composite)}


KINDS = kinds()
WAITING = {name: each for name, each in kinds(wait="PT10M").items()}
every_kind = pytest.mark.parametrize("kind", KINDS)
gaps = st.lists(st.integers(0, 25), min_size=1, max_size=30)
randoms = st.randoms(use_true_random=False)

Log = list[TrialEvent]
"""In order of arrival; a tick stands for one in every partition of every feed."""
Parts = dict[tuple[str, int], list[OfflineRecord]]
"""By feed and partition."""
LATER = datetime(2026, 6, 1, tzinfo=START.tzinfo)


def made(steps: Sequence[int], random: Random) -> Log:
    """Readings and reports in order of time, a tick now and then, and a long silence at the end."""
    at, found = START, Log()
    for number, step in enumerate(steps):
        at += timedelta(minutes=step, seconds=1)
        if random.random() < 0.2:
            found.append(tick(AIR, at, f"t{number}"))
        place = random.randrange(6)
        region = COUNTIES[place % 3]
        if random.random() < 0.3:
            found.append(cases(at, random.choice([1, 10, 30]), f"{region[:4]}00", number=number))
            continue
        value = random.choice([10, 50, 95, 100, 149, 150, 160, 220])
        each = air(at, value, f"S{place}", region, number=number)
        averaged = each.raw.replace(b'"1h"', b'"24h"') if random.random() < 0.3 else each.raw
        found.append(replace(each, raw=averaged))
    return [*found, *(tick(AIR, at + timedelta(hours=hours), f"end{hours}") for hours in (4, 5))]


def split(log: Iterable[TrialEvent], partitions: int) -> Parts:
    """The log of each partition; what says no arrival arrives long after, so that no clock runs ahead of it."""
    later = int(LATER.timestamp() * 1000)
    places = [(feed, number) for feed in FEEDS for number in range(partitions)]
    parts: Parts = {place: [] for place in places}
    for at, each in enumerate(log):
        arrival = later + at if each.arrival is None else each.arrival
        key = each.raw.partition(b'"station":"' if each.feed == AIR else b'"region":"')[2][:6]
        for place in places if each.tick else [(each.feed, crc32(key) % partitions)]:
            parts[place].append(OfflineRecord(len(parts[place]), arrival, each.raw))
    return parts


def supply_baselines(condition: Condition) -> None:
    if isinstance(condition, Baseline):
        condition.supply_baselines({"test.rule": TABLE})


def told(found: Iterable[Transition]) -> list[Transition]:
    """Without where in the log it was decided."""
    plain = (replace(each, partition=0, offset=0, watermark=0, topic="") for each in found)
    return sorted(plain, key=lambda each: (each.rule, each.id))


def flow(
    rules: Rules, parts: dict[tuple[str, int], list[OfflineRecord]], random: Random | None = None
) -> list[Transition]:
    """What both stages say: each partition fed whole, or all of them in frames and in an order at random."""
    found: list[Transition] = []
    partitions = {feed: len(parts) // len(FEEDS) for feed in FEEDS}
    whole = Flow(CONTRACTS, rules, partitions, supply_baselines=supply_baselines)
    todo = {place: frames(log, random) for place, log in parts.items()}
    while todo:
        feed, number = place = random.choice(sorted(todo)) if random else next(iter(todo))
        whole.observe(feed, number, todo[place].pop(0), found.append)
        if not todo[place]:
            del todo[place]
    return told(found)


def frames(log: list[OfflineRecord], random: Random | None) -> list[list[OfflineRecord]]:
    cuts = sorted(random.randrange(len(log) + 1) for _ in range(random.randrange(5))) if random else []
    return [log[start:end] for start, end in itertools.pairwise([0, *cuts, len(log)])]


@every_kind
@given(gaps, randoms, st.integers(2, 4))
@settings(max_examples=15, deadline=None)
def test_neither_partitions_nor_frames_nor_their_order_matter(
    kind: str, steps: list[int], random: Random, partitions: int
) -> None:
    log = made(steps, random)
    assert flow(KINDS[kind], split(log, partitions), random) == flow(KINDS[kind], split(log, 1))


@every_kind
@given(gaps, randoms, st.integers(1, 3))
@settings(max_examples=15, deadline=None)
def test_shuffled_within_wait_and_sent_twice_it_is_the_same(
    kind: str, steps: list[int], random: Random, partitions: int
) -> None:
    log = made(steps, random)
    delays = [0 if each.tick else random.randint(0, 10 * 60_000) for each in log]
    order = sorted(range(len(log)), key=lambda at: log[at].at + delays[at])
    copied = [log[at] for at in order for _ in range(1 if log[at].tick else random.choice([1, 1, 1, 2]))]
    in_order = flow(WAITING[kind], split(log, 1))
    assert flow(WAITING[kind], split(copied, partitions)) == in_order


@every_kind
@given(gaps, randoms, st.integers(1, 3))
@settings(max_examples=15, deadline=None)
def test_copies_at_any_later_time_change_nothing(
    kind: str, steps: list[int], random: Random, partitions: int
) -> None:
    log = made(steps, random)
    assert flow(KINDS[kind], split(with_copies(log, random), partitions)) == flow(KINDS[kind], split(log, 1))


@every_kind
@given(gaps, randoms)
@settings(max_examples=15, deadline=None)
def test_one_fast_clock_changes_nothing_for_others(kind: str, steps: list[int], random: Random) -> None:
    """Events arrive when they occur, but those of another county, whose clock is minutes to days ahead."""
    honest = [replace(each, arrival=each.at) for each in made(steps, random)]
    log = Log()
    for number, each in enumerate(honest):
        log.append(each)
        if random.random() < 0.2:
            at = timedelta(milliseconds=each.at, minutes=random.choice([1, 4, 20, 9999]))
            fast = air(
                datetime.fromtimestamp(at.total_seconds(), UTC), 220, "S9", "331102", number=f"f{number}"
            )
            log.append(replace(fast, arrival=each.at))
    others = [each for each in flow(KINDS[kind], split(log, 2), random) if not each.region.startswith("3311")]
    assert others == flow(KINDS[kind], split(honest, 2))


class Workers:
    """Both stages, with a log of batches for each partition of `partials`, and what survives a crash."""

    def __init__(self, rules: Rules, parts: Parts, targets: int) -> None:
        self.rules, self.targets = rules, targets
        self.logs: dict[tuple[str, int], list[OfflineRecord] | list[Handed]] = {**parts}
        self.logs.update({("", number): list[Handed]() for number in range(targets)})
        self.partitions = {feed: len(parts) // len(FEEDS) for feed in FEEDS}
        self.changelog: dict[bytes, bytes] = {}
        self.found: dict[str, Transition] = {}
        self.keepers = {place: self.restored(place) for place in self.logs}

    def restored(self, place: tuple[str, int]) -> StateKeeper[Partition | SecondStage]:
        feed, number = place
        fresh: Partition | SecondStage
        if feed:
            fresh = Partition(
                CONTRACTS[feed], DECODE[feed], self.rules, CONTRACTS[feed].topic, number,
                targets=self.targets, supply_baselines=supply_baselines,
            )  # fmt: skip
        else:
            fresh = SecondStage(
                CONTRACTS, fixed(self.rules), number,
                targets=self.targets, partitions=self.partitions, supply_baselines=supply_baselines,
            )  # fmt: skip
        keeper = StateKeeper(fresh)
        keeper.restore(self.changelog)
        return keeper

    def ship(self, target: int, batch: Batch) -> None:
        log = self.logs["", target]
        log.append(Handed(len(log), 0, encode_batches([batch])))  # type: ignore[arg-type]

    def note(self, transition: Transition) -> None:
        assert told([self.found.setdefault(transition.id, transition)]) == told([transition])

    def run(self, place: tuple[str, int], length: int) -> bool:
        """Take so many records more; gives whether there were any."""
        keeper, log = self.keepers[place], self.logs[place]
        at = keeper.partition.offset + 1
        keeper.partition.observe(log[at : at + length], self.note, self.ship)
        return at < len(log)

    def checkpoint(self, place: tuple[str, int]) -> None:
        point = self.keepers[place].checkpoint({})
        for key, value in [*point.buckets, point.header] if point is not None else []:
            self.changelog.pop(key, None) if value is None else self.changelog.update({key: value})


@every_kind
@given(gaps, randoms, st.integers(1, 2), st.integers(1, 2))
@settings(max_examples=15, deadline=None)
def test_crashes_at_any_moment_do_not_matter(
    kind: str, steps: list[int], random: Random, partitions: int, targets: int
) -> None:
    parts = split(made(steps, random), partitions)
    workers = Workers(KINDS[kind], parts, targets)
    places = sorted(workers.keepers)
    for _ in range(30):
        place = random.choice(places)
        workers.run(place, random.randint(1, 12))
        if random.random() < 0.4:
            workers.checkpoint(place)
        if random.random() < 0.2:
            workers.keepers[place] = workers.restored(place)
    while any([workers.run(place, 1000) for place in places]):
        pass  # composites hear of what the second stage itself has said
    assert told(workers.found.values()) == flow(KINDS[kind], parts)


@every_kind
def test_the_logs_of_these_tests_make_it_warn_and_recover(kind: str) -> None:
    """Otherwise the tests above would hold of a rule that does nothing."""
    said: dict[str, set[str]] = {}
    for seed in range(30):
        random = Random(seed)
        for each in flow(KINDS[kind], split(made([random.randrange(20) for _ in range(30)], random), 2)):
            said.setdefault(each.rule, set()).add(each.kind)
    assert all(said.get(each.id, set()) >= {"opened", "recovered"} for each in KINDS[kind]), said
