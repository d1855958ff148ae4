"""Every step against somebody else's arithmetic: pandas, scipy, or the definition written out naively."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from dagster_project.composite.analyse import correlations, cronbach
from dagster_project.composite.compute import Computed
from dagster_project.composite.table import Array
from dagster_project.composite.weigh import compared, entropy, principal
from tests.dagster_project.composite.given import computed, grid, source, spec

NEAR: dict[str, Any] = {"rel": 1e-9, "abs": 1e-9, "nan_ok": True}
CODES = "abcde"


def figures(seed: int, units: int = 23, gaps: float = 0.15, ties: bool = True) -> Array:
    """Figures above 0 with ties and gaps; no column is empty or constant."""
    random = np.random.default_rng(seed)
    values = np.exp(random.normal(1, 1, (units, len(CODES))))
    values = np.round(values, 1) + 0.1 if ties else values
    values[random.random(values.shape) < gaps] = math.nan
    return values


def column_of(values: Array, text: str, code: str = "a", step: str = "normalised") -> Array:
    made = computed(f"tree: {{code: I, children: [{', '.join(CODES)}]}}\n{text}", grid(values))
    return made.steps[step].column(code)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("way", "oracle"),
    [
        ("minmax", lambda x: (x - x.min()) / (x.max() - x.min()) * 100),
        ("{method: minmax, range: [1, 10]}", lambda x: (x - x.min()) / (x.max() - x.min()) * 9 + 1),
        ("zscore", lambda x: (x - x.mean()) / x.std()),
        ("{method: zscore, m_sd: [10, 2]}", lambda x: (x - x.mean()) / x.std() * 2 + 10),
        ("rank", lambda x: x.rank(method="min")),
        ("{method: rank, ties: average}", lambda x: x.rank(method="average")),
        ("{method: borda, ties: max}", lambda x: x.rank(method="max") - 1),
        ("prank", lambda x: (x.rank(method="min") - 1) / (x.count() - 1)),
        ("dist2max", lambda x: 1 - (x.max() - x) / (x.max() - x.min())),
        ("{method: scaled, npara: [2, 7]}", lambda x: (x - 2) / 5 * 100),
        ("fracmax", lambda x: x / x.max()),
        ("{method: dist2targ, target: 4}", lambda x: (x - x.min()) / (4 - x.min())),
        (
            "{method: dist2targ, target: 4, cap: true}",
            lambda x: ((x - x.min()) / (4 - x.min())).clip(upper=1),
        ),
        ("{method: goalposts, gposts: [2, 6, 10]}", lambda x: ((x - 2) / 4).clip(0, 1) * 10),
        (
            "{method: goalposts, gposts: [1, 9], transform: log}",
            lambda x: (np.log(x) / math.log(9)).clip(0, 1),
        ),
    ],
)
def test_normalisation(way: str, oracle: Any, seed: int) -> None:
    values = figures(seed)
    wanted = oracle(pd.Series(values[:, 0]))
    assert column_of(values, f"normalise: {way}") == pytest.approx(wanted.to_numpy(), **NEAR)


def test_distance_to_a_reference_goes_by_the_unit_or_its_place() -> None:
    values = figures(4, gaps=0)
    x = pd.Series(values[:, 0])
    wanted = 1 - (x[7] - x) / (x[7] - x.min())
    for said in ("reference: u07", "iref: 8"):
        found = column_of(values, f"normalise: {{method: dist2ref, {said}}}")
        assert found == pytest.approx(wanted.to_numpy(), **NEAR)


@pytest.mark.parametrize("method", ["mean", "median"])
def test_imputation(method: str) -> None:
    values = figures(5, gaps=0.3)
    table = pd.DataFrame(values, columns=list(CODES))
    assert column_of(values, f"impute: {method}", "b", "imputed") == pytest.approx(
        table["b"].fillna(getattr(table["b"], method)()).to_numpy(), **NEAR
    )
    lines = grid(values).splitlines()
    groups = ["g", *(f"g{at % 3}" for at in range(len(values)))]
    text = "\n".join(f"{line},{group}" for line, group in zip(lines, groups, strict=True))
    declared = f"tree: {{code: I, children: [a, b]}}\nimpute: {{method: group_{method}, group: g}}"
    wanted = table["b"].fillna(table["b"].groupby(groups[1:]).transform(method))
    assert computed(declared, text).steps["imputed"].column("b") == pytest.approx(wanted.to_numpy(), **NEAR)


def passing(x: Array, skew: float, kurt: float) -> bool:
    return bool(
        abs(stats.skew(x, bias=False, nan_policy="omit")) < skew
        or stats.kurtosis(x, bias=False, nan_policy="omit") < kurt
    )


def winsorised(x: Array, winmax: int, skew: float, kurt: float) -> Array:
    """COINr's description, word for word: the outermost point takes the value of the next one."""
    x, points = x.copy(), set()
    while not passing(x, skew, kurt) and len(points) < winmax:
        high = stats.skew(x, bias=False, nan_policy="omit") >= 0
        end = np.nanmax(x) if high else np.nanmin(x)
        at = np.flatnonzero(x == end)
        inner = [figure for figure in x if not math.isnan(figure) and figure != end]
        x[at] = max(inner) if high else min(inner)
        points = set(at) if winmax == len(at) else points | set(at)
    return x


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("winmax", "skew", "kurt"), [(5, 2, 3.5), (3, 1, 1.5), (8, 0.5, 0.5)])
def test_winsorisation(seed: int, winmax: int, skew: float, kurt: float) -> None:
    random = np.random.default_rng(seed)
    values = np.exp(random.normal(0, 1.3, (31, 5))) * (-1 if seed == 3 else 1)
    values[random.random(values.shape) < 0.1] = math.nan
    text = f"treat: {{method: winsorise, winmax: {winmax}, skew: {skew}, kurt: {kurt}, then: none}}"
    for at, code in enumerate(CODES):
        assert column_of(values, text, code, "treated") == pytest.approx(
            winsorised(values[:, at], winmax, skew, kurt), **NEAR
        )


