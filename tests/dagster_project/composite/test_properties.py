"""What must hold of any index: derivatives, sums, invariances, trees taken apart, results that read back."""

from __future__ import annotations

import csv
import io
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.composite.aggregate import METHODS, mean_of
from dagster_project.composite.compute import Computed
from dagster_project.composite.methods import Choice, default_choice
from dagster_project.composite.results import files, weights
from dagster_project.composite.sensitivity import analyse, places
from dagster_project.composite.table import Array, show
from dagster_project.composite.tree import Tree
from dagster_project.composite.weigh import compared, entropy
from schemas.errors import Misdeclared
from tests.dagster_project.composite.given import computed, grid, source, spec

QUICK = settings(max_examples=25, derandomize=True, deadline=None)
POSITIVE = st.floats(0.1, 100)
MEANS = ("arithmetic", "geometric", "harmonic", "power")
TREE = (
    "tree: {code: I, children: [{code: P, weight: 2, children: [a, {code: b, direction: -1, weight: 3}, c]},"
    " {code: Q, children: [d, {code: R, weight: 0.5, children: [e, f]}]}]}\n"
)


def figures(seed: int, units: int = 12, gaps: float = 0.0) -> Array:
    random = np.random.default_rng(seed)
    values = np.exp(random.normal(2, 0.7, (units, 6)))
    values[random.random(values.shape) < gaps] = math.nan
    return values


def index(values: Array, text: str = "normalise: {method: minmax, range: [1, 100]}") -> Computed:
    return computed(TREE + text, grid(values))


# means


@QUICK
@given(
    st.lists(POSITIVE, min_size=2, max_size=5),
    st.lists(POSITIVE, min_size=5, max_size=5),
    st.sampled_from(MEANS),
    st.floats(0.1, 10),
)
def test_a_mean_lies_between_its_scores_and_grows_with_them(
    x: list[float], w: list[float], method: str, factor: float
) -> None:
    choice = default_choice(METHODS, method)
    row, heavy = np.array([x]), np.array(w[: len(x)])
    mean = mean_of(row, heavy, choice)[0]
    assert min(x) * (1 - 1e-9) <= mean <= max(x) * (1 + 1e-9)
    assert mean_of(row * factor, heavy, choice)[0] == pytest.approx(mean * factor)
    assert mean_of(row, heavy * factor, choice)[0] == pytest.approx(mean)
    more = row.copy()
    more[0, 0] += 1
    assert mean_of(more, heavy, choice)[0] > mean
    assert mean_of(row[:, ::-1], heavy[::-1], choice)[0] == pytest.approx(mean)


@QUICK
@given(st.lists(st.tuples(*[st.integers(0, 4)] * 3), min_size=2, max_size=8))
def test_duels_are_won_by_one_and_lost_by_the_other(rows: list[tuple[int, ...]]) -> None:
    choice = Choice("copeland", {"count": "duels"})
    values = np.array(rows, dtype=np.float64)
    scores = mean_of(values, np.array([1.0, 2, 3]), choice)
    assert scores.sum() == pytest.approx(0)
    best = values.max(axis=0)
    for at, row in enumerate(values):
        if (row == best).all():
            assert scores[at] == scores.max()


# contributions


@pytest.mark.parametrize("mean", [*MEANS, "{method: power, p: -1.5}"])
def test_a_contribution_is_the_score_times_the_slope_found_by_trying(mean: str) -> None:
    values = figures(1)
    text = f"normalise: none\naggregate: {mean}"
    tree = TREE.replace(", direction: -1", "")
    made = computed(tree + text, grid(values))
    for at, code in enumerate("abcdef"):
        step = 1e-5 * values[:, at]
        higher, lower = values.copy(), values.copy()
        higher[:, at] += step
        lower[:, at] -= step
        up, down = (computed(tree + text, grid(v)).steps["aggregated"].column("I") for v in (higher, lower))
        slope = (up - down) / (2 * step)
        assert made.contributions.column(code) == pytest.approx(values[:, at] * slope, rel=1e-5)


@pytest.mark.parametrize("mean", MEANS)
@pytest.mark.parametrize("gaps", [0.0, 0.25])
def test_contributions_sum_to_the_score_with_gaps_too(mean: str, gaps: float) -> None:
    made = index(figures(2, gaps=gaps), f"normalise: {{method: minmax, range: [1, 100]}}\naggregate: {mean}")
    scores = made.steps["aggregated"].column("I")
    assert np.nansum(made.contributions.values, axis=1) == pytest.approx(np.nan_to_num(scores))


# weights


