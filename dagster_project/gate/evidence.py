"""Rows that show why a day did not pass: places in the log, regions or partitions, and what each broke.

Evidence names places, reasons and counts, never values of events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from dagster_project.gate.checks import CONTIGUOUS, RECONCILED
from dagster_project.warehouse import Warehouse
from quality.beyond import COMPLETE, DRIFT_DAY, DRIFT_WEEK, FRESHNESS, QUARANTINE, RANKING
from quality.evidence import broken_by
from quality.gate import UNIQUE, Verdict
from quality.rows import quote
from quality.suites import Suite
from schemas.findings import Finding
from schemas.regions import load_regions

SHOWN = 20
_PLACE = ("log_epoch", "partition", "offset", "source", "id")
_BACK = {DRIFT_DAY: timedelta(days=1), DRIFT_WEEK: timedelta(days=7)}
_BUILD_OF = """
SELECT argMax(build_id, rank) FROM
(
    SELECT build_id, toUInt64(-1) AS rank FROM release.build
    WHERE table = {table:String} AND day = {day:Date} AND build_id = {build:String}
    UNION ALL
    SELECT build_id, seq AS rank FROM release.pointer WHERE table = {table:String} AND day = {day:Date}
)"""
Rows = Iterable[dict[str, Any]]
Finder = Callable[[Warehouse, Suite, Verdict, Finding], Rows]


def evidence(warehouse: Warehouse, suite: Suite, verdict: Verdict) -> tuple[dict[str, Any], ...]:
    """The first rows, SHOWN at most, that show what a verdict says; each of its reasons has its share."""
    found: list[dict[str, Any]] = []
    share = max(1, SHOWN // max(1, len(verdict.findings)))
    for finding in verdict.findings:
        finder = _FINDERS.get(finding.kind, _rows)
        found += list(finder(warehouse, suite, verdict, finding))[:share]
    return tuple(found[:SHOWN])


def _quarantined(warehouse: Warehouse, suite: Suite, verdict: Verdict, finding: Finding) -> Rows:
    rows = warehouse.rows(
        f"SELECT {', '.join(_PLACE)}, reasons FROM quality.quarantine"
        " WHERE table = {table:String} AND day = {day:Date} AND build_id = {build:String}"
        f" ORDER BY partition, offset LIMIT {SHOWN}",
        **_keys(verdict),
    )
    return [dict(zip(_PLACE, row[:-1], strict=True)) | {"broke": list(row[-1])} for row in rows]


def _rows(warehouse: Warehouse, suite: Suite, verdict: Verdict, finding: Finding) -> Rows:
    """Rows of the build that broke an expectation of single rows."""
    condition = broken_by(suite, finding)
    return _where(warehouse, verdict, f"ifNull({condition}, 0)", finding.check) if condition else ()


def _twice(warehouse: Warehouse, suite: Suite, verdict: Verdict, finding: Finding) -> Rows:
    """Rows whose key another row has, too."""
    columns = next(item.kwargs["column_list"] for item in suite.expectations if item.kind == UNIQUE)
    key = ", ".join(columns)
    twice = f"({key}) IN (SELECT {key} FROM {_of(verdict)} GROUP BY {key} HAVING count() > 1)"
    return _where(warehouse, verdict, twice, UNIQUE)


def _ranked(warehouse: Warehouse, suite: Suite, verdict: Verdict, finding: Finding) -> Rows:
    """Regions that have a rank although they are missing or imputed."""
    return _where(warehouse, verdict, "rank IS NOT NULL AND (missing OR imputed)", finding.check)


def _absent(warehouse: Warehouse, suite: Suite, verdict: Verdict, finding: Finding) -> Rows:
    """Regions of the level that are not there."""
    level, regions = finding.given["level"], load_regions()
    column = _column(suite, COMPLETE)
    observed = "" if _is_feed(warehouse, verdict) else " AND NOT missing AND NOT imputed"
    there = {
        code
        for (code,) in warehouse.rows(f"SELECT DISTINCT toString(`{column}`) FROM {_of(verdict)}{observed}")
    }
    if level == "city":
        there |= {city.code for code in there if (city := regions.city_of(code)) is not None}
    wanted = regions.cities if level == "city" else regions.counties
    return [
        {"region": region.code, "name": region.name, "level": level, "broke": [finding.check]}
        for region in wanted
        if region.code not in there
    ]


def _drifted(warehouse: Warehouse, suite: Suite, verdict: Verdict, finding: Finding) -> Rows:
    """Regions (of a feed without regions: partitions) that differ most from the day compared with."""
    kind = finding.kind
    feed = _is_feed(warehouse, verdict)
    by = _column(suite, kind) or "partition"
    amount = "count()" if feed else "sum(value)"
    before = verdict.day - _BACK[kind]
    ((other,),) = warehouse.rows(_BUILD_OF, **{**_keys(verdict), "day": before})

    def side(day: str, build: str) -> str:
        return (
            f"SELECT toString(`{by}`) AS _place, {amount} AS _n FROM built.{verdict.table}"
            f" WHERE event_day = '{day}' AND build_id = {quote(build)} GROUP BY _place"
        )

    rows = warehouse.rows(
        f"SELECT _place, ifNull(a._n, 0) AS now, ifNull(b._n, 0) AS then FROM"
        f" ({side(str(verdict.day), verdict.build_id)}) AS a FULL JOIN ({side(str(before), other)}) AS b"
        " USING _place WHERE now != then"
        f" ORDER BY abs(toFloat64(now) - toFloat64(then)) DESC, _place LIMIT {SHOWN}"
    )
    name = by if by == "partition" else "region"
    return [{name: place, "now": now, str(before): then, "broke": [kind]} for place, now, then in rows]


def _partitioned(warehouse: Warehouse, suite: Suite, verdict: Verdict, finding: Finding) -> Rows:
    """The partition that a check of the log names, with what it found there."""
    return [{**finding.given, "broke": [finding.check]}]


def _where(warehouse: Warehouse, verdict: Verdict, condition: str, broke: str) -> Rows:
    names: Sequence[str] = _PLACE if _is_feed(warehouse, verdict) else ("region",)
    rows = warehouse.rows(
        f"SELECT {', '.join(names)} FROM {_of(verdict)} AND {condition} ORDER BY {', '.join(names)} LIMIT {SHOWN}"
    )
    return [dict(zip(names, row, strict=True)) | {"broke": [broke]} for row in rows]


def _of(verdict: Verdict) -> str:
    """SQL: the rows of the day in the build."""
    build = quote(verdict.build_id)
    return f"built.{verdict.table} WHERE event_day = '{verdict.day}' AND build_id = {build}"


def _keys(verdict: Verdict) -> dict[str, Any]:
    return {"table": verdict.table, "day": verdict.day, "build": verdict.build_id}


def _column(suite: Suite, kind: str) -> str:
    """The column of regions that a check was told of."""
    return next((str(item.kwargs.get("by", "")) for item in suite.expectations if item.kind == kind), "")


def _is_feed(warehouse: Warehouse, verdict: Verdict) -> bool:
    """Whether the rows are events, which have a place in the log, and not figures of regions."""
    rows = warehouse.rows(
        "SELECT count() FROM system.columns"
        " WHERE database = 'built' AND table = {table:String} AND name = 'offset'",
        table=verdict.table,
    )
    return bool(rows[0][0])


_FINDERS: Mapping[str, Finder] = {
    QUARANTINE: _quarantined,
    UNIQUE: _twice,
    RANKING: _ranked,
    COMPLETE: _absent,
    DRIFT_DAY: _drifted,
    DRIFT_WEEK: _drifted,
    FRESHNESS: _partitioned,
    CONTIGUOUS.kind: _partitioned,
    RECONCILED.kind: _partitioned,
}
