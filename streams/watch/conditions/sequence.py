"""Sequence with deadline: a first event that no second one of the same key follows in time."""

from __future__ import annotations

from typing import Any

from streams.watch.conditions.base import Condition
from streams.watch.declare.rule import Rule
from streams.watch.declare.templates import reader
from streams.watch.episodes.dwell import VALUE
from streams.watch.episodes.episode import DWELL, LEVEL, OWN, REGION, Details, Emit, Moment, Record

FIRST, THEN, SUBJECT = range(3)


class Sequence(Condition):
    """The value is how long a first event has waited for the second, in seconds.

    A level is reached when the watermark has passed the first event by more than its bound; a second event at the
    bound is in time, and one at the first's own moment follows it. Until it is answered, a repeated first event
    does not set the clock back. A second event ends the warning. A record's own part is [time of the first event
    that waits or None, time of the newest second one or None, subject]; records are by correlation key, and are
    forgotten when the second event is older than the longest bound.
    """

    def __init__(self, rule: Rule, topic: str, partition: int, timeline: str, region_field: str) -> None:
        super().__init__(rule, topic, partition, timeline, region_field)
        self._longest = int(max(bound for _, bound in rule.bounds) * 1000)
        self._subject = reader(rule.inputs[0].subject)

    def _pick(self, number: int, data: Any) -> Any:
        """The number of the input, with subject and region where it is the first."""
        return [number, self._subject(data), self._regions[0](data)] if number == 0 else [number]

    def _begin(self, time: int) -> Any:
        return [None, None, ""]

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
        """A first event starts the clock unless it runs or is answered already; a second one stops it."""
        own = record[OWN]
        if picked[0] == 0:
            if own[FIRST] is None and (own[THEN] is None or own[THEN] < time):
                own[FIRST], own[SUBJECT], record[REGION] = time, picked[1], picked[2]
            return
        own[THEN] = time if own[THEN] is None else max(own[THEN], time)
        first = own[FIRST]
        if first is None or time < first:
            return
        own[FIRST] = None
        if record[LEVEL] or record[DWELL] is not None:
            waited = (time - first) / 1000
            self.judge.judge(own[SUBJECT], record, 0.0, time, now, emit, shown=waited)

    def _value(self, record: Record, at: int) -> float | None:
        first = record[OWN][FIRST]
        return 0.0 if first is None else (at - int(first)) / 1000

    def _changes(self, record: Record) -> int | None:
        """When the next level's bound is over; where nothing waits, when the answer need not be kept."""
        first, then, _ = record[OWN]
        if first is None:
            return None if then is None or record[LEVEL] else int(then) + self._longest
        dwell = record[DWELL]
        reached = record[LEVEL] if dwell is None else self.rule.rank(dwell[VALUE] or 0.0)
        dues = [int(first + bound * 1000) for rank, bound in self.rule.bounds if rank > reached]
        return min(dues, default=None)

    def _lapse(self, name: str, record: Record, at: int, now: Moment, emit: Emit) -> None:
        first, then, subject = record[OWN]
        if first is None and then is not None and at >= then + self._longest:
            record[OWN][THEN] = None
        self.judge.judge(subject, record, self._value(record, at), at, now, emit)

    def _spent(self, record: Record) -> bool:
        return record[OWN][FIRST] is None and record[OWN][THEN] is None

    def _details(self, record: Record, at: int) -> Details:
        first = record[OWN][FIRST]
        return (("first", first),) if first is not None else ()
