"""Which days may have landed events that no released build has read, from `landing.changed_day` alone.

Never fewer than the landed rows themselves would show. `land` writes an interval of the ledger last of all: its
events stand before, and the days of its events in `landing.changed_day` before it too. So whatever ends `land`
between two of these inserts, an event below the ledger's end has its day listed up to its offset or further; what
was written after that end is written again at the next start. Intervals of an older version say that they list no
days: their topics are `unlisted`, and their rows are asked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

from dagster_project.days.attempt import RELEASED, STARTED
from dagster_project.warehouse import Warehouse
from schemas.contract import Contract

Stops = Mapping[tuple[int, int], int]
"""By log epoch and partition the offset a build has read up to, exclusively."""
_RELEASED_DAYS = """
SELECT b.table AS table, b.day AS day, argMax(b.build_id, a.started) AS build_id
FROM release.build AS b
INNER JOIN
(
    SELECT build_id, minIf(at, state = {started:String}) AS started
    FROM release.attempt GROUP BY build_id HAVING countIf(state = {released:String}) > 0
) AS a ON a.build_id = b.build_id
WHERE b.table IN {tables:Array(String)} AND (b.table, b.day, b.build_id) NOT IN
(
    SELECT table, day, build_id FROM quality.verdict WHERE table IN {tables:Array(String)}
    GROUP BY table, day, build_id HAVING argMax(passed, decided) = 0
)
GROUP BY b.table, b.day"""
_OFFSETS = """
SELECT build_id, anyIf(offsets, state = {started:String}) AS offsets FROM release.attempt
WHERE build_id IN {builds:Array(String)} GROUP BY build_id"""
_OF_RELEASED = _OFFSETS.replace("{builds:Array(String)}", "(SELECT build_id FROM released)")
_CHANGED = f"""
WITH released AS ({_RELEASED_DAYS})
SELECT DISTINCT c.topic, c.event_day FROM
(
    SELECT toString(topic) AS topic, event_day, max(last) AS last,
        concat(topic, '/', toString(log_epoch), '/', toString(partition)) AS place,
        transform(topic, {{topics:Array(String)}}, {{tables:Array(String)}}, '') AS table
    FROM landing.changed_day WHERE topic IN {{topics:Array(String)}}
    GROUP BY topic, event_day, log_epoch, partition
) AS c
LEFT JOIN released AS s ON s.table = c.table AND s.day = c.event_day
LEFT JOIN
(
    SELECT build_id, name, stop FROM ({_OF_RELEASED})
    ARRAY JOIN mapKeys(offsets) AS name, mapValues(offsets) AS stop
) AS t ON t.build_id = s.build_id AND t.name = c.place
WHERE s.build_id = '' OR c.last >= t.stop"""
_CORRECTED = """
SELECT topic FROM landing.changed_day WHERE topic IN {topics:Array(String)}
GROUP BY topic HAVING max(corrected) > 0"""
_UNLISTED = """
SELECT DISTINCT topic FROM landing.ledger FINAL
WHERE topic IN {topics:Array(String)} AND NOT listed AND accepted > 0"""


@dataclass(frozen=True)
class Changed:
    """By topic the days that may be unread; topics with corrections, and those whose days are not all listed."""

    days: Mapping[str, frozenset[date]]
    corrected: frozenset[str]
    unlisted: frozenset[str]


def changed_days(warehouse: Warehouse, contracts: Collection[Contract]) -> Changed:
    """What may be unread of these feeds."""
    topics = [contract.topic for contract in contracts]
    tables = [contract.table for contract in contracts]
    days: dict[str, set[date]] = defaultdict(set)
    for topic, day in warehouse.rows(
        _CHANGED, topics=topics, tables=tables, started=STARTED, released=RELEASED
    ):
        days[topic].add(day)
    return Changed(
        {topic: frozenset(found) for topic, found in days.items()},
        frozenset(str(topic) for (topic,) in warehouse.rows(_CORRECTED, topics=topics)),
        frozenset(str(topic) for (topic,) in warehouse.rows(_UNLISTED, topics=topics)),
    )


def may_correct(warehouse: Warehouse, contract: Contract) -> bool:
    """Whether any landed event of a feed may be a correction; what is landed later is not asked."""
    topics = [contract.topic]
    return bool(warehouse.rows(_CORRECTED, topics=topics) or warehouse.rows(_UNLISTED, topics=topics))


def released_stops(warehouse: Warehouse, contracts: Collection[Contract]) -> dict[str, dict[date, Stops]]:
    """By table the days that a released build has read, and up to where the latest of them has."""
    if not contracts:
        return {}
    topics = {contract.table: contract.topic for contract in contracts}
    rows = warehouse.rows(_RELEASED_DAYS, tables=sorted(topics), started=STARTED, released=RELEASED)
    offsets = warehouse.rows(
        _OFFSETS,
        builds=sorted({build_id for _, _, build_id in rows}),
        started=STARTED,
    )
    stops = {build_id: _by_topic(found) for build_id, found in offsets}
    found: dict[str, dict[date, Stops]] = {table: {} for table in topics}
    for table, day, build_id in rows:
        found[table][day] = stops[build_id].get(topics[table], {})
    return found


def _by_topic(offsets: Mapping[str, int]) -> dict[str, Stops]:
    """Offsets by `topic/epoch/partition` as stops by topic."""
    found: dict[str, dict[tuple[int, int], int]] = defaultdict(dict)
    for name, stop in offsets.items():
        topic, log_epoch, partition = name.rsplit("/", 2)
        found[topic][int(log_epoch), int(partition)] = stop
    return dict(found)
