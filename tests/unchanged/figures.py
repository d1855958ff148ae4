"""What landing, build, gate and release make of the fortnight: the rows of all tables, but for wall times.

Three times a part of the log is landed; then what is to be built is asked, built, judged and released, as the
nights and the look for late days do it.
"""

from __future__ import annotations

import asyncio
import json
import logging
from bisect import bisect
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from clickhouse_driver import Client

from dagster_project.build.index import Index, load_indexes
from dagster_project.build.indicator import Indicator, load_indicators
from dagster_project.build.reopened_days import reopened
from dagster_project.build.unbuilt_days import pending
from dagster_project.days.attempt import BUILD, LATE, Attempt, begin
from dagster_project.days.spans import Span
from dagster_project.orchestrate.table_pipeline import TablePipeline
from dagster_project.warehouse import Warehouse
from schemas.contract import Contract, load_contracts
from schemas.settings import Settings
from schemas.tables import built_columns, landing_columns
from streams.land.classification import Position
from streams.land.columns import Landed
from streams.land.lander import Lander
from streams.land.ledger import LogEpoch
from streams.land.warehouse import Warehouse as Landing
from streams.land.writer import Limits, Writer
from streams.watch.trial.offline import OfflineRecord
from tests.unchanged.arrivals import PARTITIONS, Arrived
from tests.unchanged.made import AIR, DAY, DAYS, HOUR, START, TOPICS, WARNINGS

FRAME = 300
PARTS = (START + 10 * DAY + 8 * HOUR, START + DAYS * DAY + 30 * HOUR, START + (DAYS + 9) * DAY)
"""Up to where the log is landed before each release."""
log = logging.getLogger(__name__)
FIGURES = (
    *("region", "numerator", "denominator", "value", "province", "level", "target", "achievement", "reached"),
    *("year_ago", "year_on_year", "period_ago", "period_on_period", "faster", "rank", "ranked", "missing"),
    *("imputed", "through"),
)
MARTS = {
    "mart.indicator": f"indicator, day, {', '.join(FIGURES)}, release_seq",
    "mart.ranking": "indicator, every, day, figure_day, region, value, level, reached, rank, ranked, "
    "rise, release_seq",
    "mart.day_status": "table, day, state, release_seq, rows, duplicates, corrected, quarantined, failed",
    "mart.provenance_input": "indicator, day, build_id, input, feed, input_build, first, last, offsets, "
    "release_seq",
}
FEEDS = (*TOPICS, WARNINGS)
INDICATORS = (
    *(
        "duty.closed-in-time",
        "duty.re-occurrence",
        "duty.response-time",
        "duty.true-warnings",
        "ecology.good-air-days",
    ),
    *("ecology.pm25-quarterly", "governance.resolved-in-time", "health.infectious-incidence"),
    "health.monthly-incidence",
)
INDEXES = ("prosperity.cities",)
"""What is held; feeds, indicators and indices that come later change nothing here."""
PLATFORM = {
    "landing.rejected": "topic, feed, log_epoch, partition, offset, arrived, timeline, source, id, field, "
    "rule, value, raw",
    "landing.tick": "topic, log_epoch, partition, offset, arrived, timeline, clock, final, epoch",
    "quality.quarantine": "build_id, table, day, log_epoch, partition, offset, arrived, source, id, reasons, "
    "raw",
    "quality.verdict": "build_id, table, day, passed, suite, rows, expectations, failed",
    "quality.task": "task, state, department, table, day, build_id, failed, evidence, note",
    "release.attempt": "build_id, state, first, last, parent, offsets, kind, days",
    "release.build": "build_id, table, day, rows, duplicates, corrected, quarantined, content_hash, "
    "complete, offsets",
    "release.manifest": "seq, parent, table, day, build_id, content_hash, complete, kind, note, rows, "
    "verdict, offsets",
    "release.pointer": "seq, table, day, build_id",
    "release.input": "table, day, build_id, input, input_build, first, last",
}
"""Columns of the tables of the platform, without those that tell the time of day or the version of the code."""
LEDGER = (
    "SELECT topic, log_epoch, partition, min(first), max(last), sum(accepted), sum(rejected), sum(control),"
    " argMax(watermarks, last) FROM landing.ledger FINAL GROUP BY ALL"
)
Rows = dict[str, list[bytes]]


