"""How far a build is: chunks that are wholly written, so that a build that was killed can go on.

A chunk is recorded after its rows. What stands of a chunk without record was written by a process that died
in the middle of it, and is deleted before the chunk is written again. Rows and seconds of past chunks say what
the next build will cost.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from dagster_project.days.attempt import Attempt
from dagster_project.days.spans import Span
from dagster_project.warehouse import Warehouse

COLUMNS = ("build_id", "table", "first", "last", "rows", "seconds", "at")
_WRITTEN = (
    "SELECT first, last FROM release.progress WHERE build_id = {build:String} AND table = {table:String}"
)


@dataclass
class TableProgress:
    """What of one table a build has written; `written` are whole chunks."""

    warehouse: Warehouse
    attempt: Attempt
    table: str
    written: set[Span]
    begun: float = field(default=0.0)

    def take(self, chunk: Span) -> bool:
        """Whether the chunk is to be written; then nothing of it is there any more."""
        if chunk in self.written:
            return False
        if self.attempt.resumed:
            self._clear(chunk)
        self.begun = time.perf_counter()
        return True

    def done(self, chunk: Span, rows: int) -> None:
        """Record that the chunk is written; `rows` is how many were read for it."""
        seconds = time.perf_counter() - self.begun
        row = (self.attempt.build_id, self.table, chunk.first, chunk.last, rows, seconds, datetime.now(UTC))
        self.warehouse.insert("release.progress", COLUMNS, [row])
        self.written.add(chunk)

    def _clear(self, chunk: Span) -> None:
        """Delete what a killed process left of the chunk."""
        given = {"build": self.attempt.build_id, "table": self.table} | vars(chunk)
        within = "BETWEEN {first:Date} AND {last:Date} AND build_id = {build:String}"
        self.warehouse.rows(f"DELETE FROM built.{self.table} WHERE event_day {within}", **given)
        self.warehouse.rows(
            f"DELETE FROM quality.quarantine WHERE table = {{table:String}} AND day {within}", **given
        )


def note(warehouse: Warehouse, attempt: Attempt, table: str, days: Sequence[date], seconds: float) -> None:
    """Record what the figures of these days (in order) took; a row of it counts a day."""
    if days:
        row = (attempt.build_id, table, days[0], days[-1], len(days), seconds, datetime.now(UTC))
        warehouse.insert("release.progress", COLUMNS, [row])


def progress_of(warehouse: Warehouse, attempt: Attempt, table: str) -> TableProgress:
    """What this attempt has written of a table so far."""
    written: set[Span] = set()
    if attempt.resumed:
        rows = warehouse.rows(_WRITTEN, build=attempt.build_id, table=table)
        written = {Span(first, last) for first, last in rows}
    return TableProgress(warehouse, attempt, table, written)
