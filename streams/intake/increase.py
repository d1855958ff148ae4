"""Counts from a cumulative figure, so that their sum is always the figure and no case is invented."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import datetime
from typing import NamedTuple

from schemas.fields import SHANGHAI
from schemas.increase import Increase

RISE, CORRECTED, RESTARTED, REFUSED = "rise", "corrected", "restarted", "refused"


class Reading(NamedTuple):
    """One figure of a cumulative series: of which day (the event's id), when, how much."""

    day: Hashable
    at: datetime
    figure: int


def decide(item: Increase, before: Reading | None, now: Reading) -> str:
    """What a figure is after the one before it: RISE (or the same), CORRECTED, RESTARTED or REFUSED.

    A second figure of the same day is never a new beginning.
    """
    if before is None:
        return RISE
    if before.day != now.day and _begins_anew(item, before, now):
        return RESTARTED
    if now.figure >= before.figure:
        return RISE
    return REFUSED if item.falls == "reject" else CORRECTED


def _begins_anew(item: Increase, before: Reading, now: Reading) -> bool:
    rule = item.restart
    if rule is None or (rule.at and _period(rule.at, before.at) == _period(rule.at, now.at)):
        return False
    return not rule.below or now.figure < before.figure * rule.below


def _period(kind: str, at: datetime) -> tuple[int, ...]:
    """The period of the calendar a moment is in, in Asia/Shanghai; weeks begin on Monday."""
    local = at.astimezone(SHANGHAI)
    if kind == "week":
        return local.isocalendar()[:2]
    return (local.year, local.month, local.day)[: ("year", "month", "day").index(kind) + 1]


class Series:
    """One cumulative series, told row by row in order of time.

    After every row the counts of the days since the last beginning add up to the latest figure, and none is
    below zero.
    """

    def __init__(self) -> None:
        self.latest: Reading | None = None
        self._figure = 0
        self._counts: dict[Hashable, int] = {}
        self._above_zero: list[Hashable] = []

    def begin(self) -> None:
        """Begin anew from zero: what the days before have counted stays."""
        self._figure = 0
        self._counts.clear()
        self._above_zero.clear()

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
