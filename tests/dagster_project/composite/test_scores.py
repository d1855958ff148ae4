"""From scores to the index: weights, means, contributions, and what the figures say about themselves."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dagster_project.composite.analyse import correlation, cronbach
from dagster_project.composite.methods import Choice
from dagster_project.composite.weigh import compared, entropy, principal
from schemas.errors import Misdeclared
from tests.dagster_project.composite.given import computed, grid

NAN = math.nan
TREE = """
tree:
  code: I
  children:
    - {code: x, weight: 3, children: [{code: a, weight: 1}, {code: b, weight: 3}]}
    - {code: y, weight: 1, children: [c]}
normalise: none
"""
tables = st.integers(3, 8).flatmap(
    lambda units: st.lists(
        st.lists(st.floats(0.5, 100), min_size=3, max_size=3), min_size=units, max_size=units
    )
)
weights_of_two = st.tuples(st.floats(0.01, 10), st.floats(0.01, 10))


@pytest.mark.parametrize(
    ("method", "score"),
    [
        ("arithmetic", 3 / 4 * (1 / 4 * 2 + 3 / 4 * 4) + 1 / 4 * 8),
        ("a_gmean", (2**0.25 * 4**0.75) ** 0.75 * 8**0.25),
        ("harmonic", 1 / (0.75 * (0.25 / 2 + 0.75 / 4) + 0.25 / 8)),
        ("{method: power, p: 2}", (0.75 * (0.25 * 4 + 0.75 * 16) + 0.25 * 64) ** 0.5),
        ("[arithmetic, geometric]", 3.5**0.75 * 8**0.25),
        ("{levels: {2: geometric}}", 0.75 * (2**0.25 * 4**0.75) + 0.25 * 8),
        ("{method: geometric, groups: {I: arithmetic}}", 0.75 * (2**0.25 * 4**0.75) + 0.25 * 8),
    ],
)
def test_weighted_means_level_by_level(method: str, score: float) -> None:
    found = computed(TREE + f"aggregate: {method}", grid([[2, 4, 8], [1, 1, 1]]))
    assert list(found.steps["aggregated"].column("I")) == pytest.approx([score, 1])


@pytest.mark.parametrize("method", ["arithmetic", "geometric", "harmonic", "{method: power, p: 3}"])
def test_a_missing_score_leaves_the_weight_to_its_sisters(method: str) -> None:
    found = computed(TREE + f"aggregate: {method}", grid([[NAN, 4, 8], [NAN, NAN, 8], [NAN, NAN, NAN]]))
    table = found.steps["aggregated"]
    np.testing.assert_allclose(table.column("x"), [4, NAN, NAN])
    np.testing.assert_allclose(table.column("I")[1:], [8, NAN])


@pytest.mark.parametrize("method", ["arithmetic", "geometric", "harmonic", "power"])
def test_a_score_is_missing_where_only_weights_of_zero_are_there(method: str) -> None:
    made = computed(
        f"tree: {{code: I, children: [{{code: a, weight: 0}}, b]}}\nnormalise: none\naggregate: {method}",
        "uCode,a,b\nX,1,\nY,2,3\n",
    )
    scores = made.steps["aggregated"].column("I")
    assert np.isnan(scores[0])
    assert scores[1] == pytest.approx(3)
    assert np.isnan(made.contributions.values[0]).all()


def test_a_score_needs_the_share_of_children_asked_for() -> None:
    found = computed(TREE + "aggregate: {available: [0.6, 0.5]}", grid([[NAN, 4, 8], [2, 4, NAN]]))
    np.testing.assert_allclose(found.steps["aggregated"].column("x"), [NAN, 3.5])
    np.testing.assert_allclose(found.steps["aggregated"].column("I"), [8, 3.5])


def test_copeland_counts_duels_by_weight() -> None:
    rows = [[3, 1, 1], [2, 2, 2], [1, 3, 2]]
    tree = "tree: {code: I, children: [{code: a, weight: 3}, b, c]}\nnormalise: none\n"
    duels = computed(tree + "aggregate: a_copeland", grid(rows)).steps["aggregated"].column("I")
    assert list(duels) == [2, 0, -2]
    shares = computed(tree + "aggregate: {method: copeland, count: shares}", grid(rows)).steps["aggregated"]
    np.testing.assert_allclose(shares.column("I"), [0.6 + 0.6, 0.4 + 0.7, 0.4 + 0.3])
    assert np.isnan(computed(tree + "aggregate: copeland", grid(rows)).contributions.values).all()


@pytest.mark.parametrize(
    ("method", "figure", "said"),
    [
        ("geometric", 0.0, "the geometric mean cannot take a score of 0, and a of unit u00 is 0"),
        ("geometric", -1.0, "the geometric mean cannot take a score below 0"),
        ("{method: geometric, zeros: zero}", -1.0, "cannot take a score below 0"),
        ("harmonic", 0.0, "the harmonic mean cannot take a score of 0"),
        ("{method: power, p: -1}", 0.0, "the power mean cannot take a score of 0"),
        ("{method: power, p: 0.5}", -2.0, "the power mean cannot take a score below 0"),
    ],
)
def test_what_a_mean_cannot_take_is_refused(method: str, figure: float, said: str) -> None:
    with pytest.raises(Misdeclared, match=said):
        computed(TREE + f"aggregate: {method}", grid([[figure, 4, 8], [1, 1, 1]]))


@pytest.mark.parametrize("method", ["geometric", "harmonic"])
def test_a_zero_makes_the_mean_zero_where_the_spec_says_so(method: str) -> None:
    found = computed(TREE + f"aggregate: {{method: {method}, zeros: zero}}", grid([[0, 4, 8], [1, 1, 1]]))
    assert list(found.steps["aggregated"].column("I")) == [0, 1]
    np.testing.assert_allclose(found.contributions.values.sum(axis=1), [0, 1])


def test_weights_are_given_replaced_or_equal() -> None:
    rows = grid([[2, 4, 8], [1, 1, 1]])
    found = computed(TREE + "weights: {values: {a: 3, y: 3}}", rows).aggregated.weights
    assert {code: one.share for code, one in found.items()} == {
        "a": 0.5,
        "b": 0.5,
        "c": 1,
        "x": 0.5,
        "y": 0.5,
    }
    plain = computed(TREE + "weights: {a: 3, y: 3}", rows).aggregated.weights
    assert plain == found
    equal = computed(TREE + "weights: equal", rows).aggregated.weights
    assert {one.share for one in equal.values()} == {0.5, 1}
    lower = computed(TREE + "weights: {method: equal, levels: 1}", rows).aggregated.weights
    assert (lower["a"].share, lower["x"].share) == (0.5, 0.75)


def test_comparisons_of_the_textbook() -> None:
    """Saaty 1980: a consistent matrix has ratio 0, and this one lambda 3.0385 and ratio 0.033."""
    consistent = compared([[1, 2, 4], [0.5, 1, 2], [0.25, 0.5, 1]])
    np.testing.assert_allclose(consistent.weights, [4 / 7, 2 / 7, 1 / 7])
    assert consistent.notes["consistency_ratio"] == pytest.approx(0, abs=1e-12)
    found = compared([[1, 1 / 3, 5], [3, 1, 7], [1 / 5, 1 / 7, 1]])
    np.testing.assert_allclose(found.weights, [0.2790, 0.6491, 0.0719], atol=1e-4)
    assert found.notes["lambda_max"] == pytest.approx(3.0649, abs=1e-4)
    assert found.notes["consistency_ratio"] == pytest.approx(0.0649 / 2 / 0.58, abs=1e-4)


def test_comparisons_weight_their_aggregate_and_contradictions_are_remarked() -> None:
    text = TREE + 'weights: {groups: {x: {method: ahp, matrix: [[1, "1/3"], [3, 1]]}}}'
    found = computed(text, grid([[2, 4, 8], [1, 1, 1]]))
    assert [found.aggregated.weights[code].share for code in "ab"] == pytest.approx([0.25, 0.75])
    odd = (
        "tree: {code: I, children: [a, b, c]}\nnormalise: none\nweights: {groups: {I: {method: ahp, matrix: "
    )
    bad = computed(odd + '[[1, 5, "1/5"], ["1/5", 1, 5], [5, "1/5", 1]]}}}', grid([[2, 4, 8], [1, 1, 1]]))
    assert "I: comparisons contradict each other" in bad.warnings[0]


def test_entropy_gives_more_to_what_differs_more() -> None:
    x = np.array([[1.0, 1.0, 5.0], [1.0, 2.0, 0.0], [1.0, 3.0, 0.0]])
    found = entropy(x).weights
    share = np.array([1, 2, 3]) / 6
    middle = 1 + (share * np.log(share)).sum() / np.log(3)
    np.testing.assert_allclose(found, [0, middle / (middle + 1), 1 / (middle + 1)], atol=1e-12)
    assert np.isnan(entropy(np.array([[1.0, np.inf], [2.0, 1.0]])).weights).all()
    with pytest.raises(Misdeclared, match="entropy weights of a, b need scores of 0 or more"):
        computed(TREE + "weights: entropy", grid([[-2, 4, 8], [1, 1, 1]]))


def test_principal_components_weight_what_goes_together() -> None:
    x = np.array([[1, 2, 1], [2, 4.5, 9], [3, 5.5, 2], [4, 8, 3], [NAN, 1, 1]])
    found = principal(x, squared=False)
    complete = x[:4]
    values, vectors = np.linalg.eigh(np.corrcoef(complete, rowvar=False))
    np.testing.assert_allclose(np.abs(found.weights), np.abs(vectors[:, -1]))
    assert found.weights.sum() > 0
    assert found.notes["explained"] == pytest.approx(values[-1] / 3)
    np.testing.assert_allclose(principal(x, squared=True).weights.sum(), 1)


def test_principal_components_of_another_step() -> None:
    text = TREE.replace("normalise: none", "normalise: rank") + "weights: {method: pca, dataset: raw}"
    rows = [[1, 1, 1], [2, 4, 1], [4, 4.1, 2], [9, 9, 3]]
    found = computed(text, grid(rows)).aggregated.weights
    np.testing.assert_allclose([found["a"].share + found["b"].share], [1])
    assert found["a"].method == "pca" and found["x"].method == "given"


@given(
    tables,
    st.sampled_from(["arithmetic", "geometric", "harmonic", "{method: power, p: 2.5}"]),
    weights_of_two,
)
@settings(max_examples=80, deadline=None)
def test_contributions_sum_to_the_score_and_weights_to_one(
    rows: list[list[float]], method: str, w: tuple[float, float]
) -> None:
    text = TREE + f"aggregate: {method}\nweights: {{values: {{a: {w[0]}, b: {w[1]}}}}}"
    found = computed(text, grid(rows))
    score = found.steps["aggregated"].column("I")
    np.testing.assert_allclose(found.contributions.values.sum(axis=1), score, rtol=1e-9)
    shares = found.aggregated.weights
    assert shares["a"].share + shares["b"].share == pytest.approx(1)
    low, high = np.min(rows, axis=1), np.max(rows, axis=1)
    assert (score >= low - 1e-9).all() and (score <= high + 1e-9).all()


@given(tables)
@settings(max_examples=40, deadline=None)
def test_harmonic_is_below_geometric_is_below_arithmetic(rows: list[list[float]]) -> None:
    means = ("harmonic", "geometric", "arithmetic")
    low, middle, high = (
        computed(TREE + f"aggregate: {mean}", grid(rows)).steps["aggregated"].column("I") for mean in means
    )
    assert (low <= middle + 1e-9).all() and (middle <= high + 1e-9).all()


def test_contributions_of_arithmetic_means_are_weight_times_score_even_around_zero() -> None:
    found = computed(TREE, grid([[-3, 1, 0], [2, 4, 8]]))
    np.testing.assert_allclose(found.steps["aggregated"].column("I"), [0, 4.625])
    np.testing.assert_allclose(found.contributions.values, [[-0.5625, 0.5625, 0], [0.375, 2.25, 2]])


@pytest.mark.parametrize(("kind", "r"), [("pearson", 0.8), ("spearman", 0.8), ("kendall", 2 / 3)])
def test_correlations(kind: str, r: float) -> None:
    assert correlation(np.array([1.0, 2, 3, 4]), np.array([1.0, 3, 2, 4]), kind) == pytest.approx(r)


def test_kendalls_tau_takes_ties_into_account() -> None:
    from scipy.stats import kendalltau

    x, y = np.array([1.0, 2, 2, 4, 7, 7]), np.array([2.0, 1, 1, 5, 6, 3])
    assert correlation(x, y, "kendall") == pytest.approx(kendalltau(x, y).statistic)
    assert math.isnan(correlation(x, np.ones(6), "kendall"))


@given(st.integers(2, 5), st.integers(4, 9), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_alpha_is_the_textbook_one(items: int, units: int, seed: int) -> None:
    x = np.random.default_rng(seed).normal(size=(units, items))
    total = x.sum(axis=1).var(ddof=1)
    assume(total > 1e-3)
    wanted = items / (items - 1) * (1 - x.var(axis=0, ddof=1).sum() / total)
    assert cronbach(x) == pytest.approx(wanted, rel=1e-6, abs=1e-9)


def test_alpha_of_copies_is_one() -> None:
    assert cronbach(np.array([[1.0, 1], [2, 2], [5, 5]])) == pytest.approx(1)
    assert math.isnan(cronbach(np.array([[1.0], [2]])))
    assert Choice("given").values == {}
