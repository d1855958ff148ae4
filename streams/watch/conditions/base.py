"""What all conditions share: who an event is about, holding back for late ones, timers, and forgetting.

A kind says what it notes of an event (`_pick`, `_note`), what the value is at a moment (`_value`), and when that
changes without an event (`_changes`). Everything else is here. Kinds that run on every event of a busy feed have
an `observe` of their own for the common case and leave the rest to `_arrive`.

State is in `records` alone, as lists that msgpack takes; whatever else is held is made again by `restored`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter
from typing import Any

from streams.watch.conditions.column import Column, Row
from streams.watch.declare.calendar import maintained_until
from streams.watch.declare.rule import Input, Rule
from streams.watch.declare.spec import Where
from streams.watch.declare.templates import column_reader, reader, region_template
from streams.watch.episodes.corrected import latest_versions
from streams.watch.episodes.dwell import VALUE, Judge
from streams.watch.episodes.episode import (
    DWELL,
    HELD,
    LEVEL,
    OWN,
    REGION,
    START,
    Details,
    Emit,
    Moment,
    Record,
    new_record,
)
from streams.watch.episodes.timers import NEVER, Timers

Reader = tuple[int, Callable[[Any], bool] | None, Callable[[Any], str]]
"""Number of an input, its filter, and how to read the key of the record an event belongs to."""

_HELD_TIME, _HELD_KEY, _HELD_INPUT, _HELD_PICKED = range(4)


class Condition:
    """The state of one rule in one partition and timeline, and how rows change it."""

    eager = False
    """Whether the value is judged when it changes by itself also where nothing is open or pending."""

    def __init__(self, rule: Rule, topic: str, partition: int, timeline: str, region_field: str) -> None:
        self.rule = rule
        self.records: dict[str, Record] = {}
        self.touched: set[str] = set()
        self.judge = Judge(rule, self._details)
        self._topic, self._partition, self._timeline = topic, partition, timeline
        self._wait = rule.wait * 1000
        self.late = 0
        self._timers = Timers()
        self._due = NEVER
        self._regions = [_region_of(each, region_field) for each in rule.inputs]
        self._readers: dict[str, list[Reader]] = {}
        for number, each in enumerate(rule.inputs):
            read = (number, matcher(each.where), reader(each.key))
            self._readers.setdefault(each.feed, []).append(read)
        self._texts = column_reader(rule.inputs[0].key)

    def observe(self, rows: Iterable[Row], emit: Emit) -> None:
        """Take rows in log order; emit the transitions they make."""
        readers = self._readers
        for data, time, watermark, offset, key, feed in rows:
            if watermark > self._due:
                self._pass(watermark, offset, emit)
            if data is None:
                continue
            for number, matches, subject in readers.get(feed, ()):
                if matches is None or matches(data):
                    self._arrive(number, subject(data), data, time, watermark, offset, key, emit)

    def _named(self, rows: Iterable[Row]) -> Iterator[tuple[Row, str | None]]:
        """Rows of the rule's only feed with the key of the record each belongs to, None where it says nothing.

        All these records count as touched: to note each one by itself costs more than to write a few in vain.
        """
        column = rows if isinstance(rows, Column) else Column(rows)
        _, matches, _ = self._readers[self.rule.feed][0]
        names, there = column.names(self.rule.inputs[0], matches, self._texts)
        self.touched |= there
        return zip(column, names, strict=True)

    def restored(self, at: int = 0) -> None:
        """Called once the records have been put back, after a restart or an edit of the rule.

        Derived values are made again here. `at` is the watermark, from which a record goes on that an edit has
        left without what the condition remembers.
        """
        self._timers = Timers()
        for name, record in self.records.items():
            record.extend([None] * (HELD + 1 - len(record)))
            if record[OWN] is None:
                record[OWN] = self._resume(max(at, record[START]))
            self._remake(name, record)
            self._timers.plan(name, self._next(name, record))
        self._due = self._timers.next + self._wait

    def about(self, data: Any) -> list[tuple[str, Record]]:
        """The records an event of the rule's first input is about: key and record, where there is one."""
        _, matches, subject = self._readers[self.rule.inputs[0].feed][0]
        record = self.records.get(subject(data)) if matches is None or matches(data) else None
        return [] if record is None else [(subject(data), record)]

    # What a kind says.

    def _pick(self, number: int, data: Any) -> Any:
        """What is needed of an event of an input, as msgpack takes it; None: the event says nothing."""
        raise NotImplementedError

    def _begin(self, time: int) -> Any:
        """A record's own part before its first event."""
        raise NotImplementedError

    def _resume(self, at: int) -> Any:
        """The own part of a record with an open episode of which nothing else is known at this moment."""
        return self._begin(at)

    def _note(self, record: Record, number: int, picked: Any, time: int, passed: int) -> int | None:
        """Note an event; gives the moment to judge at, or None where it changes nothing.

        `passed`: whatever is due before it has been judged. It is the watermark less `wait`, and for an event
        that was held back the event's own time.
        """
        raise NotImplementedError

    def _value(self, record: Record, at: int) -> float | None:
        """The value at a moment."""
        raise NotImplementedError

    def _changes(self, record: Record) -> int | None:
        """When the value next changes without an event, if it does."""
        return None

    def _lapse(self, name: str, record: Record, at: int, now: Moment, emit: Emit) -> None:
        """Judge at a moment when a timer is due."""
        self.judge.judge(name, record, self._value(record, at), at, now, emit)

    def _spent(self, record: Record) -> bool:
        """Whether the record's own part holds nothing worth remembering."""
        return False

    def _remake(self, name: str, record: Record) -> None:
        """Make again what is derived from a restored record."""

    def _details(self, record: Record, at: int) -> Details:
        """What else a decision at this moment rests on, for the evidence."""
        return ()

    # What is the same for all.

    def _arrive(
        self, number: int, name: str, data: Any, time: int, watermark: int, offset: int, key: str, emit: Emit
    ) -> None:
        """Note and judge one event, or hold it back until `wait` is over."""
        picked = self._pick(number, data)
        if picked is None:
            return
        record = self.records.get(name)
        if record is None:
            record = self.records[name] = new_record(self._regions[number](data), self._begin(time))
        self.touched.add(name)
        if self._wait and time >= watermark - self._wait:
            if record[HELD] is None:
                record[HELD] = []
            row = [time, key, number, picked]
            if row not in record[HELD]:
                insort(record[HELD], row, key=_order)
                _apply_corrections(record[HELD], time)
        else:
            self.late += bool(self._wait)
            now = Moment(self._topic, self._partition, self._timeline, offset, watermark)
            self._apply(name, record, number, picked, time, watermark - self._wait, now, emit)
        self._plan(name, record)

    def _apply(
        self,
        name: str,
        record: Record,
        number: int,
        picked: Any,
        time: int,
        passed: int,
        now: Moment,
        emit: Emit,
    ) -> None:
        if self.rule.maintenance and self._maintained(name, record, time) is not None:
            return
        at = self._note(record, number, picked, time, passed)
        if at is not None:
            self.judge.judge(name, record, self._value(record, at), at, now, emit)

    def _pass(self, watermark: int, offset: int, emit: Emit) -> None:
        """Judge whatever is due strictly before the watermark less `wait`, in order of time, then subject."""
        now = Moment(self._topic, self._partition, self._timeline, offset, watermark)
        timers, passed = self._timers, watermark - self._wait
        while timers.next < passed:
            taken = timers.take()
            record = self.records.get(taken[1]) if taken is not None else None
            if taken is None or record is None:
                continue
            name = taken[1]
            due = self._next(name, record)
            if due is not None and due < passed and due <= taken[0]:
                self.touched.add(name)
                self._do_due(name, record, due, now, emit)
                due = self._next(name, record)
            if due is None and self._forgettable(record):
                del self.records[name]
                self.touched.add(name)
            else:
                timers.plan(name, due)
        self._due = timers.next + self._wait

    def _do_due(self, name: str, record: Record, due: int, now: Moment, emit: Emit) -> None:
        held = record[HELD]
        if held and held[0][_HELD_TIME] <= due:
            time, _, number, picked = held.pop(0)
            record[HELD] = held or None
            self._apply(name, record, number, picked, time, time, now, emit)
        else:
            self._lapse(name, record, due, now, emit)

    def _next(self, name: str, record: Record) -> int | None:
        """When this record has to be looked at next; what falls into maintenance comes at its end."""
        if record[DWELL] is None and record[HELD] is None and not self.rule.maintenance:
            return self._changes(record) if self.eager or record[LEVEL] else self._expires(record)
        dues = [self.judge.due(record)]
        if self.eager or record[LEVEL] or record[DWELL] is not None:
            dues.append(self._changes(record))
        else:
            dues.append(self._expires(record))
        found = min((due for due in dues if due is not None), default=None)
        if found is not None and self.rule.maintenance:
            until = self._maintained(name, record, found)
            found = found if until is None else until
        held = record[HELD]
        if held and (found is None or held[0][_HELD_TIME] <= found):
            return int(held[0][_HELD_TIME])
        return found

    def _expires(self, record: Record) -> int | None:
        """When a record with nothing open should be looked at, at the latest: to be judged or forgotten."""
        return self._changes(record)

    def _forgettable(self, record: Record) -> bool:
        return not record[LEVEL] and record[DWELL] is None and not record[HELD] and self._spent(record)

    def _plan(self, name: str, record: Record) -> None:
        due = self._next(name, record)
        if due is not None:
            self._timers.plan(name, due)
            self._due = self._timers.next + self._wait

    def _maintained(self, name: str, record: Record, at: int) -> int | None:
        return maintained_until(self.rule.maintenance, at, name, record[REGION])


