"""Which published days are to be built again, and no others: later events, corrections, changed declarations.

A day that was never published is not reopened, nor one whose events are still due: those are the night's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from dagster_project.build.indicator import Indicator
from dagster_project.build.unbuilt_days import unread
from dagster_project.days.landed_ends import Vector, landed_ends
from dagster_project.days.ledger import complete
from dagster_project.warehouse import Warehouse
from schemas.contract import Contract

LONGEST = timedelta(days=31)  # of an index, which reads no feed itself
Days = Mapping[str, frozenset[date]]
_VERSIONS = """
SELECT p.table, p.day FROM
(
    SELECT table, day, argMax(build_id, seq) AS build_id FROM release.pointer
    WHERE table IN {tables:Array(String)} GROUP BY table, day
) AS p
INNER JOIN release.build AS b ON b.table = p.table AND b.day = p.day AND b.build_id = p.build_id"""
_OTHER = f"""{_VERSIONS}
WHERE b.version != transform(p.table, {{tables:Array(String)}}, {{versions:Array(String)}}, '')"""


@dataclass(frozen=True)
class Reopened:
    """Days by table to build again; `beyond` are those that lie so far back that a person must say so."""

    feeds: Days = field(default_factory=dict)
    indicators: Days = field(default_factory=dict)
    beyond: Days = field(default_factory=dict)

    @property
    def days(self) -> list[date]:
        """All days of all tables, without those beyond."""
        return sorted({day for days in (*self.feeds.values(), *self.indicators.values()) for day in days})

    @property
    def beyond_days(self) -> set[date]:
        """The days that wait for a person."""
        return {day for days in self.beyond.values() for day in days}


def reopened(
    warehouse: Warehouse,
    contracts: Collection[Contract],
    indicators: Iterable[Indicator],
    today: date,
    approved: bool = False,
    vectors: Mapping[str, Vector] | None = None,
) -> Reopened:
    """The published days to build again; with `approved`, those beyond their contract's horizon too.

    `vectors` are where the topics end, where that is known already.
    """
    feeds: dict[str, frozenset[date]] = {}
    figures: dict[str, frozenset[date]] = {}
    beyond: dict[str, frozenset[date]] = {}
    horizons = {contract.table: contract.horizon for contract in contracts}
    late = _late(warehouse, contracts, vectors or ends_of(warehouse, contracts))
    for contract in contracts:
        days = late[contract.table]
        feeds[contract.table], beyond[contract.table] = _split(days, contract.horizon, today, approved)
    indicators = list(indicators)
    other = _published(warehouse, {item.table: item.version for item in indicators}, other=True)
    for item in indicators:
        horizon = max((horizons[table] for table in item.reads if table in horizons), default=LONGEST)
        days = other[item.table]
        figures[item.table], beyond[item.table] = _split(days, horizon, today, approved)
    return Reopened(_some(feeds), _some(figures), _some(beyond))


def mark(
    warehouse: Warehouse,
    vectors: Mapping[str, Vector],
    contracts: Iterable[Contract],
    indicators: Iterable[Indicator],
) -> str:
    """A text that changes whenever there may be something to reopen. `vectors` are where the topics end now."""
    every = [end for vector in vectors.values() for end in vector]
    landed = f"{sum(end.accepted for end in every)} {sum(end.hole for end in every)}"
    ((parent,),) = warehouse.rows("SELECT max(seq) FROM release.pointer")
    versions = [item.version for item in contracts] + [item.version for item in indicators]
    return f"{landed} {parent} {' '.join(versions)}"


def ends_of(warehouse: Warehouse, contracts: Iterable[Contract]) -> dict[str, Vector]:
    """Where the topics of these feeds end now."""
    return landed_ends(warehouse, {contract.topic for contract in contracts})


def _late(
    warehouse: Warehouse, contracts: Collection[Contract], vectors: Mapping[str, Vector]
) -> dict[str, set[date]]:
    """By table the published days with newer events; all that was due had arrived by now."""
    published = _published(warehouse, {contract.table: contract.version for contract in contracts})
    waiting = unread(warehouse, contracts, vectors, published)
    return {
        contract.table: {
            day
            for day in waiting.get(contract.table, set()) & published[contract.table]
            if _wholly_landed(day, contract, vectors[contract.topic])
        }
        for contract in contracts
    }


def _wholly_landed(day: date, contract: Contract, vector: Vector) -> bool:
    """Whether nothing more is due of a day on any timeline; those that fell silent hold nothing up."""
    timelines = {timeline for end in vector for timeline in end.watermarks}
    return complete(day, vector, contract.lateness, timelines)


def _published(
    warehouse: Warehouse, versions: Mapping[str, str], other: bool = False
) -> dict[str, set[date]]:
    """By table the published days; of `other` versions of the declaration alone, where wanted."""
    found: dict[str, set[date]] = {table: set() for table in versions}
    given: dict[str, Any] = {"tables": list(versions)}
    if other:
        given["versions"] = list(versions.values())
    for table, day in warehouse.rows(_OTHER if other else _VERSIONS, **given):
        found[table].add(day)
    return found


def _split(
    days: set[date], horizon: timedelta, today: date, approved: bool
) -> tuple[frozenset[date], frozenset[date]]:
    far = set() if approved else {day for day in days if day < today - horizon}
    return frozenset(days - far), frozenset(far)


def _some(days: Days) -> Days:
    return {table: found for table, found in days.items() if found}
