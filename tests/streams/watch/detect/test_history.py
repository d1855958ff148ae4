"""The same time of earlier years: by index and by the calendar, with leap years, weeks and short months."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import pytest

from streams.watch.detect.history import (
    History,
    anniversaries,
    frequency,
    months_on,
    same_weekday,
    windows,
    years_back,
)
from streams.watch.detect.references import season_of


def dated(days: Sequence[date]) -> History:
    return History(len(days), [day.toordinal() for day in days], [1.0] * len(days), [None] * len(days))


def by_index(size: int) -> History:
    return History(size, [], [1.0] * size, [None] * size)


def test_years_back() -> None:
    assert years_back(date(2024, 2, 29), 1) == date(2023, 3, 1)
    assert years_back(date(2024, 2, 29), 4) == date(2020, 2, 29)


def test_months_on_run_over_into_the_next() -> None:
    assert months_on(date(2026, 1, 31), 1) == date(2026, 3, 3)
    assert months_on(date(2026, 1, 15), -2) == date(2025, 11, 15)


@pytest.mark.parametrize("day", [date(2025, 3, 2) + timedelta(days=shift) for shift in range(7)])
def test_the_nearest_same_day_of_the_week(day: date) -> None:
    wanted = date(2026, 3, 4)
    found = same_weekday(day, wanted)
    assert found.weekday() == wanted.weekday()
    assert abs((found - day).days) <= 3


def test_by_index_a_year_is_so_many_points() -> None:
    assert anniversaries(by_index(30), 12, 2) == [29, 17, 5]
    assert anniversaries(by_index(24), 12, 2) is None
    assert windows(by_index(14), 12, 1, 2) == [0, 1, 2, 3], "points before the first are left out"


def test_by_the_calendar_weeks_and_months_are_found_by_their_days() -> None:
    weeks = dated([date(2023, 1, 2) + timedelta(weeks=number) for number in range(110)])
    found = anniversaries(weeks, 52, 2)
    assert found is not None
    assert [date.fromordinal(weeks.days[each]) for each in found] == [
        date(2025, 2, 3), date(2024, 2, 5), date(2023, 2, 6),
    ]  # fmt: skip
    months = dated([months_on(date(2024, 1, 31) - timedelta(days=16), number) for number in range(15)])
    assert windows(months, 12, 1, 1) == [1, 2, 3]


def test_a_year_whose_day_is_not_there_has_no_anniversary() -> None:
    days = [date(2023, 1, 2) + timedelta(weeks=number) for number in range(60)]
    assert anniversaries(dated(days), 52, 1) is not None
    del days[7]
    assert anniversaries(dated(days), 52, 1) is None


def test_seasons_share_out_the_year_between_the_windows() -> None:
    """A year of 12 points, 1 on either side, 4 seasons: 9 points between, 3 each."""
    found = season_of([24, 12], 25, 1, 4)
    assert found is not None
    assert [found.get(place) for place in range(25)] == [None] * 11 + [4] * 3 + [1] * 3 + [2] * 3 + [
        3
    ] * 3 + [4, 4]
    assert season_of([24, 12], 25, 1, 13) is None, "more seasons than points"
    assert season_of([24, 12], 25, 1, 1) == {place: 1 for place in (11, 12, 13, 23, 24)}


def test_points_a_year_are_found_from_the_newest_days() -> None:
    day = date(2026, 3, 1).toordinal()
    assert frequency([], 7) == 52
    assert frequency([], date(2026, 3, 1)) is None, "one day says nothing"
    assert [frequency([day - apart], date(2026, 3, 1)) for apart in (1, 2, 7, 28, 31, 365)] == [
        365, None, 52, 12, 12, None,
    ]  # fmt: skip
    assert frequency([day - 28, day - 14, day - 7], date(2026, 3, 15)) == 52, "some weeks are missing"


def test_enough_cases_are_not_known_where_one_is_missing() -> None:
    known, unknown = History(3, [], [1, 2, 3], []), History(3, [], [1, None, 3], [])
    asked = [known.enough(5, 2, False), known.enough(6, 2, False), unknown.enough(1, 2, False)]
    assert [*asked, unknown.enough(3, 1, False)] == [True, False, None, True]
    assert [unknown.enough(4, 2, True), unknown.enough(5, 2, True)] == [True, False], "those that are known"


def test_cases_whose_sum_no_float_holds_are_enough() -> None:
    known = History(3, [], [1e308, 1.5e308, 1.0], [])
    assert [known.enough(5, 3, safe) for safe in (False, True)] == [True, True]


def test_cases_before_a_long_gap_are_no_recent_ones() -> None:
    """Safe: missing points are passed over, and no further back than twice as many points."""

    def enough(*observed: float | None) -> bool | None:
        return History(len(observed), (), observed, [None] * len(observed)).enough(5, 4, safe=True)

    assert enough(2, 2, None, None, None, None, 1) is True
    assert enough(9, 9, *[None] * 7, 4) is False
    assert enough(9, 9, *[None] * 7, 5) is True
    assert enough() is False
