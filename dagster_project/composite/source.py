"""The table a user brings: CSV text to units, figures and groups; a cell that does not fit is named."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from dagster_project.composite.table import Array, Table
from schemas.errors import Misdeclared

MISSING = frozenset(("", "na", "n/a", "nan", "null", "none", "-", "..", "..."))
"""Cells that say a figure is missing, whatever their case."""
_CODES = ("uCode", "code", "unit", "region", "iso3")
_NAMES = ("uName", "name", "country")


@dataclass(frozen=True)
class Reading:
    """How to read a table: which column holds the unit's code, which its name, and which rows count."""

    code: str = ""
    name: str = ""
    where: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """Cells of a table as text, by column; units sorted by code. `lines` say where in `file` a unit stands."""

    file: str
    units: tuple[str, ...]
    names: tuple[str, ...]
    lines: tuple[int, ...]
    cells: Mapping[str, tuple[str, ...]]
    files: Mapping[str, str] = field(default_factory=dict)

    def texts(self, column: str) -> tuple[str, ...]:
        """The cells of a column as they stand; a missing one is empty."""
        return tuple("" if cell.lower() in MISSING else cell for cell in self._cells(column))

    def numbers(self, column: str) -> Array:
        """The figures of a column, NaN where missing; a cell that is no number is Misdeclared."""
        return np.array(
            [self._number(column, at, cell) for at, cell in enumerate(self._cells(column))], dtype=np.float64
        )

    def table(self, columns: Mapping[str, str]) -> Table:
        """The figures of columns, under codes: `columns` is code -> column."""
        values = [self.numbers(column) for column in columns.values()]
        shaped = np.column_stack(values) if values else np.empty((len(self.units), 0))
        return Table(self.units, self.names, tuple(columns), shaped)

    def _cells(self, column: str) -> tuple[str, ...]:
        if column not in self.cells:
            raise Misdeclared(
                self.file, f"column {column}", f"is not there; the columns are {', '.join(self.cells)}"
            )
        return self.cells[column]

    def _number(self, column: str, at: int, cell: str) -> float:
        if cell.lower() in MISSING:
            return math.nan
        try:
            figure = float(cell)
        except ValueError:
            figure = math.nan
        if not math.isfinite(figure):
            file = self.files.get(column, self.file)
            place = f"line {self.lines[at]}, " if file == self.file else ""
            raise Misdeclared(
                file,
                f"{place}unit {self.units[at]}, column {column}",
                f"{cell!r} must be a number such as 12.5, or empty where missing",
            )
        return figure


def read_source(text: str, file: str, reading: Reading) -> Source:
    """The table in a CSV text; a file without rows or codes, or a unit twice, is Misdeclared."""
    header, rows = _rows(text, file)
    code = _column(header, reading.code, _CODES, file, "data.code")
    name = _column(header, reading.name, _NAMES, file, "data.name", needed=False)
    rows = [(line, row) for line, row in rows if _chosen(row, header, reading.where, file)]
    if not rows:
        raise Misdeclared(file, "rows", "there is none" + (" that `where` chooses" if reading.where else ""))
    at = header.index(code)
    rows.sort(key=lambda entry: entry[1][at])
    units = tuple(row[at] for _, row in rows)
    _check_units(units, [line for line, _ in rows], file, code)
    names = tuple(row[header.index(name)] or row[at] for _, row in rows) if name else units
    cells = {column: tuple(row[place] for _, row in rows) for place, column in enumerate(header)}
    return Source(file, units, names, tuple(line for line, _ in rows), cells)


def join(first: Source, more: Source) -> Source:
    """The first table with the columns of a second beside it, matched by unit.

    A unit the second does not have is missing there; units only the second has are left out. A column that
    both have stays the first one's.
    """
    place = {unit: at for at, unit in enumerate(more.units)}
    added = {
        column: tuple(cells[place[unit]] if unit in place else "" for unit in first.units)
        for column, cells in more.cells.items()
        if column not in first.cells
    }
    files = {**first.files, **dict.fromkeys(added, more.file)}
    return Source(first.file, first.units, first.names, first.lines, {**first.cells, **added}, files)


def read_cells(text: str, file: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Header and rows (with their line) of a CSV text whose first line names the columns."""
    return _rows(text, file)


def _rows(text: str, file: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
    text = text.removeprefix("\ufeff")
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        lines = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as error:
        raise Misdeclared(file, f"line {reader.line_num}", str(error)) from None
    lines = [(line, row) for line, row in lines if any(row)]
    if not lines:
        raise Misdeclared(file, "line 1", "must name the columns; the file is empty")
    header = lines[0][1]
    while header and not header[-1]:
        header.pop()
    for at, column in enumerate(header):
        if not column or column in header[:at]:
            problem = f"{column!r} stands there twice" if column else f"column {at + 1} has no name"
            raise Misdeclared(file, "line 1", f"{problem}; name each column once")
    width = len(header)
    for line, row in lines[1:]:
        if len(row) < width or any(row[width:]):
            raise Misdeclared(file, f"line {line}", f"has {len(row)} cells; the header names {width} columns")
    return header, [(line, row[:width]) for line, row in lines[1:]]


def _column(
    header: Sequence[str], said: str, usual: Sequence[str], file: str, key: str, needed: bool = True
) -> str:
    if said:
        if said not in header:
            raise Misdeclared(
                file, f"column {said}", f"is not there ({key}); the columns are {', '.join(header)}"
            )
        return said
    for column in usual:
        if column in header:
            return column
    if needed:
        raise Misdeclared(
            file,
            "line 1",
            f"no column is named {' or '.join(usual)}; say which holds the unit's code with {key}",
        )
    return ""


def _chosen(row: Sequence[str], header: Sequence[str], where: Mapping[str, str], file: str) -> bool:
    for column, wanted in where.items():
        if column not in header:
            raise Misdeclared(
                file, f"column {column}", f"is not there (data.where); the columns are {', '.join(header)}"
            )
        if not _same(row[header.index(column)], wanted):
            return False
    return True


def _same(cell: str, wanted: str) -> bool:
    if cell == wanted:
        return True
    try:
        return float(cell) == float(wanted)
    except ValueError:
        return False


def _check_units(units: Sequence[str], lines: Sequence[int], file: str, code: str) -> None:
    for at, unit in enumerate(units):
        if not unit:
            raise Misdeclared(file, f"line {lines[at]}, column {code}", "must name the unit; it is empty")
        if at and unit == units[at - 1]:
            raise Misdeclared(
                file,
                f"line {lines[at]}, column {code}",
                f"{unit!r} stands there twice; one row a unit (data.where chooses rows, such as one year)",
            )