class Topics:
    """What a lander asks of broker and ledger, of a log that is all there: nothing has been landed before."""

    def __init__(self, records: Sequence[Arrived]) -> None:
        self._offsets: dict[tuple[str, int], list[int]] = defaultdict(list)
        contracts = _contracts()
        for each in records:
            self._offsets[contracts[each.feed].topic, each.partition].append(each.offset)

    def stand(self, name: str) -> tuple[LogEpoch, dict[int, Position]]:
        """The beginning of each partition."""
        return LogEpoch(f"{name}/{PARTITIONS}", 0), {number: Position(0) for number in range(PARTITIONS)}

    def first_at(self, topic: str, partition: int, offset: int) -> int | None:
        """The first offset there is from this one on."""
        return next((each for each in self._offsets[topic, partition] if each >= offset), None)

    def ids(self, names: Sequence[str]) -> dict[str, str]:
        """They do not change."""
        return {name: f"{name}/{PARTITIONS}" for name in names}


async def _land(settings: Settings, parts: Sequence[Sequence[Arrived]], topics: Topics, after: Any) -> None:
    """Land part by part by the real lander and writer; `after` each of them, its number is told."""
    feeds = _contracts()
    contracts = {contract.topic: contract for contract in feeds.values()}

    async def publish(landed: Sequence[Landed]) -> None:
        """Refusals are looked for in the warehouse alone."""

    async def rewind(topic: str, partition: int, offset: int) -> None:
        raise AssertionError(f"{topic}/{partition} is to be read again from {offset}")

    def aside(what: str, reason: str) -> None:
        raise AssertionError(f"{what}: {reason}")

    with closing(Landing(settings.warehouse("service"))) as landing:
        writer = Writer(contracts, landing, publish, lambda: None, Limits(seconds=0.2), aside=aside)
        lander, running = Lander(contracts, topics, writer, rewind, aside), asyncio.create_task(writer.run())
        for number, part in enumerate(parts):
            frames: dict[tuple[str, int], list[OfflineRecord]] = defaultdict(list)
            for each in part:
                frames[feeds[each.feed].topic, each.partition].append(
                    OfflineRecord(each.offset, each.timestamp, each.value)
                )
            waiting = set()
            for (topic, partition), entries in sorted(frames.items()):
                for start in range(0, len(entries), FRAME):
                    done = asyncio.Event()
                    waiting.add(done)
                    await lander.take(topic, partition, entries[start : start + FRAME], done.set)
            for done in waiting:
                await asyncio.wait_for(done.wait(), 120)
            await asyncio.to_thread(after, number)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


class Night:
    """Builds, judges and releases what has been landed, and notes what was to be built."""

    def __init__(self, settings: Settings, open: Warehouse) -> None:
        self._open = open
        indicators, indexes = _indicators()
        contracts = _narrower(_contracts())
        self._pipeline = TablePipeline(settings, contracts, indicators, lambda table, what: None, indexes)
        self.plans: Rows = {"pending": [], "reopened": []}

    def build(self, number: int) -> None:
        """One of the parts: the first two by their span, the last by what is reopened."""
        contracts, now = list(self._pipeline.contracts.values()), PARTS[number]
        waiting = pending(self._open, contracts)
        again = reopened(self._open, contracts, self._pipeline.figured, now.date())
        self.plans["pending"] += [_line((number, *sorted(waiting)))]
        for name, days in {
            **again.feeds,
            **{f"beyond {key}": value for key, value in again.beyond.items()},
        }.items():
            self.plans["reopened"] += [_line((number, name, *sorted(days)))]
        last = now.date() - timedelta(days=1)
        chosen: Collection[date] = () if number < 2 else again.days
        span = Span(START.date(), last) if number < 2 else Span(min(chosen), max(chosen))
        kind = BUILD if number < 2 else LATE
        self._release(begin(self._open, f"part-{number}", span, contracts, now, kind, chosen))

    def _release(self, attempt: Attempt) -> None:
        pipeline = self._pipeline
        for contract in pipeline.contracts.values():
            pipeline.feed(self._open, contract, attempt, log)
        for indicator in pipeline.figured:
            pipeline.figures(self._open, indicator, attempt, log)
        pipeline.publish(self._open, attempt)


