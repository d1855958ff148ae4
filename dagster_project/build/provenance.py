"""What each figure is made of, recorded as it is made: which days of which builds. `explain` reads it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from dagster_project.days.spans import Span
from dagster_project.warehouse import Warehouse

COLUMNS = ("table", "day", "build_id", "input", "input_build", "first", "last")
_READ = """
SELECT input, input_build, first, last FROM release.input
WHERE table = {table:String} AND day = {day:Date} AND build_id = {build:String}
ORDER BY input, first"""


@dataclass(frozen=True)
class Input:
    """Days of one table as one build holds them."""

    table: str
    build_id: str
    span: Span


def inputs(candidates: Iterable[tuple[str, date, str]]) -> list[Input]:
    """Days of builds (table, day, build), neighbours of one build together; what has no build is left out."""
    found = []
    for (table, build_id), group in groupby(sorted(candidates), lambda item: (item[0], item[2])):
        days = [day for _, day, _ in group]
        found.append(Input(table, build_id, Span(days[0], days[-1])))
    return found


def record(
    warehouse: Warehouse, table: str, build_id: str, read: Mapping[date, Iterable[tuple[str, date, str]]]
) -> None:
    """Record what the figures of a build were made of: by period, the days of builds they read."""
    rows = [
        (table, day, build_id, item.table, item.build_id, item.span.first, item.span.last)
        for day, candidates in read.items()
        for item in inputs(candidates)
    ]
    warehouse.insert("release.input", COLUMNS, rows)


def recorded(warehouse: Warehouse, table: str, day: date, build_id: str) -> list[Input]:
    """What was recorded of one period of one build."""
    rows = warehouse.rows(_READ, table=table, day=day, build=build_id)
    return [Input(name, build, Span(first, last)) for name, build, first, last in rows]
