"""Threshold: a field of one event reaches a level's bound."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import Any

from streams.watch.conditions.base import Instant
from streams.watch.conditions.column import Row
from streams.watch.declare.rule import Rule
from streams.watch.episodes.episode import DWELL, LEVEL, OWN, Emit, Record


class Threshold(Instant):
    """Judges each event by its value as it arrives; a record's own part is the subject's newest event (ms).

    An event older than its subject's newest says nothing new. Events of other subjects do not matter: a station
    that reports a little after its neighbour is heard, also where the watermark has passed its time.
    """

    def __init__(self, rule: Rule, topic: str, partition: int, timeline: str, region_field: str) -> None:
        super().__init__(rule, topic, partition, timeline, region_field)
        self._value_of = attrgetter(rule.field)
        self._picked: float = 0.0

    def observe(self, rows: Iterable[Row], emit: Emit) -> None:
        """Open, raise, lower and recover as each event's value says. An absent value says nothing."""
        if self._wait or self.rule.maintenance:
            super().observe(rows, emit)
            return
        records, value_of, below, lowest = self.records, self._value_of, self.rule.below, self.rule.lowest
        due = self._due
        for (data, time, watermark, offset, key, _), name in self._named(rows):
            if watermark > due:
                self._pass(watermark, offset, emit)
                due = self._due
            if name is None:
                continue
            value = value_of(data)
            if value is None:
                continue
            record = records.get(name)
            quiet = value > lowest if below else value < lowest
            if quiet and record is not None and not record[LEVEL] and record[DWELL] is None:
                if time > record[OWN]:  # nothing open, nothing to open: only the newest event is noted
                    record[OWN] = time
            else:
                self._arrive(0, name, data, time, watermark, offset, key, emit)
                due = self._due

    def _begin(self, time: int) -> Any:
        return None

    def _pick(self, number: int, data: Any) -> Any:
        return self._value_of(data)

    def _note(self, record: Record, number: int, picked: Any, time: int, passed: int) -> int | None:
        newest = record[OWN]
        if newest is not None and (time < newest or (time == newest and time < passed)):
            return None  # older, or (its id forgotten) perhaps a copy
        record[OWN], self._picked = time, picked
        return time

    def _value(self, record: Record, at: int) -> float | None:
        return self._picked
