"""R surveillance on simulated series: trends, zeros, outbreaks, missing values, months, weeks and days."""

from __future__ import annotations

import csv
import sys
from datetime import date
from pathlib import Path

import pytest

from streams.watch.detect import Judged, Point
from tests.streams.watch.detect.references import agrees, judge, number, rows

_LIMIT = csv.field_size_limit(sys.maxsize)  # a series is one long cell; other tests want the usual limit
CASES = list(rows(Path(__file__).parent / "surveillance.csv"))
csv.field_size_limit(_LIMIT)


def points(case: dict[str, str]) -> list[Point]:
    observed = [number(cell) for cell in case["observed"].split()]
    moments = [date.fromisoformat(cell) for cell in case["dates"].split()] or range(1, len(observed) + 1)
    populations = [float(cell) for cell in case["population"].split()] or [None] * len(observed)
    return [Point(*each) for each in zip(moments, observed, populations, strict=True)]


def same(found: Judged, bound: str, alarm: str, statistic: str) -> bool:
    """Whether a point is judged as R does; where nothing was observed, only the bound is."""
    as_r = agrees(found.bound, number(bound), 1e-7)
    if found.observed is None:
        return as_r and found.statistic is None and found.alarm is None
    as_r = as_r and (statistic == "NA" or agrees(found.statistic, number(statistic), 1e-7))
    return as_r and found.alarm == number(alarm)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['method']} {case['parameters']}")
def test_as_r_surveillance(case: dict[str, str]) -> None:
    given = dict(each.split("=") for each in case["parameters"].split(";"))
    found = judge(case["method"], given, points(case))
    judged = [each.split("/") for each in case["judged"].split()]
    assert judged
    wrong = [
        (each, found[int(each[0]) - 1]) for each in judged if not same(found[int(each[0]) - 1], *each[1:])
    ]
    assert wrong == []
