"""Farrington's method, classic and flexible: a count against the counts at the same time of the years before.

Source: Farrington et al., J R Stat Soc A 1996; 159: 547-563; Noufaily et al., Stat Med 2013; 32: 1206-1222;
results are those of R surveillance 1.20.3, farrington and farringtonFlexible (docs/detect.md says where they are
not).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from streams.watch.detect.detector import State, Verdict, When, defined, exceeds
from streams.watch.detect.history import DAILY, WEEKLY, History, frequency, remember, span
from streams.watch.detect.parameters import SAFE, SURVEILLANCE, WHEN_MISSING, option

if TYPE_CHECKING:
    from streams.watch.detect.thresholds import Threshold

B: dict[str, Any] = {"kind": "whole number", "least": 1, "most": 100}
W: dict[str, Any] = {"kind": "whole number", "least": 0, "most": 400}
FREQ: dict[str, Any] = {
    "kind": "whole number",
    "least": 1,
    "most": 366,
    "unset": "52; with dates, from them",
    "also": ("frequency",),
}
START: dict[str, Any] = {"kind": "whole number", "least": 1}


class Surge(NamedTuple):
    """All that a Farrington method says of a point; None stands where a value is not defined."""

    score: float | None = None
    bound: float | None = None
    alarm: bool | None = None
    expected: float | None = None
    chance: float | None = None
    trend: bool | None = None
    slope: float | None = None
    phi: float | None = None
    mean: float | None = None


class _Farrington:
    """What both methods share: the years they keep, and when they begin."""

    by_calendar: ClassVar[bool] = True
    b: int
    w: int
    freq: int | None
    limit54: tuple[int, int]
    start_: int | None

    @property
    def first(self) -> int:
        """The number of the first point judged, by index or where `freq` is given."""
        return self.start_ or self.begins(self.freq or WEEKLY)

    def begins(self, freq: int) -> int:
        """The number of the first point judged, with so many points a year."""
        raise NotImplementedError

    def start(self) -> State:
        """[points seen, their days, counts, populations]: as many as b years need."""
        return [0, [], [], []]

    def step(self, state: State, t: When, observed: float | None, population: float | None = None) -> Verdict:
        """Judge the next point. Points with dates are compared by the calendar, others by index."""
        state, found = self.follow(state, t, observed, population)
        return state, found.score, found.bound, found.alarm

    def follow(
        self, state: State, t: When, observed: float | None, population: float | None = None
    ) -> tuple[State, Surge]:
        """Like step, with all that is known of the point."""
        freq = self.freq or frequency(state[1], t)
        keep = span(freq or DAILY, self.b, self.w, self.limit54[1])
        state = remember(state, t, observed, population, keep)
        if freq is None or state[0] < (self.start_ or self.begins(freq)):
            return state, Surge()
        return state, self.judge(History(*state), freq)

    def judge(self, history: History, freq: int) -> Surge:
        """What the method says of the newest point."""
        raise NotImplementedError


@dataclass(frozen=True)
class Farrington(_Farrington):
    """Farrington: a count against the same weeks of the years before (1996)."""

    b: int = option(5, "years looked back", **B)
    w: int = option(3, "points on either side of the same time of a year", **W)
    freq: int | None = option(None, "points a year; with dates 12, 52 or 365", **FREQ)
    alpha: float = option(0.05, "both tails of the bound together", above=0, below=1)
    reweight: bool = option(True, "weigh past outbreaks down", "yes or no")
    trend: bool = option(True, "fit a trend, and keep it where it holds", "yes or no")
    limit54: tuple[int, int] = option((5, 4), "no alarm below so many cases in so many points", "numbers")
    powertrans: str = option("2/3", "power that makes counts normal", "word", words=("2/3", "1/2", "none"))
    population_offset: bool = option(False, "counts in proportion to the population", "yes or no")
    missing: str = option(
        SURVEILLANCE, "a missing newest point: mutes as in R, or is passed over in limit54", **WHEN_MISSING
    )
    start_: int | None = option(
        None, "number of the first point judged, counted from 1", unset="freq x b - w", **START
    )

    def begins(self, freq: int) -> int:
        """The number of the first point judged, with so many points a year."""
        return max(1, freq * self.b - self.w)

    def judge(self, history: History, freq: int) -> Surge:
        """What the method says of the newest point. Alarm: score > 1 and enough cases; else bound 0."""
        from streams.watch.detect.references import classic
        from streams.watch.detect.regression import Fitting, predict
        from streams.watch.detect.thresholds import delta

        reference = classic(history, freq, self.b, self.w, self.population_offset)
        how = Fitting(self.reweight, 1.0, 0.05, self.b >= 3, flexible=False)
        prediction = predict(reference, how, self.trend) if reference is not None else None
        if prediction is None:
            return Surge()
        observed = history.observed[-1]
        found = delta(prediction, self.powertrans, self.alpha / 2, math.nan if observed is None else observed)
        enough = history.enough(*self.limit54, self.missing == SAFE)
        alarm = exceeds(found.score, 1.0) if enough else None if observed is None else False
        bound = None if enough is None else found.upper if enough else 0.0
        return _surge(found, bound, alarm, prediction.expected, prediction.slope, prediction.phi)


def _surge(
    found: Threshold,
    bound: float | None,
    alarm: bool | None,
    expected: float,
    slope: float | None,
    phi: float,
) -> Surge:
    return Surge(
        score=defined(found.score), bound=None if bound is None else defined(bound), alarm=alarm,
        expected=None if bound is None or math.isnan(bound) else defined(expected), chance=defined(found.chance),
        trend=slope is not None, slope=slope, phi=phi, mean=defined(found.mean),
    )  # fmt: skip


@dataclass(frozen=True)
class FarringtonFlexible(_Farrington):
    """Farrington flexible: seasons, and bounds by Noufaily et al. (2013)."""

    b: int = option(5, "years looked back", **B)
    w: int = option(3, "points on either side of the same time of a year", **W)
    freq: int | None = option(None, "points a year; with dates 12, 52 or 365", **FREQ)
    reweight: bool = option(True, "weigh past outbreaks down", "yes or no")
    weights_threshold: float = option(2.58, "residual above which a past count is weighed down", least=0)
    alpha: float = option(0.05, "upper tail of the bound", above=0, below=1)
    trend: bool = option(True, "fit a trend, and keep it where it holds", "yes or no")
    p_threshold_trend: float = option(0.05, "a trend holds where its p is below", least=0)
    limit54: tuple[int, int] = option((5, 4), "no alarm below so many cases in so many points", "numbers")
    powertrans: str = option(
        "2/3", "power that makes counts normal (delta)", "word", words=("2/3", "1/2", "none")
    )
    population_offset: bool = option(False, "counts in proportion to the population", "yes or no")
    no_periods: int = option(
        1, "seasons of a year (10 in Noufaily et al.)", "whole number", least=1, most=366
    )
    past_weeks_not_included: int | None = option(
        None, "newest points left out of the comparison", "whole number", unset="w", least=0
    )
    threshold_method: str = option(
        "delta", "how the bound is set", "word", words=("delta", "nbPlugin", "muan")
    )
    glm_warnings: bool = option(True, "kept for files written for R; changes nothing", "yes or no")
    missing: str = option(
        SURVEILLANCE, "a missing newest point: mutes as in R, or is passed over in limit54", **WHEN_MISSING
    )
    start_: int | None = option(
        None, "number of the first point judged, counted from 1", unset="freq x b + w + 1", **START
    )

    def begins(self, freq: int) -> int:
        """The number of the first point judged, with so many points a year."""
        return freq * self.b + self.w + 1

    def contradictions(self) -> Iterator[tuple[str, str]]:
        """Parameters that do not go together: (name, what would be right)."""
        freq = self.freq or WEEKLY
        if self.no_periods > freq and self.no_periods > 1:
            yield "no_periods", f"must be at most the {freq} points of a year, not {self.no_periods}"

    def judge(self, history: History, freq: int) -> Surge:
        """What the method says of the newest point. Alarm: score > 1, enough cases and not none now."""
        from streams.watch.detect.references import flexible
        from streams.watch.detect.regression import Fitting, predict
        from streams.watch.detect.thresholds import counts, delta

        past = self.w if self.past_weeks_not_included is None else self.past_weeks_not_included
        seasons = (freq, self.b, self.w, self.no_periods)
        reference = flexible(history, *seasons, past, self.population_offset, self.missing == SAFE)
        how = Fitting(
            self.reweight, self.weights_threshold, self.p_threshold_trend, self.b >= 3, flexible=True
        )
        prediction = predict(reference, how, self.trend) if reference is not None else None
        if prediction is None:
            return Surge()
        value = history.observed[-1]
        observed = math.nan if value is None else value
        if self.threshold_method == "delta":
            found = delta(prediction, self.powertrans, self.alpha, observed)
        else:
            found = counts(prediction, self.threshold_method, self.alpha, observed)
        enough = history.enough(*self.limit54, self.missing == SAFE)
        alarm = None if value is None else bool(enough) and found.score > 1 and value != 0
        return _surge(
            found,
            found.upper if enough else None,
            alarm,
            prediction.expected,
            prediction.slope,
            prediction.phi,
        )
