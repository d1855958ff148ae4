"""The steps one by one: denominators, imputation, screening, treatment, normalisation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.composite.expectation import expect
from dagster_project.composite.moments import kurtosis, passes, skewness
from dagster_project.composite.table import Array
from schemas.errors import Misdeclared
from tests.dagster_project.composite.given import computed, grid, source, spec

NAN = math.nan
ONE = "tree: {code: I, children: [a]}\n"
TWO = "tree: {code: I, children: [a, {code: b, direction: -1}]}\n"
OUTLIER = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 30, 100]
columns = st.lists(st.integers(-1000, 1000), min_size=3, max_size=25, unique=True).map(
    lambda x: [float(v) for v in x]
)


def after(step: str, text: str, values: list[list[float]]) -> Array:
    return computed(text, grid(values)).steps[step].values


def test_a_denominator_is_scaled_and_a_zero_one_makes_the_figure_missing() -> None:
    data = "uCode,a,b,pop\nA,10,1,2\nB,10,1,0\nC,10,1,\n"
    table = computed(TWO + "denominate: {a: {by: pop, scale: 1000}}", data).steps["denominated"]
    np.testing.assert_array_equal(table.values, [[5000, 1], [NAN, 1], [NAN, 1]])


def test_denominators_of_the_tree_are_used_when_asked_for_and_remarked_when_not() -> None:
    tree = "tree: {code: I, children: [{code: a, denominator: pop}]}\n"
    data = "uCode,a,pop\nA,10,2\nB,30,3\n"
    assert list(computed(tree + "denominate: true", data).steps["denominated"].column("a")) == [5, 10]
    found = computed(tree, data)
    assert list(found.steps["denominated"].column("a")) == [10, 30]
    assert "no `denominate: true`" in found.warnings[0]


@pytest.mark.parametrize(
    ("method", "filled"),
    [("none", NAN), ("mean", 4.0), ("i_median", 2.0), ("{method: constant, value: 7}", 7.0)],
)
def test_a_missing_figure_is_filled_from_its_column(method: str, filled: float) -> None:
    values = [[1.0], [2.0], [9.0], [NAN]]
    np.testing.assert_array_equal(
        after("imputed", ONE + f"impute: {method}", values)[:, 0], [1, 2, 9, filled]
    )


@pytest.mark.parametrize(("method", "filled"), [("i_mean_grp", 4.0), ("group_median", 2.0)])
def test_a_missing_figure_is_filled_from_its_group(method: str, filled: float) -> None:
    data = "uCode,a,g\nA,1,x\nB,2,x\nC,9,x\nD,,x\nE,,y\nF,,\nG,50,z\n"
    table = computed(ONE + f"impute: {{method: {method}, group: g}}", data).steps["imputed"]
    np.testing.assert_array_equal(table.column("a"), [1, 2, 9, filled, NAN, NAN, 50])


def test_imputing_by_row_goes_by_where_a_unit_stands_elsewhere() -> None:
    values = [[0.0, 30.0], [10.0, 10.0], [NAN, 20.0]]
    found = after("imputed", TWO + "impute: {method: mean, by: row}", values)
    assert found[2, 0] == pytest.approx(5)
    plain = after("imputed", TWO + "impute: {method: mean, by: row, normalise_first: false}", values)
    assert plain[2, 0] == 20


def test_imputing_by_row_within_an_aggregate_looks_at_no_other() -> None:
    tree = "tree: {code: I, children: [{code: x, children: [a, b]}, {code: y, children: [c]}]}\n"
    values = [[0.0, 0.0, 9.0], [10.0, 10.0, 0.0], [NAN, 10.0, 0.0]]
    assert after("imputed", tree + "impute: {method: mean, by: row, level: 2}", values)[2, 0] == 10


def test_em_finds_what_a_straight_line_says_and_leaves_what_is_there() -> None:
    x = np.arange(12.0)
    values = np.column_stack([x, 3 * x + 2])
    values[5, 1] = NAN
    found = after("imputed", TWO + "impute: em", values.tolist())
    assert found[5, 1] == pytest.approx(17, abs=0.01)
    there = ~np.isnan(values)
    np.testing.assert_array_equal(found[there], values[there])


def test_em_without_a_companion_is_the_mean() -> None:
    values = np.array([[1.0], [2.0], [6.0], [NAN]])
    assert expect(values, 100, 1e-10)[3, 0] == pytest.approx(3)


def test_units_are_screened_by_what_they_lack() -> None:
    values = [[1.0, 2.0], [NAN, 3.0], [0.0, 0.0], [4.0, 5.0]]
    text = TWO + "screen: {by: both, available: 0.6, nonzero: 0.5}"
    found = computed(text, grid(values))
    assert (found.steps["screened"].units, found.dropped) == (("u00", "u03"), ("u01", "u02"))
    kept = computed(TWO + "screen: {available: 0.6, include: [u01], drop: [u03]}", grid(values))
    assert kept.dropped == ("u03",)
    with pytest.raises(Misdeclared, match="screen: no unit has the code 'u99'"):
        computed(TWO + "screen: {drop: [u99]}", grid(values))


def test_moments_are_those_of_spreadsheets() -> None:
    x = np.array([3, 4, 5, 2, 3, 4, 5, 6, 4, 7, NAN])  # the example of Excel's SKEW and KURT
    assert skewness(x) == pytest.approx(0.359543071, abs=1e-9)
    assert kurtosis(x) == pytest.approx(-0.151799637, abs=1e-9)
    assert math.isnan(skewness(x[:2])) and math.isnan(kurtosis(x[:3]))
    assert passes(np.ones(9), 2, 3.5) is None


@pytest.mark.parametrize(
    ("text", "done", "high"),
    [
        ("none", "none", [30, 100]),
        ("winsorise", "winsorise", [30, 30]),
        ("{method: winsorise, winmax: 0, then: none}", "winsorise", [30, 100]),
        ("{method: winsorise, skew: 0.1, kurt: -9, winmax: 3}", "log_ct", None),
        ("{method: winsorise, force_win: true, winmax: 2}", "winsorise", [10, 10]),
        ("{method: winsorise, skew: 99}", "none", [30, 100]),
        ("{method: log_ct_orig, then: none}", "log_ct_orig", [math.log(30), math.log(100)]),
        ("{method: boxcox, lambda: 0.5, then: none}", "boxcox", [(30**0.5 - 1) * 2, 18]),
        ("{method: boxcox, lambda: 0, then: none}", "boxcox", [math.log(30), math.log(100)]),
    ],
)
def test_outliers_are_treated(text: str, done: str, high: list[float] | None) -> None:
    found = computed(ONE + f"treat: {text}", grid([[float(x)] for x in OUTLIER]))
    treatment = found.treatments[0]
    assert (treatment.done or "none") == done
    treated = found.steps["treated"].column("a")
    if high is None:
        low, top = min(OUTLIER), max(OUTLIER)
        np.testing.assert_allclose(treated, np.log(np.array(OUTLIER) - low + 0.01 * (top - low)))
    else:
        np.testing.assert_allclose(treated[-2:], high)


def test_the_second_stage_takes_the_original_unless_combined() -> None:
    rows = grid([[float(x)] for x in OUTLIER])
    way = (
        "treat: {method: winsorise, winmax: 1, pass_skew: 0.1, pass_kurt: -9, then: log_ct_orig, combine: %s}"
    )
    alone, both = (computed(ONE + way % flag, rows) for flag in ("false", "true"))
    assert alone.steps["treated"].column("a")[-1] == math.log(100)
    assert both.steps["treated"].column("a")[-1] == math.log(30)
    assert both.treatments[0].points[-1] == (11, "winhi+log_ct_orig")


def test_low_outliers_are_winsorised_upwards_and_mirrored_by_log_ct_plus() -> None:
    rows = grid([[-float(x)] for x in OUTLIER])
    assert list(computed(ONE + "treat: winsorise", rows).steps["treated"].column("a")[-2:]) == [-30, -30]
    mirrored = computed(ONE + "treat: {method: log_ct_plus, then: none}", rows).steps["treated"].column("a")
    there = computed(ONE + "treat: {method: log_ct, then: none}", grid([[float(x)] for x in OUTLIER]))
    np.testing.assert_allclose(mirrored, -there.steps["treated"].column("a"))


def test_box_cox_without_a_lambda_takes_the_likeliest() -> None:
    rows = np.exp(np.linspace(0, 9, 40))
    treated = computed(ONE + "treat: {method: boxcox, makepos: false, then: none}", grid(rows[:, None]))
    assert abs(treated.treatments[0].skew_after) < 0.1 < abs(treated.treatments[0].skew_before)


def test_an_indicator_that_does_not_vary_is_left_alone_and_said_to_have_no_score() -> None:
    found = computed(TWO + "treat: winsorise", grid([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0], [4.0, 5.0]]))
    assert (found.treatments[1].done, found.treatments[1].passes) == ("", None)
    assert any(warning.startswith("b has no score") for warning in found.warnings)


@pytest.mark.parametrize(
    ("text", "more", "less"),
    [
        ("none", [1, 2, 2, 4], [-1, -2, -2, -4]),
        ("minmax", [0, 100 / 3, 100 / 3, 100], [100, 200 / 3, 200 / 3, 0]),
        ("{method: minmax, range: [1, 4]}", [1, 2, 2, 4], [4, 3, 3, 1]),
        ("{method: scaled, npara: [0, 4]}", [25, 50, 50, 100], [-25, -50, -50, -100]),
        ("rank", [1, 2, 2, 4], [4, 2, 2, 1]),
        ("{method: rank, ties: average}", [1, 2.5, 2.5, 4], [4, 2.5, 2.5, 1]),
        ("borda", [0, 1, 1, 3], [3, 1, 1, 0]),
        ("prank", [0, 1 / 3, 1 / 3, 1], [1, 1 / 3, 1 / 3, 0]),
        ("dist2max", [0, 1 / 3, 1 / 3, 1], [1, 2 / 3, 2 / 3, 0]),
        ("{method: dist2ref, reference: u01}", [0, 1, 1, 3], [1.5, 1, 1, 0]),
        ("{method: n_dist2ref, iref: 2, cap_max: true}", [0, 1, 1, 1], [1, 1, 1, 0]),
        ("{method: dist2targ, target: 3}", [0, 0.5, 0.5, 1.5], [3, 2, 2, 0]),
        ("fracmax", [0.25, 0.5, 0.5, 1], [1, 2, 2, 4]),
        ("{method: goalposts, gposts: [1, 3, 10]}", [0, 5, 5, 10], [10, 5, 5, 0]),
        ("{method: goalposts, gposts: [1, 3], truncate: false}", [0, 0.5, 0.5, 1.5], [1, 0.5, 0.5, -0.5]),
        ("{method: goalposts, gposts: [1, 16], transform: log}", [0, 0.25, 0.25, 0.5], [1, 0.75, 0.75, 0.5]),
    ],
)
def test_normalisations_of_more_and_of_less_is_better(
    text: str, more: list[float], less: list[float]
) -> None:
    values = [[1.0, 1.0], [2.0, 2.0], [2.0, 2.0], [4.0, 4.0], [NAN, NAN]]
    found = after("normalised", TWO + f"normalise: {text}", values)
    np.testing.assert_allclose(found, np.column_stack([[*more, NAN], [*less, NAN]]), atol=1e-12)


def test_a_zscore_has_the_mean_and_spread_asked_for() -> None:
    found = after(
        "normalised", TWO + "normalise: {method: zscore, m_sd: [10, 2]}", [[1.0, 1.0], [2.0, 2.0], [6.0, 6.0]]
    )
    np.testing.assert_allclose(found.mean(axis=0), [10, 10])
    np.testing.assert_allclose(found.std(axis=0, ddof=1), [2, 2])


def test_targets_and_goalposts_of_the_tree_serve_where_the_step_names_none() -> None:
    tree = "tree: {code: I, children: [{code: a, target: 3, goalposts: [1, 5, 2]}]}\n"
    assert list(after("normalised", tree + "normalise: dist2targ", [[1.0], [2.0]])[:, 0]) == [0, 0.5]
    assert list(after("normalised", tree + "normalise: goalposts", [[1.0], [2.0]])[:, 0]) == [0, 0.5]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("normalise: dist2targ", "normalise: a: has no target"),
        ("normalise: goalposts", "normalise: a: has no goalposts"),
        ("normalise: dist2ref", "normalise: a: reference must be given"),
        ("normalise: {method: dist2ref, reference: zz}", "normalise: a: no unit has the code 'zz'"),
        ("normalise: {method: dist2ref, iref: 9}", "normalise: a: iref must be at most 2"),
        ("normalise: {method: rank, transform: log}", "normalise: a: log cannot take the figure -1"),
        (
            "normalise: {method: goalposts, gposts: [0, 9], transform: log1p}",
            "log1p cannot take the figure -1",
        ),
        ("normalise: {method: rank, from_meta: true}", "normalise: rank takes no parameters from the iMeta"),
    ],
)
def test_what_a_normalisation_lacks_is_said(text: str, said: str) -> None:
    with pytest.raises(Misdeclared, match=said):
        computed(ONE + text, grid([[-1.0], [2.0]]))


def test_parameters_of_normalisation_come_from_the_imeta_table() -> None:
    meta = (
        "Level,iCode,Direction,Weight,Parent,Type,goalpost_lower,goalpost_upper,goalpost_scale,minmax_lower,minmax_upper\n"
        "1,a,1,1,I,Indicator,0,4,10,1,7\n1,b,-1,1,I,Indicator,0,4,10,1,7\n2,I,1,1,,Aggregate,,,,,\n"
    )
    from dagster_project.composite.compute import compute
    from dagster_project.composite.spec import read_spec

    for way, wanted in (
        ("{method: n_minmax, use_iMeta: true}", [[1, 7], [7, 1]]),
        ("{method: n_goalposts, use_iMeta: true}", [[2.5, 7.5], [7.5, 2.5]]),
    ):
        declared = read_spec(f"meta: m.csv\nnormalise: {way}", "s.yaml", lambda name: meta)
        found = compute(declared, source(grid([[1.0, 1.0], [3.0, 3.0]]), declared)).steps["normalised"]
        np.testing.assert_allclose(found.values, wanted)


@given(columns, st.floats(0.01, 1000), st.floats(-1000, 1000))
@settings(max_examples=60, deadline=None)
def test_minmax_and_zscore_do_not_depend_on_the_unit_of_measurement(
    x: list[float], scale: float, shift: float
) -> None:
    moved = [[figure * scale + shift] for figure in x]
    for way in ("minmax", "zscore", "dist2max"):
        one, two = (
            after("normalised", ONE + f"normalise: {way}", rows) for rows in ([[v] for v in x], moved)
        )
        np.testing.assert_allclose(one, two, rtol=1e-6, atol=1e-6)


@given(columns)
@settings(max_examples=60, deadline=None)
def test_ranks_do_not_change_under_a_rising_function(x: list[float]) -> None:
    for way in ("rank", "borda", "prank"):
        text = ONE + f"normalise: {way}"
        np.testing.assert_array_equal(
            after("normalised", text, [[v] for v in x]), after("normalised", text, [[v**3 + v] for v in x])
        )


@given(columns, st.sampled_from(["minmax", "prank", "dist2max", "{method: goalposts, gposts: [-10, 10]}"]))
@settings(max_examples=60, deadline=None)
def test_scores_stay_within_their_bounds(x: list[float], way: str) -> None:
    found = after("normalised", ONE + f"normalise: {way}", [[v] for v in x])
    top = 100 if way == "minmax" else 1
    assert found.min() >= -1e-9 and found.max() <= top + 1e-9


@given(columns)
@settings(max_examples=60, deadline=None)
def test_treatment_keeps_the_order_of_figures(x: list[float]) -> None:
    treated = after(
        "treated", ONE + "treat: {method: winsorise, skew: 0.5, kurt: 0, winmax: 3}", [[v] for v in x]
    )[:, 0]
    order = np.argsort(x)
    assert (np.diff(treated[order]) >= 0).all()
    assert spec(ONE).treat.choice.method == "none"
