"""What a declaration may ask of the gate."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from schemas.declaration import Entry
from schemas.errors import Misdeclared
from schemas.gate import Gate, read_gate


def read(value: Any, feed: bool = True) -> Gate:
    return read_gate(Entry("x.yaml", "gate", value), feed)


def test_everything_is_read_and_nothing_is_needed() -> None:
    assert read({}) == Gate()
    expectation = {"expect": "expect_column_values_to_be_between", "column": "pm25", "max_value": 800}
    gate = read(
        {
            "quarantine": 0.05,
            "drift": {"day": 0.5, "week": 2},
            "complete": ["city", "county"],
            "freshness": "PT6H",
            "expectations": [expectation],
        }
    )
    assert (gate.quarantine, gate.drift_day, gate.drift_week) == (0.05, 0.5, 2.0)
    assert (gate.complete, gate.freshness) == (("city", "county"), timedelta(hours=6))
    assert gate.expectations == (
        ("expect_column_values_to_be_between", {"column": "pm25", "max_value": 800}),
    )


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"quarantine": 1.5}, "gate.quarantine: must be a share such as 0.1, at most 1"),
        ({"drift": {"month": 1}}, "gate.drift.month: no such key"),
        ({"complete": ["province"]}, "'province' must be one of city, county"),
        ({"expectations": [{"expect": "expect_column_mean_to_be_between"}]}, "must speak of rows"),
    ],
)
def test_what_is_wrong_is_told(value: Any, problem: str) -> None:
    with pytest.raises(Misdeclared, match=problem):
        read(value)


def test_figures_have_no_quarantine() -> None:
    with pytest.raises(Misdeclared, match="no such key"):
        read({"quarantine": 0.1}, feed=False)
