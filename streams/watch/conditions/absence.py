"""Absence: a subject that has reported before says nothing for as long as a level's bound."""

from __future__ import annotations

from collections.abc import Iterable

from streams.watch.conditions.base import Condition, Row, matcher, subject_of
from streams.watch.episode import LEVEL, OWN, START, Emit, move


class Absence(Condition):
    """Remembers each subject's last report (a record's own part, ms); silence is told by the watermark.

    A subject is silent at level L when the watermark has passed its last report by more than L's bound: an
    event exactly at the bound is still in time. The transition's time is last report + bound. A report that comes
    out of order counts if it is newer than the subject's last; it ends an episode unless it is itself too old.
    """

    _next_due: int | None = None

    def observe(self, rows: Iterable[Row], emit: Emit) -> None:
        """Note who reports, end the silence of who does again, and find out who is silent."""
        records, first_bound = self.records, int(self.rule.lowest * 1000)
        subject, matches = subject_of(self.rule), matcher(self.rule)
        touched = self.touched
        for data, time, watermark, offset in rows:
            if self._next_due is not None and watermark > self._next_due:
                self._expire(watermark, offset, emit)
            if data is None or (matches is not None and not matches(data)):
                continue
            name = subject(data)
            record = records.get(name)
            if record is None:
                touched.add(name)
                self._record(name, data, time)
                self._expect(time + first_bound)
            elif time > record[OWN]:
                touched.add(name)
                silence, record[OWN] = (time - record[OWN]) / 1000, time
                if record[LEVEL] and time + first_bound >= watermark:
                    moment, at = self._moment(offset, watermark), max(time, record[START])
                    move(self.rule, name, record, "recovered", 0, silence, at, moment, emit)
                    self._expect(time + first_bound)

    def _expect(self, due: int) -> None:
        if self._next_due is None or due < self._next_due:
            self._next_due = due

    def restored(self) -> None:
        """Find out when the next subject may fall silent."""
        dues = [due for record in self.records.values() if (due := self._due(record)) is not None]
        self._next_due = min(dues) if dues else None

    def _due(self, record: list[int]) -> int | None:
        """When this record reaches its next level, or None where it stands at the highest."""
        for rank, bound in reversed(self.rule.bounds):
            if rank > record[LEVEL]:
                return int(record[OWN] + bound * 1000)
        return None

    def _expire(self, watermark: int, offset: int, emit: Emit) -> None:
        """Make the transitions of all levels passed by the watermark, in order of time, then subject."""
        passed = [
            (int(record[OWN] + bound * 1000), name, rank, bound)
            for name, record in self.records.items()
            for rank, bound in self.rule.bounds
            if rank > record[LEVEL] and record[OWN] + bound * 1000 < watermark
        ]
        moment = self._moment(offset, watermark)
        for due, name, rank, bound in sorted(passed):
            record = self.records[name]
            kind = "raised" if record[LEVEL] else "opened"
            self.touched.add(name)
            move(self.rule, name, record, kind, rank, bound, due, moment, emit)
        self.restored()
