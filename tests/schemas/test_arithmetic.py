"""Elementary functions against decimal arithmetic, arrays against single numbers, matrices against LAPACK."""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal, localcontext
from fractions import Fraction
from sys import float_info

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from schemas.arithmetic import columns, elementary, exact, matrices

LARGEST = float_info.max
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


ENDS = [0.0, -0.0, 5e-324, -5e-324, 1.0, -1.0, LARGEST, -LARGEST, math.inf, -math.inf, math.nan]
any_float = st.floats() | st.sampled_from(ENDS)
EXPONENTS = [2 / 3, -1 / 6, 0.5, -0.5, 2.0, 3.0, 1.0, -1.0, -2.0, -3.0, 0.0, math.inf, -math.inf, math.nan]


def bits(values: Iterable[float]) -> list[str]:
    """Numbers so that -0 is not 0; what is not a number is one."""
    return [float(each).hex() for each in values]


@given(st.lists(any_float, min_size=1, max_size=40), st.sampled_from(EXPONENTS) | st.floats())
@example([-0.0], -1.0)
@example([-0.0, -math.inf], 3.0)
@example([-0.0, -math.inf, 1.0], 0.5)
def test_arrays_have_the_bits_of_single_numbers(values: list[float], exponent: float) -> None:
    array = np.array(values)
    for found, each in (
        (columns.exp(array), elementary.exp),
        (columns.log(array), elementary.log),
        (columns.power(array, exponent), lambda x: elementary.power(x, exponent)),
    ):
        assert bits(found) == bits(map(each, values))


@pytest.mark.parametrize("exponent", EXPONENTS)
@pytest.mark.parametrize("base", ENDS)
def test_a_power_at_the_ends_is_that_of_ieee_754(base: float, exponent: float) -> None:
    """Python's own has it so, too, but for raising where it is infinite or no number."""
    try:
        wanted = math.pow(base, exponent)
    except OverflowError:
        wanted = math.copysign(math.inf, base if exponent % 2 == 1 else 1)
    except ValueError:  # 0 to a negative power, or a root of a negative number
        wanted = math.copysign(math.inf, base if exponent % 2 == 1 else 1) if base == 0 else math.nan
    found = elementary.power(base, exponent)
    assert math.copysign(1, found) == math.copysign(1, wanted) or math.isnan(wanted)
    assert found == pytest.approx(wanted, rel=1e-15, abs=0, nan_ok=True)


@given(st.lists(finite | st.sampled_from(ENDS[:8]), min_size=1, max_size=30))
@example([6.342768631990509e-260] * 3)
@example([5e-324] * 3)
@example([LARGEST, LARGEST, -1.0])
@example([1e308, 5e-324, 1.0])
def test_a_mean_is_the_float_nearest_to_the_exact_one(values: list[float]) -> None:
    wanted = float(sum(map(Fraction, values), Fraction()) / len(values))
    assert exact.mean(values) == wanted == columns.mean(np.array(values))
    assert min(values) <= wanted <= max(values)


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
