"""Which published days are to be built again, and no others: later events, corrections, changed declarations.

A day that was never published is not reopened, nor one whose events are still due: those are the night's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from dagster_project.attempt import intervals
from dagster_project.indicator import Indicator
from dagster_project.ledger import complete, ends
from dagster_project.pending import of_feed
from dagster_project.warehouse import Warehouse
from schemas.contract import Contract

LONGEST = timedelta(days=31)  # of an index, which reads no feed itself
Days = Mapping[str, frozenset[date]]
_VERSIONS = """
SELECT p.day, b.version FROM
(
    SELECT day, argMax(build_id, seq) AS build_id FROM release.pointer WHERE table = {table:String} GROUP BY day
) AS p
INNER JOIN release.build AS b ON b.table = {table:String} AND b.day = p.day AND b.build_id = p.build_id"""
_MARK = "SELECT sum(accepted) FROM landing.ledger"


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
) -> Reopened:
    """The published days to build again; with `approved`, those beyond their contract's horizon too."""
    feeds: dict[str, frozenset[date]] = {}
    figures: dict[str, frozenset[date]] = {}
    beyond: dict[str, frozenset[date]] = {}
    horizons = {contract.table: contract.horizon for contract in contracts}
    for contract in contracts:
        days = _late(warehouse, contract)
        feeds[contract.table], beyond[contract.table] = _split(days, contract.horizon, today, approved)
    for item in indicators:
        horizon = max((horizons[table] for table in item.reads if table in horizons), default=LONGEST)
        days = {day for day, version in _versions(warehouse, item.table).items() if version != item.version}
        figures[item.table], beyond[item.table] = _split(days, horizon, today, approved)
    return Reopened(_some(feeds), _some(figures), _some(beyond))


def mark(warehouse: Warehouse, contracts: Iterable[Contract], indicators: Iterable[Indicator]) -> str:
    """A text that changes whenever there may be something to reopen."""
    ((accepted,),) = warehouse.rows(_MARK)
    ((parent,),) = warehouse.rows("SELECT max(seq) FROM release.pointer")
    versions = [item.version for item in contracts] + [item.version for item in indicators]
    return f"{accepted} {parent} {' '.join(versions)}"


def _late(warehouse: Warehouse, contract: Contract) -> set[date]:
    """Published days with newer events; all that was due had arrived by now."""
    vector = ends(intervals(warehouse, contract.topic))
    timelines = {timeline for end in vector for timeline in end.watermarks}
    waiting = of_feed(warehouse, contract) & set(_versions(warehouse, contract.table))
    return {day for day in waiting if complete(day, vector, contract.lateness, timelines)}


def _versions(warehouse: Warehouse, table: str) -> dict[date, str]:
    """The published days of a table and the version of the declaration each was built by."""
    return dict(warehouse.rows(_VERSIONS, table=table))


def _split(
    days: set[date], horizon: timedelta, today: date, approved: bool
) -> tuple[frozenset[date], frozenset[date]]:
    far = set() if approved else {day for day in days if day < today - horizon}
    return frozenset(days - far), frozenset(far)


def _some(days: Days) -> Days:
    return {table: found for table, found in days.items() if found}
