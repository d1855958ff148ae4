"""Absence: a subject that has reported before says nothing for as long as a level's bound."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from streams.watch.conditions.base import Condition
from streams.watch.conditions.column import Row
from streams.watch.declare.calendar import maintained_until
from streams.watch.episodes.dwell import VALUE
from streams.watch.episodes.episode import DWELL, LEVEL, OWN, REGION, Emit, Moment, Record


class Absence(Condition):
    """Remembers each subject's last report (a record's own part, ms); silence is told by the watermark.

    A subject is silent at level L when the watermark has passed its last report by more than L's bound: an
    event exactly at the bound is still in time. The transition's time is last report + bound. A report that comes
    out of order counts if it is newer than the subject's last; it ends an episode unless it is itself too old.
    Maintenance counts as a report at its end.
    """

    def observe(self, rows: Iterable[Row], emit: Emit) -> None:
        """Note who reports, end the silence of who does again, and find out who is silent."""
        if self._wait or self.rule.maintenance:
            super().observe(rows, emit)
            return
        records = self.records
        due = self._due
        for (data, time, watermark, offset, key, _), name in self._named(rows):
            if watermark > due:
                self._pass(watermark, offset, emit)
                due = self._due
            if name is None:
                continue
            record = records.get(name)
            if record is None or record[LEVEL] or record[DWELL] is not None:
                self._arrive(0, name, data, time, watermark, offset, key, emit)
                due = self._due
            elif time > record[OWN]:  # the planned look at this subject stays; it will find nothing due
                record[OWN] = time

    def _pick(self, number: int, data: Any) -> Any:
        return True

    def _begin(self, time: int) -> Any:
        return time

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
        """Note a report; it ends the silence unless it is itself too old."""
        silence = (time - record[OWN]) / 1000
        if time < record[OWN] or self._maintained(name, record, time) is not None:
            return
        record[OWN] = time
        if time + self.rule.lowest * 1000 >= passed:
            self.judge.judge(name, record, 0.0, time, now, emit, shown=silence)

    def _value(self, record: Record, at: int) -> float | None:
        return (at - int(record[OWN])) / 1000

    def _changes(self, record: Record) -> int | None:
        """When this record reaches its next level, or None where it stands at the highest."""
        dwell = record[DWELL]
        reached = record[LEVEL] if dwell is None else self.rule.rank(dwell[VALUE] or 0.0)
        for rank, bound in reversed(self.rule.bounds):
            if rank > reached:
                return int(record[OWN] + bound * 1000)
        return None

    def _lapse(self, name: str, record: Record, at: int, now: Moment, emit: Emit) -> None:
        ended = max((span.end for span in self.rule.maintenance if span.end <= at), default=None)
        if (
            ended is not None
            and ended > record[OWN]
            and not record[LEVEL]
            and self._ended(name, record, ended)
        ):
            record[OWN] = ended
        else:
            self.judge.judge(name, record, self._value(record, at), at, now, emit)

    def _ended(self, name: str, record: Record, end: int) -> bool:
        """Whether a maintenance of this subject ended at this moment."""
        return maintained_until(self.rule.maintenance, end - 1, name, record[REGION]) == end
