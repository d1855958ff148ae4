"""Which releases are kept: pins, and expiry by age with the deletion of builds that nothing else shows.

An expired release keeps its manifest and its figures: rows of indicators are never deleted, only those of
events. Its views of events (`mart.<feed>_at(release = N)`) show nothing, rather than a part.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from dagster_project.build.indicator_sql import FIGURES, TABLE
from dagster_project.release.catalogue import EVERY, Release, release, releases
from dagster_project.release.publish import alone
from dagster_project.warehouse import Warehouse
from quality.rows import quote

BATCH = 500
Build = tuple[str, date, str]  # table, day, build id
_POINTERS = (
    "SELECT table, day, seq, build_id FROM release.pointer WHERE table IN {tables:Array(String)}"
    " ORDER BY table, day, seq"
)
_DELETED = "SELECT table, day, build_id FROM release.deleted"
_ORPHANS = """
SELECT b.table, b.day, b.build_id FROM release.build AS b
INNER JOIN (SELECT build_id, max(at) AS at FROM release.attempt GROUP BY build_id) AS a
    ON a.build_id = b.build_id
WHERE a.at < {before:DateTime64(3)} AND b.table IN {tables:Array(String)}
    AND (b.table, b.day, b.build_id) NOT IN (SELECT table, day, build_id FROM release.pointer)"""


@dataclass(frozen=True)
class Expiry:
    """What expires: release numbers, and the builds whose rows are deleted with them."""

    releases: tuple[int, ...]
    builds: tuple[Build, ...]


def pin(warehouse: Warehouse, seq: int, pinned: bool, reason: str, now: datetime) -> None:
    """Pin a release, so that it does not expire, or undo that; Misdeclared where there is none."""
    release(warehouse, seq)
    warehouse.insert("release.pin", ("seq", "pinned", "reason", "at"), [(seq, int(pinned), reason, now)])


def expire(
    warehouse: Warehouse,
    feeds: Collection[str],
    indicators: Collection[str],
    age: timedelta,
    lock: Path,
    now: datetime,
    dry: bool = False,
) -> Expiry:
    """Let releases older than `age` expire unless pinned or current, and delete the events only they show.

    Rows of builds that were never published go too once they are as old. `feeds` and `indicators` are tables.
    A call that was cut short is made good by the next one.
    """
    with alone(lock):
        known = releases(warehouse, EVERY)
        fresh = overdue(known, now - age)
        gone = {item.seq for item in known if item.expired} | set(fresh)
        lasting = [item.seq for item in known if item.seq not in gone]
        pointers = warehouse.rows(_POINTERS, tables=sorted(feeds))
        doomed = unshown(((table, day, seq, build) for table, day, seq, build in pointers), lasting)
        tables = sorted({*feeds, *indicators})
        doomed |= {
            (table, day, build_id)
            for table, day, build_id in warehouse.rows(_ORPHANS, before=now - age, tables=tables)
        }
        doomed -= {(table, day, build_id) for table, day, build_id in warehouse.rows(_DELETED)}
        if not dry:
            warehouse.insert("release.expired", ("seq", "at"), [(seq, now) for seq in fresh])
            _delete(warehouse, doomed, indicators, now)
    return Expiry(tuple(fresh), tuple(sorted(doomed)))


def overdue(known: Iterable[Release], before: datetime) -> list[int]:
    """Numbers of the releases that expire: published before a moment, neither pinned, current nor expired."""
    return sorted(
        item.seq
        for item in known
        if item.released < before and not (item.pinned or item.current or item.expired)
    )


def unshown(pointers: Iterable[tuple[str, date, int, str]], lasting: Sequence[int]) -> set[Build]:
    """Builds that no lasting release shows. `pointers` are (table, day, seq, build id) in that order.

    A pointer is shown by the releases from its own number up to, not including, that of the day's next one.
    """
    kept = sorted(lasting)
    days: dict[tuple[str, date], list[tuple[int, str]]] = defaultdict(list)
    for table, day, seq, build_id in pointers:
        days[table, day].append((seq, build_id))
    seen: Mapping[bool, set[Build]] = {True: set(), False: set()}
    for (table, day), chain in days.items():
        for (seq, build_id), (until, _) in pairwise([*chain, (EVERY**3, "")]):
            at = bisect_left(kept, seq)
            seen[at < len(kept) and kept[at] < until].add((table, day, build_id))
    return {build for build in seen[False] - seen[True] if build[2]}


def _delete(
    warehouse: Warehouse, doomed: Iterable[Build], indicators: Collection[str], now: datetime
) -> None:
    tables: dict[str, list[Build]] = defaultdict(list)
    for build in sorted(doomed):
        tables[build[0]].append(build)
    for table, builds in tables.items():
        figures = f"{FIGURES} WHERE {TABLE} = {quote(table)} AND"
        rows = figures if table in indicators else f"built.{table} WHERE"
        for at in range(0, len(builds), BATCH):
            part = builds[at : at + BATCH]
            named = ", ".join(f"('{day}', {quote(build_id)})" for _, day, build_id in part)
            warehouse.rows(f"DELETE FROM {rows} (event_day, build_id) IN ({named})")
            warehouse.insert(
                "release.deleted", ("table", "day", "build_id", "at"), [(*build, now) for build in part]
            )
