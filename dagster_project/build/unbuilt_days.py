"""Which days wait to be built: those with landed rows that no released build has read.

What may wait is known from `landing.changed_day`; the landed rows of those days decide.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date
from typing import Any

from dagster_project.build.corrections import Copy, resolve
from dagster_project.build.feed_sql import FeedSql, below
from dagster_project.days.changed_days import Stops, changed_days, released_stops
from dagster_project.days.landed_ends import Vector, landed_ends
from dagster_project.warehouse import Warehouse
from quality.rows import row_rules
from schemas.contract import Contract

Place = tuple[int, int, int]


def pending(warehouse: Warehouse, contracts: Iterable[Contract]) -> set[date]:
    """Days with landed rows newer than their last released build, or with corrections that concern them."""
    contracts = list(contracts)
    vectors = landed_ends(warehouse, [contract.topic for contract in contracts])
    return {day for days in unread(warehouse, contracts, vectors).values() for day in days}


def unread(
    warehouse: Warehouse,
    contracts: Collection[Contract],
    vectors: Mapping[str, Vector],
    among: Mapping[str, Collection[date]] | None = None,
) -> dict[str, set[date]]:
    """By table the days with landed rows or corrections below these ends that no released build has read.

    `among` are the days that matter, by table; without it all do.
    """
    changed = changed_days(warehouse, contracts)
    asked: dict[str, frozenset[date] | None] = {}
    for contract in contracts:
        days = changed.days.get(contract.topic, frozenset())
        if among is not None:
            days &= frozenset(among.get(contract.table, ()))
        if contract.topic in changed.unlisted:
            asked[contract.table] = None
        elif days or contract.topic in changed.corrected:
            asked[contract.table] = days
    released = released_stops(warehouse, [contract for contract in contracts if contract.table in asked])
    found = {}
    for contract in contracts:
        if contract.table in asked:
            vector, stops = vectors[contract.topic], released[contract.table]
            found[contract.table] = _rows(warehouse, contract, vector, stops, asked[contract.table])
            if contract.topic in changed.corrected | changed.unlisted:
                found[contract.table] |= _corrections(warehouse, contract, vector, stops)
    return found


def _rows(
    warehouse: Warehouse,
    contract: Contract,
    vector: Vector,
    released: Mapping[date, Stops],
    days: Collection[date] | None,
) -> set[date]:
    """Of these days, or of all, those with unread rows."""
    if days is not None and not days:
        return set()
    within = "" if days is None else " AND event_day IN {days:Array(Date)}"
    given: dict[str, Any] = {} if days is None else {"days": sorted(days)}
    landed = warehouse.rows(
        f"SELECT event_day, log_epoch, partition, max(offset) FROM landing.{contract.table}"
        f" WHERE {below(vector)}{within} GROUP BY event_day, log_epoch, partition",
        **given,
    )
    return {day for day, *place in landed if _unread(released.get(day), (place[0], place[1], place[2]))}


def _corrections(
    warehouse: Warehouse, contract: Contract, vector: Vector, released: Mapping[date, Stops]
) -> set[date]:
    sql = FeedSql(contract, vector, row_rules(contract))
    return concerned(released, resolve(Copy(*row) for row in warehouse.rows(sql.corrections())).groups)


def concerned(released: Mapping[date, Stops], groups: Iterable[tuple[Copy, ...]]) -> set[date]:
    """Days of events whose group of corrections has a member that the day's last build has not read."""
    return {
        copy.event_day
        for group in groups
        for copy in group
        if any(_unread(released.get(copy.event_day), other.place) for other in group)
    }


def _unread(stops: Stops | None, place: Place) -> bool:
    return stops is None or place[2] >= stops.get(place[:2], 0)
