"""What tests of composite indices share: published results, small sources and specs."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from dagster_project.composite.compute import Computed, compute
from dagster_project.composite.source import Source, read_source
from dagster_project.composite.spec import Spec, read_spec
from dagster_project.composite.table import Array, Table

REFERENCE = Path(__file__).parents[4] / "shared" / "data" / "reference"
EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
published = pytest.mark.skipif(not REFERENCE.is_dir(), reason="the folder ../shared/data is not there")


def reference(name: str) -> list[dict[str, str]]:
    """The rows of a file of published results."""
    with (REFERENCE / name).open(newline="") as file:
        return list(csv.DictReader(file))


def spec(text: str) -> Spec:
    return read_spec(text, "spec.yaml", lambda name: (REFERENCE / name).read_text())


def source(text: str, declared: Spec | None = None) -> Source:
    return read_source(
        text, "data.csv", declared.reading if declared else spec("tree: {code: I, children: [a]}").reading
    )


def computed(text: str, data: str) -> Computed:
    declared = spec(text)
    return compute(declared, source(data, declared))


def grid(values: Array | Sequence[Sequence[float]], codes: Sequence[str] = "abcdefgh") -> str:
    """A table as CSV: units u00, u01, …; NaN is an empty cell."""
    rows = np.asarray(values, dtype=np.float64)
    lines = ["uCode," + ",".join(codes[: rows.shape[1]])]
    for at, row in enumerate(rows):
        lines.append(
            f"u{at:02}," + ",".join("" if np.isnan(figure) else repr(float(figure)) for figure in row)
        )
    return "\n".join(lines) + "\n"


def column(rows: Sequence[Mapping[str, str]], code: str) -> Array:
    return np.array([float(row[code] or "nan") for row in rows])


def differences(table: Table, rows: Sequence[Mapping[str, str]], codes: Sequence[str]) -> dict[str, float]:
    """Columns further than 1e-9 (relative above 1) from published ones, with their greatest distance."""
    assert table.units == tuple(row["uCode"] for row in rows)
    found = {}
    for code in codes:
        ours, theirs = table.column(code), column(rows, code)
        same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
        away = np.abs(np.where(same, 0.0, ours) - np.where(same, 0.0, theirs))
        distance = float(np.max(away / np.maximum(1, np.where(same, 1, np.abs(theirs)))))
        if not distance <= 1e-9:
            found[code] = distance
    return found
