"""One attempt to build a span of days: what it may read is fixed once, for all its tables.

The attempt is a row of `release.attempt` under its build id, so that every step of a run, in whatever
process, reads the same log up to the same offsets and takes other days from the same release.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime

from dagster_project.ledger import End, Interval, ends, offsets
from dagster_project.spans import Span, gather
from dagster_project.warehouse import Warehouse
from schemas.contract import Contract

STARTED = "started"
RELEASED = "released"
BUILD, LATE, BACKFILL = "build", "late", "backfill"
_COLUMNS = ("build_id", "state", "first", "last", "parent", "offsets", "at", "kind", "days")
_INTERVALS = (
    "SELECT log_epoch, partition, first, last, accepted, arrived_last, watermarks FROM landing.ledger FINAL"
    " WHERE topic = {topic:String}"
)


@dataclass(frozen=True)
class Attempt:
    """What one attempt, begun `at` a time, reads: `vectors` by topic, release `parent` for other days.

    `ended` are the replays that are over. `chosen` are its very days where they are not the whole span. One
    that is `resumed` was killed before: it goes on where its progress ends.
    """

    build_id: str
    span: Span
    parent: int
    vectors: Mapping[str, tuple[End, ...]]
    ended: frozenset[str]
    at: datetime
    kind: str = BUILD
    chosen: tuple[date, ...] = ()
    resumed: bool = False

    @property
    def days(self) -> list[date]:
        """The days to build, in order."""
        return sorted(self.chosen) or self.span.days

    @property
    def spans(self) -> list[Span]:
        """The days as spans without gaps."""
        return gather(self.chosen, len(self.chosen)) if self.chosen else [self.span]

    def of(self, days: Iterable[date]) -> Attempt:
        """The same attempt on fewer days (at least one), as one of its tables needs it."""
        chosen = tuple(sorted(set(days)))
        return replace(self, span=Span(chosen[0], chosen[-1]), chosen=chosen)


def begin(
    warehouse: Warehouse,
    build_id: str,
    span: Span,
    contracts: Iterable[Contract],
    now: datetime,
    kind: str = BUILD,
    chosen: Iterable[date] = (),
    resumed: bool = False,
) -> Attempt:
    """The attempt of this build id: begun now, or as it was begun by an earlier step of the same run."""
    topics = sorted({contract.topic for contract in contracts})
    found = _recorded(warehouse, build_id)
    if found is None:
        vectors = {topic: ends(intervals(warehouse, topic)) for topic in topics}
        ((parent,),) = warehouse.rows("SELECT max(seq) FROM release.pointer")
        fixed = {name: stop for topic in topics for name, stop in offsets(topic, vectors[topic]).items()}
        row = (build_id, STARTED, span.first, span.last, parent, fixed, now, kind, sorted(chosen))
        warehouse.insert("release.attempt", _COLUMNS, [row])
        found = (parent, fixed, kind, tuple(sorted(chosen)), now)
    parent, fixed, kind, days, at = found
    vectors = {topic: _up_to(topic, intervals(warehouse, topic), fixed) for topic in topics}
    ended = warehouse.rows("SELECT DISTINCT timeline FROM landing.tick WHERE final = 1")
    return Attempt(
        build_id=build_id,
        span=span,
        parent=parent,
        vectors=vectors,
        ended=frozenset(str(timeline) for (timeline,) in ended),
        at=at,
        kind=kind,
        chosen=days,
        resumed=resumed,
    )


def settle(warehouse: Warehouse, attempt: Attempt, now: datetime) -> None:
    """Record that what this attempt built and passed is published, or was so already."""
    warehouse.insert(
        "release.attempt",
        _COLUMNS,
        [
            (
                *(attempt.build_id, RELEASED, attempt.span.first, attempt.span.last, attempt.parent, {}, now),
                *(attempt.kind, list(attempt.chosen)),
            )
        ],
    )


@dataclass(frozen=True)
class Unfinished:
    """An attempt that began and never came to its release."""

    build_id: str
    span: Span


def unfinished(warehouse: Warehouse, kind: str) -> Unfinished | None:
    """The latest attempt of a kind, where it was cut short before its release."""
    rows = warehouse.rows(
        "SELECT build_id, any(first), any(last), countIf(state = {released:String}) FROM release.attempt"
        " WHERE kind = {kind:String} GROUP BY build_id ORDER BY min(at) DESC LIMIT 1",
        kind=kind,
        released=RELEASED,
    )
    return Unfinished(rows[0][0], Span(rows[0][1], rows[0][2])) if rows and not rows[0][3] else None


def intervals(warehouse: Warehouse, topic: str) -> list[Interval]:
    """The ledger of a topic."""
    return [Interval(*row) for row in warehouse.rows(_INTERVALS, topic=topic)]


def _recorded(
    warehouse: Warehouse, build_id: str
) -> tuple[int, dict[str, int], str, tuple[date, ...], datetime] | None:
    rows = warehouse.rows(
        "SELECT parent, offsets, kind, days, at FROM release.attempt"
        " WHERE build_id = {build:String} AND state = {state:String} ORDER BY at LIMIT 1",
        build=build_id,
        state=STARTED,
    )
    if not rows:
        return None
    ((parent, fixed, kind, days, at),) = rows
    return parent, dict(fixed), kind, tuple(days), at


def _up_to(topic: str, entries: list[Interval], fixed: Mapping[str, int]) -> tuple[End, ...]:
    """The ends as they were when the attempt began: what has been landed since is not read."""
    holes = {(end.log_epoch, end.partition): end.hole for end in ends(entries)}
    read = ends(
        entry
        for entry in entries
        if entry.last < fixed.get(f"{topic}/{entry.log_epoch}/{entry.partition}", 0)
    )
    return tuple(replace(end, hole=holes[end.log_epoch, end.partition]) for end in read)
