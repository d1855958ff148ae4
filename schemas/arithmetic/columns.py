"""Exponential, logarithm, power and sums of arrays: to the bits those of `elementary` have, element by element.

numpy's own e^x, ln x, x^y and trigonometric functions have other last bits with other instruction sets, and the
order of its sums is not promised; its +, -, x, /, square root and running sum (one after the other) are.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from schemas.arithmetic import exact
from schemas.arithmetic.elementary import (
    GREATEST,
    OVERFLOW,
    PER_LN2,
    SQRT_HALF,
    UNDERFLOW,
    logarithm,
    near_one,
    product,
)

Floats = NDArray[np.float64]
PER_LN10 = 4.34294481903251816668e-01, 1.09831965021676507150e-17
"""Their sum is 1 / ln 10."""


def total(values: Floats, axis: int = 0) -> Floats:
    """The sum along the first or the last axis: one after the other, from the first on; 0 of none."""
    if not values.shape[axis]:
        return np.zeros(values.shape[:axis] + values.shape[axis + 1 :])
    running = np.add.accumulate(values, axis=axis)
    found: Floats = running[..., -1] if axis else running[-1]
    return found


def dot(left: Floats, right: Floats) -> float:
    """The sum of the products of two columns, one after the other."""
    return float(total(left * right))


def mean(values: Floats) -> float:
    """The mean of a column, rounded once; not a number where there is none, or infinite, as IEEE 754 has it."""
    if not len(values):
        return math.nan
    if not np.isfinite(values).all():
        return summed(values) / len(values)
    return exact.mean(values.tolist())


def summed(values: Floats) -> float:
    """The sum of a column, rounded once at the end; not a number or infinite as IEEE 754 has it."""
    try:
        return exact.total(values.tolist())
    except (OverflowError, ValueError):  # beyond a double, or infinite ones of both signs
        with np.errstate(over="ignore", invalid="ignore"):
            return float(total(values))


def deviation(values: Floats, freedom: int = 1) -> float:
    """The standard deviation, over n - freedom; not a number where that is not above 0."""
    if len(values) <= freedom:
        return math.nan
    off = values - mean(values)
    return math.sqrt(summed(off * off) / (len(values) - freedom))


def exp(x: Floats) -> Floats:
    """e^x; infinite or 0 where a double cannot hold it."""
    return _exp(x, 0.0)


def log(x: Floats) -> Floats:
    """Natural logarithm; minus infinity of 0, not a number below."""
    return _of_positive(x, lambda there: _log_parts(there)[0])


def log10(x: Floats) -> Floats:
    """Decimal logarithm; exact at powers of ten."""

    def found(there: Floats) -> Floats:
        high, low = _log_parts(there)
        over, under = product(high, np.asarray(PER_LN10[0]))
        made: Floats = over + (under + (high * PER_LN10[1] + low * PER_LN10[0]))
        return made

    return _of_positive(x, found)


def log1p(x: Floats) -> Floats:
    """Natural logarithm of 1 + x, exact for small x, too."""
    with np.errstate(invalid="ignore", divide="ignore"):
        y = 1 + x
        rest = np.where(np.isfinite(y) & (y > 0), (x - (y - 1)) / y, 0.0)
        found: Floats = log(y) + rest
        return found


def power(x: Floats, y: float) -> Floats:
    """x^y as IEEE 754 has it: 0 to a negative power is infinite, a root of a number below 0 is not a number."""
    if y == 0:
        return np.ones_like(x)
    if y == 1:
        return x.copy()
    if y == 0.5:
        with np.errstate(invalid="ignore"):
            return np.where(np.isinf(x), math.inf, np.sqrt(x) + 0.0)  # no root is -0
    if math.isnan(y):
        return np.where(x == 1, 1.0, math.nan)
    y = min(max(y, -GREATEST), GREATEST)
    whole, odd = y == math.floor(y), y % 2 == 1
    size = np.abs(x)
    usual = np.isfinite(size) & (size > 0)
    high, low = _log_parts(np.where(usual, size, 1.0))
    over, under = product(high, np.asarray(y, dtype=np.float64))
    found = np.where(usual, _exp(over, under + y * low), np.where((size == 0) == (y < 0), math.inf, 0.0))
    found = np.where(np.isnan(x) | ((x < 0) & usual & (not whole)), math.nan, found)
    return np.where(np.signbit(x) & odd, -found, found)


def _of_positive(x: Floats, function: Callable[[Floats], Floats]) -> Floats:
    usual = (x > 0) & np.isfinite(x)
    if usual.all():
        return function(x)
    found = function(np.where(usual, x, 1.0))
    return np.where(usual, found, np.where(x == 0, -math.inf, np.where(x == math.inf, math.inf, math.nan)))


def _exp(x: Floats, rest: Floats | float) -> Floats:
    inside = (x > UNDERFLOW) & (x < OVERFLOW)
    if not inside.all():
        found = _exp(np.where(inside, x, 0.0), np.where(inside, rest, 0.0))
        outside = np.where(x >= OVERFLOW, math.inf, np.where(x <= UNDERFLOW, 0.0, math.nan))
        return np.where(inside, found, outside)
    count: Floats = np.rint(x * PER_LN2)
    with np.errstate(over="ignore", under="ignore"):
        made: Floats = np.ldexp(near_one(x, count, np.asarray(rest)), count.astype(np.int32))
    return made


def _log_parts(x: Floats) -> tuple[Floats, Floats]:
    fraction, exponent = np.frexp(x)
    small = fraction < SQRT_HALF
    fraction, exponent = np.where(small, fraction * 2, fraction), exponent - small
    return logarithm(fraction, exponent.astype(np.float64))