class Instant(Condition):
    """A condition whose value is one event's: it stands until the next event.

    A record's own part begins with the subject's newest event (ms). An event older than that says nothing new.
    """

    def _begin(self, time: int) -> Any:
        return [None]

    def _note(self, record: Record, number: int, picked: Any, time: int, passed: int) -> int | None:
        own = record[OWN]
        newest = own[0]
        if newest is not None and (time < newest or (time == newest and time < passed)):
            return None  # older, or (its id forgotten) perhaps a copy
        own[0] = time
        return self._take(record, picked, time)

    def _take(self, record: Record, picked: Any, time: int) -> int | None:
        """Note the newest event; gives the moment to judge at, or None where there is no value to judge."""
        raise NotImplementedError

    def _lapse(self, name: str, record: Record, at: int, now: Moment, emit: Emit) -> None:
        value = record[DWELL][VALUE] if record[DWELL] is not None else None
        self.judge.judge(name, record, value, at, now, emit)


def _apply_corrections(held: list[list[Any]], time: int) -> None:
    """Let corrections among the events of a moment that are held back take the place of what they correct."""
    first, end = bisect_left(held, time, key=_time), bisect_right(held, time, key=_time)
    if end - first > 1:
        held[first:end] = latest_versions(held[first:end])


def _time(row: list[Any]) -> int:
    return int(row[_HELD_TIME])


def _order(row: list[Any]) -> tuple[int, str]:
    return row[_HELD_TIME], row[_HELD_KEY]


def _region_of(source: Input, region_field: str) -> Callable[[Any], str]:
    """How to read the region of an event: by the rule's template, by its key, else the feed's own region field.

    A rule by city has the city as its region, not the county of whichever event came first.
    """
    template = source.region or region_template(source.key, region_field)
    if template:
        return reader((template,))
    return attrgetter(region_field) if region_field else lambda data: ""


def matcher(where: Where) -> Callable[[Any], bool] | None:
    """A `where` as a test on an event's data; None where it is empty."""
    if not where:
        return None
    if len(where) == 1:
        (name, wanted) = where[0]
        one = attrgetter(name)
        return lambda data: bool(one(data) == wanted)
    many = attrgetter(*(name for name, _ in where))
    expected = tuple(value for _, value in where)
    return lambda data: bool(many(data) == expected)
