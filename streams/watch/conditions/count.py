"""Windowed count: how many events a subject had in a tumbling window."""

from __future__ import annotations

from collections.abc import Iterable

from streams.watch.conditions.base import Condition, Row, matcher, subject_of
from streams.watch.episode import LEVEL, OWN, Emit, judge


class Count(Condition):
    """Counts events by window `[start, start + window)`; a record's own part is {window start: count}.

    A level is reached the moment the count reaches it; for lowering and recovering, a window is judged when it
    closes: when the watermark has passed its end by `wait`. Until then events out of order are counted. A subject
    with an open episode and no event in a window had a count of zero there.
    """

    _next_close: int | None = None

    def observe(self, rows: Iterable[Row], emit: Emit) -> None:
        """Count the events on time, and close the windows the watermark has passed."""
        rule, records, wait = self.rule, self.records, self._wait
        subject, matches = subject_of(rule), matcher(rule)
        window, lowest = rule.window * 1000, rule.lowest
        for data, time, watermark, offset in rows:
            if self._next_close is not None and watermark >= self._next_close:
                self._close(watermark, offset, emit)
            if data is None or (matches is not None and not matches(data)):
                continue
            start = time - time % window
            if start + window + wait <= watermark:
                continue
            name = subject(data)
            record = records.get(name) or self._record(name, data, {})
            self.touched.add(name)
            count = record[OWN][start] = record[OWN].get(start, 0) + 1
            if self._next_close is None or start + window + wait < self._next_close:
                self._next_close = start + window + wait
            if count >= lowest and rule.rank(count) > record[LEVEL]:
                judge(rule, name, record, count, time, self._moment(offset, watermark), emit)

    def restored(self) -> None:
        """Find the next window to close."""
        starts = [start for record in self.records.values() for start in record[OWN]]
        self._next_close = min(starts) + self._length if starts else None

    @property
    def _length(self) -> int:
        return self.rule.window * 1000 + self._wait

    def _close(self, watermark: int, offset: int, emit: Emit) -> None:
        """Judge every window whose end (and wait) the watermark has reached, oldest first."""
        window, moment = self.rule.window * 1000, self._moment(offset, watermark)
        while self._next_close is not None and self._next_close <= watermark:
            start = self._next_close - self._length
            for name in sorted(self.records):
                record = self.records[name]
                count = record[OWN].pop(start, None)
                if count is not None or record[LEVEL]:
                    self.touched.add(name)
                    judge(self.rule, name, record, count or 0, start + window, moment, emit)
            self._forget()
            self._next_close = self._following(start + window)

    def _following(self, start: int) -> int | None:
        """When to close next: the next window while episodes are open, else the oldest with events."""
        if any(record[LEVEL] for record in self.records.values()):
            return start + self._length
        self.restored()
        return self._next_close

    def _forget(self) -> None:
        """Drop subjects with nothing open: no window and no episode."""
        idle = [name for name, record in self.records.items() if not record[OWN] and not record[LEVEL]]
        for name in idle:
            del self.records[name]
            self.touched.add(name)
