"""What retention has removed: offsets below the floors are gone from landing, and days read from them closed.

Landing keeps events for the contract's `retention` after they arrived, and drops them by whole months. A day
that a release has read from offsets that are gone cannot be built again: half of it would vanish.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta

from dagster_project.attempt import Attempt, intervals
from dagster_project.ledger import End, Interval, ends, place_name
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


def floors(entries: Iterable[Interval], cutoff: datetime) -> dict[str, End]:
    """The floor of each `epoch/partition`: where the intervals end whose events all arrived before the cutoff.

    Events below it may be gone; `accepted` says how many they were. Partitions without such events have none.
    """
    old = (entry for entry in entries if entry.arrived_last < cutoff)
    return {place_name(end.place): end for end in ends(old)}


def floors_of(warehouse: Warehouse, contract: Contract, attempt: Attempt) -> dict[str, End]:
    """The floors of a feed when an attempt begins."""
    return floors(intervals(warehouse, contract.topic), attempt.at - contract.retention + MARGIN)


def closed(warehouse: Warehouse, contract: Contract, attempt: Attempt) -> set[date]:
    """The attempt's days that a release has read from offsets that may be gone when the attempt begins."""
    gone = floors_of(warehouse, contract, attempt)
    if not gone:
        return set()
    rows = warehouse.rows(_READ, table=contract.table, parent=attempt.parent, days=attempt.days)
    return {day for day, offsets in rows if below(offsets, gone)}


def below(offsets: Mapping[str, Sequence[int]], gone: Mapping[str, End]) -> bool:
    """Whether any of these ranges of offsets begins below its floor."""
    return any(place in gone and first < gone[place].stop for place, (first, _) in offsets.items())
