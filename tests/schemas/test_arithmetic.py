"""Elementary functions against decimal arithmetic, arrays against single numbers, matrices against LAPACK."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from schemas.arithmetic import columns, elementary, matrices

finite = st.floats(allow_nan=False, allow_infinity=False)
above_0 = st.floats(min_value=0, exclude_min=True, allow_infinity=False, allow_nan=False)


def off(found: float, wanted: Decimal) -> Decimal:
    """How far a figure is from the true one, in units of its last place."""
    return abs(Decimal(found) - wanted) / Decimal(math.ulp(float(wanted)))


@given(st.floats(-700, 709))
def test_the_exponential_is_within_one_unit_of_the_last_place(x: float) -> None:
    with localcontext(prec=50):
        assert off(elementary.exp(x), Decimal(x).exp()) < 1


@given(above_0)
def test_the_logarithm_is_within_one_unit_of_the_last_place(x: float) -> None:
    with localcontext(prec=50):
        assert off(elementary.log(x), Decimal(x).ln()) < 1


@given(st.floats(1e-6, 1e6), st.floats(-4, 4))
def test_a_power_is_within_one_unit_of_the_last_place(x: float, y: float) -> None:
    with localcontext(prec=60):
        assert off(elementary.power(x, y), (Decimal(y) * Decimal(x).ln()).exp()) < 1


def test_what_has_no_value_says_so() -> None:
    assert elementary.exp(710) == math.inf
    assert elementary.exp(-746) == 0
    assert elementary.log(0) == -math.inf
    assert math.isnan(elementary.log(-1))
    assert math.isnan(elementary.exp(math.nan))
    assert math.isnan(elementary.power(-2, 0.3))
    assert (elementary.power(0, -1), elementary.power(-2, 3), elementary.power(7, 0)) == (math.inf, -8, 1)


def test_decimal_logarithms_of_powers_of_ten_are_whole() -> None:
    assert columns.log10(10.0 ** np.arange(-20, 23)).tolist() == list(range(-20, 23))


@given(st.lists(finite, min_size=1, max_size=40), st.sampled_from([2 / 3, -1 / 6, 0.5, 2.0, 3.0, -1.0, 0.0]))
def test_arrays_have_the_bits_of_single_numbers(values: list[float], exponent: float) -> None:
    array = np.array(values)
    for found, each in (
        (columns.exp(array), elementary.exp),
        (columns.log(array), elementary.log),
        (columns.power(array, exponent), lambda x: elementary.power(x, exponent)),
    ):
        assert np.array_equal(found, np.array([each(x) for x in values]), equal_nan=True)


@pytest.mark.parametrize("share", [1e-300, 1e-12, 0.001, 0.05, 0.3, 0.5, 0.7, 0.975, 0.9999])
def test_the_normal_quantile(share: float) -> None:
    assert elementary.normal_quantile(share) == pytest.approx(norm.ppf(share), rel=1e-14, abs=1e-15)


@given(st.integers(-200, 200), st.integers(1, 366))
def test_waves_come_round(number: int, length: int) -> None:
    cosine, sine = elementary.wave(number, length)
    assert (cosine, sine) == elementary.wave(number + length, length)
    angle = 2 * math.pi * (number % length) / length
    assert (cosine, sine) == pytest.approx((math.cos(angle), math.sin(angle)), abs=1e-14)


def test_a_sum_goes_from_the_first_to_the_last() -> None:
    assert columns.total(np.array([1e16, 1.0, -1e16])) == 0
    assert columns.summed(np.array([1e16, 1.0, -1e16])) == 1
    assert columns.total(np.empty((0, 3))).tolist() == [0, 0, 0]
    assert math.isnan(columns.mean(np.empty(0)))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_matrices_are_solved_as_lapack_does(seed: int, size: int) -> None:
    random = np.random.default_rng(seed)
    matrix, beside = random.normal(size=(size + 9, size)), random.normal(size=size + 9)
    parts = matrices.factored(matrix, beside)
    wanted = np.linalg.lstsq(matrix, beside, rcond=None)[0]
    assert matrices.back_substituted(parts.half, parts.rest) == pytest.approx(wanted, rel=1e-8, abs=1e-9)
    assert parts.leverages() == pytest.approx(np.sum(np.linalg.qr(matrix)[0] ** 2, axis=1))
    square = matrix.T @ matrix
    assert matrices.multiplied(matrix.T, matrix) == pytest.approx(square)
    assert matrices.solved(square, square) == pytest.approx(np.eye(size), abs=1e-6)
    values, first = matrices.principal_of_symmetric(square)
    assert values == pytest.approx(np.linalg.eigvalsh(square))
    assert matrices.multiplied(square, first) == pytest.approx(values[-1] * first, abs=1e-9 * values[-1])
    greatest, shares = matrices.principal_of_positive(np.exp(matrix[:size]))
    assert matrices.multiplied(np.exp(matrix[:size]), shares) == pytest.approx(greatest * shares)


def test_a_matrix_that_explains_itself_is_refused() -> None:
    with pytest.raises(ValueError, match="positive definite"):
        matrices.solved(np.ones((2, 2)), np.ones(2))
