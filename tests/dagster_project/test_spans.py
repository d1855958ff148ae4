"""Cutting and joining days."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from dagster_project.days.spans import Span, chunks, gather

FIRST = date(2024, 2, 27)
DAYS = st.sets(st.integers(0, 400), max_size=40).map(lambda ns: {FIRST + timedelta(days=n) for n in ns})


def day(n: int) -> date:
    return FIRST + timedelta(days=n)


def test_a_span_has_both_its_ends() -> None:
    span = Span(day(0), day(3))
    assert span.days == [date(2024, 2, 27), date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 1)]
    assert day(3) in span
    assert day(4) not in span
    assert str(span) == "2024-02-27..2024-03-01"


def test_chunks_hold_at_most_so_many_rows_and_never_cut_a_day() -> None:
    rows = {day(0): 5, day(1): 5, day(2): 1, day(4): 50, day(5): 1}
    assert chunks(rows, 10) == [
        Span(day(0), day(1)),
        Span(day(2), day(2)),
        Span(day(4), day(4)),
        Span(day(5), day(5)),
    ]


@given(DAYS, st.integers(1, 6))
def test_gathered_spans_cover_all_days_and_are_few(days: set[date], most: int) -> None:
    spans = gather(days, most)
    assert len(spans) <= most
    assert all(any(day in span for span in spans) for day in days)
    assert all(span.first in days and span.last in days for span in spans)
    assert all(before.last < after.first for before, after in pairwise(spans))


def test_the_smallest_gap_is_closed_first() -> None:
    assert gather({day(0), day(2), day(100)}, 2) == [Span(day(0), day(2)), Span(day(100), day(100))]
