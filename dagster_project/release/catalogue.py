"""Releases that were: the list, one release's manifest, and going back to what an earlier one showed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from dagster_project.release.publish import ROLLBACK, PublishedDay, alone, commit
from dagster_project.warehouse import Warehouse
from schemas.errors import Misdeclared

_RELEASES = """
SELECT m.seq, max(m.released), count(), groupUniqArray(m.table), min(m.day), max(m.day),
    countIf(m.complete = 0), max(m.parent), any(m.kind), any(m.note), any(m.code), any(p.pinned = 1),
    any(m.seq IN (SELECT seq FROM release.expired)), m.seq = (SELECT max(seq) FROM release.pointer)
FROM release.manifest AS m
LEFT JOIN (SELECT seq, argMax(pinned, at) AS pinned FROM release.pin GROUP BY seq) AS p ON p.seq = m.seq
WHERE m.seq IN (SELECT seq FROM release.pointer)
GROUP BY m.seq ORDER BY m.seq DESC LIMIT {limit:UInt32}"""
_MANIFEST = """
SELECT m.table, m.day, m.build_id, m.content_hash, m.complete, m.version, m.suite_hash, m.rows, m.offsets,
    m.verdict, a.offsets
FROM release.manifest AS m
LEFT JOIN (SELECT build_id, anyIf(offsets, state = 'started') AS offsets FROM release.attempt GROUP BY build_id)
    AS a ON a.build_id = m.build_id
WHERE m.seq = {seq:UInt64} ORDER BY m.table, m.day"""
_SHOWN = """
SELECT table, day, argMax(build_id, seq) FROM release.pointer WHERE seq <= {seq:UInt64}
GROUP BY table, day ORDER BY table, day"""
_ENTRIES = """
SELECT table, day, build_id, argMax(content_hash, seq), argMax(complete, seq), argMax(version, seq),
    argMax(suite_hash, seq), argMax(rows, seq), argMax(offsets, seq)
FROM release.manifest WHERE build_id IN {builds:Array(String)} GROUP BY table, day, build_id"""
EVERY = 1_000_000


@dataclass(frozen=True)
class Release:
    """One release as `liaowang release list` shows it; `days` counts days of tables, all of them together."""

    seq: int
    released: datetime
    days: int
    tables: tuple[str, ...]
    first: date
    last: date
    incomplete: int
    parent: int
    kind: str = "build"
    note: str = ""
    code: str = ""
    pinned: bool = False
    expired: bool = False
    current: bool = False

    @property
    def state(self) -> str:
        """Current, pinned, expired, or nothing of it."""
        marks = {"current": self.current, "pinned": self.pinned, "expired": self.expired}
        return ", ".join(name for name, is_so in marks.items() if is_so)

    def as_json(self) -> dict[str, Any]:
        """The release as JSON has it."""
        dates = {name: getattr(self, name).isoformat() for name in ("released", "first", "last")}
        return asdict(self) | dates | {"tables": list(self.tables)}


@dataclass(frozen=True)
class Line:
    """One day of one table in a release's manifest; `read` are the ends of the log its build had before it."""

    entry: PublishedDay
    verdict: str
    read: Mapping[str, int]

    def as_json(self) -> dict[str, Any]:
        """The line as JSON has it."""
        line = asdict(self.entry) | {"day": self.entry.day.isoformat(), "verdict": self.verdict}
        spans = {place: list(ends) for place, ends in self.entry.offsets.items()}
        return line | {"complete": bool(self.entry.complete), "offsets": spans, "read": dict(self.read)}


def releases(warehouse: Warehouse, limit: int = 20) -> list[Release]:
    """The latest releases, newest first."""
    found = []
    for seq, released, days, tables, *rest in warehouse.rows(_RELEASES, limit=limit):
        *plain, pinned, expired, current = rest
        told: tuple[Any, ...] = (*plain, bool(pinned), bool(expired), bool(current))
        found.append(Release(seq, released, days, tuple(sorted(tables)), *told))
    return found


def release(warehouse: Warehouse, seq: int) -> Release:
    """The release of this number; Misdeclared where there is none."""
    known = releases(warehouse, EVERY)
    for item in known:
        if item.seq == seq:
            return item
    there = f"there are {known[-1].seq} to {known[0].seq}" if known else "nothing is published yet"
    raise Misdeclared("release", str(seq), f"no such release; {there}")


def manifest(warehouse: Warehouse, seq: int) -> list[Line]:
    """Everything a release published: table, day, build, offsets, contract version, suite, verdict."""
    return [Line(PublishedDay(*row[:9]), row[9], row[10] or {}) for row in warehouse.rows(_MANIFEST, seq=seq)]


def shown(warehouse: Warehouse, seq: int) -> dict[tuple[str, date], str]:
    """The build that each day of each table shows as of a release; '' where it shows nothing any more."""
    return {(table, day): build_id for table, day, build_id in warehouse.rows(_SHOWN, seq=seq)}


def roll_back(
    warehouse: Warehouse, seq: int, lock: Path, code: str, now: datetime
) -> tuple[int | None, Sequence[PublishedDay]]:
    """Show again what an earlier release showed, under a new number (None where nothing would change).

    Days that were first published after it show nothing. Misdeclared where there is no such release, or
    where it has expired.
    """
    if release(warehouse, seq).expired:
        raise Misdeclared("release", str(seq), "has expired: events that only it showed are deleted")
    with alone(lock):
        ((latest,),) = warehouse.rows("SELECT max(seq) FROM release.pointer")
        before, after = shown(warehouse, latest), shown(warehouse, seq)
        changed = {key: after.get(key, "") for key in before if before[key] != after.get(key, "")}
        if not changed:
            return None, ()
        builds = sorted({build_id for build_id in changed.values() if build_id})
        known = {tuple(row[:3]): PublishedDay(*row) for row in warehouse.rows(_ENTRIES, builds=builds)}
        entries = [
            known.get((table, day, build_id)) or PublishedDay(table, day, "", "", True, "", "", 0, {})
            for (table, day), build_id in sorted(changed.items())
        ]
        return commit(warehouse, entries, ROLLBACK, f"as of release {seq}", code, now), entries
