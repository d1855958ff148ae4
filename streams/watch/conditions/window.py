"""Windowed aggregates: count, sum, mean, minimum, maximum, distinct values, a quantile; or the ratio of two.

- A **sliding** window ends at each event and holds those of the last `length`: (at - length, at]. It is judged at
  each event, and while a warning is open or pending also when values leave it.
- A **tumbling** window is [start, start + length), aligned to Shanghai's midnight where it divides a day; it is
  judged once, when the watermark has passed its end.

An empty window has a count and sum of zero and no other value; where there is no value, no level holds.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any

from streams.watch.calendar import OFFSET
from streams.watch.conditions.base import Condition, Row, matcher
from streams.watch.conditions.figures import figure
from streams.watch.dwell import VALUE
from streams.watch.episode import DWELL, LEVEL, OWN, Details, Emit, Moment, Record
from streams.watch.rule import Rule
from streams.watch.spec import Aggregate, WindowSpec

SCALE = 2.0**60
"""Running sums are whole numbers of 2^-60: exact, so that they do not drift as values come and go."""

SLACK = 1e-9
"""A running mean this much below a bound (or nearer to it) is worked out anew; it only spares the work."""

HUGE = 1e200
"""Values beyond are summed the long way: a running sum could not hold them."""


class Window(Condition):
    """What sliding and tumbling windows share: what is picked of an event, and the figure of what was picked.

    With one part the pick is its value. A ratio picks [value, value], None where the event is not of that part.
    """

    def __init__(self, rule: Rule, topic: str, partition: int, timeline: str, region_field: str) -> None:
        super().__init__(rule, topic, partition, timeline, region_field)
        assert isinstance(rule.spec, WindowSpec)
        self._spec = rule.spec
        self._length = rule.spec.length
        self._parts = [_picker(part) for part in rule.spec.parts]

    def _pick(self, number: int, data: Any) -> Any:
        if len(self._parts) == 1:
            return self._parts[0](data)
        picked = [pick(data) for pick in self._parts]
        return None if all(value is None for value in picked) else picked

    def _figure(self, rows: Sequence[Any]) -> float | None:
        """The value of what was picked of the events of one window."""
        parts = self._spec.parts
        if len(parts) == 1:
            return figure(parts[0], rows)
        over, under = (
            figure(part, [row[at] for row in rows if row[at] is not None]) for at, part in enumerate(parts)
        )
        if over is None or not under or under < self._spec.minimum:
            return None
        return over / under


class Tumbling(Window):
    """A record's own part is {window start: picked values of its events}."""

    def _begin(self, time: int) -> Any:
        return {}

    def _resume(self, at: int) -> Any:
        return {at - (at + OFFSET) % self._length: []}

    def _note(self, record: Record, number: int, picked: Any, time: int, passed: int) -> int | None:
        start = time - (time + OFFSET) % self._length
        if start + self._length > passed:
            record[OWN].setdefault(start, []).append(picked)
        return None

    def _changes(self, record: Record) -> int | None:
        return min(record[OWN]) + self._length - 1 if record[OWN] else None

    def _lapse(self, name: str, record: Record, at: int, now: Moment, emit: Emit) -> None:
        """Judge a window that closes; a dwell that is over by what was judged last."""
        closing = self._changes(record)
        if closing is not None and at >= closing:
            rows = record[OWN].pop(closing + 1 - self._length)
            self.judge.judge(name, record, self._figure(rows), max(at, closing + 1), now, emit)
            if record[LEVEL] or record[DWELL] is not None:
                record[OWN].setdefault(closing + 1, [])
        elif record[DWELL] is not None:
            self.judge.judge(name, record, record[DWELL][VALUE], at, now, emit)

    def _spent(self, record: Record) -> bool:
        return not record[OWN]

    def _details(self, record: Record, at: int) -> Details:
        start = at - 1 - (at - 1 + OFFSET) % self._length
        return (("window", [start, start + self._length]),)


