"""Which days wait to be built: those with landed rows that no released build has read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from dagster_project.attempt import RELEASED, STARTED, intervals
from dagster_project.corrections import Copy, resolve
from dagster_project.feed_sql import FeedSql, below
from dagster_project.ledger import ends
from dagster_project.warehouse import Warehouse
from quality.rows import row_rules
from schemas.contract import Contract

_SETTLED = """
SELECT b.day, argMax(a.offsets, a.started)
FROM release.build AS b
INNER JOIN
(
    SELECT build_id, minIf(at, state = {started:String}) AS started,
        anyIf(offsets, state = {started:String}) AS offsets
    FROM release.attempt GROUP BY build_id HAVING countIf(state = {released:String}) > 0
) AS a ON a.build_id = b.build_id
WHERE b.table = {table:String} AND (b.day, b.build_id) NOT IN
(
    SELECT day, build_id FROM quality.verdict WHERE table = {table:String} GROUP BY day, build_id
    HAVING argMax(passed, decided) = 0
)
GROUP BY b.day"""
Place = tuple[int, int, int]


def pending(warehouse: Warehouse, contracts: Iterable[Contract]) -> set[date]:
    """Days with landed rows newer than their last released build, or with corrections that concern them."""
    days: set[date] = set()
    for contract in contracts:
        days |= of_feed(warehouse, contract)
    return days


def of_feed(warehouse: Warehouse, contract: Contract) -> set[date]:
    """Days of one feed with landed rows or corrections that no released build of them has read."""
    vector = ends(intervals(warehouse, contract.topic))
    settled = {
        day: _stops(contract.topic, offsets)
        for day, offsets in warehouse.rows(_SETTLED, table=contract.table, started=STARTED, released=RELEASED)
    }
    landed = warehouse.rows(
        f"SELECT event_day, log_epoch, partition, max(offset) FROM landing.{contract.table}"
        f" WHERE {below(vector)} GROUP BY event_day, log_epoch, partition"
    )
    found = {day for day, *place in landed if _unread(settled.get(day), (place[0], place[1], place[2]))}
    sql = FeedSql(contract, vector, row_rules(contract))
    copies = [Copy(*row) for row in warehouse.rows(sql.corrections())]
    return found | concerned(settled, resolve(copies).groups)


def concerned(
    settled: Mapping[date, Mapping[tuple[int, int], int]], groups: Iterable[tuple[Copy, ...]]
) -> set[date]:
    """Days of events whose group of corrections has a member that the day's last build has not read."""
    return {
        copy.event_day
        for group in groups
        for copy in group
        if any(_unread(settled.get(copy.event_day), other.place) for other in group)
    }


def _unread(stops: Mapping[tuple[int, int], int] | None, place: Place) -> bool:
    return stops is None or place[2] >= stops.get(place[:2], 0)


def _stops(topic: str, offsets: Mapping[str, int]) -> dict[tuple[int, int], int]:
    found = {}
    for name, stop in offsets.items():
        log, epoch, partition = name.rsplit("/", 2)
        if log == topic:
            found[int(epoch), int(partition)] = stop
    return found
