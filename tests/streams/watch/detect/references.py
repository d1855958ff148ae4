"""The published series and results that the methods are held against; no copy of them is kept here."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from streams.watch.detect import Judged, Point, detect, make

REFERENCE = Path(__file__).parents[5] / "shared" / "data" / "reference"
needs_reference = pytest.mark.skipif(
    not REFERENCE.is_dir(), reason="the folder ../shared/data/reference is not there"
)


def rows(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a CSV file; lines that begin with # say where it is from."""
    with path.open(newline="", encoding="utf-8") as lines:
        yield from csv.DictReader(line for line in lines if not line.startswith("#"))


def series(name: str) -> list[Point]:
    """A published series."""
    return [Point(int(row["t"]), float(row["observed"])) for row in rows(REFERENCE / f"series_{name}.csv")]


def number(cell: str) -> float | None:
    """A figure as R writes it."""
    return None if cell in ("", "NA", "NaN") else float(cell)


def judge(method: str, given: Mapping[str, object], points: list[Point]) -> list[Judged]:
    """All points judged."""
    return list(detect(make(method, given, "test"), points))


def agrees(found: float | None, wanted: float | None, relative: float) -> bool:
    """Whether two figures are the same, or both not defined."""
    if found is None or wanted is None:
        return found is None and wanted is None
    return abs(found - wanted) <= relative * max(1.0, abs(wanted))
