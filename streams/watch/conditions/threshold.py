"""Threshold: a field of one event reaches a level's bound."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter

from streams.watch.conditions.base import Condition, Row, matcher, subject_of
from streams.watch.episode import LEVEL, Emit, judge


class Threshold(Condition):
    """Judges each event on time by its value; keeps records of subjects that have warned only."""

    def observe(self, rows: Iterable[Row], emit: Emit) -> None:
        """Open, raise, lower and recover as each event's value says. An absent value says nothing."""
        rule, records = self.rule, self.records
        value_of, subject, matches = attrgetter(rule.field), subject_of(rule), matcher(rule)
        lowest = rule.lowest
        for data, time, watermark, offset in rows:
            if data is None or time < watermark or (matches is not None and not matches(data)):
                continue
            value = value_of(data)
            if value is None:
                continue
            name = subject(data)
            record = records.get(name)
            if record is None:
                if value < lowest:
                    continue
                record = self._record(name, data, None)
            elif value < lowest and not record[LEVEL]:
                continue
            self.touched.add(name)
            judge(rule, name, record, value, time, self._moment(offset, watermark), emit)
