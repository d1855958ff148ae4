"""Releases: publish what an attempt built and passed, all of it at once.

The pointers of a release are one insert of one block into an unpartitioned table: that insert is the commit.
Its manifest is written before; a manifest without pointers was never published, and its number is not used
again. Two releases at once are kept apart by a lock on a file, so all releases of a warehouse are made on one
machine.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

from dagster_project.build.verdicts import Failures, failures
from dagster_project.days.attempt import Attempt, mark_released
from dagster_project.days.spans import gather
from dagster_project.warehouse import Warehouse
from schemas.errors import Unavailable
from schemas.findings import Finding, words_of

MANIFEST_COLUMNS = (
    *("seq", "parent", "table", "day", "build_id", "content_hash", "complete", "version", "suite_hash"),
    *("code", "released", "kind", "note", "rows", "offsets"),
)
ROLLBACK = "rollback"
_BUILDS = """
SELECT b.table, b.day, b.build_id, b.content_hash, b.complete, b.version, v.suite_hash, b.rows, b.offsets
FROM release.build AS b
LEFT JOIN
(
    SELECT table, day, argMax(suite_hash, decided) AS suite_hash
    FROM quality.verdict WHERE build_id = {build:String} GROUP BY table, day
) AS v ON v.table = b.table AND v.day = b.day
WHERE b.build_id = {build:String} AND b.content_hash != ''
ORDER BY b.table, b.day"""
_CURRENT = """
SELECT p.table, p.day, any(b.content_hash)
FROM
(
    SELECT table, day, argMax(build_id, seq) AS build_id FROM release.pointer
    WHERE table IN {tables:Array(String)} AND day IN {days:Array(Date)} GROUP BY table, day
) AS p
INNER JOIN (SELECT * FROM release.build WHERE table IN {tables:Array(String)} AND day IN {days:Array(Date)}) AS b
    ON b.table = p.table AND b.day = p.day AND b.build_id = p.build_id
GROUP BY p.table, p.day"""


@dataclass(frozen=True)
class PublishedDay:
    """One day of one table that a release publishes; no `build_id` where the day is to show nothing."""

    table: str
    day: date
    build_id: str
    content_hash: str
    complete: bool
    version: str
    suite_hash: str
    rows: int
    offsets: Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class Published:
    """What came of an attempt: its release number, or None where everything was published already."""

    seq: int | None
    entries: tuple[PublishedDay, ...]
    unchanged: int
    withheld: Failures = field(default_factory=dict)

    @property
    def why(self) -> str:
        """What is withheld and why, in words."""
        return "; ".join(_words(table, days) for table, days in sorted(self.withheld.items()))


def publish(
    warehouse: Warehouse, attempt: Attempt, lock: Path, code: str, now: datetime, lookback: int = 1
) -> Published:
    """Publish at once what this attempt built, passed its gate and is not published yet.

    A day of a table without a passing verdict is withheld. Unavailable where another release has changed the
    attempt's tables since it began, on these days or up to `lookback` days before: build again.
    """
    withheld = failures(warehouse, attempt.build_id, attempt.span.first)
    entries = [
        entry
        for entry in built(warehouse, attempt.build_id)
        if entry.day not in withheld.get(entry.table, {})
    ]
    with alone(lock):
        current = _current(warehouse, entries)
        changed = tuple(
            entry for entry in entries if current.get((entry.table, entry.day)) != entry.content_hash
        )
        unchanged = len(entries) - len(changed)
        seq = None
        if changed:
            _demand_unmoved(warehouse, attempt, entries, lookback)
            seq = commit(warehouse, changed, attempt.kind, "", code, now)
    mark_released(warehouse, attempt, now)
    return Published(seq, changed, unchanged, withheld)


def _current(warehouse: Warehouse, entries: Sequence[PublishedDay]) -> dict[tuple[str, date], str]:
    """The content that is published now of the tables and days of these entries."""
    if not entries:
        return {}
    tables, days = {entry.table for entry in entries}, {entry.day for entry in entries}
    rows = warehouse.rows(_CURRENT, tables=sorted(tables), days=sorted(days))
    return {(table, day): content for table, day, content in rows}


def built(warehouse: Warehouse, build_id: str) -> list[PublishedDay]:
    """Every day of every table of a build that has something to show."""
    return [PublishedDay(*row) for row in warehouse.rows(_BUILDS, build=build_id)]


def commit(
    warehouse: Warehouse, entries: Sequence[PublishedDay], kind: str, note: str, code: str, now: datetime
) -> int:
    """Publish these entries under a new number, which is returned; the caller holds the lock."""
    ((parent, used),) = warehouse.rows(
        "SELECT (SELECT max(seq) FROM release.pointer), (SELECT max(seq) FROM release.manifest)"
    )
    seq = max(parent, used) + 1
    manifest = [
        (
            *(seq, parent, entry.table, entry.day, entry.build_id, entry.content_hash, int(entry.complete)),
            *(entry.version, entry.suite_hash, code, now, kind, note, entry.rows, dict(entry.offsets)),
        )
        for entry in entries
    ]
    warehouse.insert("release.manifest", MANIFEST_COLUMNS, manifest)
    pointers = [(seq, entry.table, entry.day, entry.build_id) for entry in entries]
    warehouse.insert("release.pointer", ("seq", "table", "day", "build_id"), pointers)
    return int(seq)


def _demand_unmoved(
    warehouse: Warehouse, attempt: Attempt, entries: Sequence[PublishedDay], lookback: int
) -> None:
    days = [entry.day for entry in entries]
    moved = warehouse.rows(
        "SELECT DISTINCT seq FROM release.pointer"
        " WHERE seq > {parent:UInt64} AND table IN {tables:Array(String)}"
        " AND day BETWEEN {first:Date} AND {last:Date}",
        parent=attempt.parent,
        tables=sorted({entry.table for entry in entries}),
        first=min(days) - timedelta(days=lookback - 1),
        last=max(days),
    )
    if moved:
        raise Unavailable(
            f"release {moved[0][0]} came in between and changed what this build read; build again"
        )


def _words(table: str, days: Mapping[date, Sequence[Finding]]) -> str:
    reason = next(iter(days.values()))
    more = f" and {len(reason) - 1} more" if len(reason) > 1 else ""
    return f"{table} on {', '.join(str(span) for span in gather(days, 5))} ({words_of(reason[0])}{more})"


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Nobody else changes what is published inside the block."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
