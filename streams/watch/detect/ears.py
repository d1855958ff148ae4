"""EARS C1, C2, C3: how far a count stands above the mean of the points before it.

C1 compares with the `baseline` points just before, C2 with those that end two points earlier, so that an outbreak
does not become its own baseline. C3 sums what C2 was above 1 at this point and the two before.
Source: Hutwagner et al., The bioterrorism preparedness and response Early Aberration Reporting System (EARS),
J Urban Health 2003; 80(2 suppl 1): i89-i96; Fricker et al., Stat Med 2008; 27: 3407-3429; for alpha and the bound:
R surveillance 1.20.3, earsC.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from operator import mul
from typing import Any, ClassVar

from schemas.arithmetic.elementary import normal_quantile
from streams.watch.detect.detector import State, Verdict, When, defined, exceeds, mean_of, ratio, sum_of
from streams.watch.detect.parameters import SAFE, SURVEILLANCE, WHEN_MISSING, option

BASELINE: dict[str, Any] = {"kind": "whole number", "least": 3, "most": 10_000}
AROUND = "a missing point of the baseline: nothing is defined as in R, or the others are the baseline"
ALPHA: dict[str, Any] = {"above": 0, "below": 1, "unset": "the threshold counts"}
LEAST = 3
"""Points that are there in a baseline with missing ones, at the least."""
GUARD = 2
"""Points between a point and the baseline of C2 and C3."""


def baseline_of(window: State, size: int, min_sigma: float, safe: bool) -> tuple[float, float]:
    """Mean and standard deviation (n - 1; at least min_sigma) of the first `size` points of a full window.

    Not a number where a point is missing, as nobody can say what it was; the `safe` way takes the points that are
    there, if half of them are, and three.
    """
    values = window[:size]
    if None in values:
        values = [each for each in values if each is not None] if safe else []
        if len(values) < max(LEAST, size / 2):
            return math.nan, math.nan
    number = len(values)
    mean = mean_of(values)
    off = [value - mean for value in values]
    variance = sum_of(map(mul, off, off)) / (number - 1)
    return mean, max(math.sqrt(variance), min_sigma)


def _threshold(threshold: float, alpha: float | None) -> float:
    return threshold if alpha is None else normal_quantile(1 - alpha)


@dataclass(frozen=True)
class _AgainstBaseline:
    """What C1 and C2 share: the statistic (observed - mean) / sigma, the bound mean + threshold x sigma."""

    baseline: int = option(7, "points in the baseline", **BASELINE)
    min_sigma: float = option(1.0, "least standard deviation", least=0)
    threshold: float = option(3.0, "alarm when the statistic is above", above=0)
    alpha: float | None = option(
        None,
        "upper tail of the normal distribution, in place of the threshold",
        **ALPHA,
    )
    missing: str = option(SURVEILLANCE, AROUND, **WHEN_MISSING)
    guard: ClassVar[int] = 0

    def start(self) -> State:
        """No points yet."""
        return []

    def step(self, state: State, t: When, observed: float | None, population: float | None = None) -> Verdict:
        """Judge against the baseline; nothing is defined before it is full. Alarm: observed > bound."""
        size = self.baseline + self.guard
        after = [*state, observed][-size:]
        if len(state) < size:
            return after, None, None, None
        mean, sigma = baseline_of(state, self.baseline, self.min_sigma, self.missing == SAFE)
        bound = mean + _threshold(self.threshold, self.alpha) * sigma
        if observed is None:
            return after, None, defined(bound), None
        return after, defined(ratio(observed - mean, sigma)), defined(bound), exceeds(observed, bound)


@dataclass(frozen=True)
class EarsC1(_AgainstBaseline):
    """EARS C1: against the points just before."""


@dataclass(frozen=True)
class EarsC2(_AgainstBaseline):
    """EARS C2: against the points that end two points earlier."""

    guard: ClassVar[int] = GUARD


def _shifted(state: State, size: int, observed: float | None, excess: float | None) -> State:
    """[window, excess one point ago, excess two points ago] after one more point."""
    window, one, _ = state
    return [[*window, observed][-size:], excess, one]


@dataclass(frozen=True)
class _OfExcesses:
    """What both C3 share: the points of C2's window, and by how much C2 was above 1 at the two points before."""

    baseline: int = option(7, "points in the baseline", **BASELINE)
    min_sigma: float = option(1.0, "least standard deviation", least=0)
    missing: str = option(SURVEILLANCE, AROUND, **WHEN_MISSING)

    def start(self) -> State:
        """No points yet."""
        return [[], None, None]

    def _excess(self, window: State, observed: float | None) -> tuple[float, float]:
        """(max(0, C2 - 1), sigma) of the next point; not a number where C2 is not defined.

        The safe way lets a missing point add nothing to the sums of the two after it.
        """
        safe = self.missing == SAFE
        mean, sigma = baseline_of(window, self.baseline, self.min_sigma, safe)
        if observed is None:
            return (0.0 if safe else math.nan), sigma
        c2 = ratio(observed - mean, sigma)
        return (c2 if math.isnan(c2) else max(0.0, c2 - 1)), sigma

    def _take(self, state: State, observed: float | None) -> tuple[State, tuple[float, ...] | None]:
        """The state after one more point; its excess and sigma and the two excesses before, once all are there."""
        size = self.baseline + GUARD
        window, one, two = state
        if len(window) < size:
            return _shifted(state, size, observed, None), None
        excess, sigma = self._excess(window, observed)
        after = _shifted(state, size, observed, excess)
        return after, None if two is None else (excess, sigma, one, two)


@dataclass(frozen=True)
class EarsC3(_OfExcesses):
    """EARS C3: the excesses of C2 over 1, summed over this point and the two before."""

    threshold: float = option(2.0, "alarm when the statistic is above", above=0)
    alpha: float | None = option(
        None,
        "upper tail of the normal distribution, in place of the threshold",
        **ALPHA,
    )

    def step(self, state: State, t: When, observed: float | None, population: float | None = None) -> Verdict:
        """Judge the sum. The bound is the threshold the statistic is held against. Alarm: statistic > bound."""
        after, known = self._take(state, observed)
        if known is None:
            return after, None, None, None
        bound = _threshold(self.threshold, self.alpha)
        if observed is None:
            return after, None, bound, None
        excess, _, one, two = known
        statistic = excess + one + two
        return after, defined(statistic), bound, exceeds(statistic, bound)


@dataclass(frozen=True)
class EarsC3Surveillance(_OfExcesses):
    """C3 as R surveillance has it (not the CDC's): the excesses of the two points before alone."""

    min_sigma: float = option(0.0, "least standard deviation", least=0)
    alpha: float = option(0.025, "upper tail of the normal distribution, in place of the threshold", **ALPHA)

    def step(self, state: State, t: When, observed: float | None, population: float | None = None) -> Verdict:
        """Judge the sum of the two excesses before; the bound is earsC's. Alarm: observed > bound."""
        after, known = self._take(state, observed)
        if known is None or observed is None:
            return after, None, None, None
        _, sigma, one, two = known
        past = one + two
        bound = observed + sigma * (normal_quantile(1 - self.alpha) - past)
        bound = bound if math.isnan(bound) else max(0.0, bound)
        return after, defined(past), defined(bound), exceeds(observed, bound)


EARS: dict[str, type[Any]] = {
    "ears-c1": EarsC1,
    "ears-c2": EarsC2,
    "ears-c3": EarsC3,
    "ears-c3-surveillance": EarsC3Surveillance,
}
