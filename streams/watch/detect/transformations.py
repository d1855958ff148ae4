"""Transformations of counts for CUSUM, and the counts that would bring its sum to h.

Source: Rossi, Lampugnani and Marchi, Stat Med 1999; 18: 2111-2122; R surveillance 1.20.3, algo.cusum.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

from schemas.arithmetic.elementary import power
from streams.watch.detect.detector import ratio

Transformation = Callable[[float, float, float], float]
"""(observed, mean, alpha) -> g(observed); counts below 0 have none where powers are taken."""
Bound = Callable[[float, float, float], float]
"""(mean, alpha, h + k - S before) -> the count that would bring S to h."""
CONNECTION = -1.3689268119594515
"""Gamma(5/3) Gamma(-1/3) / Gamma(1/3)."""


def _rossi(x: float, m: float, alpha: float) -> float:
    return ratio(x - 3 * m + 2 * math.sqrt(x * m), 2 * math.sqrt(m))


def _standard(x: float, m: float, alpha: float) -> float:
    return ratio(x - m, math.sqrt(m))


def _anscombe(x: float, m: float, alpha: float) -> float:
    return ratio(1.5 * (power(x, 2 / 3) - power(m, 2 / 3)), power(m, 1 / 6))


def _anscombe_2nd(x: float, m: float, alpha: float) -> float:
    if m == 0:
        return math.nan
    under = power(m, 2 / 3) - power(m, -1 / 3) / 9
    return (power(x, 2 / 3) - under) / (2 / 3 * power(m, 1 / 6))


def _pearson(x: float, m: float, alpha: float) -> float:
    return ratio(x - m, math.sqrt(m + alpha * (m * m)))


def _anscombe_negative_binomial(x: float, m: float, alpha: float) -> float:
    above = 1.5 * power(x, 2 / 3) * hypergeometric(-alpha * x) - 1.5 * power(m, 2 / 3) * hypergeometric(
        -alpha * m
    )
    return ratio(above, power(m + alpha * (m * m), 1 / 6))


def hypergeometric(x: float) -> float:
    """Gauss's 2F1(1/3, 2/3; 5/3; x) for x <= 0, at the points of R surveillance's table.

    Those are 0.01 apart down to -10 (the nearest counts) and 1 apart down to -100 (in between, a straight line);
    beyond it is not defined.
    """
    if x >= -10:
        return gauss(math.ceil(-x * 100 - 0.5) / 100)
    if not x >= -100:
        return math.nan
    upper = math.floor(-x)
    high, low = gauss(float(upper)), gauss(float(upper + 1))
    return low + (high - low) * (x + upper + 1)


@lru_cache(maxsize=2048)
def gauss(size: float) -> float:
    """2F1(1/3, 2/3; 5/3; -size) for a size of 0 or more.

    Up to 2 by Pfaff's transformation, beyond by the connection to 1/size. Source: Abramowitz and Stegun, 15.3.4
    and 15.3.7, in which one of the two series is 1.
    """
    if size <= 2:
        return power(1 + size, -1 / 3) * _hypergeometric_series(1 / 3, 1.0, 5 / 3, size / (1 + size))
    first = 2 * power(size, -1 / 3) * _hypergeometric_series(1 / 3, -1 / 3, 2 / 3, -1 / size)
    return first + CONNECTION * power(size, -2 / 3)


def _hypergeometric_series(a: float, b: float, c: float, z: float) -> float:
    """Gauss's series, for a z between -1/2 and 2/3, until it changes no more."""
    terms, n = [1.0], 0
    while abs(terms[-1]) > 1e-20:
        terms.append(terms[-1] * (a + n) * (b + n) / ((c + n) * (n + 1)) * z)
        n += 1
    return math.fsum(terms)


def _rossi_bound(m: float, alpha: float, left: float) -> float:
    inside = 4 * m * m + 2 * m * math.sqrt(m) * left
    return math.nan if inside < 0 else 2 * left * math.sqrt(m) + 5 * m - 2 * math.sqrt(inside)


def _standard_bound(m: float, alpha: float, left: float) -> float:
    count = math.sqrt(m) * left + m
    return math.ceil(count) if math.isfinite(count) else count


def _anscombe_bound(m: float, alpha: float, left: float) -> float:
    return power(max(0.0, 2 / 3 * power(m, 1 / 6) * left + power(m, 2 / 3)), 1.5)


def _anscombe_2nd_bound(m: float, alpha: float, left: float) -> float:
    return power(max(0.0, 2 / 3 * power(m, 1 / 6) * left + (power(m, 2 / 3) - power(m, 1 / 3) / 9)), 1.5)


def _pearson_bound(m: float, alpha: float, left: float) -> float:
    return math.sqrt(m + alpha * (m * m)) * left + m


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
