"""Tables of figures: a row a unit, a column a code; a missing figure is NaN."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from schemas.text import cell

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Table:
    """Figures by unit (rows) and code (columns); `values` has the shape (units, codes), NaN is missing."""

    units: tuple[str, ...]
    names: tuple[str, ...]
    codes: tuple[str, ...]
    values: Array

    def column(self, code: str) -> Array:
        """The figures of one code, in the order of the units."""
        return self.values[:, self.codes.index(code)]

    def select(self, codes: Sequence[str]) -> Table:
        """The same units with these codes only, in this order."""
        places = {code: at for at, code in enumerate(self.codes)}
        return replace(
            self, codes=tuple(codes), values=self.values[:, [places[code] for code in codes]].copy()
        )

    def keep(self, chosen: NDArray[np.bool_]) -> Table:
        """The units for which `chosen` holds."""
        return replace(
            self,
            units=tuple(unit for unit, kept in zip(self.units, chosen, strict=True) if kept),
            names=tuple(name for name, kept in zip(self.names, chosen, strict=True) if kept),
            values=self.values[chosen],
        )

    def beside(self, codes: Sequence[str], values: Array) -> Table:
        """The same table with more columns at its right."""
        return replace(self, codes=(*self.codes, *codes), values=np.hstack([self.values, values]))


def show(figure: float) -> str:
    """A figure as text that reads back to the same double: missing is empty, infinite is Inf, 37.0 is 37."""
    if math.isnan(figure):
        return ""
    if math.isinf(figure):
        return "Inf" if figure > 0 else "-Inf"
    text = repr(float(figure))
    return text.removesuffix(".0")


def csv_text(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Rows as CSV (RFC 4180, line feeds); floats as `show` writes them, None is empty, a formula is a text."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow([_cell(value) for value in row])
    return out.getvalue()


def table_csv(table: Table) -> str:
    """A table as CSV: uCode, uName, then a column a code."""
    rows = [
        (unit, name, *(float(figure) for figure in figures))
        for unit, name, figures in zip(table.units, table.names, table.values, strict=True)
    ]
    return csv_text(("uCode", "uName", *table.codes), rows)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return show(value) if isinstance(value, float) else cell(str(value))
