"""Threshold: a field of one event reaches a level's bound."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter

from streams.watch.conditions.base import Condition, Row, matcher, subject_of
from streams.watch.episode import LEVEL, OWN, Emit, judge


class Threshold(Condition):
    """Judges each event by its value as it arrives; a record's own part is the subject's newest event (ms).

    An event older than its subject's newest says nothing new. Events of other subjects do not matter: a station
    that reports a little after its neighbour is heard, also where the watermark has passed its time.
    """

    def observe(self, rows: Iterable[Row], emit: Emit) -> None:
        """Open, raise, lower and recover as each event's value says. An absent value says nothing."""
        rule, records, touched = self.rule, self.records, self.touched
        value_of, subject, matches = attrgetter(rule.field), subject_of(rule), matcher(rule)
        lowest = rule.lowest
        for data, time, watermark, offset in rows:
            if data is None or (matches is not None and not matches(data)):
                continue
            value = value_of(data)
            if value is None:
                continue
            name = subject(data)
            record = records.get(name)
            if record is None:
                record = self._record(name, data, time)
            elif time > record[OWN]:
                record[OWN] = time
            elif time < record[OWN] or time < watermark:  # older, or (its id forgotten) perhaps a copy
                continue
            touched.add(name)
            if value >= lowest or record[LEVEL]:
                judge(rule, name, record, value, time, self._moment(offset, watermark), emit)
