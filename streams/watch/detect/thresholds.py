"""Where Farrington's methods set the bound above an expected count.

Source: Farrington et al. 1996 ("delta"); Noufaily et al. 2013 ("nbPlugin"); Salmon, Schumacher and Höhle, J Stat
Softw 2016; 70(10) ("muan"); R surveillance 1.20.3, algo.farrington.threshold.*.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from schemas.arithmetic.elementary import exp, normal_quantile, power
from streams.watch.detect.detector import ratio
from streams.watch.detect.distributions import (
    negative_binomial_at_least,
    negative_binomial_quantile,
    poisson_at_least,
    poisson_quantile,
)
from streams.watch.detect.regression import Prediction

POWERS = {"2/3": 2 / 3, "1/2": 1 / 2, "none": 1.0}
METHODS = ("delta", "nbPlugin", "muan")


@dataclass(frozen=True)
class Threshold:
    """The bound, how far above it the count is (above 1: alarm), the chance of so many, and the mean behind it.

    Not a number stands where a value is not defined.
    """

    upper: float = math.nan
    score: float = math.nan
    chance: float = math.nan
    mean: float = math.nan


def delta(prediction: Prediction, scale: str, alpha: float, observed: float) -> Threshold:
    """Normal on the scale of count^power; `alpha` is the upper tail."""
    exponent = POWERS[scale]
    mean = prediction.expected
    if not 0 < mean < math.inf or math.isnan(prediction.phi):
        return Threshold()
    error = prediction.error * mean
    spread = power(mean, 2 * exponent - 1) * (prediction.phi + error * error / mean)
    deviation = exponent * math.sqrt(spread)
    middle, z = power(mean, exponent), normal_quantile(1 - alpha)
    upper = _upper(middle, z * deviation, 1 / exponent)
    return Threshold(
        upper=upper,
        score=ratio(observed - mean, upper - mean),
        chance=math.nan
        if math.isnan(observed) or observed < 0
        else NormalDist().cdf((middle - power(observed, exponent)) / deviation),
        mean=exp(min(mean + z * error, 709)),
    )


def _upper(middle: float, half: float, exponent: float) -> float:
    """The greater end of an interval; an end below 0 has no such power."""
    ends = [end for end in (middle - half, middle + half) if end >= 0 or exponent == 1]
    return max(power(end, exponent) for end in ends) if ends else math.nan


def counts(prediction: Prediction, method: str, alpha: float, observed: float) -> Threshold:
    """Quantile of the negative binomial (Poisson where phi is 1) about the expected mean, or its upper end (muan).

    The score is R's: from the linear predictor, not from the expected count.
    """
    eta, phi = prediction.eta, prediction.phi
    if method == "muan":
        eta += normal_quantile(1 - alpha) * prediction.error
    if eta > 709 or math.isnan(prediction.phi):
        return Threshold()
    mean = exp(eta)
    if phi > 1:
        upper = negative_binomial_quantile(1 - alpha, mean / (phi - 1), 1 / phi)
    else:
        upper = poisson_quantile(1 - alpha, mean)
    score = ratio(observed - prediction.eta, upper - prediction.eta)
    return Threshold(upper, score, _chance(observed, mean, phi), mean)


def _chance(observed: float, mean: float, phi: float) -> float:
    """The chance of at least so many."""
    if math.isnan(observed):
        return math.nan
    if phi > 1:
        return negative_binomial_at_least(observed, mean / (phi - 1), 1 / phi)
    return poisson_at_least(observed, mean)
