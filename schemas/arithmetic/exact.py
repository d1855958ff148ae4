"""Sums and means of numbers that are rounded once, at the end: in any order, cut anywhere, the same bits."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import fsum
from sys import float_info

LARGEST = float_info.max


def total(values: Sequence[float]) -> float:
    """The sum of finite numbers; OverflowError where no float holds it."""
    try:
        return fsum(values)
    except OverflowError:  # perhaps on the way only
        return float(_whole(values))


def saturated(values: Sequence[float]) -> float:
    """The sum of finite numbers; the largest float, or the lowest, where it is beyond."""
    try:
        return total(values)
    except OverflowError:
        return LARGEST if _whole(values) > 0 else -LARGEST


def mean(values: Sequence[float]) -> float:
    """The mean of one or more finite numbers: the float nearest to the exact one, so never beyond them.

    A sum that was rounded must not be divided: where its last bit is large (near the smallest floats, or beside
    a mean of another size) the quotient can leave the values. So what rounding took off is divided, too.
    """
    try:
        rounded = fsum(values)
        off = fsum((*values, -rounded))
        exact = not off or not fsum((*values, -rounded, -off))
    except OverflowError:
        exact = False
    if not exact:
        return float(_whole(values) / len(values))
    if not off:
        return rounded / len(values)
    over, under = rounded.as_integer_ratio()
    more, beneath = off.as_integer_ratio()
    return (over * beneath + more * under) / (under * beneath * len(values))


def _whole(values: Sequence[float]) -> Fraction:
    return sum(map(Fraction, values), Fraction())
