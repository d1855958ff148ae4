"""Build tables of feeds: landing up to fixed offsets -> one new build in `built`, the rest in quarantine.

Each statement writes a chunk of days, so a range of years needs no more memory than its busiest days. The
newest days are written first; each chunk is recorded when it is written, so that a build that was killed goes
on where it was.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from dagster_project.build.checkpoint import progress_of
from dagster_project.build.corrections import Copy, Corrections, resolve
from dagster_project.build.feed_sql import EXTERNAL, FeedSql
from dagster_project.days.attempt import Attempt
from dagster_project.days.changed_days import may_correct
from dagster_project.days.ledger import complete, place_name
from dagster_project.days.retention import closed
from dagster_project.days.spans import Span, chunks, gather
from dagster_project.warehouse import External, Warehouse
from quality.rows import row_rules
from schemas.contract import Contract

CHUNK_ROWS = 2_000_000
BUILD_COLUMNS = (
    *("table", "day", "build_id", "rows", "duplicates", "corrected", "quarantined"),
    *("content_hash", "complete", "version", "offsets"),
)
Progress = Callable[[Span], None]
Offsets = Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class Built:
    """One day of one table in one build."""

    table: str
    day: date
    build_id: str
    rows: int
    duplicates: int
    corrected: int
    quarantined: int
    content_hash: str
    complete: bool
    version: str
    offsets: Offsets = field(default_factory=dict)
    landed: int = 0

    @property
    def emptied(self) -> bool:
        """Whether all that landed on the day has moved to others by corrections: no rows, and none missing."""
        return self.landed > 0 and self.rows == self.quarantined == 0

    @property
    def blank(self) -> bool:
        """Whether there is nothing to publish: every event landed on the day belongs to another one."""
        return not self.content_hash

    @property
    def row(self) -> tuple[object, ...]:
        """The row of `release.build`, in the order of BUILD_COLUMNS."""
        return (*(getattr(self, name) for name in BUILD_COLUMNS[:-1]), dict(self.offsets))


def build_feed(
    warehouse: Warehouse, contract: Contract, attempt: Attempt, progress: Progress = lambda span: None
) -> list[Built]:
    """Build the attempt's days of one feed and record them; days without any event are left out.

    So are days whose events were removed from landing by retention after a release had read them: what is
    published of them stays.
    """
    sql = FeedSql(contract, attempt.vectors[contract.topic], row_rules(contract))
    landed = _landed(warehouse, sql, attempt)
    decided = resolve(Copy(*row) for row in _corrections(warehouse, sql))
    days = progress_of(warehouse, attempt, contract.table)
    for chunk in _chunks(landed, attempt):
        if days.take(chunk):
            _build_chunk(warehouse, sql, attempt.build_id, chunk, decided)
            days.done(chunk, sum(rows for day, rows in landed.items() if day in chunk))
        progress(chunk)
    built = _contents(warehouse, sql, attempt, landed, decided)
    _record(warehouse, attempt, contract.table, built)
    return built


def recorded(warehouse: Warehouse, attempt: Attempt, table: str) -> list[Built]:
    """What this attempt has recorded of a table, by day."""
    rows = warehouse.rows(
        f"SELECT {', '.join(BUILD_COLUMNS)} FROM release.build"
        " WHERE build_id = {build:String} AND table = {table:String} ORDER BY day",
        build=attempt.build_id,
        table=table,
    )
    return [Built(*row) for row in rows]


def _record(warehouse: Warehouse, attempt: Attempt, table: str, built: Sequence[Built]) -> None:
    """Record days as built, once: a build that is resumed may have done so already."""
    known = {item.day for item in recorded(warehouse, attempt, table)} if attempt.resumed else set()
    rows = [item.row for item in built if item.day not in known]
    warehouse.insert("release.build", BUILD_COLUMNS, rows)


def _landed(warehouse: Warehouse, sql: FeedSql, attempt: Attempt) -> dict[date, int]:
    """Landed copies by day, of the attempt's days that can be built whole."""
    wanted = set(attempt.days) - closed(warehouse, sql.contract, attempt)
    rows = warehouse.rows(sql.counts(attempt.span.first, attempt.span.last))
    return {day: count for day, count in rows if day in wanted}


