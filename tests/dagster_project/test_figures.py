"""What is made of counts: against an independent recomputation in pandas, and case by case."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from math import isfinite

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.build.figures import Count, Figure, figures
from dagster_project.build.indicator import Indicator
from schemas.regions import load_regions
from tests.dagster_project.house import INDICATORS

REGIONS = load_regions()
DAY = date(2025, 6, 30)
CITIES = [city.code for city in REGIONS.cities]
PLAIN = replace(
    INDICATORS["ecology.good-air-days"], tolerance=0.0, target=None, targets=(), regions=("city",), decimals=1
)
HANGZHOU, NINGBO, WENZHOU = CITIES[:3]
PROVINCE = "330000"


def make(
    indicator: Indicator,
    values: dict[str, float],
    earlier: dict[tuple[date, str], float] | None = None,
    day: date = DAY,
) -> dict[str, Figure]:
    """Figures of one day, each region's count out of 100."""
    counts = [Count(day, region, value, 100) for region, value in values.items()]
    return {item.region: item for item in figures(indicator, REGIONS, counts, earlier or {}, {day: day})}


def test_every_region_has_a_row_and_one_without_data_is_missing_and_not_ranked() -> None:
    found = make(PLAIN, {HANGZHOU: 80, NINGBO: 60})
    assert set(found) == {PROVINCE, *CITIES}
    assert found[WENZHOU] == Figure(DAY, WENZHOU, province=70.0, missing=True, ranked=2, through=DAY)
    assert [found[code].rank for code in (HANGZHOU, NINGBO, PROVINCE)] == [1, 2, None]


def test_nothing_is_made_of_a_day_without_any_count() -> None:
    assert figures(PLAIN, REGIONS, [], {}, {}) == []


def test_a_region_out_of_nothing_is_missing_and_counts_nowhere() -> None:
    counts = [Count(DAY, HANGZHOU, 0, 0), Count(DAY, NINGBO, 1, 2)]
    found = {item.region: item for item in figures(PLAIN, REGIONS, counts, {}, {DAY: DAY})}
    assert (found[HANGZHOU].value, found[HANGZHOU].missing, found[HANGZHOU].rank) == (None, True, None)
    assert (found[NINGBO].rank, found[NINGBO].ranked, found[PROVINCE].value) == (1, 1, 50.0)


def test_equals_share_a_rank_and_the_next_is_counted_on() -> None:
    found = make(PLAIN, {CITIES[0]: 80, CITIES[1]: 90, CITIES[2]: 90.04, CITIES[3]: 10})
    assert [found[code].rank for code in CITIES[:4]] == [3, 1, 1, 4]
    lower = make(replace(PLAIN, direction="lower"), {CITIES[0]: 80, CITIES[1]: 90, CITIES[3]: 10})
    assert [lower[code].rank for code in (CITIES[0], CITIES[1], CITIES[3])] == [2, 3, 1]


def test_cities_are_sums_of_their_counties_and_ranked_apart() -> None:
    both = replace(PLAIN, regions=("city", "county"))
    found = make(both, {"330106": 90, "330110": 70, "330203": 50})
    assert (found[HANGZHOU].value, found[HANGZHOU].denominator, found[PROVINCE].value) == (80.0, 200.0, 70.0)
    assert [found[code].rank for code in ("330106", "330110", "330203")] == [1, 2, 3]
    assert [(found[code].rank, found[code].ranked) for code in (HANGZHOU, NINGBO)] == [(1, 2), (2, 2)]
    assert len(found) == 1 + 11 + 90


