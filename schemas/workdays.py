"""Chinese holidays and make-up workdays: what is announced for a year, and what a roster declares beside it.

Source: the State Council's yearly announcements as `chinesecalendar` has them. A year that is not announced
yet follows the week (Monday to Friday are workdays), and `announced` says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import chinese_calendar


@dataclass(frozen=True)
class Day:
    """One day: whether people work, and the holiday's name where it is one or makes up for one."""

    day: date
    workday: bool
    holiday: str = ""
    announced: bool = True


def judge(day: date, declared: Mapping[date, bool]) -> Day:
    """What kind of day it is; `declared` (day -> whether people work) goes before the announcements."""
    try:
        _, name = chinese_calendar.get_holiday_detail(day)
        workday, holiday, announced = bool(chinese_calendar.is_workday(day)), name or "", True
    except NotImplementedError:
        workday, holiday, announced = day.weekday() < 5, "", False
    if day in declared:
        return Day(day, declared[day], holiday, True)
    return Day(day, workday, holiday, announced)


def days(first: date, last: date, declared: Mapping[date, bool]) -> tuple[Day, ...]:
    """The days of a span, both ends included."""
    return tuple(judge(first + timedelta(n), declared) for n in range((last - first).days + 1))
