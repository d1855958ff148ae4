"""What every statistical method is: a frozen set of parameters, and one pure step from point to point."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from typing import Any, NamedTuple, Protocol

from schemas.arithmetic import exact

State = list[Any]
"""Plain lists of numbers, booleans and None: fit for any serializer, of bounded length, never changed in place."""

When = int | date
Verdict = tuple[State, float | None, float | None, bool | None]
"""(state after the point, statistic, bound, alarm); None stands where a value is not defined."""


class Point(NamedTuple):
    """One point of a series; `observed` is None where the value is missing."""

    t: When
    observed: float | None
    population: float | None = None


class Judged(NamedTuple):
    """One point and what the method says of it."""

    t: When
    observed: float | None
    statistic: float | None
    bound: float | None
    alarm: bool | None


class Detector(Protocol):
    """A method with its parameters."""

    def start(self) -> State:
        """The state before the first point."""

    def step(self, state: State, t: When, observed: float | None, population: float | None = None) -> Verdict:
        """Judge the next point. Points come in order of time and without gaps; `state` is not changed."""


Step = Callable[..., Verdict]
"""A detector's `step`."""


def stepper(detector: Detector) -> Step:
    """The detector's step for many points: with its parameters worked out once, where it knows how to."""
    made: Callable[[], Step] | None = getattr(detector, "stepper", None)
    return detector.step if made is None else made()


def detect(detector: Detector, points: Iterable[Point]) -> Iterator[Judged]:
    """Every point judged in turn: a fold over `step`, so a series at once and point by point are one."""
    state, step = detector.start(), stepper(detector)
    for point in points:
        state, statistic, bound, alarm = step(state, *point)
        yield Judged(point.t, point.observed, statistic, bound, alarm)


def defined(value: float) -> float | None:
    """The value, or None where it is infinite or not a number."""
    return value if math.isfinite(value) else None


def ratio(over: float, under: float) -> float:
    """Division as IEEE 754 has it: x/0 is infinite, 0/0 is not a number."""
    if under:
        return over / under
    return math.nan if over == 0 or math.isnan(over) else math.copysign(math.inf, over)


def exceeds(value: float, bound: float) -> bool | None:
    """Is the value above the bound? None where either is not a number."""
    return None if math.isnan(value) or math.isnan(bound) else value > bound


def sum_of(values: Iterable[float]) -> float:
    """The exact sum, rounded once; not a number where it is beyond what a double holds."""
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):  # beyond a double on the way, or infinite both ways
        return math.nan


def mean_of(values: Sequence[float]) -> float:
    """The mean of one or more, rounded once; not a number where one of them is not finite."""
    try:
        return exact.mean(values)
    except (OverflowError, ValueError):
        return math.nan