@pytest.mark.parametrize(
    ("tolerance", "direction", "levels"),
    [
        (0.0, "higher", ["领先", "落后"]),
        (0.1, "higher", ["领先", "落后"]),
        (0.2, "higher", ["持平", "持平"]),
        (0.0, "lower", ["落后", "领先"]),
    ],
)
def test_level_is_judged_with_the_declared_tolerance(
    tolerance: float, direction: str, levels: list[str]
) -> None:
    found = make(replace(PLAIN, tolerance=tolerance, direction=direction), {HANGZHOU: 80.4, NINGBO: 80.0})
    assert [found[code].level for code in (HANGZHOU, NINGBO, PROVINCE, WENZHOU)] == [*levels, "", ""]


def test_growth_needs_something_to_compare() -> None:
    earlier = {(date(2024, 6, 30), HANGZHOU): 50.0, (date(2025, 6, 29), HANGZHOU): 0.0}
    found = make(PLAIN, {HANGZHOU: 80, NINGBO: 60}, earlier)[HANGZHOU]
    assert (found.year_ago, found.year_on_year, found.period_ago, found.period_on_period) == (
        50,
        60.0,
        0,
        None,
    )


def test_one_behind_may_still_grow_faster_than_the_province() -> None:
    ago = date(2024, 6, 30)
    earlier = {(ago, HANGZHOU): 79.0, (ago, NINGBO): 40.0, (ago, WENZHOU): 49.9, (ago, PROVINCE): 56.0}
    values = {HANGZHOU: 80, NINGBO: 60, WENZHOU: 50}
    found = make(PLAIN, values, earlier)
    assert [found[code].faster for code in (HANGZHOU, NINGBO, WENZHOU)] == [None, True, False]
    fewer = make(replace(PLAIN, direction="lower"), values, earlier)
    assert [(fewer[code].level, fewer[code].faster) for code in (HANGZHOU, NINGBO)] == [
        ("落后", True),
        ("领先", None),
    ]
    assert make(PLAIN, values)[NINGBO].faster is None


@pytest.mark.parametrize(
    ("direction", "value", "target", "achievement", "reached"),
    [
        ("higher", 90, 80, 112.5, True),
        ("higher", 40, 80, 50, False),
        ("lower", 40, 80, 200, True),
        ("lower", 80, 40, 50, False),
        ("lower", 0, 40, None, True),
        ("higher", 1, 0, None, True),
        ("higher", 79.96, 80, 99.95, True),
    ],
)
def test_achievement_and_whether_the_target_is_reached(
    direction: str, value: float, target: float, achievement: float | None, reached: bool
) -> None:
    found = make(replace(PLAIN, direction=direction, target=target), {HANGZHOU: value})[HANGZHOU]
    assert (found.target, found.achievement, found.reached) == (target, achievement, reached)


def test_the_target_is_that_of_the_year() -> None:
    by_year = replace(PLAIN, targets=((2024, 80.0), (2025, 90.0)))
    assert make(by_year, {HANGZHOU: 85})[HANGZHOU].reached is False
    assert make(by_year, {HANGZHOU: 85}, day=date(2024, 12, 31))[HANGZHOU].reached is True
    assert make(by_year, {HANGZHOU: 85}, day=date(2023, 12, 31))[HANGZHOU].target is None


def test_the_last_value_stands_in_so_long_and_takes_part_in_nothing() -> None:
    carried = replace(PLAIN, impute=2)
    counts = [Count(DAY, HANGZHOU, 80, 100), Count(DAY, NINGBO, 70, 100)]
    counts += [Count(DAY + timedelta(days=n), HANGZHOU, 80, 100) for n in (1, 2, 3)]
    made = figures(carried, REGIONS, counts, {}, {DAY + timedelta(days=n): DAY for n in range(4)})
    ningbo = [item for item in made if item.region == NINGBO]
    assert [(item.value, item.missing, item.imputed) for item in ningbo] == [
        (70.0, False, False),
        (70.0, True, True),
        (70.0, True, True),
        (None, True, False),
    ]
    assert [(item.rank, item.level, item.period_on_period) for item in ningbo[1:]] == [(None, "", None)] * 3
    assert [item.value for item in made if item.region == PROVINCE] == [75.0, 80.0, 80.0, 80.0]