@pytest.mark.parametrize("method", ["given", "equal", "{method: pca, use: squared}", "entropy"])
def test_weights_of_leaves_sum_to_one_and_shares_of_sisters_too(method: str) -> None:
    made = index(figures(3), f"normalise: {{method: minmax, range: [1, 100]}}\nweights: {method}")
    rows = [
        dict(zip(("code", "", "level", "parent", "", "share", "eff"), row, strict=False))
        for row in weights(made)
    ]
    leaves = [row for row in rows if row["code"] in made.spec.tree.indicators]
    assert sum(float(str(row["eff"])) for row in leaves) == pytest.approx(1)
    for parent in made.spec.tree.aggregates:
        sisters = [float(str(row["share"])) for row in rows if row["parent"] == parent]
        assert sum(sisters) == pytest.approx(1)
    if method == "given":
        assert {str(row["code"]): row["eff"] for row in leaves} == pytest.approx(
            {"a": 2 / 15, "b": 6 / 15, "c": 2 / 15, "d": 2 / 9, "e": 1 / 18, "f": 1 / 18}
        )


@pytest.mark.parametrize("other", [[4, 3, 2, 1], [4.1, 3, 2, 1]])
def test_loadings_that_cancel_out_are_refused_with_the_way_out(other: list[float]) -> None:
    text = "tree: {code: I, children: [a, b]}\nweights: pca"
    with pytest.raises(Misdeclared, match=r"weights: I: .* take use: squared"):
        computed(text, grid(np.column_stack([[1, 2, 3, 4], other])))


@QUICK
@given(st.lists(POSITIVE, min_size=2, max_size=7))
def test_comparisons_made_of_weights_give_the_weights_back_without_contradiction(w: list[float]) -> None:
    found = compared([[one / other for other in w] for one in w])
    assert found.weights == pytest.approx(np.array(w) / sum(w), rel=1e-6)
    assert found.notes["consistency_ratio"] == pytest.approx(0, abs=1e-9)


@QUICK
@given(st.lists(POSITIVE, min_size=3, max_size=8), POSITIVE)
def test_what_does_not_differ_has_no_entropy_weight(x: list[float], same: float) -> None:
    values = np.column_stack([np.array(x), np.full(len(x), same)])
    found = entropy(values).weights
    if max(x) / min(x) > 1.01:
        assert found == pytest.approx([1, 0], abs=1e-6)
    assert entropy(values * [1, 7]).weights == pytest.approx(found, abs=1e-6)


# directions


@pytest.mark.parametrize(
    "way", ["minmax", "zscore", "rank", "prank", "borda", "dist2max", "{method: goalposts, gposts: [1, 30]}"]
)
def test_less_is_better_is_more_of_the_negative_is_better(way: str) -> None:
    values = figures(4, gaps=0.1)
    negative = values * [-1, 1, 1, 1, 1, 1]
    down = computed(
        f"tree: {{code: I, children: [{{code: a, direction: -1}}, b]}}\nnormalise: {way}", grid(values)
    )
    own = way.replace("[1, 30]", "[-30, -1]")
    up = computed(
        f"tree: {{code: I, children: [a, b]}}\nnormalise: {{method: {way}, indicators: {{a: {own}}}}}"
        if "{" not in way
        else f"tree: {{code: I, children: [a, b]}}\nnormalise: {{method: minmax, indicators: {{a: {own}}}}}",
        grid(negative),
    )
    assert down.steps["normalised"].column("a") == pytest.approx(
        up.steps["normalised"].column("a"), nan_ok=True
    )


# treatment


@pytest.mark.parametrize(
    ("way", "formula"),
    [
        ("log_ct", lambda x, low, high: np.log(x - low + 0.01 * (high - low))),
        ("log_ct_orig", lambda x, low, high: np.log(x - low + 1)),
        ("{method: boxcox, lambda: 0.5}", lambda x, low, high: ((x - low + 1) ** 0.5 - 1) / 0.5),
        ("{method: boxcox, lambda: 2, makepos: false}", lambda x, low, high: (x**2 - 1) / 2),
    ],
)
def test_transforms_keep_order_and_gaps(way: str, formula: Any) -> None:
    values = figures(5, units=30, gaps=0.1)
    values[0, 0] = 900.0
    method = way if way.startswith("{") else f"{{method: {way}}}"
    text = f"treat: {method.replace('}', ', then: none}')}"
    found = index(values, text).steps["treated"].column("a")
    x = values[:, 0]
    assert found == pytest.approx(formula(x, np.nanmin(x), np.nanmax(x)), nan_ok=True)
    assert list(np.argsort(found)) == list(np.argsort(x))


