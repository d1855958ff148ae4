"""Tabular CUSUM of transformed counts: what they were above the reference value k, added up.

S[t] = max(0, S[t-1] + g(x[t]) - k), S before the first point judged is 0; alarm when S[t] >= h.
Source: Page, Biometrika 1954; 41: 100-115; R surveillance 1.20.3, algo.cusum, whose bounds (on the scale of the
counts where it has one) these are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

from schemas.arithmetic.elementary import exp, wave
from streams.watch.detect.detector import State, Verdict, When, defined
from streams.watch.detect.parameters import option
from streams.watch.detect.training import NOTHING, Trained, learn
from streams.watch.detect.transformations import OF_COUNTS, TRANSFORMATIONS

SEASONAL, PLAIN = "glm", "none"


@dataclass(frozen=True)
class Cusum(Trained):
    """Tabular CUSUM of transformed counts."""

    k: float = option(1.04, "reference value: what a transformed count may be without adding up", least=0)
    h: float = option(2.26, "decision interval: alarm when the sum reaches it", above=0)
    m: float | str | None = option(
        None, "mean under control, or glm: a seasonal one, fitted to the points before start",
        unset="mean of the points before start", least=0, words=(SEASONAL,), also=("mean", "mu"),
    )  # fmt: skip
    trans: str = option("standard", "transformation", "word", words=tuple(TRANSFORMATIONS))
    alpha: float = option(0.1, "overdispersion, for pearsonNegBin and anscombeNegBin", least=0)
    freq: int = option(52, "points a year, for the glm", "whole number", least=1, most=100_000)
    start_: int | None = option(
        None, "number of the first point judged, counted from 1", "whole number", least=1,
        unset="60, or 1 where m is a number",
    )  # fmt: skip

    baseline: int | None = option(
        None, "number of points learned from, in place of start", "whole number", least=1, unset="start - 1"
    )

    @property
    def _start_by_default(self) -> int:
        return 60 if self.m is None or self.m == SEASONAL else 1

    def start(self) -> State:
        """[points seen, S, values learned from, their mean, their squares, what the seasonal mean needs].

        That is first the values to learn from, then the coefficients, or None where there are none.
        """
        return [0, 0.0, *NOTHING, []]

    def step(self, state: State, t: When, observed: float | None, population: float | None = None) -> Verdict:
        """Judge the sum S (the statistic). Alarm: S >= h. A missing point changes nothing."""
        seen, before, number, learned_mean, squares, season = state
        learned, now = (number, learned_mean, squares), seen + 1
        if now < self.first:
            season = [*season, observed] if self.m == SEASONAL else season
            return [now, before, *learn(learned, observed), season], None, None, None
        if self.m == SEASONAL and now == self.first:
            season = _seasonal(season, self.freq)
        mean = self._mean(now, learned_mean if number else math.nan, season)
        after = before
        if observed is not None:
            after = before + (self._transformed(observed, mean) - self.k)
            after = after if math.isnan(after) else max(0.0, after)
        state = [now, after, *learned, season]
        bound = self._bound(mean, before, after)
        if observed is None or math.isnan(after):
            return state, None, bound, None
        return state, defined(after), bound, after >= self.h

    def _mean(self, number: int, learned: float, season: list[float] | None) -> float:
        """The mean under control at a point."""
        if self.m == SEASONAL:
            return math.nan if season is None else exp(_linear(season, number, self.freq))
        return learned if self.m is None else cast(float, self.m)

    def _transformed(self, observed: float, mean: float) -> float:
        if (observed < 0 and self.trans in OF_COUNTS) or (mean < 0 and self.trans != PLAIN):
            return math.nan  # no root of a number below 0
        transform, _ = TRANSFORMATIONS[self.trans]
        return transform(observed, mean, self.alpha)

    def _bound(self, mean: float, before: float, after: float) -> float | None:
        """As algo.cusum: at least 0, and 0 where it is not defined though the mean is."""
        _, on_counts = TRANSFORMATIONS[self.trans]
        if on_counts is not None and not mean >= 0:
            return None
        bound = on_counts(mean, self.alpha, self.h + self.k - before) if on_counts else self.h - after
        return defined(0.0 if math.isnan(bound) else max(0.0, bound))


def _waves(number: int, freq: int) -> list[float]:
    return [1.0, *wave(number, freq)]


def _linear(coefficients: list[float], number: int, freq: int) -> float:
    return min(709.0, math.fsum(map(math.prod, zip(coefficients, _waves(number, freq), strict=True))))


def _seasonal(values: list[float | None], freq: int) -> list[float] | None:
    """Coefficients of a Poisson regression on one wave a year; None where there is none."""
    import numpy as np  # here, as it takes long to import

    from streams.watch.detect.glm import fit

    known = [(number, value) for number, value in enumerate(values, 1) if value is not None]
    if not known:
        return None
    design = np.array([_waves(number, freq) for number, _ in known])
    fitted = fit(design, np.array([value for _, value in known], dtype=np.float64))
    return None if fitted is None else [float(each) for each in fitted.coefficients]