@pytest.mark.parametrize("power", [None, 0.5, 0, -1])
def test_box_cox(power: float | None) -> None:
    values = figures(6, units=40, ties=False)
    values[0, 0] = 500.0
    x = values[:, 0]
    moved = x - np.nanmin(x) + 1
    there = ~np.isnan(x)
    wanted = np.full(len(x), math.nan)
    wanted[there] = stats.boxcox(moved[there])[0] if power is None else stats.boxcox(moved[there], power)
    said = "" if power is None else f", lambda: {power}"
    found = column_of(values, f"treat: {{method: boxcox{said}, then: none}}", step="treated")
    assert found == pytest.approx(wanted, rel=1e-6, nan_ok=True)


@pytest.mark.parametrize(
    ("method", "oracle"),
    [
        ("arithmetic", lambda x, w: np.average(x, weights=w)),
        ("geometric", lambda x, w: stats.gmean(x, weights=w)),
        ("harmonic", lambda x, w: stats.hmean(x, weights=w)),
        ("{method: power, p: 3}", lambda x, w: stats.pmean(x, 3, weights=w)),
        ("{method: power, p: -2}", lambda x, w: stats.pmean(x, -2, weights=w)),
        ("{method: power, p: 0.5}", lambda x, w: stats.pmean(x, 0.5, weights=w)),
    ],
)
def test_means_over_two_levels(method: str, oracle: Any) -> None:
    """(a, b with 2, c) and (d with 3, e), the first of them twice the second; gaps leave weight to sisters."""
    values = figures(7)
    made = computed(
        "tree: {code: I, children: [{code: P, weight: 2, children: [a, {code: b, weight: 2}, c]},"
        f" {{code: Q, children: [{{code: d, weight: 3}}, e]}}]}}\nnormalise: none\naggregate: {method}",
        grid(values),
    )

    def mean(x: Array, w: Array) -> float:
        there = ~np.isnan(x)
        return float(oracle(x[there], w[there])) if there.any() else math.nan

    p = np.array([mean(row[:3], np.array([1, 2, 1.0])) for row in values])
    q = np.array([mean(row[3:], np.array([3, 1.0])) for row in values])
    top = np.array([mean(np.array(pair), np.array([2, 1.0])) for pair in zip(p, q, strict=True)])
    for code, wanted in {"P": p, "Q": q, "I": top}.items():
        assert made.steps["aggregated"].column(code) == pytest.approx(wanted, **NEAR)


def test_principal_component_by_singular_values() -> None:
    values = figures(8)
    whole = values[~np.isnan(values).any(axis=1)]
    standard = (whole - whole.mean(axis=0)) / whole.std(axis=0, ddof=1)
    _, strength, rows = np.linalg.svd(standard, full_matrices=False)
    found = principal(values, squared=False)
    assert found.weights * np.sign(found.weights.sum()) == pytest.approx(
        rows[0] * np.sign(rows[0].sum()), **NEAR
    )
    assert found.notes["explained"] == pytest.approx(strength[0] ** 2 / (strength**2).sum(), **NEAR)
    assert principal(values, squared=True).weights == pytest.approx(rows[0] ** 2, **NEAR)


def test_entropy_by_scipy() -> None:
    values = figures(9)
    spread = [1 - stats.entropy(x[~np.isnan(x)], base=np.count_nonzero(~np.isnan(x))) for x in values.T]
    assert entropy(values).weights == pytest.approx(np.array(spread) / sum(spread), **NEAR)


