"""Mean and standard deviation of the first points, one at a time (Welford, Technometrics 1962; 4: 419)."""

from __future__ import annotations

import math

Learned = tuple[int, float, float]
"""(number of values, their mean, the sum of their squared deviations from it)."""

NOTHING: Learned = (0, 0.0, 0.0)


def learn(learned: Learned, value: float | None) -> Learned:
    """What is known after one more value; a missing one teaches nothing."""
    if value is None:
        return learned
    number, mean, squares = learned
    number += 1
    closer = mean + (value - mean) / number
    return number, closer, squares + (value - mean) * (value - closer)


def deviation(learned: Learned) -> float:
    """Standard deviation (n - 1); not a number for fewer than two values."""
    number, _, squares = learned
    return math.sqrt(squares / (number - 1)) if number > 1 else math.nan