def _chunks(landed: Mapping[date, int], attempt: Attempt) -> list[Span]:
    """What one statement each writes, newest first; days that are not the attempt's lie between, not in them."""
    spans = gather(landed, len(landed)) if attempt.chosen else [attempt.span]
    found = []
    for span in spans:
        found += chunks({day: rows for day, rows in landed.items() if day in span}, CHUNK_ROWS)
    return found[::-1]


def _corrections(warehouse: Warehouse, sql: FeedSql) -> list[tuple[Any, ...]]:
    """Copies that corrections concern; landed rows are asked only where `land` has listed a correction."""
    return warehouse.rows(sql.corrections()) if may_correct(warehouse, sql.contract) else []


def _build_chunk(
    warehouse: Warehouse, sql: FeedSql, build_id: str, chunk: Span, decided: Corrections
) -> None:
    days = (chunk.first, chunk.last)
    stray = strays(warehouse.rows(sql.elsewhere(*days)) if warehouse.rows(sql.repeated(*days)) else ())
    external: External = {
        "dropped": (EXTERNAL["dropped"], sorted(decided.dropped)),
        "renamed": (EXTERNAL["renamed"], decided.renamed),
        "stray": (EXTERNAL["stray"], stray),
    }
    warehouse.rows(sql.insert(build_id, chunk.first, chunk.last), external)
    if warehouse.rows(sql.suspects(chunk.first, chunk.last)) != [(0,)]:
        warehouse.rows(sql.quarantine(build_id, chunk.first, chunk.last), external)


def strays(copies: Iterable[tuple[str, str, date, int, int, int]]) -> list[tuple[date, str, str]]:
    """Days on which an event stands although its first copy (source, id, day, place…) lies on another day."""
    found: dict[tuple[str, str], list[tuple[tuple[int, int, int], date]]] = defaultdict(list)
    for source, id, day, *place in copies:
        found[source, id].append(((place[0], place[1], place[2]), day))
    return sorted(
        {
            (day, source, id)
            for (source, id), places in found.items()
            for _, day in places
            if day != min(places)[1]
        }
    )


def _contents(
    warehouse: Warehouse, sql: FeedSql, attempt: Attempt, landed: Mapping[date, int], decided: Corrections
) -> list[Built]:
    span, contract = attempt.span, sql.contract
    rows = warehouse.rows(sql.contents(attempt.build_id, span.first, span.last))
    held = {day: rest for day, *rest in rows}
    quarantined = _by_day(
        warehouse,
        "quality.quarantine",
        "AND build_id = {build:String}",
        contract.table,
        span,
        build=attempt.build_id,
    )
    released = _by_day(
        *(
            warehouse,
            "release.pointer",
            "AND seq <= {parent:UInt64} AND build_id != ''",
            contract.table,
            span,
        ),
        parent=attempt.parent,
    )
    replaced = Counter(copy.event_day for copy in _replaced(decided))
    gone = closed(warehouse, contract, attempt)
    mine = set(attempt.days) - gone
    days = sorted({*landed, *held, *released} & mine)
    found = []
    for day in days:
        nothing = "0" if day in quarantined or day in released else ""
        count, corrected, content, starts, stops = held.get(day, (0, 0, nothing, {}, {}))
        found.append(
            Built(
                table=contract.table,
                day=day,
                build_id=attempt.build_id,
                rows=count,
                duplicates=landed.get(day, 0) - count - quarantined.get(day, 0) - replaced[day],
                corrected=corrected,
                quarantined=quarantined.get(day, 0),
                content_hash=content,
                complete=complete(day, attempt.vectors[contract.topic], contract.lateness, attempt.ended),
                version=contract.version,
                offsets={place_name(key): [first, stops[key]] for key, first in sorted(starts.items())},
                landed=landed.get(day, 0),
            )
        )
    return found


def _replaced(decided: Corrections) -> list[Copy]:
    return [copy for group in decided.groups for copy in group if (copy.source, copy.id) in decided.dropped]


def _by_day(
    warehouse: Warehouse, table: str, condition: str, name: str, span: Span, **parameters: Any
) -> dict[date, int]:
    """Rows of the table of this name by day, of the days of the span."""
    return dict(
        warehouse.rows(
            f"SELECT day, count() FROM {table} WHERE table = {{table:String}}"
            f" AND day BETWEEN {{first:Date}} AND {{last:Date}} {condition} GROUP BY day",
            table=name,
            first=span.first,
            last=span.last,
            **parameters,
        )
    )
