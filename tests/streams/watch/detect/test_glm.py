"""The regression against statsmodels, and where R has none or stops."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.watch.detect.glm import fit
from streams.watch.detect.regression import against_outbreaks, anscombe_residuals

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import statsmodels.api as sm

counts = st.lists(st.integers(0, 60), min_size=12, max_size=40).filter(
    lambda values: sum(map(bool, values)) > 6
)


@settings(max_examples=40, deadline=None)
@given(counts=counts, seed=st.integers(0, 99))
def test_the_estimate_is_that_of_statsmodels(counts: list[int], seed: int) -> None:
    random = np.random.default_rng(seed)
    response, size = np.array(counts, dtype=float), len(counts)
    design = np.column_stack([np.ones(size), np.arange(size) / size])
    prior, offset = random.uniform(0.5, 2, size), np.log(random.uniform(1, 2, size))
    found = fit(design, response, prior, offset)
    assert found is not None
    assert found.converged
    wanted = sm.GLM(response, design, family=sm.families.Poisson(), offset=offset, var_weights=prior).fit(
        tol=1e-12, scale="X2"
    )
    assert found.coefficients == pytest.approx(wanted.params, rel=1e-5, abs=1e-6)
    assert found.dispersion() == pytest.approx(wanted.scale, rel=1e-4)
    assert found.unscaled * found.dispersion() == pytest.approx(wanted.cov_params(), rel=1e-3, abs=1e-9)
    assert np.sum(found.hat) == pytest.approx(2)


def test_a_baseline_of_zeros_settles_only_where_the_deviance_does() -> None:
    """R's estimate then falls by 1 a step; with more points the deviance is not small enough after 25."""
    few, many = (fit(np.ones((size, 1)), np.zeros(size)) for size in (28, 1000))
    assert few is not None
    assert many is not None
    assert (few.converged, many.converged) == (True, False)


@pytest.mark.parametrize(
    "design",
    [np.ones((3, 2)), np.ones((1, 2)), np.array([[1.0, np.inf], [1, 1], [1, 2]])],
    ids=["dependent columns", "too few points", "not finite"],
)
def test_without_a_result_there_is_none(design: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> None:
    assert fit(design, np.ones(len(design))) is None


def test_counts_below_0_have_no_regression() -> None:
    assert fit(np.ones((3, 1)), np.array([1.0, -1.0, 2.0])) is None


def test_without_degrees_of_freedom_there_is_no_dispersion() -> None:
    found = fit(np.eye(2), np.array([3.0, 5.0]))
    assert found is not None
    assert np.isnan(found.dispersion())
    assert found.fitted == pytest.approx([3, 5])


def test_past_outbreaks_are_weighted_down_and_the_weights_sum_to_the_points() -> None:
    response = np.array([2.0, 3, 2, 40, 1, 2, 3, 2, 2, 3])
    found = fit(np.ones((10, 1)), response)
    assert found is not None
    residuals = anscombe_residuals(found, 1.0)
    weights = against_outbreaks(residuals, 2.58)
    assert np.argmin(weights) == 3
    assert weights[3] / weights[0] == pytest.approx(residuals[3] ** -2)
    assert np.sum(weights) == pytest.approx(10)


def test_a_count_that_an_estimate_rests_on_alone_is_no_outbreak() -> None:
    found = fit(np.column_stack([np.ones(3), [0.0, 0, 1]]), np.array([2.0, 4, 90]))
    assert found is not None
    assert anscombe_residuals(found, 1.0)[2] == 0
