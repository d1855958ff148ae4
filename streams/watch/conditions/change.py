"""Rate of change: how a field differs from what it was a while ago, or in the same hour of another day."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from streams.watch.conditions.base import Instant
from streams.watch.declare.rule import Rule
from streams.watch.declare.spec import ChangeSpec
from streams.watch.episodes.arithmetic import deviation, mean
from streams.watch.episodes.episode import OWN, Details, Record

HOUR = 3_600_000


class Change(Instant):
    """The value is `now - then`, or that divided by |then| where it is relative.

    *over*: then is the newest value at least `over` old and less than twice that. *back*: then is the mean of the
    same clock hour a day or a week ago. Without a value then (or a relative change against 0) the event is not
    judged. A record's own part is [newest event, [[time, value] …]]; what is too old to be compared with goes.
    """

    def __init__(self, rule: Rule, topic: str, partition: int, timeline: str, region_field: str) -> None:
        super().__init__(rule, topic, partition, timeline, region_field)
        assert isinstance(rule.spec, ChangeSpec)
        self._spec = rule.spec
        self._value_of = attrgetter(rule.spec.field)
        self._keep = 2 * rule.spec.over or rule.spec.back + 2 * HOUR
        self._found: tuple[float, float] = (0.0, 0.0)

    def _begin(self, time: int) -> Any:
        return [None, []]

    def _pick(self, number: int, data: Any) -> Any:
        return self._value_of(data)

    def _take(self, record: Record, picked: Any, time: int) -> int | None:
        history = record[OWN][1]
        kept = next((at for at, row in enumerate(history) if row[0] > time - self._keep), len(history))
        del history[:kept]
        then = self._then(history, time)
        history.append([time, picked])
        if then is None or (self._spec.relative and then == 0):
            return None
        self._found = (deviation(picked, then, abs(then) if self._spec.relative else 1.0), then)
        return time

    def _then(self, history: list[list[Any]], time: int) -> float | None:
        spec = self._spec
        if spec.over:
            old = [value for at, value in history if time - 2 * spec.over < at <= time - spec.over]
            return old[-1] if old else None
        hour = time - time % HOUR - spec.back
        same = [value for at, value in history if hour <= at < hour + HOUR]
        return mean(same) if same else None

    def _value(self, record: Record, at: int) -> float | None:
        return self._found[0]

    def _details(self, record: Record, at: int) -> Details:
        history = record[OWN][1]
        then = self._then(history, history[-1][0]) if history else None
        return (("now", history[-1][1]), ("then", then)) if then is not None else ()
