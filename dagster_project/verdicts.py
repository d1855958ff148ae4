"""What may not go on: days of tables that did not pass their gate."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date

from dagster_project.warehouse import Warehouse

NO_VERDICT = ("no verdict",)
Failures = Mapping[str, Mapping[date, tuple[str, ...]]]
_FAILED = """
SELECT table, day, failed FROM
(
    SELECT table, day, argMax(passed, decided) AS passed, argMax(failed, decided) AS failed
    FROM quality.verdict WHERE build_id = {build:String} GROUP BY table, day
)
WHERE passed = 0"""
_SILENT = """
SELECT table, day FROM release.build
WHERE build_id = {build:String} AND content_hash != ''
    AND (table, day) NOT IN (SELECT table, day FROM quality.verdict WHERE build_id = {build:String})"""


def failures(warehouse: Warehouse, build_id: str) -> Failures:
    """Days of tables of a build that did not pass, with what failed. No verdict means not passed."""
    found: dict[str, dict[date, tuple[str, ...]]] = defaultdict(dict)
    for table, day in warehouse.rows(_SILENT, build=build_id):
        found[table][day] = NO_VERDICT
    for table, day, failed in warehouse.rows(_FAILED, build=build_id):
        found[table][day] = tuple(failed)
    return found
