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

from streams.watch.conditions.base import Condition, matcher
from streams.watch.conditions.column import Row
from streams.watch.conditions.figures import figure
from streams.watch.declare.calendar import window_start
from streams.watch.declare.rule import Rule
from streams.watch.declare.spec import Aggregate, WindowSpec
from streams.watch.episodes.arithmetic import within
from streams.watch.episodes.dwell import VALUE
from streams.watch.episodes.episode import DWELL, LEVEL, OWN, Details, Emit, Moment, Record
from streams.watch.episodes.timers import NEVER

SURELY = 1 - 1e-9
"""Values under this share of a bound cannot make a mean that rounds up to it."""

LINGERS = 8
"""Lengths of the window after which a subject that has nothing open and no events is forgotten."""

BOUNDED = ("mean", "min", "max", "quantile")
"""Figures that never exceed the largest value of the window."""


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
        return within(over / under)


class Tumbling(Window):
    """A record's own part is {window start: picked values of its events}."""

    def _begin(self, time: int) -> Any:
        return {}

    def _resume(self, at: int) -> Any:
        return {window_start(at, self._length): []}

    def _note(self, record: Record, number: int, picked: Any, time: int, passed: int) -> int | None:
        start = window_start(time, self._length)
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
        start = window_start(at - 1, self._length)
        return (("window", [start, start + self._length]),)


class Sliding(Window):
    """A record's own part is [times, picked values], in order of time."""

    def __init__(self, rule: Rule, topic: str, partition: int, timeline: str, region_field: str) -> None:
        super().__init__(rule, topic, partition, timeline, region_field)
        self.eager = rule.below
        self._high: dict[str, int] = {}
        part = self._spec.parts[0]
        plain = len(self._spec.parts) == 1 and part.name in BOUNDED and not part.where and rule.lowest > 0
        self._cheap = plain and not (rule.below or self._wait or rule.maintenance)
        self._surely_below = rule.lowest * SURELY
        self._value_of = attrgetter(part.field) if part.field else None

    def observe(self, rows: Iterable[Row], emit: Emit) -> None:
        """Judge each event's window; where all its values are below all bounds, so is the figure."""
        if not self._cheap or self._value_of is None:
            super().observe(rows, emit)
            return
        records, high, value_of = self.records, self._high, self._value_of
        length, low = self._length, self._surely_below
        due = self._due
        for (data, time, watermark, offset, key, _), name in self._named(rows):
            if watermark > due:
                self._pass(watermark, offset, emit)
                due = self._due
            if name is None:
                continue
            value = value_of(data)
            if value is not None and value < low and high.get(name, NEVER) <= time - length:
                times, values = records[name][OWN]
                if time >= times[-1]:
                    while times and times[0] <= time - length:
                        del times[0], values[0]
                    times.append(time)
                    values.append(value)
                    continue
            self._arrive(0, name, data, time, watermark, offset, key, emit)
            self._remake(name, records.get(name))
            due = self._due

    def _remake(self, name: str, record: Record | None) -> None:
        """Note when a subject with nothing open last had a high value; without it, events take the long way."""
        idle = self._cheap and record is not None and not record[LEVEL] and record[DWELL] is None
        if record is not None and idle and record[OWN][0]:
            highs = [time for time, value in zip(*record[OWN], strict=True) if value >= self._surely_below]
            self._high[name] = highs[-1] if highs else -NEVER
        else:
            self._high.pop(name, None)

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
        """When the window has been empty for a while, and the record need not be kept."""
        return record[OWN][0][-1] + LINGERS * self._length if record[OWN][0] else None

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
