"""Daily counts from a cumulative figure, so that their sum is always the figure and no case is invented."""

from __future__ import annotations

from collections.abc import Hashable


class Series:
    """One cumulative series, told row by row in order of time.

    After every row the counts of all days add up to the latest figure, and none is below zero.
    """

    def __init__(self) -> None:
        self._figure = 0
        self._counts: dict[Hashable, int] = {}
        self._above_zero: list[Hashable] = []

    def observe(self, day: Hashable, figure: int) -> dict[Hashable, int]:
        """Return the counts this figure sets: that of `day`, and those of days it takes cases back from.

        A rise is the day's own count. A fall by n takes n back from the most recent days above zero,
        latest first. `figure` must not be below zero; `day` is the latest day so far or a new one.
        """
        change, self._figure = figure - self._figure, figure
        changed = self._take_back(-change)
        if change > 0:
            self._add(day, change)
        changed[day] = self._counts.setdefault(day, 0)
        return changed

    def _add(self, day: Hashable, cases: int) -> None:
        if not self._counts.get(day):
            self._above_zero.append(day)
        self._counts[day] = self._counts.get(day, 0) + cases

    def _take_back(self, cases: int) -> dict[Hashable, int]:
        changed: dict[Hashable, int] = {}
        while cases > 0:
            day = self._above_zero[-1]
            taken = min(cases, self._counts[day])
            cases -= taken
            self._counts[day] -= taken
            changed[day] = self._counts[day]
            if not self._counts[day]:
                self._above_zero.pop()
        return changed
