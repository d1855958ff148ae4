"""Windowed count: how many events a subject had in a tumbling window."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from streams.watch.conditions.base import Condition
from streams.watch.conditions.column import Row
from streams.watch.declare.calendar import shift, window_start
from streams.watch.episodes.dwell import VALUE
from streams.watch.episodes.episode import DWELL, LEVEL, OWN, Details, Emit, Moment, Record

LINGERS = 4
"""Windows after which a subject that has nothing open and no events is forgotten."""


class Count(Condition):
    """Counts events by window `[start, start + window)`; a record's own part is {window start: count}.

    Windows are aligned to Shanghai's midnight, whole weeks to Monday.
    A level is reached the moment the count reaches it; for lowering and recovering, a window is judged when it
    closes: when the watermark has passed its end by `wait`. Until then events out of order are counted. A subject
    with an open episode and no event in a window had a count of zero there.
    """

    def __init__(self, *place: Any) -> None:
        super().__init__(*place)
        self._window = self.rule.window * 1000

    def observe(self, rows: Iterable[Row], emit: Emit) -> None:
        """Count the events on time, and close the windows the watermark has passed."""
        if self._wait or self.rule.maintenance or self.rule.below:
            super().observe(rows, emit)
            return
        records, window, lowest, ahead = self.records, self._window, self.rule.lowest, shift(self._window)
        due = self._due
        for (data, time, watermark, offset, key, _), name in self._named(rows):
            if watermark > due:
                self._pass(watermark, offset, emit)
                due = self._due
            if name is None:
                continue
            record = records.get(name)
            start = time - (time + ahead) % window
            if (
                record is not None
                and not record[LEVEL]
                and record[DWELL] is None
                and start + window > watermark
            ):
                counts = record[OWN]
                count = counts.get(start, 0) + 1
                if count < lowest:
                    if count == 1:
                        self._drop_closed(counts, watermark)
                    counts[start] = count
                    continue
            self._arrive(0, name, data, time, watermark, offset, key, emit)
            due = self._due

    def _drop_closed(self, counts: dict[int, int], passed: int) -> None:
        """Forget windows that closed with nothing open: a count that reaches a bound opens at once."""
        for start in [start for start in counts if start + self._window <= passed]:
            del counts[start]

    def _pick(self, number: int, data: Any) -> Any:
        return True

    def _begin(self, time: int) -> Any:
        return {}

    def _resume(self, at: int) -> Any:
        return {window_start(at, self._window): 0}

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
        """Count an event whose window is open still; the count can lift a level at once."""
        start = window_start(time, self._window)
        if start + self._window <= passed or self._maintained(name, record, time) is not None:
            return
        count = record[OWN][start] = record[OWN].get(start, 0) + 1
        if not self.rule.below and count >= self.rule.lowest:
            self.judge.judge(name, record, count, time, now, emit, rising=True)

    def _changes(self, record: Record) -> int | None:
        """The last moment of the oldest open window: it closes when the watermark reaches its end."""
        return min(record[OWN]) + self._window - 1 if record[OWN] else None

    def _expires(self, record: Record) -> int | None:
        """With nothing open a window that closes changes nothing: the record is looked at some windows later."""
        if self.rule.below or not record[OWN]:
            return self._changes(record)
        return int(max(record[OWN])) + LINGERS * self._window

    def _lapse(self, name: str, record: Record, at: int, now: Moment, emit: Emit) -> None:
        """Judge a window that closes by its whole count; a dwell that is over by what was judged last."""
        if not (self.rule.below or record[LEVEL] or record[DWELL] is not None):
            self._drop_closed(record[OWN], at)
            return
        closing = self._changes(record)
        if closing is not None and at >= closing:
            count = record[OWN].pop(closing + 1 - self._window)
            self.judge.judge(name, record, count, max(at, closing + 1), now, emit)
        elif record[DWELL] is not None:
            self.judge.judge(name, record, record[DWELL][VALUE], at, now, emit)
        if closing is not None and (record[LEVEL] or record[DWELL] is not None):
            record[OWN].setdefault(closing + 1, 0)

    def _spent(self, record: Record) -> bool:
        return not record[OWN]

    def _details(self, record: Record, at: int) -> Details:
        start = window_start(at - 1, self._window)
        return (("window", [start, start + self._window]),)
