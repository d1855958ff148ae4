"""What rules say of complete data: every event once, in order of event time, under ticks that make nothing late.

The same code as the workers' decides. One timeline at a time, since a timeline is a world of its own. Ticks are
fresh, a minute apart where it matters and an hour apart before that, and carry the sets of rules as of the
moments they were put in force.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from schemas.contract import Contract
from schemas.event import encode_tick
from streams.watch.engine.flow import Flow
from streams.watch.engine.partition import Book
from streams.watch.episodes.episode import Emit
from streams.watch.trial.offline import OfflineRecord

MINUTE, HOUR = 60_000, 3_600_000


@dataclass(frozen=True)
class Course:
    """How one timeline runs: ticks from `since`, every minute from `fine` on, for each feed up to its end (ms).

    `epochs` are (moment, rule epoch) in order: which set of rules is in force from when on. The first
    holds before it.
    """

    timeline: str
    since: int
    fine: int
    ends: Mapping[str, int]
    epochs: Sequence[tuple[int, int]]

    def moments(self) -> Iterator[int]:
        """When ticks come: at whole hours or minutes, and where the rules change; each moment once."""
        last = max(self.ends.values(), default=self.since)
        fine = min(max(self.fine, self.since), last)
        coarse = range(self.since - self.since % HOUR + HOUR, fine, HOUR)
        minutes = range(fine - fine % MINUTE + MINUTE, last, MINUTE)
        changes = [at for at, _ in self.epochs if self.since < at < last]
        before = None
        for at in heapq.merge(coarse, minutes, changes, sorted({*self.ends.values()})):
            if at != before:
                yield at
            before = at

    def epoch(self, at: int) -> int:
        """The rule epoch in force at a moment."""
        return max((epoch for since, epoch in self.epochs if since <= at), default=self.epochs[0][1])


Event = tuple[int, bytes]
"""(event time in ms, the event's bytes)."""


def decide(
    contracts: Mapping[str, Contract],
    book: Book,
    course: Course,
    events: Mapping[str, Iterable[Event]],
    emit: Emit,
) -> int:
    """Give the rules all events of a timeline, by feed, each feed's in order of time; how many they were.

    `events` has all feeds that the rules read, also those of which there is nothing.
    """
    flow = Flow(contracts, (), dict.fromkeys(events, 1), epoch=course.epoch(course.since), book=book)
    sources = {feed: _Source(iter(found)) for feed, found in events.items()}
    offsets = dict.fromkeys(events, 0)

    def hand(feed: str, entries: list[OfflineRecord]) -> None:
        offsets[feed] += len(entries)
        flow.observe(feed, 0, entries, emit)

    for at in course.moments():
        for feed, end in course.ends.items():
            if at <= end:
                entries = sources[feed].before(at, offsets[feed])
                entries.append(_tick(course, at, offsets[feed] + len(entries)))
                hand(feed, entries)
    for feed, source in sources.items():  # after the last tick: what came while more was due
        hand(feed, source.before(None, offsets[feed]))
    return sum(source.count for source in sources.values())


class _Source:
    """The events of one feed, taken up to a moment at a time."""

    def __init__(self, events: Iterator[Event]) -> None:
        self.count = 0
        self._events = events
        self._next = next(events, None)

    def before(self, moment: int | None, offset: int) -> list[OfflineRecord]:
        """The events before a moment (None: all), as records from this offset on."""
        found: list[OfflineRecord] = []
        while self._next is not None and (moment is None or self._next[0] < moment):
            at, raw = self._next
            found.append(OfflineRecord(offset + len(found), at, raw))
            self._next = next(self._events, None)
        self.count += len(found)
        return found


def _tick(course: Course, at: int, offset: int) -> OfflineRecord:
    clock = datetime.fromtimestamp(at / 1000, UTC)
    raw = encode_tick(id=f"t{at}", clock=clock, timeline=course.timeline, epoch=course.epoch(at))
    return OfflineRecord(offset, at, raw)
