"""Rules over landed history: the same code as `watch`, partitions in parallel, then the second stage.

Each partition of each feed is a job for a process of its own; what it decides and what it gathers for the second
stage come back. Batches go into the second stage in any order (their marks put them right), so they go in the one
that is cheapest: by the watermark their sources had reached.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import closing
from dataclasses import dataclass, field
from heapq import merge
from itertools import chain, product
from multiprocessing import get_context
from operator import itemgetter
from pathlib import Path

from deploy.rule_history.landed_log import Connection, Place, Stretch, anything, chains, places, records
from schemas.contract import Contract, load_contracts
from schemas.decoder import Decoder
from schemas.in_use import files_of
from schemas.settings import Settings
from schemas.topics import WARNING_FEED
from streams.garbage import relax
from streams.watch.conditions import Condition
from streams.watch.conditions.baseline import Baseline
from streams.watch.declare.baseline import BaselineTable
from streams.watch.declare.rule import Rule
from streams.watch.declare.rule_yaml import parse_published
from streams.watch.engine.batches import BEGINNING, Batch, encode_batches
from streams.watch.engine.flow import Handed
from streams.watch.engine.partition import Partition
from streams.watch.engine.second import SecondStage
from streams.watch.episodes.episode import Transition
from streams.watch.publish.published import fixed

FRAME = 4000
"""Records that are judged at a time: so many stay in the processor's cache from rule to rule."""

Progress = Callable[[int, int], None]
"""Hears how many offsets more are done, and how many records were read of them."""


@dataclass(frozen=True)
class Version:
    """A rule as it is tried, with the rules it is made of: (name for complaints, text), members first.

    `min_lateness` is the longest `wait` (seconds) of the rules in force beside it: so late an event still counts.
    """

    name: str
    texts: tuple[tuple[str, str], ...]
    baselines: Mapping[str, BaselineTable] = field(default_factory=dict)
    min_lateness: int = 0

    def rules(self, contracts: Mapping[str, Contract]) -> list[Rule]:
        """The rules, read anew: a text travels to another process, a rule need not."""
        return [parse_published(text, where, contracts) for where, text in self.texts]


@dataclass(frozen=True)
class Job:
    """One partition of a feed, for all versions at once: it is read and decoded once each, log after log."""

    settings: Settings
    places: tuple[Place, ...]
    stretch: Stretch
    versions: tuple[Version, ...]
    contracts: Path


@dataclass(frozen=True)
class Made:
    """What came of a job, by version: transitions, and batches for the second stage.

    A batch is (watermark its source had reached then, ms; the batch as bytes).
    """

    place: Place
    offsets: int
    records: int
    transitions: tuple[tuple[Transition, ...], ...]
    batches: tuple[tuple[tuple[int, bytes], ...], ...]


def work(job: Job) -> Made:
    """Judge one partition by all versions."""
    contracts = load_contracts(job.contracts)
    last = job.places[-1]
    contract = contracts[last.feed]
    parts = [_partition(contract, version, contracts, last) for version in job.versions]
    found: list[list[Transition]] = [[] for _ in parts]
    shipped: list[list[tuple[int, bytes]]] = [[] for _ in parts]
    count = 0
    with closing(Connection(job.settings)) as connection:
        read = (records(connection.client, contract, place, job.stretch) for place in job.places)
        for chunk in chain.from_iterable(read):
            count += len(chunk)
            frames = [chunk[start : start + FRAME] for start in range(0, len(chunk), FRAME)]
            for frame, (at, part) in product(frames, enumerate(parts)):
                gathered: list[Batch] = []
                part.observe(frame, found[at].append, lambda target, batch, to=gathered: to.append(batch))  # type: ignore[misc]
                for batch in gathered:
                    reached = shipped[at][-1][0] if shipped[at] else BEGINNING
                    shipped[at].append((max(reached, batch.watermark or BEGINNING), encode_batches([batch])))
    offsets = sum(place.size for place in job.places)
    return Made(last, offsets, count, tuple(map(tuple, found)), tuple(map(tuple, shipped)))


