"""Tabular CUSUM of transformed counts: what they were above the reference value k, added up.

S[t] = max(0, S[t-1] + g(x[t]) - k), S before the first point judged is 0; alarm when S[t] >= h.
Source: Page, Biometrika 1954; 41: 100-115; transformations: Rossi, Lampugnani and Marchi, Stat Med 1999; 18:
2111-2122; R surveillance 1.20.3, algo.cusum, whose bounds (on the scale of the counts where it has one) these are.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from streams.watch.detect.detector import State, Verdict, When, defined, ratio
from streams.watch.detect.parameters import option
from streams.watch.detect.training import NOTHING, learn

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


@dataclass(frozen=True)
class Cusum:
    """Tabular CUSUM of transformed counts."""

    k: float = option(1.04, "reference value: what a transformed count may be without adding up", least=0)
    h: float = option(2.26, "decision interval: alarm when the sum reaches it", above=0)
    m: float | None = option(
        None, "mean under control", unset="mean of the points before start", least=0, also=("mean", "mu")
    )
    trans: str = option("standard", "transformation", "word", words=tuple(TRANSFORMATIONS))
    alpha: float = option(0.1, "overdispersion, for pearsonNegBin and anscombeNegBin", least=0)
    start_: int | None = option(
        None, "number of the first point judged, counted from 1", "whole number", least=1,
        unset="60, or 1 where m is given",
    )  # fmt: skip

    @property
    def first(self) -> int:
        """The number of the first point judged."""
        if self.start_ is not None:
            return self.start_
        return 60 if self.m is None else 1

    def start(self) -> State:
        """[points seen, S, values learned from, their mean, their squares]."""
        return [0, 0.0, *NOTHING]

    def step(self, state: State, t: When, observed: float | None, population: float | None = None) -> Verdict:
        """Judge the sum S (the statistic). Alarm: S >= h. A missing point changes nothing."""
        seen, before, *rest = state
        learned = (rest[0], rest[1], rest[2])
        if seen + 1 < self.first:
            return [seen + 1, before, *learn(learned, observed)], None, None, None
        mean = self.m if self.m is not None else learned[1] if learned[0] else math.nan
        after = before
        if observed is not None:
            after = before + (self._transformed(observed, mean) - self.k)
            after = after if math.isnan(after) else max(0.0, after)
        state = [seen + 1, after, *learned]
        bound = self._bound(mean, before, after)
        if observed is None or math.isnan(after):
            return state, None, bound, None
        return state, defined(after), bound, after >= self.h

    def _transformed(self, observed: float, mean: float) -> float:
        if observed < 0 and self.trans in OF_COUNTS:
            return math.nan
        transform, _ = TRANSFORMATIONS[self.trans]
        return transform(observed, mean, self.alpha)

    def _bound(self, mean: float, before: float, after: float) -> float | None:
        """As algo.cusum: at least 0, and 0 where it is not defined though the mean is."""
        _, on_counts = TRANSFORMATIONS[self.trans]
        if on_counts is not None and math.isnan(mean):
            return None
        bound = on_counts(mean, self.alpha, self.h + self.k - before) if on_counts else self.h - after
        return defined(0.0 if math.isnan(bound) else max(0.0, bound))
