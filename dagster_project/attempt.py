"""One attempt to build a span of days: what it may read is fixed once, for all its tables.

The attempt is a row of `release.attempt` under its build id, so that every step of a run, in whatever
process, reads the same log up to the same offsets and takes other days from the same release.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from dagster_project.ledger import End, Interval, ends, offsets
from dagster_project.spans import Span
from dagster_project.warehouse import Warehouse
from schemas.contract import Contract

STARTED = "started"
RELEASED = "released"
_COLUMNS = ("build_id", "state", "first", "last", "parent", "offsets", "at")
_INTERVALS = (
    "SELECT log_epoch, partition, first, last, accepted, arrived_last, watermarks FROM landing.ledger FINAL"
    " WHERE topic = {topic:String}"
)


@dataclass(frozen=True)
class Attempt:
    """What one attempt reads: `vectors` by topic, `ended` replays, release `parent` for other days."""

    build_id: str
    span: Span
    parent: int
    vectors: Mapping[str, tuple[End, ...]]
    ended: frozenset[str]


def begin(
    warehouse: Warehouse, build_id: str, span: Span, contracts: Iterable[Contract], now: datetime
) -> Attempt:
    """The attempt of this build id: begun now, or as it was begun by an earlier step of the same run."""
    topics = sorted({contract.topic for contract in contracts})
    found = _recorded(warehouse, build_id)
    if found is None:
        vectors = {topic: ends(intervals(warehouse, topic)) for topic in topics}
        ((parent,),) = warehouse.rows("SELECT max(seq) FROM release.pointer")
        fixed = {name: stop for topic in topics for name, stop in offsets(topic, vectors[topic]).items()}
        warehouse.insert(
            "release.attempt", _COLUMNS, [(build_id, STARTED, span.first, span.last, parent, fixed, now)]
        )
        found = (parent, fixed)
    parent, fixed = found
    vectors = {topic: _up_to(topic, intervals(warehouse, topic), fixed) for topic in topics}
    ended = warehouse.rows("SELECT DISTINCT timeline FROM landing.tick WHERE final = 1")
    return Attempt(build_id, span, parent, vectors, frozenset(str(timeline) for (timeline,) in ended))


def settle(warehouse: Warehouse, attempt: Attempt, now: datetime) -> None:
    """Record that everything this attempt built is published, or was so already."""
    warehouse.insert(
        "release.attempt",
        _COLUMNS,
        [(attempt.build_id, RELEASED, attempt.span.first, attempt.span.last, attempt.parent, {}, now)],
    )


def intervals(warehouse: Warehouse, topic: str) -> list[Interval]:
    """The ledger of a topic."""
    return [Interval(*row) for row in warehouse.rows(_INTERVALS, topic=topic)]


def _recorded(warehouse: Warehouse, build_id: str) -> tuple[int, dict[str, int]] | None:
    rows = warehouse.rows(
        "SELECT parent, offsets FROM release.attempt"
        " WHERE build_id = {build:String} AND state = {state:String} ORDER BY at LIMIT 1",
        build=build_id,
        state=STARTED,
    )
    return (rows[0][0], dict(rows[0][1])) if rows else None


def _up_to(topic: str, entries: list[Interval], fixed: Mapping[str, int]) -> tuple[End, ...]:
    """The ends as they were when the attempt began: what has been landed since is not read."""
    holes = {(end.log_epoch, end.partition): end.hole for end in ends(entries)}
    read = ends(
        entry
        for entry in entries
        if entry.last < fixed.get(f"{topic}/{entry.log_epoch}/{entry.partition}", 0)
    )
    return tuple(replace(end, hole=holes[end.log_epoch, end.partition]) for end in read)