def _partition(
    contract: Contract, version: Version, contracts: Mapping[str, Contract], place: Place
) -> Partition:
    rules = version.rules(contracts)
    return Partition(
        contract,
        Decoder(contract).decode,
        rules,
        contract.topic,
        place.partition,
        supply_baselines=_supply_baselines(version),
        min_lateness=version.min_lateness,
    )


def _supply_baselines(version: Version) -> Callable[[Condition], None]:
    def give(condition: Condition) -> None:
        if version.baselines and isinstance(condition, Baseline):
            condition.supply_baselines(dict(version.baselines))

    return give


def run(
    settings: Settings,
    contracts: Mapping[str, Contract],
    versions: Sequence[Version],
    stretch: Stretch,
    processes: int,
    progress: Progress = lambda offsets, records: None,
) -> list[list[Transition]]:
    """The transitions each version makes on what is landed; `progress` hears of what is done."""
    feeds = sorted(
        {
            feed
            for version in versions
            for rule in version.rules(contracts)
            for feed in rule.feeds
            if feed != WARNING_FEED
        }
    )
    jobs = [
        Job(settings, places, stretch, tuple(versions), files_of(settings).feeds)
        for places in chains(found(settings, contracts, feeds))
    ]
    made = []
    for done in _done(jobs, processes):
        made.append(done)
        progress(done.offsets, done.records)
    made.sort(key=lambda each: (each.place.feed, each.place.partition))
    return [
        [
            *(transition for each in made for transition in each.transitions[at]),
            *_second(contracts, version, made, at),
        ]
        for at, version in enumerate(versions)
    ]


def found(settings: Settings, contracts: Mapping[str, Contract], feeds: Sequence[str]) -> list[Place]:
    """The places of these feeds, of all their logs."""
    with closing(Connection(settings)) as connection:
        return [place for feed in feeds for place in places(connection.client, contracts[feed])]


def without_events(
    settings: Settings, contracts: Mapping[str, Contract], feeds: Sequence[str], stretch: Stretch
) -> list[str]:
    """Those of the feeds of which no event is landed in these days."""
    with closing(Connection(settings)) as connection:
        return [feed for feed in feeds if not anything(connection.client, contracts[feed], stretch)]


def _done(jobs: Sequence[Job], processes: int) -> Iterator[Made]:
    if processes < 2 or len(jobs) < 2:
        yield from map(work, jobs)
        return
    pool_of = min(processes, len(jobs))
    with ProcessPoolExecutor(pool_of, get_context("spawn"), relax) as pool:
        running: list[Future[Made]] = [pool.submit(work, job) for job in jobs]
        for each in as_completed(running):
            yield each.result()


def _second(
    contracts: Mapping[str, Contract], version: Version, made: Sequence[Made], at: int
) -> list[Transition]:
    """What the rules of the second stage decide on all that was gathered."""
    rules = version.rules(contracts)
    if not any(rule.rekeyed for rule in rules):
        return []
    partitions: dict[str, int] = {}
    for each in made:
        partitions[each.place.feed] = max(partitions.get(each.place.feed, 0), each.place.partition + 1)
    stage = SecondStage(
        contracts,
        fixed(rules),
        0,
        targets=1,
        partitions=partitions,
        supply_baselines=_supply_baselines(version),
    )
    decided: list[Transition] = []
    merged = merge(*(each.batches[at] for each in made), key=itemgetter(0))
    waiting = [raw for _, raw in merged]  # sources side by side, so that few rows wait for the slowest
    offset = 0
    while waiting:
        records = [Handed(offset + number, 0, raw) for number, raw in enumerate(waiting)]
        offset += len(records)
        back: list[Batch] = []
        stage.observe(records, decided.append, lambda target, batch, to=back: to.append(batch))  # type: ignore[misc]
        waiting = [encode_batches([batch]) for batch in back]
    return decided
