"""Days, months, quarters, years, each known by its last day; the SQL agrees with the Python."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.days import periods
from dagster_project.days.spans import DAY, Span
from dagster_project.warehouse import Warehouse

DAYS = st.dates(date(2013, 1, 1), date(2040, 12, 31))
KINDS = st.sampled_from(periods.PERIODS)


@given(KINDS, DAYS)
def test_periods_follow_each_other_without_gap_and_are_read_back_as_written(kind: str, day: date) -> None:
    own = periods.whole(kind, day)
    assert own.first <= day <= own.last
    assert periods.before(kind, own.last) == own.first - DAY
    assert periods.before(kind, own.last, 2) == periods.before(kind, periods.before(kind, own.last))
    assert periods.parse(periods.label(kind, own.last)) == (kind, own.last)
    assert periods.whole(kind, own.last + DAY).first == own.last + DAY


@given(KINDS, DAYS, st.integers(0, 800))
def test_a_span_touches_exactly_the_periods_its_days_lie_in(kind: str, first: date, more: int) -> None:
    span = Span(first, first + timedelta(days=more))
    assert periods.ends(kind, span) == sorted({periods.whole(kind, day).last for day in span.days})


@pytest.mark.parametrize(
    ("kind", "last", "year_before"),
    [
        ("day", date(2024, 2, 29), date(2023, 2, 28)),
        ("day", date(2025, 2, 28), date(2024, 2, 28)),
        ("month", date(2025, 2, 28), date(2024, 2, 29)),
        ("quarter", date(2025, 6, 30), date(2024, 6, 30)),
        ("year", date(2025, 12, 31), date(2024, 12, 31)),
    ],
)
def test_the_year_before(kind: str, last: date, year_before: date) -> None:
    assert periods.year_before(kind, last) == year_before


@pytest.mark.parametrize("text", ["", "2025-6", "2025-Q5", "2025-13", "2025-02-30", "last month"])
def test_anything_else_is_no_period(text: str) -> None:
    with pytest.raises(ValueError, match=r"no period|month|day"):
        periods.parse(text)


@given(st.sets(DAYS, max_size=20), st.integers(1, 5), st.integers(1, 400))
def test_groups_keep_every_day_in_order(days: set[date], most: int, gap: int) -> None:
    groups = periods.groups(days, most, timedelta(days=gap))
    assert [day for group in groups for day in group] == sorted(days)
    for group in groups:
        assert len(group) <= most
        assert all(later - day <= timedelta(days=gap) for day, later in pairwise(group))


@pytest.mark.stack
@pytest.mark.parametrize("kind", periods.PERIODS)
def test_the_engine_knows_the_same_last_days(open_warehouse: Warehouse, kind: str) -> None:
    rows = open_warehouse.rows(
        f"SELECT d, {periods.last_day(kind, 'd')}"
        " FROM (SELECT toDate('2023-11-30') + number AS d FROM numbers(800))"
    )
    assert all(periods.whole(kind, day).last == last for day, last in rows)
