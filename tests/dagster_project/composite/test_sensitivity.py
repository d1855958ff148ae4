"""Sensitivity: the same seed gives the same ranks, bounds hold, and what cannot be computed is counted."""

from __future__ import annotations

import re

import numpy as np
import pytest

from dagster_project.composite.compute import compute
from dagster_project.composite.sensitivity import Spread, analyse
from dagster_project.composite.spec import Spec
from tests.dagster_project.composite.given import grid, source, spec

TREE = "tree: {code: I, children: [{code: x, children: [a, b]}, {code: y, children: [c, d]}]}\n"
ROWS = np.random.default_rng(3).uniform(1, 9, (12, 4))


def spread(text: str, rows: object = ROWS) -> tuple[Spread, Spec]:
    declared = spec(TREE + text)
    data = source(grid(rows), declared)  # type: ignore[arg-type]
    assert declared.sensitivity is not None
    return analyse(compute(declared, data), data, declared.sensitivity), declared


def test_the_same_seed_gives_the_same_ranks_and_another_others() -> None:
    text = "sensitivity: {runs: 40, seed: %d, vary: {noise: 0.5, normalise: [minmax, rank]}}"
    one, again, other = (spread(text % seed)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.ranks, again.ranks)
    assert not np.array_equal(one.ranks, other.ranks)


def test_intervals_hold_the_ranks_and_lie_between_first_and_last() -> None:
    found, declared = spread("sensitivity: {runs: 60, vary: {noise: {1: 0.5, 2: 0.5}, exclude: true}}")
    assert declared.sensitivity is not None
    for _, _, _, mean, median, low, high, least, most in found.statistics(declared.sensitivity.interval):
        bounds = [float(str(figure)) for figure in (least, low, median, high, most)]
        assert bounds == sorted(bounds) and bounds[0] >= 1 and bounds[-1] <= 12
        assert bounds[0] <= float(str(mean)) <= bounds[-1]


def test_alternatives_are_drawn_evenly_and_computed_as_if_declared() -> None:
    found, _ = spread(
        "sensitivity: {runs: 200, vary: {normalise: [minmax, {method: zscore, m_sd: [9, 1]}, rank]}}"
    )
    alone = {}
    for way in ("minmax", "{method: zscore, m_sd: [9, 1]}", "rank"):
        declared = spec(TREE + f"normalise: {way}")
        alone[way] = compute(declared, source(grid(ROWS), declared)).steps["aggregated"].column("I")
    counts = [sum(np.array_equal(run, scores) for run in found.scores.T) for scores in alone.values()]
    assert sum(counts) == 200 and min(counts) > 40


def test_without_noise_nothing_moves() -> None:
    found, _ = spread("sensitivity: {runs: 10, vary: {noise: {1: 0, 2: 0.0}, weights: [given, equal]}}")
    assert (found.ranks == found.nominal[:, None]).all()


def test_noise_stays_within_its_share() -> None:
    same = np.tile([[0.0], [100.0], [50.0]], 4)
    same[2] = [0, 100, 0, 100]
    text = "normalise: none\nsensitivity: {runs: 300, vary: {noise: {1: 0.5}}}"
    found, _ = spread(text, same)
    mixed = found.scores[2]
    assert mixed.min() >= 25 and mixed.max() <= 75 and mixed.max() - mixed.min() > 20


def test_runs_that_cannot_be_computed_are_counted_with_the_reason() -> None:
    found, _ = spread("sensitivity: {runs: 50, vary: {aggregate: [arithmetic, geometric]}}")
    assert 10 < found.failed < 40
    assert "geometric mean cannot take a score of 0" in found.why
    assert np.isnan(found.ranks).any(axis=0).sum() == found.failed


def test_indices_say_what_matters() -> None:
    vary = "{normalise: [{method: minmax, range: [1, 9]}, borda], impute: [none, mean]}"
    found, _ = spread(f"sensitivity: {{runs: 100, indices: true, vary: {vary}}}")
    first, total = found.indices["normalise"]
    assert first == pytest.approx(1, abs=0.25) and total == pytest.approx(1, abs=0.25)
    assert found.indices["impute"] == pytest.approx((0, 0), abs=1e-12)
    assert found.ranks.shape == (12, 200)


def test_imputation_varies_with_the_gaps_it_fills() -> None:
    rows = ROWS.copy()
    rows[0, 0] = np.nan
    found, _ = spread(
        "impute: mean\nsensitivity: {runs: 30, vary: {impute: [mean, median, none], treat: [none, winsorise]}}",
        rows,
    )
    assert len({float(score) for score in found.scores[0]}) == 3
    assert not found.failed


@pytest.mark.parametrize(
    ("step", "declared", "other"),
    [
        ("normalise", "{method: minmax, range: [1, 100], indicators: {a: rank}}", "zscore"),
        ("treat", "{method: winsorise, winmax: 1, skew: 0.1, kurt: 0.1}", "none"),
        ("impute", "{method: constant, value: 7}", "mean"),
        ("weights", "{method: given, values: {a: 3}}", "equal"),
        ("aggregate", "{method: power, p: 3, available: 0.9}", "arithmetic"),
    ],
)
def test_a_bare_method_that_is_the_index_s_own_means_it_as_declared(
    step: str, declared: str, other: str
) -> None:
    name = re.search(r"method: (\w+)", declared)
    assert name is not None
    found, made = spread(
        f"{step}: {declared}\nsensitivity: {{runs: 20, vary: {{{step}: [{name[1]}, {other}]}}}}"
    )
    plan = made.sensitivity
    assert plan is not None
    if step in plan.steps:
        first, own = plan.steps[step][0], getattr(made, step)
        assert (first.choice.method, first.choice.values) == (own.choice.method, own.choice.values)
        assert first.indicators == own.indicators
    else:
        assert made.weighting in plan.weights or made.aggregation in plan.aggregate
    scores = compute(made, source(grid(ROWS), made)).steps["aggregated"].column("I")
    assert any(np.array_equal(run, scores, equal_nan=True) for run in found.scores.T)


def test_what_an_alternative_does_not_say_is_the_index_s() -> None:
    text = "normalise: {method: minmax, range: [1, 100], transform: sqrt}\n"
    text += "aggregate: {method: arithmetic, available: 0.9}\n"
    declared = spec(
        TREE
        + text
        + "sensitivity: {vary: {normalise: [{range: [2, 3]}, rank], aggregate: [geometric, harmonic]}}"
    )
    plan = declared.sensitivity
    assert plan is not None
    first = plan.steps["normalise"][0].choice
    assert (first.method, first["range"], first["transform"]) == ("minmax", (2, 3), "sqrt")
    assert plan.aggregate[0].available == declared.aggregation.available != {}