class Sliding(Window):
    """A record's own part is [times, picked values], in order of time."""

    def __init__(self, rule: Rule, topic: str, partition: int, timeline: str, region_field: str) -> None:
        super().__init__(rule, topic, partition, timeline, region_field)
        self.eager = rule.below
        self._sums: dict[str, int] = {}
        part = self._spec.parts[0]
        plain = len(self._spec.parts) == 1 and part.name == "mean" and not part.where
        self._cheap = plain and not (rule.below or self._wait or rule.maintenance)
        self._value_of = attrgetter(part.field) if part.field else None

    def observe(self, rows: Iterable[Row], emit: Emit) -> None:
        """Judge each event's window. A mean that is surely below all bounds costs little: a running sum tells."""
        if not self._cheap or self._value_of is None:
            super().observe(rows, emit)
            return
        records, sums, touched, value_of = self.records, self._sums, self.touched, self._value_of
        length, bound = self._length, self.rule.lowest
        lowest = int((bound - abs(bound) * SLACK) * SCALE)
        _, matches, subject = self._readers[self.rule.feed][0]
        for data, time, watermark, offset, key, _ in rows:
            if watermark > self._due:
                self._pass(watermark, offset, emit)
            if data is None or (matches is not None and not matches(data)):
                continue
            value = value_of(data)
            name = subject(data)
            total = sums.get(name)
            if total is not None and value is not None and abs(value) < HUGE:
                times, values = records[name][OWN]
                if time >= times[-1]:
                    gone = time - length
                    while times and times[0] <= gone:
                        del times[0]
                        total -= int(values.pop(0) * SCALE)
                    total += int(value * SCALE)
                    if total < lowest * (len(times) + 1):
                        times.append(time)
                        values.append(value)
                        sums[name] = total
                        touched.add(name)
                        continue
            self._arrive(0, name, data, time, watermark, offset, key, emit)
            self._remake(name, records.get(name))

    def _remake(self, name: str, record: Record | None) -> None:
        """Keep the running sum of a subject with nothing open; without one, each event takes the long way."""
        values = record[OWN][1] if record is not None and not record[LEVEL] and record[DWELL] is None else ()
        if self._cheap and values and max(map(abs, values)) < HUGE:
            self._sums[name] = sum(int(value * SCALE) for value in values)
        else:
            self._sums.pop(name, None)

    def _begin(self, time: int) -> Any:
        return [[], []]

    def _note(self, record: Record, number: int, picked: Any, time: int, passed: int) -> int | None:
        times, values = record[OWN]
        newest = times[-1] if times else time
        if time <= newest - self._length:
            return None
        place = bisect_right(times, time)
        times.insert(place, time)
        values.insert(place, picked)
        return int(max(time, newest))

    def _value(self, record: Record, at: int) -> float | None:
        times, values = record[OWN]
        gone = bisect_right(times, at - self._length)
        del times[:gone], values[:gone]
        return self._figure(values)

    def _changes(self, record: Record) -> int | None:
        """When the oldest event leaves the window."""
        return record[OWN][0][0] + self._length if record[OWN][0] else None

    def _expires(self, record: Record) -> int | None:
        """When the window is empty, and the record need not be kept."""
        return record[OWN][0][-1] + self._length if record[OWN][0] else None

    def _lapse(self, name: str, record: Record, at: int, now: Moment, emit: Emit) -> None:
        super()._lapse(name, record, at, now, emit)
        self._remake(name, record)

    def _spent(self, record: Record) -> bool:
        return not record[OWN][0]

    def _details(self, record: Record, at: int) -> Details:
        return (("window", [at - self._length, at]), ("events", len(record[OWN][0])))


def _picker(part: Aggregate) -> Callable[[Any], Any]:
    """What a part takes of an event: its field, or for a count just that it is there."""
    matches = matcher(part.where)
    get = attrgetter(part.field) if part.field else lambda data: True
    if matches is None:
        return get
    return lambda data: get(data) if matches(data) else None
