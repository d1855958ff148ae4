"""Indicators on the real engine: periods on top of days, growth over released figures, what depends on what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest

from dagster_project.build.indicator_build import wanted_periods
from dagster_project.days import periods
from dagster_project.days.spans import DAY as ONE
from dagster_project.days.spans import Span
from tests.dagster_project.house import HEALTH, INDICATORS, Event, House, reading

MONTHLY = INDICATORS["health.monthly-incidence"]
QUARTERLY = INDICATORS["ecology.pm25-quarterly"]
DAILY = INDICATORS["ecology.good-air-days"]
REPORT = {"region": "330100", "disease": "influenza", "date": date(2024, 1, 1), "cases": 10}
HANGZHOU = "330100"


def report(id: str, day: date, cases: int, region: str = HANGZHOU, corrects: str = "") -> Event:
    return Event(id, day, {"date": day, "cases": cases, "region": region}, corrects)


def land(house: House, *events: Event) -> None:
    house.land(*events, contract=HEALTH, base=REPORT)


def release(house: House, span: Span) -> dict[date, str]:
    """One build and release of the health feed and the monthly indicator; content hashes by period."""
    attempt = house.attempt(span)
    house.build(attempt, HEALTH)
    built, judged = house.figure(attempt, MONTHLY)
    assert judged.passed
    house.publish(attempt)
    return {item.day: item.content_hash for item in built}


def shown(house: House, columns: str = "numerator", region: str = HANGZHOU) -> dict[date, Any]:
    rows = house.warehouse.rows(
        f"SELECT day, {columns} FROM mart.{MONTHLY.table} WHERE region = {{region:String}} ORDER BY day",
        region=region,
    )
    return {day: values[0] if len(values) == 1 else tuple(values) for day, *values in rows}


def day(text: str) -> date:
    return date.fromisoformat(text)


@pytest.mark.stack
def test_a_month_is_made_again_when_any_of_its_days_changes_and_so_is_what_is_compared_with_it(
    house: House,
) -> None:
    months = [day("2023-02-28"), day("2023-03-31"), day("2024-02-29"), day("2024-03-31")]
    land(house, *(report(f"m{n}", end - ONE, 10 * (n + 1)) for n, end in enumerate(months)))
    release(house, Span(day("2023-02-01"), day("2024-03-31")))
    assert shown(house) == dict(zip(months, [10.0, 20.0, 30.0, 40.0], strict=True))
    before = shown(house, "year_on_year, period_on_period")
    assert before[months[2]] == (pytest.approx(200), None)
    assert before[months[3]] == (pytest.approx(100), pytest.approx(100 / 3))
    land(house, report("late", day("2023-02-01"), 50))
    changed = release(house, Span(day("2023-02-01"), day("2023-02-01")))
    assert sorted(changed) == months[:3]
    assert shown(house)[months[0]] == 60.0
    after = shown(house, "year_on_year, period_on_period")
    assert after[months[1]] == (None, pytest.approx(-200 / 3))
    assert after[months[2]] == (pytest.approx(-50), None)
    assert after[months[3]] == before[months[3]]


@pytest.mark.stack
def test_the_order_and_the_cut_of_builds_make_no_difference(house: House) -> None:
    days = [day("2021-12-31") + timedelta(days=17 * n) for n in range(40)]
    land(house, *(report(f"e{n}", at, n % 7 * 3, ("330100", "330200")[n % 2]) for n, at in enumerate(days)))
    whole = Span(days[0], days[-1])
    at_once = release(house, whole)
    once = all_rows(house)
    house.warehouse.rows("TRUNCATE TABLE release.pointer")
    cut = [days[0], days[11], days[23], days[-1] + ONE]
    for first, last in reversed(list(pairwise(cut))):
        release(house, Span(first, last - ONE))
    assert all_rows(house) == once
    assert release(house, whole) == at_once


def all_rows(house: House) -> list[tuple[Any, ...]]:
    return house.warehouse.rows(f"SELECT * EXCEPT release_seq FROM mart.{MONTHLY.table} ORDER BY day, region")


@pytest.mark.stack
def test_a_quarter_that_is_not_over_says_through_when_and_is_incomplete(house: House) -> None:
    house.day = day("2024-05-20")
    house.land(reading("a", day("2024-04-02"), 30), reading("b", day("2024-05-20"), 50))
    attempt = house.attempt(Span(day("2024-04-01"), day("2024-05-20")))
    house.build(attempt)
    (built,), judged = house.figure(attempt, QUARTERLY)
    assert judged.passed
    assert (built.day, built.complete) == (day("2024-06-30"), False)
    house.publish(attempt)
    assert house.warehouse.rows(
        "SELECT value, through, missing FROM mart.indicator WHERE indicator = 'ecology.pm25-quarterly'"
        " AND day = '2024-06-30' AND region IN ('330100', '330200') ORDER BY region"
    ) == [(40.0, day("2024-05-20"), 0), (None, day("2024-05-20"), 1)]


@pytest.mark.stack
def test_the_same_counts_of_days_summed_by_hand(house: House) -> None:
    """Recomputed in SQL of its own from what BI sees of the events."""
    house.land(
        *(
            reading(f"e{n}", day("2024-01-01") + timedelta(days=n % 80), 10 + n * 7 % 60, partition=n % 3)
            for n in range(300)
        )
    )
    attempt = house.attempt(Span(day("2024-01-01"), day("2024-03-20")))
    house.build(attempt)
    house.figure(attempt, QUARTERLY)
    house.figure(attempt, DAILY)
    house.publish(attempt)
    means = "SELECT day, avg(pm25) AS mean FROM mart.ecology_air_quality GROUP BY day"
    ((quarter,),) = house.warehouse.rows(f"SELECT avg(mean) FROM ({means})")
    ((good,),) = house.warehouse.rows(f"SELECT 100 * countIf(mean <= 75) / count() FROM ({means})")
    (own,) = house.warehouse.rows(
        f"SELECT value FROM mart.{QUARTERLY.table} WHERE region = '330100' AND day = '2024-03-31'"
    )
    (last,) = house.warehouse.rows(
        f"SELECT value FROM mart.{DAILY.table} WHERE region = '330100' AND day = '2024-03-20'"
    )
    assert (own[0], last[0]) == (pytest.approx(quarter), pytest.approx(good))


def test_released_periods_that_depend_on_a_day_are_found_and_no_others() -> None:
    weekly = replace(DAILY, lookback=7)
    some = day("2024-03-01")
    released = [some + timedelta(days=n) for n in range(-400, 800)]
    found = wanted_periods(weekly, Span(some, some), released)
    ahead = [(at - some).days for at in found]
    assert ahead == [*range(8), *range(365, 372)]
    carried = wanted_periods(replace(weekly, impute=3), Span(some, some), released)
    assert [(at - some).days for at in carried] == [*range(10), *range(365, 372)]
    assert wanted_periods(weekly, Span(some, some), []) == [some]


def test_months_and_quarters_reach_as_far_as_their_lookback_says() -> None:
    ends: Iterable[date] = [periods.whole("month", day(f"2024-{month:02}-01")).last for month in range(1, 13)]
    span = Span(day("2024-03-31"), day("2024-03-31"))
    assert [at.month for at in wanted_periods(MONTHLY, span, ends)] == [3, 4]
    assert [at.month for at in wanted_periods(replace(MONTHLY, lookback=2), span, ends)] == [3, 4, 5]
    assert wanted_periods(QUARTERLY, span, []) == [day("2024-03-31")]
