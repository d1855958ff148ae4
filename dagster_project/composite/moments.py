"""Skewness and kurtosis as spreadsheets define them (SAS type 2), and the test for outliers made of them."""

from __future__ import annotations

import math

import numpy as np

from dagster_project.composite.table import Array
from schemas.arithmetic.columns import mean, summed


def present(x: Array) -> Array:
    """The figures that are not missing."""
    return x[~np.isnan(x)]


def skewness(x: Array) -> float:
    """Sample skewness G1 of the present figures; NaN for fewer than 3 or where they do not vary.

    G1 = sqrt(n (n - 1)) / (n - 2) * m3 / m2^(3/2) (Joanes and Gill 1998).
    """
    x = present(x)
    n = len(x)
    if n < 3:
        return math.nan
    x = x - mean(x)
    with np.errstate(invalid="ignore", divide="ignore"):
        squares = summed(x * x)
        plain = math.sqrt(n) * np.float64(summed(x * x * x)) / (squares * math.sqrt(squares))
    return float(plain * math.sqrt(n * (n - 1)) / (n - 2))


def kurtosis(x: Array) -> float:
    """Sample excess kurtosis G2 of the present figures; NaN for fewer than 4 or where they do not vary.

    G2 = (n - 1) / ((n - 2) (n - 3)) * ((n + 1) g2 + 6) (Joanes and Gill 1998).
    """
    x = present(x)
    n = len(x)
    if n < 4:
        return math.nan
    x = x - mean(x)
    with np.errstate(invalid="ignore", divide="ignore"):
        squares = summed(x * x)
        plain = n * np.float64(summed(x * x * x * x)) / (squares * squares)
    return float(((n + 1) * (plain - 3) + 6) * (n - 1) / ((n - 2) * (n - 3)))


def passes(x: Array, skew: float, kurt: float) -> bool | None:
    """Whether figures are free of outliers: |skewness| < skew or kurtosis < kurt; None where nobody can say."""
    skewed, peaked = abs(skewness(x)), kurtosis(x)
    if skewed < skew or peaked < kurt:
        return True
    return None if math.isnan(skewed) or math.isnan(peaked) else False
