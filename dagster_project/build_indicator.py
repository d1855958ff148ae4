"""Build indicators: figures from the builds of this attempt, and from released ones for days outside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from dagster_project import indicator_sql
from dagster_project.attempt import Attempt
from dagster_project.build import BUILD_COLUMNS, Built, Progress
from dagster_project.indicator import Indicator
from dagster_project.spans import DAY, Span
from dagster_project.warehouse import External, Warehouse

CHUNK_DAYS = 366
_CANDIDATES = """
SELECT table, day, argMax(build_id, rank) FROM
(
    SELECT table, day, build_id, toUInt64(-1) AS rank FROM release.build WHERE build_id = {build:String}
    UNION ALL
    SELECT table, day, build_id, seq AS rank FROM release.pointer WHERE seq <= {parent:UInt64}
)
WHERE table IN {tables:Array(String)} AND day BETWEEN {first:Date} AND {last:Date}
GROUP BY table, day"""
_RELEASED = """
SELECT DISTINCT day FROM release.pointer
WHERE table = {table:String} AND seq <= {parent:UInt64} AND day BETWEEN {first:Date} AND {last:Date}"""


def build_indicator(
    warehouse: Warehouse, indicator: Indicator, attempt: Attempt, progress: Progress = lambda span: None
) -> list[Built]:
    """Build the attempt's days of an indicator, and the released days after them that its input reaches."""
    wanted = sorted({*attempt.span.days, *_dependent(warehouse, indicator, attempt)})
    for at in range(0, len(wanted), CHUNK_DAYS):
        days = wanted[at : at + CHUNK_DAYS]
        span = Span(days[0], days[-1])
        external = external_tables(_candidates(warehouse, indicator, attempt, span), days)
        warehouse.rows(
            indicator_sql.insert(indicator, attempt.build_id), external, first=span.first, last=span.last
        )
        progress(span)
    built = _contents(warehouse, indicator, attempt, wanted)
    warehouse.insert("release.build", BUILD_COLUMNS, [item.row for item in built])
    return built


def external_tables(candidates: Sequence[tuple[str, date, str]], wanted: Sequence[date]) -> External:
    """The external tables an indicator's SQL reads."""
    return {
        "candidate": (indicator_sql.EXTERNAL["candidate"], candidates),
        "wanted": (indicator_sql.EXTERNAL["wanted"], [(day,) for day in wanted]),
    }


def _dependent(warehouse: Warehouse, indicator: Indicator, attempt: Attempt) -> set[date]:
    last = attempt.span.last
    rows = warehouse.rows(
        _RELEASED,
        table=indicator.table,
        parent=attempt.parent,
        first=last + DAY,
        last=last + timedelta(days=indicator.lookback - 1),
    )
    return {day for (day,) in rows}


def _candidates(
    warehouse: Warehouse, indicator: Indicator, attempt: Attempt, span: Span
) -> list[tuple[str, date, str]]:
    rows = warehouse.rows(
        _CANDIDATES,
        build=attempt.build_id,
        parent=attempt.parent,
        tables=list(indicator.reads),
        first=span.first - timedelta(days=indicator.lookback - 1),
        last=span.last,
    )
    return [(str(table), day, str(build_id)) for table, day, build_id in rows]


def _contents(
    warehouse: Warehouse, indicator: Indicator, attempt: Attempt, wanted: Sequence[date]
) -> list[Built]:
    held = {
        day: (rows, content)
        for day, rows, content in warehouse.rows(indicator_sql.contents(indicator), build=attempt.build_id)
    }
    released = {
        day
        for (day,) in warehouse.rows(
            _RELEASED, table=indicator.table, parent=attempt.parent, first=wanted[0], last=wanted[-1]
        )
    }
    whole = _complete(warehouse, indicator, attempt)
    found = []
    for day in wanted:
        if day not in held and day not in released:
            continue
        rows, content = held.get(day, (0, "0"))
        found.append(
            Built(
                table=indicator.table,
                day=day,
                build_id=attempt.build_id,
                rows=rows,
                duplicates=0,
                corrected=0,
                quarantined=0,
                content_hash=content,
                complete=whole.get(day, True),
                version=indicator.version,
            )
        )
    return found


def _complete(warehouse: Warehouse, indicator: Indicator, attempt: Attempt) -> Mapping[date, bool]:
    """Whether the day's own input is complete; days outside the attempt were judged when they were built."""
    rows = warehouse.rows(
        "SELECT day, min(complete) FROM release.build WHERE build_id = {build:String}"
        " AND table IN {tables:Array(String)} GROUP BY day",
        build=attempt.build_id,
        tables=list(indicator.reads),
    )
    return {day: bool(flag) for day, flag in rows}
