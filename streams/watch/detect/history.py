"""The years of points Farrington's methods look back on, and the days of earlier years a day is compared with.

By index, a year is `freq` points. By the calendar (points with dates), it is a year of the calendar, and for weeks
the nearest day with the same day of the week. Source: R surveillance 1.20.3, algo.farrington.referencetimepoints
and refvalIdxByDate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from schemas.arithmetic import exact
from streams.watch.detect.detector import State, When

MONTHLY, WEEKLY, DAILY = 12, 52, 365
REACHED = 2
NEWEST = 8
"""So many of the newest days say how far points are apart (some may be missing)."""


@dataclass(frozen=True)
class History:
    """The newest points of a series, the last of them the one to judge. Positions count from 0 at the oldest kept.

    `seen` is the number of points of the whole series so far; `days` (ordinals) is empty where points are judged
    by index.
    """

    seen: int
    days: Sequence[int]
    observed: Sequence[float | None]
    population: Sequence[float | None]

    @property
    def now(self) -> int:
        """The position of the point to judge."""
        return len(self.observed) - 1

    @property
    def dropped(self) -> int:
        """How many points of the series came before the oldest kept."""
        return self.seen - len(self.observed)

    def enough(self, cases: int, points: int, safe: bool) -> bool | None:
        """Whether there were so many cases in the newest points.

        With a missing one among them nobody can say (None), as in R; the `safe` way counts the newest points that
        are not missing, so that a missing report never mutes an alarm; of a longer gap, as far as REACHED times as
        many points back, for cases before it are no recent ones.
        """
        if safe:
            near = self.observed[-REACHED * points :]
            known = [each for each in near if each is not None][-points:]
            return exact.saturated(known) >= cases
        newest = self.observed[-points:]
        known = [each for each in newest if each is not None]
        return None if len(known) < len(newest) else exact.saturated(known) >= cases


def remember(state: State, t: When, observed: float | None, population: float | None, keep: int) -> State:
    """The state [seen, days, observed, population] after one more point; `keep` points are kept."""
    seen, days, values, populations = state
    dated = [*days, t.toordinal()][-keep:] if isinstance(t, date) else []
    return [seen + 1, dated, [*values, observed][-keep:], [*populations, population][-keep:]]


def frequency(days: Sequence[int], t: When) -> int | None:
    """Points a year, by how far the newest days are apart; None where that says nothing. By index, weeks."""
    if not isinstance(t, date):
        return WEEKLY
    newest = [*days[-NEWEST:], t.toordinal()]
    apart = min((later - day for day, later in pairwise(newest)), default=0)
    return {1: DAILY, 7: WEEKLY}.get(apart, MONTHLY if 28 <= apart <= 31 else None)


def span(freq: int, b: int, w: int, points: int) -> int:
    """How many points must be kept: b years by index or calendar, a half window and a few to spare."""
    return freq * b + b + 2 * w + points + 3


def years_back(day: date, years: int) -> date:
    """The same day years before; 29 February is 1 March where there is none."""
    return date(day.year - years, day.month, 1) + timedelta(days=day.day - 1)


def months_on(day: date, months: int) -> date:
    """The same day of another month; beyond its end, into the next (as R counts)."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, 1) + timedelta(days=day.day - 1)


def same_weekday(day: date, wanted: date) -> date:
    """The nearest day with the day of the week wanted, as farringtonFlexible finds it (weeks begin on Sunday)."""
    first = day - timedelta(days=day.isoweekday() % 7 - wanted.isoweekday() % 7)
    second = first + timedelta(days=-7 if first > day else 7)
    return second if abs((first - day).days) > abs((second - day).days) else first


def anniversaries(history: History, freq: int, b: int) -> list[int] | None:
    """Positions of now and of the same time in each of b years before; None where a point is not there."""
    if not history.days:
        places = [history.now - freq * year for year in range(b + 1)]
        return places if places[-1] >= 0 else None
    today = date.fromordinal(history.days[-1])
    days = [years_back(today, year) for year in range(b + 1)]
    if freq == WEEKLY:
        days = [same_weekday(day, today) for day in days]
    place = {day: position for position, day in enumerate(history.days)}
    found = [place.get(day.toordinal()) for day in days]
    return [each for each in found if each is not None] if None not in found else None


def windows(history: History, freq: int, b: int, w: int) -> list[int]:
    """Positions within w points of the same time in b years before, as the classic method takes them.

    Those that are not there are left out; by index they may lie before the oldest kept (see `span`).
    """
    if not history.days:
        wanted = [history.now - freq * year + step for year in range(b, 0, -1) for step in range(-w, w + 1)]
        return [each for each in wanted if each >= 0]
    today = date.fromordinal(history.days[-1])
    place = {day: position for position, day in enumerate(history.days)}
    wanted_days = [
        _near(years_back(today, year), step, freq, today)
        for year in range(b, 0, -1)
        for step in range(-w, w + 1)
    ]
    return [place[day.toordinal()] for day in wanted_days if day.toordinal() in place]


def _near(day: date, step: int, freq: int, today: date) -> date:
    """`step` points from a day of an earlier year, moved to today's day of the week or month."""
    if freq == DAILY:
        return day + timedelta(days=step)
    if freq == MONTHLY:
        moved = months_on(day, step)
        return moved - timedelta(days=moved.day - today.day)
    moved = day + timedelta(weeks=step)
    forward = (today.isoweekday() - moved.isoweekday()) % 7
    backward = (moved.isoweekday() - today.isoweekday()) % 7
    return moved + timedelta(days=forward if forward < backward else -backward)
