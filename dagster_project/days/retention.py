"""What retention has removed: offsets below the floors are gone from landing, and days read from them closed.

Landing keeps events for the contract's `retention` after they arrived, and drops them by whole months. A day
that a release has read from offsets that are gone cannot be built again: half of it would vanish.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from dagster_project.days.attempt import Attempt
from dagster_project.days.landed_ends import landed_ends
from dagster_project.days.ledger import End, place_name
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


def floors(warehouse: Warehouse, contract: Contract, attempt: Attempt) -> dict[str, End]:
    """The floor of each `epoch/partition` when an attempt begins: where the intervals end that are that old.

    Events below it may be gone; `accepted` says how many they were. Partitions without such events have none.
    """
    cutoff = attempt.at - contract.retention + MARGIN
    old = landed_ends(warehouse, [contract.topic], cutoff)[contract.topic]
    return {place_name(end.place): end for end in old}


def closed(warehouse: Warehouse, contract: Contract, attempt: Attempt) -> set[date]:
    """The attempt's days that a release has read from offsets that may be gone when the attempt begins."""
    gone = floors(warehouse, contract, attempt)
    if not gone:
        return set()
    rows = warehouse.rows(_READ, table=contract.table, parent=attempt.parent, days=attempt.days)
    return {day for day, offsets in rows if below(offsets, gone)}


def below(offsets: Mapping[str, Sequence[int]], gone: Mapping[str, End]) -> bool:
    """Whether any of these ranges of offsets begins below its floor."""
    return any(place in gone and first < gone[place].stop for place, (first, _) in offsets.items())
