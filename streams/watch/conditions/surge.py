"""Statistical surge: a detector (EARS, EWMA, CUSUM, Farrington) over the series of a subject's windows."""

from __future__ import annotations

from datetime import date, timedelta
from operator import attrgetter
from typing import Any

from streams.watch.calendar import DAY, OFFSET
from streams.watch.conditions.base import Condition
from streams.watch.conditions.figures import figure
from streams.watch.detect import make
from streams.watch.dwell import VALUE
from streams.watch.episode import DWELL, OWN, Details, Emit, Moment, Record
from streams.watch.rule import Rule
from streams.watch.spec import Aggregate, SurgeSpec

OPEN, POINTS, STATE, FOUND = range(4)
_EPOCH = date(1970, 1, 1)


class Surge(Condition):
    """Each window that closes is a point of the series; the value is what the detector makes of it.

    Windows are tumbling, aligned to Shanghai's midnight. From a subject's first event on every window is a point,
    also an empty one. Points of which the detector can say nothing yet are not judged. A record's own part is
    [start of the oldest open window, {start: values}, state of the detector, what it said last].
    """

    def __init__(self, rule: Rule, topic: str, partition: int, timeline: str, region_field: str) -> None:
        super().__init__(rule, topic, partition, timeline, region_field)
        assert isinstance(rule.spec, SurgeSpec)
        spec = self._spec = rule.spec
        self._detector = make(spec.method, dict(spec.parameters), where=rule.id)
        self._get = attrgetter(spec.field) if spec.field else lambda data: True
        self._by_date = spec.method.startswith("farrington") and spec.every % DAY == 0

    def _pick(self, number: int, data: Any) -> Any:
        return self._get(data)

    def _begin(self, time: int) -> Any:
        return [self._start(time), {}, self._detector.start(), []]

    def _start(self, time: int) -> int:
        return time - (time + OFFSET) % self._spec.every

    def _note(self, record: Record, number: int, picked: Any, time: int, passed: int) -> int | None:
        own, start = record[OWN], self._start(time)
        if start + self._spec.every > passed and start >= own[OPEN]:
            own[POINTS].setdefault(start, []).append(picked)
        return None

    def _changes(self, record: Record) -> int | None:
        """The last moment of the oldest open window."""
        return int(record[OWN][OPEN]) + self._spec.every - 1

    def _lapse(self, name: str, record: Record, at: int, now: Moment, emit: Emit) -> None:
        """Step the detector over the window that closes, and judge; or judge again when a dwell is over."""
        closing = self._changes(record)
        if closing is not None and at >= closing:
            value = self._step(record)
            if value is not None:
                self.judge.judge(name, record, value, max(at, closing + 1), now, emit)
        elif record[DWELL] is not None:
            self.judge.judge(name, record, record[DWELL][VALUE], at, now, emit)

    def _step(self, record: Record) -> float | None:
        own, spec = record[OWN], self._spec
        start = own[OPEN]
        own[OPEN] = start + spec.every
        observed = self._observed(own[POINTS].pop(start, []))
        number = (start + OFFSET) // spec.every
        point = _EPOCH + timedelta(days=(start + OFFSET) // DAY) if self._by_date else number
        own[STATE], statistic, bound, alarm = self._detector.step(own[STATE], point, observed)
        own[FOUND] = [observed, statistic, bound]
        if alarm is None or observed is None:
            return None
        if spec.measure == "alarm":
            return float(alarm)
        return None if statistic is None else float(statistic)

    def _observed(self, values: list[Any]) -> float | None:
        if not values:
            return 0.0 if self._spec.empty_is_zero else None
        return (
            float(values[-1])
            if self._spec.aggregate == "last"
            else figure(Aggregate(self._spec.aggregate), values)
        )

    def _details(self, record: Record, at: int) -> Details:
        observed, statistic, bound = record[OWN][FOUND] or (None, None, None)
        return (
            ("method", self._spec.method), ("observed", observed), ("statistic", statistic), ("bound", bound),
        )  # fmt: skip
