"""Tails and quantiles of counts, as R has them (pnbinom, qnbinom, ppois, qpois, pt)."""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy.special import betainc, gammainc, gammaincc, stdtr

FAR = 2.0**1000


def two_sided_t(value: float, freedom: float) -> float:
    """P(|T| >= |value|) for Student's t."""
    return 2 * float(stdtr(freedom, -abs(value)))


def poisson_at_least(count: float, mean: float) -> float:
    """P(X >= count)."""
    least = math.floor(count - 1 + 1e-7) + 1
    return 1.0 if least <= 0 else float(gammainc(least, mean))


def negative_binomial_at_least(count: float, size: float, probability: float) -> float:
    """P(X >= count) for the number of failures before the size-th success."""
    least = math.floor(count - 1 + 1e-7) + 1
    return 1.0 if least <= 0 else float(betainc(least, size, 1 - probability))


def poisson_quantile(share: float, mean: float) -> float:
    """The least count with P(X <= count) >= share."""
    return _least(lambda count: float(gammaincc(count + 1, mean)) >= share * (1 - 64 * 2**-52), mean)


def negative_binomial_quantile(share: float, size: float, probability: float) -> float:
    """The least count with P(X <= count) >= share."""
    mean = size * (1 - probability) / probability
    return _least(
        lambda count: float(betainc(size, count + 1, probability)) >= share * (1 - 64 * 2**-52), mean
    )


def _least(enough: Callable[[int], bool], mean: float) -> float:
    """The least count that is enough, by doubling and halving; not a number where it is far."""
    high = max(1, int(min(mean, FAR / 4)) + 1)
    while not enough(high):
        high *= 2
        if high > FAR:
            return math.nan
    low = -1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return float(high)
