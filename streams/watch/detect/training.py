"""Mean and standard deviation of the first points, one at a time (Welford, Technometrics 1962; 4: 419)."""

from __future__ import annotations

import math
from collections.abc import Iterator

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


class Trained:
    """What charts share that can learn from the points before the first one judged."""

    start_: int | None
    baseline: int | None

    @property
    def _start_by_default(self) -> int:
        """The number of the first point judged where neither `start` nor `baseline` is given."""
        raise NotImplementedError

    @property
    def first(self) -> int:
        """The number of the first point judged."""
        if self.baseline is not None:
            return self.baseline + 1
        return self._start_by_default if self.start_ is None else self.start_

    def contradictions(self) -> Iterator[tuple[str, str]]:
        """Parameters that do not go together: (name, what would be right)."""
        if self.baseline is not None and self.start_ is not None:
            yield "baseline", "must not stand beside start: points before it are learned from"
