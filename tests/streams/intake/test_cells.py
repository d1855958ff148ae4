"""Cells: times with and without offset, values of each kind, and what is left to the contract."""

from __future__ import annotations

from datetime import datetime, time, timedelta, timezone
from typing import Any

import pytest

from schemas.intake import TimeOf, Value
from streams.intake.cells import cell_of, read_data, read_time, read_whole

EAST = timezone(timedelta(hours=8))
DAY_END = time(23, 59, 59)


@pytest.mark.parametrize(
    ("of", "cells", "expected"),
    [
        (TimeOf(("t",)), {"t": "2026-03-01T12:00:00+08:00"}, "2026-03-01T12:00:00+08:00"),
        (TimeOf(("t",)), {"t": "2026-03-01T04:00:00Z"}, "2026-03-01T04:00:00+00:00"),
        (TimeOf(("t",), offset=EAST), {"t": "2026-03-01 12:00"}, "2026-03-01T12:00:00+08:00"),
        (TimeOf(("t",), offset=EAST, at=DAY_END), {"t": "2026-03-01"}, "2026-03-01T23:59:59+08:00"),
        (TimeOf(("t",), offset=EAST, at=DAY_END), {"t": "2026-03-01T00:00"}, "2026-03-01T00:00:00+08:00"),
        (TimeOf(("y", "d"), "%Y %j", EAST, DAY_END), {"y": "2016", "d": "60"}, "2016-02-29T23:59:59+08:00"),
        (TimeOf(("t",), "%Y%m%d %H", EAST, DAY_END), {"t": "20260301 00"}, "2026-03-01T00:00:00+08:00"),
    ],
)
def test_times(of: TimeOf, cells: dict[str, str], expected: str) -> None:
    assert read_time(of, cells) == datetime.fromisoformat(expected)


@pytest.mark.parametrize(
    ("of", "cells", "problem"),
    [
        (TimeOf(("t",)), {"t": ""}, "'' is not ISO 8601"),
        (TimeOf(("t",)), {"t": "2026-03-01T12:00:00"}, "carries no offset"),
        (TimeOf(("y", "d"), "%Y %j", EAST), {"y": "2015", "d": "366"}, "'2015 366' is not %Y %j"),
        (TimeOf(("t",), offset=EAST), {"t": "0001-01-01"}, "edge of the calendar"),
        (TimeOf(("t",), offset=EAST), {"t": "9999-12-31"}, "edge of the calendar"),
    ],
)
def test_no_time(of: TimeOf, cells: dict[str, str], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        read_time(of, cells)


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("integer", "12", 12),
        ("integer", "-3", -3),
        ("integer", "12.0", 12),
        ("integer", "1_000", "1_000"),
        ("integer", "12.5", "12.5"),
        ("integer", "9" * 30, "9" * 30),
        ("number", "83.8", 83.8),
        ("number", "1e3", 1000.0),
        ("number", "nan", "nan"),
        ("number", "1_0", "1_0"),
        ("number", "—", "—"),
        ("boolean", "TRUE", True),
        ("boolean", "0", False),
        ("boolean", "maybe", "maybe"),
        ("string", "330100", "330100"),
    ],
)
def test_values(kind: str, text: str, expected: Any) -> None:
    assert read_data((Value("field", ("cell",), kind=kind),), {"cell": text}) == {"field": expected}


def test_the_first_filled_column_wins_and_an_empty_one_leaves_the_field_out() -> None:
    value = Value("region", ("code", "name"))
    assert read_data((value,), {"code": "", "name": "杭州市"}) == {"region": "杭州市"}
    assert read_data((value,), {"code": "", "name": ""}) == {}
    assert read_data((Value("kind", constant="24h"),), {}) == {"kind": "24h"}


@pytest.mark.parametrize(
    ("text", "figure"), [("16", 16), ("16.0", 16), ("-1", None), ("", None), ("16.5", None)]
)
def test_whole_numbers(text: str, figure: int | None) -> None:
    assert read_whole(text) == figure


def test_json_values_become_the_cells_a_csv_file_would_have() -> None:
    assert [cell_of(value) for value in (None, " a ", 1, 2.5, True, ["杭"])] == [
        "",
        "a",
        "1",
        "2.5",
        "true",
        '["杭"]',
    ]
