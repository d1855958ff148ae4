"""A series as people keep it: CSV text with columns t and observed, and population where that matters."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

from schemas.errors import Misdeclared
from streams.watch.detect.detector import Point, When
from streams.watch.detect.history import DAILY, MONTHLY, WEEKLY

MISSING = {"", "na", "nan", "null", "none"}
GAP = 1.5
"""Steps longer than the usual one by this leave a point out (months differ by a tenth)."""
DATES = "a whole number or a date (2026-03-01, 2026-03, 2026-W09, 2026-03-01T08:00)"


@dataclass(frozen=True)
class Series:
    """Points in order of time, with the names their times had in the file.

    `gap` says where the first point is missing between two others ("" where none is).
    """

    points: tuple[Point, ...]
    names: tuple[int | str, ...]
    gap: str


def read_series(text: str, source: str) -> Series:
    """The series in a CSV text; Misdeclared names the line and column that is wrong, and what would be right."""
    lines = text.splitlines()
    rows = csv.DictReader(lines, delimiter=_delimiter(lines[0] if lines else ""))
    try:
        return _read(rows, source)
    except csv.Error as error:
        raise Misdeclared(f"{source}: line {rows.line_num}", "row", f"is no CSV: {error}") from None


def _read(rows: csv.DictReader[str], source: str) -> Series:
    columns = [each.strip() for each in rows.fieldnames or []]
    for wanted in ("t", "observed"):
        if wanted not in columns:
            raise Misdeclared(source, wanted, f"no such column; there are {', '.join(columns) or 'none'}")
    rows.fieldnames = columns
    points: list[Point] = []
    names: list[int | str] = []
    for row in rows:
        where = f"{source}: line {rows.line_num}"
        if None in row:
            wrong = f"{len(columns) + len(row[None])} cells; the header has {len(columns)}"
            raise Misdeclared(where, "row", wrong)
        cell = (row["t"] or "").strip()
        moment = _moment(cell, where)
        _check_order(points, moment, names, where)
        population = _number(row.get("population"), where, "population")
        points.append(Point(moment, _number(row["observed"], where, "observed"), population))
        names.append(moment if isinstance(moment, int) else cell)
    if not points:
        raise Misdeclared(source, "t", "no points; there must be a row for each")
    return Series(_without_midnights(points), tuple(names), _gap(points, names))


def _delimiter(header: str) -> str:
    """Comma, semicolon or tab, whichever there are most of in the header."""
    return max(",;\t", key=header.count)


def _moment(cell: str, where: str) -> When:
    if re.fullmatch(r"-?\d+(\.0+)?", cell):
        return int(float(cell))
    try:
        if re.match(r".{10}[T ]", cell):
            return datetime.fromisoformat(cell).replace(tzinfo=None)
        return date.fromisoformat(f"{cell}-01" if re.fullmatch(r"\d{4}-\d{2}", cell) else cell)
    except ValueError:
        raise Misdeclared(where, "t", f"must be {DATES}, not {cell!r}") from None


def _without_midnights(points: Sequence[Point]) -> tuple[Point, ...]:
    """Days in place of moments, where all of them are midnights."""
    moments = [_moment_of(each.t) for each in points if isinstance(each.t, date)]
    if len(moments) == len(points) and all(each.time() == time() for each in moments):
        return tuple(each._replace(t=moment.date()) for each, moment in zip(points, moments, strict=True))
    return tuple(points)


def _moment_of(day: date) -> datetime:
    return day if isinstance(day, datetime) else datetime.combine(day, time())


def _number(cell: str | None, where: str, column: str) -> float | None:
    """The number in a cell, None where it is missing."""
    text = (cell or "").strip()
    if text.lower() in MISSING:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise Misdeclared(where, column, f"must be a number, or empty where it is missing, not {text!r}")
    return value


def _check_order(points: Sequence[Point], moment: When, names: Sequence[Any], where: str) -> None:
    if not points:
        return
    before = points[-1].t
    if isinstance(before, date) != isinstance(moment, date):
        raise Misdeclared(where, "t", f"must be of one kind in all rows, as {names[0]} in the first")
    if _step(before, moment) <= 0:
        raise Misdeclared(where, "t", f"must be later than {names[-1]} in the row before")


def _gap(points: Sequence[Point], names: Sequence[Any]) -> str:
    steps = [_step(one.t, next_.t) for one, next_ in pairwise(points)]
    usual = median(steps) if steps else 0
    for step, one, other in zip(steps, names, names[1:], strict=False):
        if step > GAP * usual:
            return f"after {one} comes {other}"
    return ""


def _step(one: When, other: When) -> float:
    """Points or days between two times."""
    if isinstance(one, date) and isinstance(other, date):
        return (_moment_of(other) - _moment_of(one)) / timedelta(days=1)
    return float(int(str(other)) - int(str(one)))


def with_frequency(
    series: Series, takes: type[Any], given: Mapping[str, Any], where: str
) -> Mapping[str, Any]:
    """The parameters with `freq` from the dates of the points, where a method goes by the calendar."""
    dates = [each.t for each in series.points if isinstance(each.t, date)]
    if not dates or not getattr(takes, "by_calendar", False):
        return given
    stated = [value for name, value in given.items() if name.lower() in ("freq", "frequency")]
    if stated:
        if str(stated[0]) not in {str(each) for each in (MONTHLY, WEEKLY, DAILY)}:
            raise Misdeclared(
                where, "freq", "must be 12, 52 or 365 where t is a date; else number the points"
            )
        return given
    apart = median(_step(one, other) for one, other in pairwise(dates)) if len(dates) > 1 else 7
    freq = DAILY if apart == 1 else WEEKLY if apart == 7 else MONTHLY if 28 <= apart <= 31 else None
    if freq is None:
        problem = f"must be a day, a week or a month apart, not {apart:g} days; else number the points"
        raise Misdeclared(where, "t", problem)
    return {**given, "freq": freq}