def test_comparisons_by_powers_of_the_matrix() -> None:
    matrix = [[1, 3, 7, 9], [1 / 3, 1, 5, 7], [1 / 7, 1 / 5, 1, 3], [1 / 9, 1 / 7, 1 / 3, 1]]
    vector = np.ones(4)
    for _ in range(200):
        vector = np.array(matrix) @ vector
        vector /= vector.sum()
    largest = float((np.array(matrix) @ vector / vector).mean())
    found = compared(matrix)
    assert found.weights == pytest.approx(vector, **NEAR)
    assert found.notes["consistency_ratio"] == pytest.approx((largest - 4) / 3 / 0.90, **NEAR)


@pytest.mark.parametrize("kind", ["pearson", "spearman", "kendall"])
def test_correlations_over_what_is_there_in_both(kind: str) -> None:
    values = figures(10)
    table = source(grid(values), spec(f"tree: {{code: I, children: [{', '.join(CODES)}]}}")).table(
        dict(zip(CODES, CODES, strict=True))
    )
    wanted = np.array([[_correlation(kind, values[:, i], values[:, j]) for j in range(5)] for i in range(5)])
    assert correlations(table, kind) == pytest.approx(wanted, **NEAR)


def _correlation(kind: str, x: Array, y: Array) -> float:
    both = ~np.isnan(x) & ~np.isnan(y)
    by = {"pearson": stats.pearsonr, "spearman": stats.spearmanr, "kendall": stats.kendalltau}[kind]
    return float(by(x[both], y[both])[0])


def test_alpha_by_variances_of_items_and_their_sum() -> None:
    values = figures(11, gaps=0)
    items, whole = values.var(axis=0, ddof=1), values.sum(axis=1).var(ddof=1)
    assert cronbach(values) == pytest.approx(5 / 4 * (1 - items.sum() / whole), **NEAR)


# properties of the whole

TREE = (
    "tree: {code: I, children: [{code: P, weight: 2, children: [a, {code: b, direction: -1, weight: 3}, c]},"
    " {code: Q, children: [d, e]}]}\n"
)
WAYS = ("minmax", "zscore", "rank", "prank", "borda", "dist2max")


def scores(values: Array, way: str, tree: str = TREE) -> Computed:
    return computed(f"{tree}normalise: {way}", grid(values))


@pytest.mark.parametrize("way", WAYS)
def test_units_of_measurement_and_the_order_of_rows_change_nothing(way: str) -> None:
    values = figures(12)
    plain = scores(values, way).steps["aggregated"].column("I")
    other = (
        scores(values * [3.0, 0.25, 7.0, 1e3, 2.0] + [5, 0, -9, 4, 1], way).steps["aggregated"].column("I")
    )
    assert other == pytest.approx(plain, **NEAR)
    order = np.random.default_rng(1).permutation(len(values))
    moved = scores(values[order], way).steps["aggregated"].column("I")
    assert moved == pytest.approx(plain[order], **NEAR)


@pytest.mark.parametrize("way", WAYS)
def test_weights_are_relative_and_a_tree_may_be_listed_in_any_order(way: str) -> None:
    values = figures(13)
    plain = scores(values, way).steps["aggregated"].column("I")
    other = (
        "tree: {code: I, children: [{code: Q, weight: 5, children: [e, d]},"
        " {code: P, weight: 10, children: [{code: c, weight: 0.1}, {code: b, direction: -1, weight: 0.3},"
        " {code: a, weight: 0.1}]}]}\n"
    )
    assert scores(values, way, other).steps["aggregated"].column("I") == pytest.approx(plain, **NEAR)


@pytest.mark.parametrize("way", [*WAYS, "{method: goalposts, gposts: [0, 20]}"])
@pytest.mark.parametrize(("code", "better"), [("a", 1.0), ("b", -1.0)])
def test_who_gets_better_does_not_fall(way: str, code: str, better: float) -> None:
    values = figures(14, gaps=0)
    at = CODES.index(code)
    before = scores(values, way).steps["aggregated"].column("I")
    for unit in range(0, len(values), 3):
        changed = values.copy()
        changed[unit, at] += better * 0.7
        after = scores(changed, way).steps["aggregated"].column("I")
        assert after[unit] >= before[unit] - 1e-9
        assert (after > after[unit] + 1e-9).sum() <= (before > before[unit] - 1e-9).sum()


def test_a_share_of_the_maximum_is_remarked_where_less_is_better() -> None:
    """As in COINr it is x / max of negative figures, which grows with what should be small."""
    made = scores(np.array([[1.0, 2, 3, 4, 5], [2, 4, 1, 3, 2]]), "fracmax")
    assert list(made.steps["normalised"].column("b")) == [1, 2]
    assert [remark for remark in made.warnings if remark.startswith("b: fracmax")]
    assert len(made.warnings) == 1
