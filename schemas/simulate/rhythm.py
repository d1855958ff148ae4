"""Rhythms: by hour, weekday, holiday and season; those that come again and again have a name."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.declaration import Entry
from schemas.simulate.frame import number, numbers
from schemas.simulate.makers import read_season
from schemas.simulate.model import Rhythm

HOURS = {
    "even": (1.0,) * 24,
    "office": (1, 1, 1, 1, 1, 2, 4, 10, 24, 28, 27, 20, 12, 20, 25, 25, 22, 16, 10, 9, 8, 6, 4, 2),
    "traffic": (6, 4, 3, 3, 5, 12, 28, 55, 62, 48, 42, 42, 40, 42, 44, 47, 54, 62, 54, 40, 32, 26, 18, 10),
    "home": (10, 8, 7, 7, 8, 14, 26, 34, 30, 26, 25, 28, 30, 26, 24, 24, 28, 38, 48, 52, 48, 40, 28, 16),
    "night": (30, 28, 26, 22, 18, 12, 8, 6, 6, 6, 6, 7, 7, 7, 7, 8, 9, 11, 15, 20, 25, 29, 31, 31),
}
"""Shares of the day by hour, 0 to 23 o'clock."""


def read_rhythm(entry: Entry) -> Rhythm:
    """The rhythm of a feed."""
    parts = entry.mapping([], ["hour", "weekday", "weekend", "holiday", "season"])
    if "weekday" in parts and "weekend" in parts:
        raise parts["weekend"].wrong("must not stand beside weekday; keep one of them")
    days: Sequence[float] = (1.0,) * 7
    if "weekday" in parts:
        days = numbers(parts["weekday"], 7)
    elif "weekend" in parts:
        days = (*(1.0,) * 5, *(number(parts["weekend"], 0, 100),) * 2)
    return Rhythm(
        hours=_hours(parts["hour"]) if "hour" in parts else Rhythm.hours,
        days=_even(days) if "weekday" in parts else tuple(days),
        holiday=number(parts["holiday"], 0, 100) if "holiday" in parts else None,
        season=read_season(parts["season"]) if "season" in parts else None,
    )


def _hours(entry: Entry) -> tuple[float, ...]:
    return _even(numbers(entry, 24) if isinstance(entry.value, list) else HOURS[entry.text(tuple(HOURS))])


def _even(factors: Sequence[float]) -> tuple[float, ...]:
    """The same factors with a mean of 1."""
    mean = sum(factors) / len(factors)
    return tuple(factor / mean for factor in factors)
