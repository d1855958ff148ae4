"""What retention has removed: offsets below the floors are gone from landing, and days read from them closed.

Landing keeps events for the contract's `retention` after they arrived, and drops them by whole months. A day
that a release has read from offsets that are gone cannot be built again: half of it would vanish.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from dagster_project.attempt import Attempt, intervals
from dagster_project.ledger import Interval
from dagster_project.warehouse import Warehouse
from schemas.contract import Contract

_READ = """
SELECT b.day, b.offsets FROM
(
    SELECT day, argMax(build_id, seq) AS build_id FROM release.pointer
    WHERE table = {table:String} AND seq <= {parent:UInt64} AND day IN {days:Array(Date)} GROUP BY day
) AS p
INNER JOIN release.build AS b ON b.table = {table:String} AND b.day = p.day AND b.build_id = p.build_id"""
MARGIN = timedelta(days=1)


@dataclass(frozen=True)
class Floor:
    """From `offset` on a partition's events are surely in landing; intervals before it may be gone."""

    offset: int
    accepted: int


def floors(entries: Iterable[Interval], cutoff: datetime) -> dict[str, Floor]:
    """The floor of each `epoch/partition` of which events arrived before the cutoff; others have none.

    An interval whose last event arrived before the cutoff may be gone. `accepted` are the events before it.
    """
    found: dict[str, Floor] = {}
    for entry in entries:
        if entry.arrived_last < cutoff:
            place = f"{entry.log_epoch}/{entry.partition}"
            known = found.get(place, Floor(0, 0))
            found[place] = Floor(max(known.offset, entry.last + 1), known.accepted + entry.accepted)
    return found


def closed(warehouse: Warehouse, contract: Contract, attempt: Attempt) -> set[date]:
    """The attempt's days that a release has read from offsets that may be gone when the attempt begins."""
    gone = floors(intervals(warehouse, contract.topic), attempt.at - contract.retention + MARGIN)
    if not gone:
        return set()
    rows = warehouse.rows(_READ, table=contract.table, parent=attempt.parent, days=attempt.days)
    return {day for day, offsets in rows if below(offsets, gone)}


def below(offsets: Mapping[str, Sequence[int]], gone: Mapping[str, Floor]) -> bool:
    """Whether any of these ranges of offsets begins below its floor."""
    return any(place in gone and first < gone[place].offset for place, (first, _) in offsets.items())
