"""Corrections: which events are replaced, and by which. Pure; the SQL of a build takes it from here.

An event with `corrects` replaces the event of that id from the same source, wholly but for its identity. All
corrections of one event, and corrections of those, form one group; the last to arrive is its row, under the
id of the original. This holds whether or not the original itself was ever landed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

Key = tuple[str, str]


@dataclass(frozen=True)
class Copy:
    """One landed copy of an event, so far as corrections need it."""

    source: str
    id: str
    corrects: str
    event_day: date
    arrived: datetime
    log_epoch: int
    partition: int
    offset: int

    @property
    def place(self) -> tuple[int, int, int]:
        """Where it stands in the log; of several copies of one event the first counts."""
        return self.log_epoch, self.partition, self.offset

    @property
    def arrival(self) -> tuple[int, datetime, int, int]:
        """When it arrived, in an order over all partitions."""
        return self.log_epoch, self.arrived, self.partition, self.offset


@dataclass(frozen=True)
class Corrections:
    """`dropped` events give way; `renamed` ones (source, id, original's id) stay, under the original's id.

    `groups` are the landed members of each group: whatever changes one may change the days of all.
    """

    dropped: frozenset[Key] = frozenset()
    renamed: tuple[tuple[str, str, str], ...] = ()
    groups: tuple[tuple[Copy, ...], ...] = ()


def resolve(copies: Iterable[Copy]) -> Corrections:
    """Decide every group, given all copies of all corrections and of the events they name."""
    events: dict[Key, Copy] = {}
    for copy in sorted(copies, key=lambda copy: copy.place):
        events.setdefault((copy.source, copy.id), copy)
    groups: dict[Key, list[Copy]] = defaultdict(list)
    for key, event in events.items():
        if event.corrects and event.corrects != event.id:
            groups[_root(key, events)].append(event)
    dropped: set[Key] = set()
    renamed = []
    members = []
    for root, corrections in sorted(groups.items()):
        winner = max(corrections, key=lambda event: event.arrival)
        keys = {root, *((event.source, event.id) for event in corrections)}
        dropped |= keys - {(winner.source, winner.id)}
        renamed.append((winner.source, winner.id, root[1]))
        members.append(tuple(events[key] for key in sorted(keys) if key in events))
    return Corrections(frozenset(dropped), tuple(renamed), tuple(members))


def _root(key: Key, events: dict[Key, Copy]) -> Key:
    """The event a chain of corrections ends at; in a ring, the one that came first."""
    seen: list[Key] = []
    while key not in seen:
        seen.append(key)
        event = events.get(key)
        if event is None or not event.corrects or event.corrects == event.id:
            return key
        key = (event.source, event.corrects)
    return min(seen[seen.index(key) :], key=lambda member: events[member].place)
