"""One attempt to build a span of days: what it may read is fixed once, for all its tables.

The attempt is a row of `release.attempt` under its build id, so that every step of a run, in whatever
process, reads the same log up to the same offsets and takes other days from the same release.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime

from dagster_project.days.landed_ends import Vector, landed_ends
from dagster_project.days.ledger import End, offsets
from dagster_project.days.spans import Span, gather
from dagster_project.warehouse import Warehouse
from schemas.contract import Contract
from schemas.errors import Unavailable

STARTED = "started"
RELEASED = "released"
BUILD, LATE, BACKFILL = "build", "late", "backfill"
_COLUMNS = ("build_id", "state", "first", "last", "parent", "offsets", "at", "kind", "days")
_FIXED = ("fixed", "ends", "ended")
_ENDED = "SELECT DISTINCT timeline FROM landing.tick WHERE final = 1"
_FIELDS = ("log_epoch", "partition", "stop", "accepted", "arrived_last", "watermarks", "hole")


@dataclass(frozen=True)
class Attempt:
    """What one attempt, begun `at` a time, reads: `vectors` by topic, release `parent` for other days.

    `ended` are the replays that are over. `chosen` are its very days where they are not the whole span. One
    that is `resumed` was killed before: it goes on where its progress ends.
    """

    build_id: str
    span: Span
    parent: int
    vectors: Mapping[str, Vector]
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
        found = _fixed(warehouse, topics, kind, tuple(sorted(chosen)), now)
        _record(warehouse, build_id, span, found)
    return Attempt(
        build_id=build_id,
        span=span,
        parent=found.parent,
        vectors={topic: found.vectors.get(topic, ()) for topic in topics},
        ended=found.ended,
        at=found.at,
        kind=found.kind,
        chosen=found.chosen,
        resumed=resumed,
    )


@dataclass(frozen=True)
class _Fixed:
    """What all tables of an attempt share, as it was when the attempt began."""

    parent: int
    vectors: Mapping[str, Vector]
    ended: frozenset[str]
    kind: str
    chosen: tuple[date, ...]
    at: datetime


def _fixed(
    warehouse: Warehouse, topics: Collection[str], kind: str, chosen: tuple[date, ...], now: datetime
) -> _Fixed:
    """What stands now."""
    vectors = landed_ends(warehouse, topics)
    ((parent,),) = warehouse.rows("SELECT max(seq) FROM release.pointer")
    ended = frozenset(str(timeline) for (timeline,) in warehouse.rows(_ENDED))
    return _Fixed(parent, vectors, ended, kind, chosen, now)


def _record(warehouse: Warehouse, build_id: str, span: Span, found: _Fixed) -> None:
    stops = {
        name: stop for topic, vector in found.vectors.items() for name, stop in offsets(topic, vector).items()
    }
    every = [
        (topic, *(getattr(end, name) for name in _FIELDS))
        for topic, vector in found.vectors.items()
        for end in vector
    ]
    row = (
        *(build_id, STARTED, span.first, span.last, found.parent, stops, found.at, found.kind),
        *(list(found.chosen), 1, every, sorted(found.ended)),
    )
    warehouse.insert("release.attempt", (*_COLUMNS, *_FIXED), [row])


def mark_released(warehouse: Warehouse, attempt: Attempt, now: datetime) -> None:
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


def _recorded(warehouse: Warehouse, build_id: str) -> _Fixed | None:
    rows = warehouse.rows(
        f"SELECT parent, kind, days, at, {', '.join(_FIXED)} FROM release.attempt"
        " WHERE build_id = {build:String} AND state = {state:String} ORDER BY at LIMIT 1",
        build=build_id,
        state=STARTED,
    )
    if not rows:
        return None
    ((parent, kind, days, at, fixed, every, ended),) = rows
    if not fixed:
        raise Unavailable(f"build {build_id} was begun by an older version and cannot go on; build again")
    vectors: dict[str, list[End]] = defaultdict(list)
    for topic, *end in every:
        vectors[topic].append(End(*end))
    held = {topic: tuple(vector) for topic, vector in vectors.items()}
    return _Fixed(parent, held, frozenset(ended), kind, tuple(days), at)
