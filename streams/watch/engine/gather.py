"""Gathering: what re-keyed rules need of one input partition and timeline, cut into batches.

Rows are gathered by the partition of the second stage that judges their subject. An event older than the watermark
of the last cut, less the rule's `wait`, comes too late: the second stage may have gone past it. That is decided
here, once, from this partition's log alone.
"""

from __future__ import annotations

from collections import defaultdict, namedtuple
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import repeat
from operator import attrgetter, itemgetter
from typing import Any
from zlib import crc32

import msgspec

from streams.watch.conditions import Column, Row
from streams.watch.declare.rule import Rule
from streams.watch.declare.templates import names, reader
from streams.watch.engine.batches import BEGINNING, ROWS, Batch, Group, Portion, Shipped, cut_in_parts
from streams.watch.engine.failing import Failing
from streams.watch.episodes.episode import Transition

Ship = Callable[[int, Batch], None]
"""Takes (partition of the second stage, batch)."""

_Cuts = dict[int, dict[int, list[Portion]]]
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(tuple[list[Shipped], list[Group]]).decode

TRANSITION = ("episode", "kind", "level", "region", "rule", "subject")
"""What a composite rule reads of a transition."""


class Gather:
    """The rows of one rule from one feed since the last cut, by partition of the second stage.

    Where only the times of events matter to a rule (it counts them, or waits for them), rows with the same fields
    are kept together as times.
    """

    def __init__(self, rule: Rule, feed: str, targets: int) -> None:
        self.rule, self.feed = rule, feed
        self.count = 0
        self._rows: list[Shipped] = []
        self._groups: defaultdict[tuple[Any, ...], list[int]] = defaultdict(list)
        self._grouped = rule.kind in ("count", "absence") and not rule.wait
        self._targets = targets
        self._takes = rule.takes(feed)
        self._names = TRANSITION if rule.members else rule.reads(feed)
        self._values = _tuples_of(self._names)
        self._route = _route(rule, feed, targets)

    def add(self, rows: Sequence[Row], floor: int, full: Callable[[int, Gather], None]) -> int:
        """Take the rows the rule looks at; tells `full(offset, self)` at each cut; gives how many were late."""
        taken = rows if self._takes is None else [row for row in rows if self._takes(row[0])]
        on_time = [row for row in taken if row[1] >= floor]
        start = 0
        while start < len(on_time):
            room = ROWS - self.count
            some = on_time[start : start + room]
            self._keep(some)
            if len(some) == room:
                full(some[-1][3], self)
            start += room
        return len(taken) - len(on_time)

    def _keep(self, rows: Sequence[Row]) -> None:
        """Keep what the rule needs of rows, in columns."""
        data, times, _, _, keys, _ = zip(*rows, strict=True)
        if self._grouped:
            groups = self._groups
            for fields, time in zip(self._values(data), times, strict=True):
                groups[fields].append(time)
        else:
            self._rows.extend(zip(times, keys, self._values(data), strict=True))
        self.count += len(rows)

    def tell(self, at: int, transition: Transition) -> None:
        """Take a transition of a member, for a composite rule; `at` is when the composite hears of it."""
        key = f"{transition.episode}#{transition.ordinal:06}"
        self._rows.append((at, key, next(self._values((transition,)))))
        self.count += 1

    def cut(self) -> dict[int, Portion]:
        """Hand over what has been gathered, by target."""
        rows, self._rows = self._rows, []
        groups, self._groups = self._groups, defaultdict(list)
        self.count = 0
        found: dict[int, Portion] = {}
        for row in rows:
            self._portion(found, row[2]).rows.append(row)
        for fields, times in groups.items():
            self._portion(found, fields).groups.append((fields, times))
        return found

    def _portion(self, found: dict[int, Portion], fields: tuple[Any, ...]) -> Portion:
        target = self._route(fields)
        portion = found.get(target)
        if portion is None:
            rule = self.rule
            portion = found[target] = Portion(rule.id, rule.version, self.feed, self._names, [], [])
        return portion

    def clear(self) -> None:
        """Forget what has been gathered."""
        self._rows, self._groups, self.count = [], defaultdict(list), 0

    def packed(self) -> bytes:
        """What has been gathered, as bytes."""
        return _pack((self._rows, list(self._groups.items())))

    def restore(self, raw: bytes) -> None:
        """Put it back."""
        self._rows, groups = _unpack(raw)
        self._groups = defaultdict(list, groups)
        self.count = len(self._rows) + sum(map(len, self._groups.values()))


