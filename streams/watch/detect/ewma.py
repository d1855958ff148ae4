"""EWMA control chart: a mean that forgets, held against its upper control limit.

z[i] = lambda x[i] + (1 - lambda) z[i-1], z[0] = m;
limit[i] = m + L sd sqrt(lambda / (2 - lambda) (1 - (1 - lambda)^2i)).
Source: Roberts, Technometrics 1959; 1: 239-250; Lucas and Saccucci, Technometrics 1990; 32: 1-12;
NIST/SEMATECH e-Handbook of Statistical Methods, 6.3.2.4 (which gives the asymptotic limit).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from schemas.arithmetic.elementary import power
from streams.watch.detect.detector import State, Step, Verdict, When, defined, exceeds
from streams.watch.detect.parameters import option
from streams.watch.detect.training import NOTHING, Trained, deviation, learn

WIDTHS = 256
"""How many widths of the limit are worked out beforehand at most."""
VANISHED = 2.0**-60
"""What is taken from 1 and leaves 1: from there on the limit widens no more."""


@dataclass(frozen=True)
class Ewma(Trained):
    """EWMA control chart: a mean that forgets."""

    lambda_: float = option(0.2, "weight of the newest point", above=0, most=1)
    L: float = option(
        3.0, "width of the limit in standard deviations", above=0, also=("limit", "nsigmas", "k")
    )
    m: float | None = option(
        None, "mean under control", unset="mean of the points before start", also=("mean", "mu", "target")
    )
    sd: float | None = option(
        None, "standard deviation under control", unset="that of the points before start",
        least=0, also=("sigma", "std"),
    )  # fmt: skip
    min_sigma: float = option(0.0, "least standard deviation", least=0)
    limits: str = option(
        "exact",
        "limit that widens with the first points, or the final one",
        "word",
        words=("exact", "asymptotic"),
    )
    start_: int | None = option(
        None, "number of the first point judged, counted from 1", "whole number", least=1,
        unset="29, or 1 where m and sd are given",
    )  # fmt: skip

    baseline: int | None = option(
        None, "number of points learned from, in place of start", "whole number", least=1, unset="start - 1"
    )

    @property
    def _start_by_default(self) -> int:
        return 29 if self.m is None or self.sd is None else 1

    def start(self) -> State:
        """[points seen, points judged, z, values learned from, their mean, their squares]."""
        return [0, 0, None, *NOTHING]

    def step(self, state: State, t: When, observed: float | None, population: float | None = None) -> Verdict:
        """Judge the smoothed mean (the statistic). Alarm: statistic > bound. A missing point changes nothing."""
        return _stepper(self)(state, t, observed, population)

    def stepper(self) -> Step:
        """`step`, with all that only depends on the parameters worked out."""
        return _stepper(self)

    def width(self, number: int) -> float:
        """Standard deviations of z by that of a point, at the number-th point judged."""
        final = self.lambda_ / (2 - self.lambda_)
        return math.sqrt(final * (1 - self._passed(number)))

    def _passed(self, number: int) -> float:
        """The share of the final variance that z has not reached yet at the number-th point judged."""
        return power(1 - self.lambda_, 2 * number) if self.limits == "exact" else 0.0

    def widths(self) -> tuple[list[float], Callable[[int], float]]:
        """The first widths, and what gives the later ones: the last of them again where it widens no more."""
        first = [self.width(number) for number in range(1, WIDTHS + 1)]
        if self._passed(WIDTHS) < VANISHED:
            return first, lambda number: first[-1]
        return first, self.width


@lru_cache(maxsize=256)
def _stepper(chart: Ewma) -> Step:
    first, keep, weight, fixed_mean, fixed_sd = (
        chart.first,
        1 - chart.lambda_,
        chart.lambda_,
        chart.m,
        chart.sd,
    )
    widths, later = chart.widths()
    least, limit, isfinite = chart.min_sigma, chart.L, math.isfinite

    def step(state: State, t: When, observed: float | None, population: float | None = None) -> Verdict:
        seen, judged, z, number, learned, squares = state
        seen += 1
        if seen < first:
            return [seen, 0, None, *learn((number, learned, squares), observed)], None, None, None
        mean = fixed_mean if fixed_mean is not None else learned if number else math.nan
        sd = fixed_sd if fixed_sd is not None else deviation((number, learned, squares))
        sigma = least if sd < least else sd  # not a number stays so
        bound = mean + limit * sigma * (widths[judged] if judged < WIDTHS else later(judged + 1))
        if observed is None:
            return [seen, judged, z, number, learned, squares], None, defined(bound), None
        z = weight * observed + keep * (mean if z is None else z)
        after = [seen, judged + 1, z, number, learned, squares]
        if isfinite(z) and isfinite(bound):
            return after, z, bound, z > bound
        return after, defined(z), defined(bound), exceeds(z, bound)

    return step
