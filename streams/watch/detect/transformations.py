"""Transformations of counts for CUSUM, and the counts that would bring its sum to h.

Source: Rossi, Lampugnani and Marchi, Stat Med 1999; 18: 2111-2122; R surveillance 1.20.3, algo.cusum.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from streams.watch.detect.detector import ratio

Transformation = Callable[[float, float, float], float]
"""(observed, mean, alpha) -> g(observed); counts below 0 have none where powers are taken."""
Bound = Callable[[float, float, float], float]
"""(mean, alpha, h + k - S before) -> the count that would bring S to h."""


def _rossi(x: float, m: float, alpha: float) -> float:
    return ratio(x - 3 * m + 2 * math.sqrt(x * m), 2 * math.sqrt(m))


def _standard(x: float, m: float, alpha: float) -> float:
    return ratio(x - m, math.sqrt(m))


def _anscombe(x: float, m: float, alpha: float) -> float:
    return ratio(1.5 * (math.pow(x, 2 / 3) - math.pow(m, 2 / 3)), math.pow(m, 1 / 6))


def _anscombe_2nd(x: float, m: float, alpha: float) -> float:
    if m == 0:
        return math.nan
    under = math.pow(m, 2 / 3) - math.pow(m, -1 / 3) / 9
    return (math.pow(x, 2 / 3) - under) / (2 / 3 * math.pow(m, 1 / 6))


def _pearson(x: float, m: float, alpha: float) -> float:
    return ratio(x - m, math.sqrt(m + alpha * m**2))


def _anscombe_negative_binomial(x: float, m: float, alpha: float) -> float:
    above = 1.5 * x ** (2 / 3) * hypergeometric(-alpha * x) - 1.5 * m ** (2 / 3) * hypergeometric(-alpha * m)
    return ratio(above, (m + alpha * m**2) ** (1 / 6))


def hypergeometric(x: float) -> float:
    """Gauss's 2F1(1/3, 2/3; 5/3; x) for x <= 0, at the points of R surveillance's table.

    Those are 0.01 apart down to -10 (the nearest counts) and 1 apart down to -100 (in between, a straight line);
    beyond it is not defined.
    """
    from scipy.special import hyp2f1  # here, as it takes long to import

    if x >= -10:
        return float(hyp2f1(1 / 3, 2 / 3, 5 / 3, -math.ceil(-x * 100 - 0.5) / 100))
    if x < -100:
        return math.nan
    upper = math.floor(-x)
    high, low = (float(hyp2f1(1 / 3, 2 / 3, 5 / 3, -each)) for each in (upper, upper + 1))
    return low + (high - low) * (x + upper + 1)


def _rossi_bound(m: float, alpha: float, left: float) -> float:
    inside = 4 * m**2 + 2 * m**1.5 * left
    return math.nan if inside < 0 else 2 * left * math.sqrt(m) + 5 * m - 2 * math.sqrt(inside)


def _standard_bound(m: float, alpha: float, left: float) -> float:
    count = math.sqrt(m) * left + m
    return math.ceil(count) if math.isfinite(count) else count


def _anscombe_bound(m: float, alpha: float, left: float) -> float:
    return math.pow(max(0.0, 2 / 3 * m ** (1 / 6) * left + m ** (2 / 3)), 1.5)


def _anscombe_2nd_bound(m: float, alpha: float, left: float) -> float:
    return math.pow(max(0.0, 2 / 3 * m ** (1 / 6) * left + (m ** (2 / 3) - m ** (1 / 3) / 9)), 1.5)


def _pearson_bound(m: float, alpha: float, left: float) -> float:
    return math.sqrt(m + alpha * m**2) * left + m


TRANSFORMATIONS: dict[str, tuple[Transformation, Bound | None]] = {
    "standard": (_standard, _standard_bound),
    "rossi": (_rossi, _rossi_bound),
    "anscombe": (_anscombe, _anscombe_bound),
    "anscombe2nd": (_anscombe_2nd, _anscombe_2nd_bound),
    "pearsonNegBin": (_pearson, _pearson_bound),
    "anscombeNegBin": (_anscombe_negative_binomial, None),
    "none": (lambda x, m, alpha: x, None),
}
"""By name: g, and the bound on the scale of the counts; where there is none, the bound is h - S."""

OF_COUNTS = ("rossi", "anscombe", "anscombe2nd", "anscombeNegBin")
"""Those that have no value below 0."""