class Gathering:
    """All gathers of one timeline of an input partition, and where it was last cut."""

    def __init__(
        self,
        stream: str,
        number: int,
        timeline: str,
        targets: int,
        base: int = 0,
        failing: Failing | None = None,
    ) -> None:
        """`base` is added to the offsets of cuts: so many came in earlier logs of the topic."""
        self._failing = failing or Failing()
        self.gathers: dict[str, Gather] = {}
        self.composites: dict[str, list[Gather]] = {}
        self.watermark = BEGINNING
        self.late = 0
        self.dirty: set[str] = set()
        self._place = (stream, number, timeline)
        self._targets, self._base = targets, base

    def set_rules(self, rules: Sequence[Rule], feed: str, own: Mapping[str, Any]) -> None:
        """The rules from here on: `rules` are all in force, `own` the ids of those evaluated in this partition."""
        old = self.gathers
        self.gathers, self.composites = {}, defaultdict(list)
        for rule in rules:
            members = [member for member in rule.members if member in own]
            if (
                not rule.rekeyed
                or (rule.members and not members)
                or (not rule.members and feed not in rule.feeds)
            ):
                continue
            kept = old.get(rule.id)
            gather = (
                kept
                if kept and kept.rule is rule
                else Gather(rule, rule.feed if members else feed, self._targets)
            )
            self.gathers[rule.id] = gather
            for member in members:
                self.composites[member].append(gather)
        self.dirty |= old.keys() | self.gathers.keys()

    def observe(
        self,
        column: Column,
        told: Sequence[Transition],
        epoch: int,
        ship: Ship,
        repeats: Collection[int] = (),
    ) -> None:
        """Gather a column of rows, and the transitions they made, and ship what is cut.

        `repeats`: offsets of rows that rules whose events add up pass over.
        """
        pending = sorted(told, key=attrgetter("offset"))
        start = 0
        for at in column.ticks:
            _, _, watermark, offset, _, _ = column[at]
            self._gather(column[start:at], epoch, ship, repeats)
            start = at + 1
            until = next((n for n, each in enumerate(pending) if each.offset > offset), len(pending))
            self._tell(pending[:until])
            pending = pending[until:]
            self._tick(offset, watermark, epoch, ship)
        self._gather(column[start:], epoch, ship, repeats)
        self._tell(pending)

    def _gather(self, rows: Sequence[Row], epoch: int, ship: Ship, repeats: Collection[int]) -> None:
        if not rows:
            return
        cuts: _Cuts = {}
        counting = without(rows, repeats)

        def full(offset: int, gather: Gather) -> None:
            for target, portion in gather.cut().items():
                cuts.setdefault(offset, {}).setdefault(target, []).append(portion)

        for rule, gather in self.gathers.items():
            if not gather.rule.members and not self._failing.holds(gather.rule):
                before = gather.count
                taken = counting if gather.rule.accumulates else rows
                try:
                    self.late += gather.add(taken, self.watermark - gather.rule.wait * 1000, full)
                except Exception as error:
                    self._drop(gather, error)
                if gather.count != before or cuts:
                    self.dirty.add(rule)
        for offset, portions in sorted(cuts.items()):
            for target, each in sorted(portions.items()):
                self._ship(target, offset, epoch, None, each, ship)

    def _tell(self, transitions: Sequence[Transition]) -> None:
        for transition in transitions:
            for gather in self.composites.get(transition.rule, ()):
                if self._failing.holds(gather.rule):
                    continue
                try:
                    gather.tell(max(transition.at, self.watermark - gather.rule.wait * 1000), transition)
                except Exception as error:
                    self._drop(gather, error)
                self.dirty.add(gather.rule.id)

    def _drop(self, gather: Gather, error: Exception) -> None:
        """Set a rule aside whose rows cannot be gathered, with those that were, perhaps by halves."""
        gather.clear()
        self.dirty.add(gather.rule.id)
        self._failing.add(gather.rule, error)

    def _tick(self, offset: int, watermark: int, epoch: int, ship: Ship) -> None:
        """Cut: every partition of the second stage hears the watermark, also where nothing is for it."""
        portions: dict[int, list[Portion]] = {target: [] for target in range(self._targets)}
        for rule, gather in self.gathers.items():
            if gather.count and not self._failing.holds(gather.rule):
                self.dirty.add(rule)
                try:
                    for target, portion in gather.cut().items():
                        portions[target].append(portion)
                except Exception as error:
                    self._drop(gather, error)
        self.watermark = max(self.watermark, watermark)
        for target, each in portions.items():
            self._ship(target, offset, epoch, self.watermark, each, ship)

    def _ship(
        self, target: int, offset: int, epoch: int, watermark: int | None, portions: list[Portion], ship: Ship
    ) -> None:
        stream, number, timeline = self._place
        for batch in cut_in_parts(
            (stream, number, self._base + offset, timeline), epoch, watermark, portions
        ):
            ship(target, batch)


def without(rows: Sequence[Row], offsets: Collection[int]) -> Sequence[Row]:
    """The rows that do not stand at these offsets."""
    return [row for row in rows if row[3] not in offsets] if offsets else rows


def _tuples_of(names: Sequence[str]) -> Callable[[Sequence[Any]], Iterator[tuple[Any, ...]]]:
    """How to read these fields of the data of some events, a tuple each."""
    if not names:
        return lambda events: repeat((), len(events))
    if len(names) == 1:
        one = attrgetter(names[0])
        return lambda events: zip(map(one, events), strict=True)
    many = attrgetter(*names)
    return lambda events: map(many, events)


def _route(rule: Rule, feed: str, targets: int) -> Callable[[tuple[Any, ...]], int]:
    """Which partition of the second stage judges an event, from the fields the rule reads: by its subject.

    All of a composite, and of a rule that reads one feed under several keys, goes to one place.
    """
    keys = {each.key for each in rule.inputs if each.feed == feed}
    if targets == 1 or rule.members or len(keys) != 1:
        place = crc32(rule.id.encode()) % targets
        return lambda fields: place
    key, read = keys.pop(), rule.reads(feed)
    subject, record, known = reader(key), record_of(read), dict[Any, int]()
    pick = itemgetter(*(read.index(name) for template in key for name in names(template)))

    def route(fields: tuple[Any, ...]) -> int:
        named = pick(fields)
        target = known.get(named)
        if target is None:
            if len(known) >= 100_000:
                known.clear()
            target = known[named] = crc32(subject(record(*fields)).encode()) % targets
        return target

    return route


@lru_cache(maxsize=1024)
def record_of(names: tuple[str, ...]) -> Callable[..., Any]:
    """What makes an object with these attributes."""
    return namedtuple("Gathered", names)
