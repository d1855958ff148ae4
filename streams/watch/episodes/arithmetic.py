"""Arithmetic that has an answer for any finite floats: no overflow, no infinity, nothing that is not a number.

Sums and means are exact but for one rounding: neither order nor restarts change a bit. What is beyond the largest
float is the largest float, so that it is valid in JSON and beyond every bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import isfinite, isnan

from schemas.arithmetic import exact

LARGEST = exact.LARGEST


def total(values: Sequence[float]) -> float:
    """The sum, rounded once; the largest float where it is beyond, so that it still compares right."""
    return exact.saturated(values)


def mean(values: Sequence[float]) -> float:
    """The mean of one or more values, rounded once; it is between them, however large or small they are."""
    return exact.mean(values)


def deviation(value: float, base: float, scale: float = 1.0) -> float:
    """(value - base) / scale for a scale above 0; the largest float where it is beyond."""
    apart = value - base
    if isfinite(apart):
        return within(apart / scale)
    return _rounded((Fraction(value) - Fraction(base)) / Fraction(scale))


def within(value: float) -> float:
    """The value, or the largest float of its sign where it is infinite: valid in JSON, beyond every bound."""
    return min(max(value, -LARGEST), LARGEST)


def sound(value: float | None) -> float | None:
    """A value as a rule may judge it: within what a float holds; None where it is not a number."""
    return None if value is None or isnan(value) else within(value)


def _rounded(exact: Fraction) -> float:
    try:
        return float(exact)
    except OverflowError:
        return LARGEST if exact > 0 else -LARGEST
