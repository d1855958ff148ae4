"""Statistical surge: a detector (EARS, EWMA, CUSUM, Farrington) over the series of a subject's windows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from operator import attrgetter
from typing import Any

from streams.watch.conditions.base import Condition
from streams.watch.conditions.column import Row
from streams.watch.conditions.figures import figure
from streams.watch.declare.calendar import DAY, OFFSET, window_start
from streams.watch.declare.rule import Rule
from streams.watch.declare.spec import Aggregate, SurgeSpec
from streams.watch.detect import Verdict, When, make, stepper
from streams.watch.detect.detector import State, Step
from streams.watch.episodes.dwell import VALUE
from streams.watch.episodes.episode import DWELL, LEVEL, OWN, Details, Emit, Moment, Record

OPEN, POINTS, STATE, FOUND, LIKELY = range(5)
LINGERS = 64
"""Windows after which a subject is looked at that has nothing open and no events."""

MOST = 1e75
"""Figures count up to so many in a surge: their fourth powers are still numbers."""

NO_ANSWER = ("math domain error", "math range error", "-inf + inf in fsum")
"""What Python's arithmetic says of figures without an answer; any other ValueError is a fault of the program."""

_EPOCH = date(1970, 1, 1)


class Surge(Condition):
    """Each window that closes is a point of the series; the value is what the detector makes of it.

    Windows are tumbling, aligned to Shanghai's midnight; weeks begin on Monday, months on their first day. From a
    subject's first event on every window is a point, also an empty one. Points of which the detector can say
    nothing yet are not judged. A record's own part is [start of the oldest open window, {start: values}, state of
    the detector, what it said last, whether the open windows would open a warning as they are]. Where they would
    not, their closing is not waited for: the detector catches up at the subject's next event, to the same result.
    """

    def __init__(self, rule: Rule, topic: str, partition: int, timeline: str, region_field: str) -> None:
        super().__init__(rule, topic, partition, timeline, region_field)
        assert isinstance(rule.spec, SurgeSpec)
        spec = self._spec = rule.spec
        self._every, self._monthly = spec.every, spec.monthly
        self._detector = make(spec.method, dict(spec.parameters), where=rule.id)
        self._judge, self._by_alarm = _bounded(stepper(self._detector)), spec.measure == "alarm"
        self._by_date = spec.method.startswith("farrington") and spec.every % DAY == 0
        self._get = attrgetter(spec.field) if spec.field else lambda data: True
        self._figure = Aggregate(spec.aggregate, spec.field)
        silent = not spec.empty_is_zero or (spec.measure == "statistic" and rule.lowest > 0)
        self._lazy = silent and not rule.below
        """Whether windows without events can open no warning: a zero never lifts a statistic."""
        self._ahead: dict[str, tuple[int, list[Any], float | None, Verdict]] = {}
        """Of subjects with one open window: its end, the record's own part, what it shows, how it is judged."""

    def observe(self, rows: Iterable[Row], emit: Emit) -> None:
        """Note each event. The common case: it is of the only open window, or opens the next; nothing is open."""
        if not self._lazy or self._wait or self.rule.maintenance or self._monthly:
            super().observe(rows, emit)
            return
        records, ahead, every, lowest = self.records, self._ahead, self._every, self.rule.lowest
        judge, point, worth, observed = self._judge, self._point, self._worth, self._observed
        get, due, plain, by_alarm = self._get, self._due, bool(self._spec.field), self._by_alarm
        for (data, time, watermark, offset, key, _), name in self._named(rows):
            if watermark > due:
                self._pass(watermark, offset, emit)
                due = self._due
            if name is None:
                continue
            known, picked = ahead.get(name), get(data)
            if known is not None and picked is not None:
                end, own, seen, verdict = known
                if time < end and watermark < end <= time + every:  # of the open window
                    values, state = own[POINTS][end - every], own[STATE]
                    values.append(picked)
                elif end <= time < end + every > watermark >= end:  # the first of the next one
                    values, state = [picked], verdict[0]
                    own[OPEN], own[POINTS], own[STATE] = end, {end: values}, state
                    own[FOUND] = [seen, verdict[1], verdict[2]]
                    end += every
                else:
                    values = None
                if values is not None:
                    seen = float(picked) if plain and len(values) == 1 else observed(values)
                    verdict = judge(state, point(end - every), seen)
                    value = worth(verdict, seen) if by_alarm else verdict[1]
                    if value is None or value < lowest:
                        ahead[name] = end, own, seen, verdict
                    else:
                        self._remake(name, records[name])
                        due = self._due
                    continue
            self._arrive(0, name, data, time, watermark, offset, key, emit)
            if name in records:
                self._remake(name, records[name])
            due = self._due

    def _look_ahead(self, name: str, record: Record) -> bool:
        """Step the open windows as they are; note whether that would open a warning."""
        own = record[OWN]
        starts, state = own[POINTS], own[STATE]
        likely, first = False, None
        for start in self._windows(own[OPEN], max(starts, default=own[OPEN] - 1)):
            observed = self._observed(starts.get(start, ()))
            verdict = self._judge(state, self._point(start), observed)
            state, value = verdict[0], self._worth(verdict, observed)
            first = first or (self._end(start), own, observed, verdict)
            likely = likely or (value is not None and self.rule.rank(value) > 0)
        own[LIKELY] = likely
        if first is None or likely or starts.keys() != {own[OPEN]}:
            self._ahead.pop(name, None)
        else:
            self._ahead[name] = first
        return likely

    def _remake(self, name: str, record: Record) -> None:
        if self._lazy and not record[LEVEL] and record[DWELL] is None and record[OWN] is not None:
            self._look_ahead(name, record)
            self._plan(name, record)
        else:
            self._ahead.pop(name, None)

    def _pick(self, number: int, data: Any) -> Any:
        return self._get(data)

    def _begin(self, time: int) -> Any:
        return [self._start(time), {}, self._detector.start(), [], True]

    def _note(self, record: Record, number: int, picked: Any, time: int, passed: int) -> int | None:
        own, start = record[OWN], self._start(time)
        while self._end(own[OPEN]) <= passed:  # those left open because they could open nothing
            self._close(own)
        if start >= own[OPEN]:
            own[POINTS].setdefault(start, []).append(picked)
            own[LIKELY] = True  # until it is known better
        return None

    def _changes(self, record: Record) -> int | None:
        """The last moment of the oldest open window."""
        return self._end(record[OWN][OPEN]) - 1

    def _expires(self, record: Record) -> int | None:
        own = record[OWN]
        if not self._lazy or own[LIKELY]:
            return self._changes(record)
        return int(own[OPEN]) + LINGERS * self._every

    def _lapse(self, name: str, record: Record, at: int, now: Moment, emit: Emit) -> None:
        """Step the detector over the windows that close, and judge; or judge again when a dwell is over."""
        own = record[OWN]
        if self._end(own[OPEN]) - 1 > at and record[DWELL] is not None:
            self.judge.judge(name, record, record[DWELL][VALUE], at, now, emit)
        while self._end(own[OPEN]) - 1 <= at:
            value = self._close(own)
            if value is not None:
                moment = max(at, own[OPEN]) if self.rule.maintenance else own[OPEN]
                self.judge.judge(name, record, value, moment, now, emit)
        if self._lazy and not record[LEVEL] and record[DWELL] is None:
            self._look_ahead(name, record)
        else:
            self._ahead.pop(name, None)

    def _close(self, own: list[Any]) -> float | None:
        """Close the oldest open window; gives its value."""
        start = own[OPEN]
        observed = self._observed(own[POINTS].pop(start, ()))
        verdict = self._judge(own[STATE], self._point(start), observed)
        own[STATE], own[FOUND] = verdict[0], [observed, verdict[1], verdict[2]]
        own[OPEN] = self._end(start)
        return self._worth(verdict, observed)

    def _start(self, time: int) -> int:
        """When the window begins that a moment lies in."""
        if not self._monthly:
            return window_start(time, self._every)
        return (_day(time).replace(day=1) - _EPOCH).days * DAY - OFFSET

    def _end(self, start: int) -> int:
        """When the next window begins."""
        return self._start(start + self._every) if self._monthly else int(start) + self._every

    def _windows(self, first: int, last: int) -> Iterator[int]:
        """The beginnings of the windows from one to another."""
        while first <= last:
            yield first
            first = self._end(first)

    def _point(self, start: int) -> When:
        """What the detector calls the window that starts at a moment."""
        if self._by_date:
            return _day(start)
        if self._monthly:
            day = _day(start)
            return day.year * 12 + day.month
        return (start + OFFSET) // self._every

    def _worth(self, verdict: Verdict, observed: float | None) -> float | None:
        """The value of a window, which was judged so."""
        _, statistic, _, alarm = verdict
        if alarm is None or observed is None:
            return None
        if self._by_alarm:
            return float(alarm)
        return None if statistic is None else float(statistic)

    def _observed(self, values: Any) -> float | None:
        if not values:
            return 0.0 if self._spec.empty_is_zero else None
        if len(values) == 1 and self._spec.field:
            return float(values[0])
        return float(values[-1]) if self._spec.aggregate == "last" else figure(self._figure, values)

    def _details(self, record: Record, at: int) -> Details:
        observed, statistic, bound = record[OWN][FOUND] or (None, None, None)
        return (
            ("method", self._spec.method), ("observed", observed), ("statistic", statistic), ("bound", bound),
        )  # fmt: skip


def _bounded(step: Step) -> Step:
    """The same step, for figures of any size: no method can tell figures beyond MOST apart.

    Where its arithmetic has no answer all the same (such as the root of a mean below 0), it says nothing of the
    point, which then counts as missing. Every other error is the program's, and is raised.
    """

    def bounded(state: State, t: When, observed: float | None) -> Verdict:
        if observed is not None and not -MOST <= observed <= MOST:
            observed = min(max(observed, -MOST), MOST)
        for tried in (observed, None):
            try:
                return step(state, t, tried)
            except ArithmeticError:
                continue
            except ValueError as error:
                if str(error) not in NO_ANSWER:
                    raise
        return state, None, None, None

    return bounded


def _day(time: int) -> date:
    """The day of Asia/Shanghai a moment is in."""
    return _EPOCH + timedelta(days=(time + OFFSET) // DAY)