def test_em_comes_to_what_maximum_likelihood_says_of_gaps_in_one_column() -> None:
    """With gaps in b alone the likelihood is greatest at the regression over whole units (Anderson 1957)."""
    random = np.random.default_rng(6)
    a = random.normal(10, 3, 40)
    b = 2 * a + random.normal(0, 2, 40)
    b[:9] = math.nan
    made = computed("tree: {code: I, children: [a, b]}\nimpute: em", grid(np.column_stack([a, b])))
    slope, start = np.polyfit(a[9:], b[9:], 1)
    assert made.steps["imputed"].column("b")[:9] == pytest.approx(start + slope * a[:9], rel=1e-4)
    assert list(made.steps["imputed"].column("b")[9:]) == list(b[9:])


# trees


def test_leaves_of_the_children_are_those_of_the_parent() -> None:
    tree: Tree = spec(TREE).tree
    assert tree.leaves("I") == ("a", "b", "c", "d", "e", "f")
    for code in tree.aggregates:
        below = [leaf for child in tree.children(code) for leaf in tree.leaves(child.code)]
        assert tuple(below) == tree.leaves(code)
        assert all(child.level < tree.nodes[code].level for child in tree.children(code))
    assert (tree.levels, tree.at_level("I", 2), tree.shown()[:2]) == (4, ("P", "R"), ("I", "Q"))


@QUICK
@given(st.sets(st.sampled_from("abcdef"), max_size=5))
def test_leaving_indicators_out_is_as_if_they_had_not_been_declared(out: set[str]) -> None:
    values = figures(7)
    said = f"exclude: [{', '.join(sorted(out))}]\n" if out else ""
    made = computed(TREE + said, grid(values))
    left = [code for code in "abcdef" if code not in out]
    assert list(made.spec.tree.indicators) == left
    plain = {"P": [c for c in left if c in "abc"], "R": [c for c in left if c in "ef"]}
    assert {code: list(made.spec.tree.leaves(code)) for code in plain if code in made.spec.tree.nodes} == {
        code: leaves for code, leaves in plain.items() if leaves
    }


# results


@QUICK
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_figure_reads_back_to_the_same_double(figure: float) -> None:
    assert float(show(figure)) == figure


def test_every_table_reads_back_to_what_was_computed_and_comes_out_the_same_twice() -> None:
    values = figures(8, gaps=0.1)
    made = index(values)
    texts = files(made, None)
    assert texts == files(index(values), None)
    for name in ("raw", "normalised", "aggregated"):
        rows = list(csv.DictReader(io.StringIO(texts[f"{name}.csv"])))
        table = made.steps[name]
        assert [row["uCode"] for row in rows] == list(table.units)
        for code in table.codes:
            read = np.array([float(row[code] or "nan") for row in rows])
            assert np.array_equal(read, table.column(code), equal_nan=True)


@QUICK
@given(st.lists(st.one_of(st.integers(0, 5), st.just(math.nan)), min_size=1, max_size=9))
def test_a_place_is_one_more_than_how_many_are_better(scores: list[float]) -> None:
    found = places(np.array(scores, dtype=np.float64))
    for score, place in zip(scores, found, strict=True):
        better = sum(other > score for other in scores)
        assert math.isnan(place) if math.isnan(score) else place == 1 + better


# sensitivity


def test_ranks_of_the_runs_are_summed_up_as_numpy_does_and_do_not_depend_on_the_order_of_rows() -> None:
    text = TREE + (
        "normalise: {method: minmax, range: [1, 100]}\nsensitivity: {runs: 60, seed: 5, interval: [0.1, 0.8],"
        " vary: {noise: 0.5, aggregate: [arithmetic, geometric], exclude: true}}"
    )
    declared = spec(text)
    values = figures(9)
    assert declared.sensitivity is not None
    plan = declared.sensitivity
    data = grid(values)
    spread = analyse(computed(text, data), source(data, declared), plan)
    for row, ranks in zip(spread.statistics(plan.interval), spread.ranks, strict=True):
        wanted = (ranks.mean(), np.median(ranks), *np.quantile(ranks, [0.1, 0.8]), ranks.min(), ranks.max())
        assert row[3:] == pytest.approx(wanted)
    assert (np.sort(spread.ranks, axis=0)[0] == 1).all()
    lines = data.splitlines()
    moved = "\n".join([lines[0], *reversed(lines[1:])])
    assert np.array_equal(analyse(computed(text, moved), source(moved, declared), plan).ranks, spread.ranks)