def _narrower(contracts: Mapping[str, Contract]) -> dict[str, Contract]:
    """The contracts as builds read them: the highest readings, which were accepted, are in quarantine."""
    fields = tuple(
        replace(each, maximum=250) if each.name == "pm25" else each for each in contracts[AIR].fields
    )
    return {**contracts, AIR: replace(contracts[AIR], fields=fields)}


def rows(settings: Settings, open: Warehouse, records: Sequence[Arrived]) -> Rows:
    """The rows of all tables and marts, as bytes, after the three parts; and what was found to be built."""
    ends = [int(end.timestamp() * 1000) for end in PARTS[:-1]]
    parts: list[list[Arrived]] = [[] for _ in PARTS]
    for each in records:
        parts[bisect(ends, each.timestamp)].append(each)
    with _connected(settings) as administrator:
        administrator.execute("SYSTEM STOP TTL MERGES")  # the fortnight grows old, its rows must not go
    night = Night(settings, open)
    asyncio.run(_land(settings, parts, Topics(records), night.build))
    return {**night.plans, **_tables(open)}


@contextmanager
def _connected(settings: Settings) -> Iterator[Client]:
    client = Client(**settings.warehouse("admin"))
    try:
        yield client
    finally:
        client.disconnect()


def _tables(open: Warehouse) -> Rows:
    contracts = _contracts()
    found = {"landing.ledger": _read(open, LEDGER)}
    for table, columns in {**PLATFORM, **MARTS}.items():
        final = " FINAL" if table in ("landing.rejected", "landing.tick") else ""
        found[table] = _read(open, f"SELECT {columns} FROM {table}{final}")
    for contract in contracts.values():
        landed = ", ".join(f"`{name}`" for name, _ in landing_columns(contract))
        found[f"landing.{contract.table}"] = _read(
            open, f"SELECT {landed} FROM landing.{contract.table} FINAL"
        )
        built = ", ".join(f"`{name}`" for name, _ in built_columns(contract))
        found[f"built.{contract.table}"] = _read(open, f"SELECT {built} FROM built.{contract.table}")
        shown = ", ".join(
            f"`{name}`"
            for name in ("day", "id", "time", "corrected", *(each.name for each in contract.fields))
        )
        found[f"mart.{contract.table}"] = _read(
            open, f"SELECT {shown}, release_seq FROM mart.{contract.table}"
        )
    indicators, indexes = _indicators()
    for indicator in (*indicators.values(), *(each.indicator for each in indexes.values())):
        columns = ", ".join(f"`{name}`" for name in FIGURES)
        found[f"built.{indicator.table}"] = _read(
            open, f"SELECT build_id, event_day, {columns} FROM built.{indicator.table}"
        )
    return found


def _contracts() -> dict[str, Contract]:
    declared = load_contracts()
    return {feed: declared[feed] for feed in sorted(FEEDS)}


def _indicators() -> tuple[dict[str, Indicator], dict[str, Index]]:
    tables = [contract.table for contract in load_contracts().values()]
    declared = load_indicators(tables)
    indexes = load_indexes(declared, tables=tables)
    return {id: declared[id] for id in INDICATORS}, {id: indexes[id] for id in INDEXES}


def _read(open: Warehouse, sql: str) -> list[bytes]:
    """The rows a statement gives, each as JSON, in the order of their bytes."""
    return sorted(map(_line, open.rows(sql)))


def _line(row: Sequence[Any]) -> bytes:
    return json.dumps(row, ensure_ascii=False, sort_keys=True, default=_plain).encode()


def _plain(value: Any) -> Any:
    """A value that JSON does not have; moments and days as ISO writes them."""
    return value.hex() if isinstance(value, bytes) else value.isoformat()
