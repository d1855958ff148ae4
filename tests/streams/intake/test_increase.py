"""Daily counts of a cumulative figure: hand-made cases and the property that holds for any series."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.intake.increase import Series


def test_a_rise_is_the_days_count_and_the_first_figure_rises_from_zero() -> None:
    series = Series()
    assert series.observe("mon", 4) == {"mon": 4}
    assert series.observe("tue", 9) == {"tue": 5}
    assert series.observe("wed", 9) == {"wed": 0}


def test_a_fall_is_taken_back_from_the_most_recent_days_above_zero() -> None:
    series = Series()
    for day, figure in (("mon", 10), ("tue", 12), ("wed", 12), ("thu", 15)):
        series.observe(day, figure)
    assert series.observe("fri", 9) == {"thu": 0, "tue": 0, "mon": 9, "fri": 0}


def test_a_second_figure_of_a_day_changes_that_day() -> None:
    series = Series()
    series.observe("mon", 4)
    assert series.observe("mon", 6) == {"mon": 6}
    assert series.observe("mon", 1) == {"mon": 1}


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 40)), max_size=60))
def test_the_days_always_add_up_to_the_figure(steps: list[tuple[bool, int]]) -> None:
    series, day, counts = Series(), 0, dict[object, int]()
    for same_day, figure in steps:
        day += not same_day
        counts |= series.observe(day, figure)
        assert sum(counts.values()) == figure
        assert min(counts.values()) >= 0


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.integers(0, 40)), max_size=60))
def test_ids_that_come_again_after_a_new_beginning_count_from_nothing(
    steps: list[tuple[bool, int, int]],
) -> None:
    series, counts = Series(), dict[object, int]()
    for anew, day, figure in steps:
        if anew:
            series.begin()
            counts = {}
        counts |= series.observe(day, figure)
        assert sum(counts.values()) == figure and min(counts.values()) >= 0
