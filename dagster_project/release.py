"""Releases: publish the builds of one attempt as a whole, or nothing of it.

The pointers of a release are one insert of one block into an unpartitioned table: that insert is the commit.
Its manifest is written before; a manifest without pointers was never published, and its number is not used
again. Two releases at once are kept apart by a lock on a file, so all releases of a warehouse are made on one
machine.
"""

from __future__ import annotations

import fcntl
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from dagster_project.attempt import Attempt, settle
from dagster_project.spans import gather
from dagster_project.warehouse import Warehouse
from schemas.errors import GateFailed, Unavailable

MANIFEST_COLUMNS = (
    *("seq", "parent", "table", "day", "build_id", "content_hash", "complete", "version", "suite_hash"),
    *("code", "released"),
)
_BUILDS = """
SELECT b.table, b.day, b.content_hash, b.complete, b.version, v.verdicts, v.passed, v.suite_hash, v.failed
FROM release.build AS b
LEFT JOIN
(
    SELECT table, day, count() AS verdicts, argMax(passed, decided) AS passed,
        argMax(suite_hash, decided) AS suite_hash, argMax(failed, decided) AS failed
    FROM quality.verdict WHERE build_id = {build:String} GROUP BY table, day
) AS v ON v.table = b.table AND v.day = b.day
WHERE b.build_id = {build:String} AND b.content_hash != ''
ORDER BY b.table, b.day"""
_CURRENT = """
SELECT p.table, p.day, any(b.content_hash)
FROM (SELECT table, day, argMax(build_id, seq) AS build_id FROM release.pointer GROUP BY table, day) AS p
INNER JOIN release.build AS b ON b.table = p.table AND b.day = p.day AND b.build_id = p.build_id
GROUP BY p.table, p.day"""
_RELEASES = """
SELECT seq, max(released), count(), groupUniqArray(table), min(day), max(day), countIf(complete = 0),
    max(parent)
FROM release.manifest WHERE seq IN (SELECT seq FROM release.pointer)
GROUP BY seq ORDER BY seq DESC LIMIT {limit:UInt32}"""


@dataclass(frozen=True)
class Entry:
    """One day of one table that a release publishes."""

    table: str
    day: date
    content_hash: str
    complete: bool
    version: str
    suite_hash: str


@dataclass(frozen=True)
class Published:
    """What came of an attempt: its release number, or None where everything was published already."""

    seq: int | None
    entries: tuple[Entry, ...]
    unchanged: int


@dataclass(frozen=True)
class Release:
    """One release as `liaowang release list` shows it."""

    seq: int
    released: datetime
    days: int
    tables: tuple[str, ...]
    first: date
    last: date
    incomplete: int
    parent: int


def publish(
    warehouse: Warehouse, attempt: Attempt, lock: Path, code: str, now: datetime, lookback: int = 1
) -> Published:
    """Publish what this attempt built and is not published yet; all of it, or nothing.

    GateFailed where a table and day has no verdict or did not pass. Unavailable where another release has
    changed its tables since the attempt began, on these days or up to `lookback` days before: build again.
    """
    entries = passed(warehouse, attempt.build_id)
    with _alone(lock):
        current = {(table, day): content for table, day, content in warehouse.rows(_CURRENT)}
        changed = tuple(
            entry for entry in entries if current.get((entry.table, entry.day)) != entry.content_hash
        )
        unchanged = len(entries) - len(changed)
        seq = None
        if changed:
            _demand_unmoved(warehouse, attempt, entries, lookback)
            seq = _write(warehouse, attempt, changed, code, now)
    settle(warehouse, attempt, now)
    return Published(seq, changed, unchanged)


def passed(warehouse: Warehouse, build_id: str) -> list[Entry]:
    """Everything a build made, each with its passing verdict; GateFailed names what has none."""
    entries = []
    failures: dict[str, dict[date, list[str]]] = defaultdict(dict)
    for table, day, content, complete, version, verdicts, ok, suite_hash, failed in warehouse.rows(
        _BUILDS, build=build_id
    ):
        if not verdicts:
            failures[table][day] = ["no verdict"]
        elif not ok:
            failures[table][day] = list(failed)
        entries.append(Entry(table, day, content, bool(complete), version, suite_hash))
    if failures:
        raise GateFailed("; ".join(_words(table, days) for table, days in sorted(failures.items())))
    return entries


def releases(warehouse: Warehouse, limit: int = 20) -> list[Release]:
    """The latest releases, newest first."""
    return [
        Release(seq, released, days, tuple(sorted(tables)), first, last, incomplete, parent)
        for seq, released, days, tables, first, last, incomplete, parent in warehouse.rows(
            _RELEASES, limit=limit
        )
    ]


def _write(warehouse: Warehouse, attempt: Attempt, entries: Iterable[Entry], code: str, now: datetime) -> int:
    ((parent, used),) = warehouse.rows(
        "SELECT (SELECT max(seq) FROM release.pointer), (SELECT max(seq) FROM release.manifest)"
    )
    seq = max(parent, used) + 1
    manifest = [
        (
            *(seq, parent, entry.table, entry.day, attempt.build_id, entry.content_hash, int(entry.complete)),
            *(entry.version, entry.suite_hash, code, now),
        )
        for entry in entries
    ]
    warehouse.insert("release.manifest", MANIFEST_COLUMNS, manifest)
    pointers = [(seq, entry.table, entry.day, attempt.build_id) for entry in entries]
    warehouse.insert("release.pointer", ("seq", "table", "day", "build_id"), pointers)
    return int(seq)


def _demand_unmoved(warehouse: Warehouse, attempt: Attempt, entries: Sequence[Entry], lookback: int) -> None:
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


def _words(table: str, days: Mapping[date, Sequence[str]]) -> str:
    reason = next(iter(days.values()))
    more = f" and {len(reason) - 1} more" if len(reason) > 1 else ""
    return f"{table} on {', '.join(str(span) for span in gather(days, 5))} ({reason[0]}{more})"


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
