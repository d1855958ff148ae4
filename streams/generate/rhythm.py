"""How much there is at a time: weekdays, Chinese holidays, seasons, hours.

Holidays and make-up workdays are known for the years the State Council has announced (`chinesecalendar`); any
other year follows its weeks.
"""

from __future__ import annotations

import math
from datetime import date

from schemas.simulate.model import Rhythm, Season
from schemas.workdays import judge

WORKWEEK = 5


def day_factor(rhythm: Rhythm, day: date) -> float:
    """What a day is multiplied by: its weekday or holiday, and its season."""
    return _kind_factor(rhythm, day) * (1.0 + season(rhythm.season, day) if rhythm.season else 1.0)


def _kind_factor(rhythm: Rhythm, day: date) -> float:
    """A day off of a holiday counts as such; a weekend day on which people make up for one, as a workday."""
    weekday = day.weekday()
    known = judge(day, {})
    if known.holiday and not known.workday and rhythm.holiday is not None:
        return rhythm.holiday
    if known.workday and weekday >= WORKWEEK:
        return sum(rhythm.days[:WORKWEEK]) / WORKWEEK
    return rhythm.days[weekday]


def season(cycle: Season, day: date) -> float:
    """The yearly cycle between minus and plus its swing, highest on its peak."""
    return cycle.swing * math.cos(2 * math.pi * (day.timetuple().tm_yday - cycle.peak) / 365.25)