VALUES = st.dictionaries(
    st.sampled_from(CITIES), st.tuples(st.integers(0, 40), st.integers(1, 40)), min_size=1, max_size=11
)


@settings(max_examples=25, derandomize=True, deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=4), st.sampled_from(["higher", "lower"]))
def test_pandas_comes_to_the_same_figures(days: list[dict[str, tuple[int, int]]], direction: str) -> None:
    indicator = replace(PLAIN, direction=direction, target=50.0, tolerance=0.3)
    counts = [
        Count(DAY + timedelta(days=at), region, *pair)
        for at, day in enumerate(days)
        for region, pair in day.items()
    ]
    through = {count.day: count.day for count in counts}
    made = pd.DataFrame([vars(item) for item in figures(indicator, REGIONS, counts, {}, through)])
    frame = pd.DataFrame([vars(count) for count in counts])
    whole = frame.groupby("day", as_index=False)[["numerator", "denominator"]].sum().assign(region=PROVINCE)
    frame = pd.concat([frame, whole]).assign(value=lambda f: (f.numerator / f.denominator * 100).round(9))
    wide = frame.pivot(index="day", columns="region", values="value")
    growth = ((wide - wide.shift(1)) / wide.shift(1).where(wide.shift(1) != 0) * 100).stack()
    cities = wide.drop(columns=PROVINCE).round(1)
    ranks = cities.rank(axis=1, method="min", ascending=direction == "lower").stack()
    gap = (cities.sub(wide[PROVINCE].round(1), axis=0) * (1 if direction == "higher" else -1)).round(9)
    levels = gap.stack().dropna().map(lambda x: "持平" if abs(x) <= 0.3 else "领先" if x > 0 else "落后")
    ratio = wide / 50 * 100 if direction == "higher" else 50 / wide.where(wide != 0) * 100
    seen = made[~made.missing].set_index(["event_day", "region"])
    for name, expected in (
        ("value", wide.stack()),
        ("rank", ranks),
        ("level", levels),
        ("period_on_period", growth),
        ("achievement", ratio.stack()),
    ):
        expected = expected.dropna()
        got = seen[name].where(seen[name] != "").dropna()
        assert list(got.index) == sorted(expected.index), name
        want = expected.loc[got.index]
        assert list(got) == (list(want) if name == "level" else pytest.approx(list(want), abs=1e-8)), name


COUNTED = st.floats(allow_nan=False, allow_infinity=True) | st.sampled_from(
    [1e308, -1e308, 5e-324, 0.0, -0.0]
)


@given(values=st.lists(st.tuples(COUNTED, COUNTED), min_size=1, max_size=4), earlier=COUNTED, target=COUNTED)
def test_no_counts_make_a_figure_that_is_no_number(
    values: list[tuple[float, float]], earlier: float, target: float
) -> None:
    """What is beyond a float is missing: neither an error nor an infinity that JSON cannot say."""
    counts = [Count(DAY, code, *value) for code, value in zip(CITIES, values, strict=False)]
    aimed = replace(PLAIN, target=target if isfinite(target) else 1.0)
    before = {(DAY.replace(year=DAY.year - 1), code): earlier for code in CITIES if isfinite(earlier)}
    for figure in figures(aimed, REGIONS, counts, before, {DAY: DAY}):
        assert all(isfinite(each) for each in figure.row if isinstance(each, float))
        assert figure.missing or figure.value is not None


def test_a_figure_beyond_a_float_is_missing_and_unranked() -> None:
    found = make(replace(PLAIN, factor=1000), {HANGZHOU: 1.7e308, NINGBO: 60})
    assert (found[HANGZHOU].value, found[HANGZHOU].missing, found[HANGZHOU].rank) == (None, True, None)
    assert (found[NINGBO].value, found[NINGBO].rank) == (600.0, 1)
