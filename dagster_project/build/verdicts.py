"""What may not go on: days of tables that did not pass their gate."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

from dagster_project.warehouse import Warehouse
from schemas.findings import NO_VERDICT, Finding, decode

Failures = Mapping[str, Mapping[date, tuple[Finding, ...]]]
_FAILED = """
SELECT table, day, findings FROM
(
    SELECT table, day, argMax(passed, decided) AS passed, argMax(findings, decided) AS findings
    FROM quality.verdict WHERE build_id = {build:String} AND day >= {first:Date}{among} GROUP BY table, day
)
WHERE passed = 0"""
_SILENT = """
SELECT table, day FROM release.build
WHERE build_id = {build:String} AND day >= {first:Date}{among} AND content_hash != '' AND (table, day) NOT IN
    (SELECT table, day FROM quality.verdict WHERE build_id = {build:String} AND day >= {first:Date}{among})"""
_AMONG = " AND table IN {tables:Array(String)}"


def failures(
    warehouse: Warehouse, build_id: str, first: date, tables: Collection[str] | None = None
) -> Failures:
    """Days of tables of a build, or of these alone, that did not pass, with why. No verdict means not passed.

    `first` is the first of its days: nothing before it is read.
    """
    found: dict[str, dict[date, tuple[Finding, ...]]] = defaultdict(dict)
    for table, day in _rows(warehouse, _SILENT, build_id, first, tables):
        found[table][day] = (NO_VERDICT,)
    for table, day, findings in _rows(warehouse, _FAILED, build_id, first, tables):
        found[table][day] = tuple(map(decode, findings))
    return found


def _rows(
    warehouse: Warehouse, query: str, build_id: str, first: date, tables: Collection[str] | None
) -> list[tuple[Any, ...]]:
    if tables is None:
        return warehouse.rows(query.replace("{among}", ""), build=build_id, first=first)
    narrowed = query.replace("{among}", _AMONG)
    return warehouse.rows(narrowed, build=build_id, first=first, tables=sorted(tables))
