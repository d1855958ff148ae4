"""Periods a figure can be of: a day, month, quarter or year, known by its last day. Pure.

The last day stands for the whole period in every table, so that figures of all periods are partitioned by day.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterable
from datetime import date, timedelta

from dagster_project.days.spans import DAY, Span

PERIODS = ("day", "month", "quarter", "year")
FORMS = "2025-06-30, 2025-06, 2025-Q2 or 2025"
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_TEXT = re.compile(r"(?P<year>\d{4})(?:-Q(?P<quarter>[1-4])|-(?P<month>\d{2})(?:-(?P<day>\d{2}))?)?")
_LAST = {
    "day": "{day}",
    "month": "toLastDayOfMonth({day})",
    "quarter": "toLastDayOfMonth(addMonths(toStartOfQuarter({day}), 2))",
    "year": "toLastDayOfMonth(addMonths(toStartOfYear({day}), 11))",
}


def whole(period: str, day: date) -> Span:
    """The first and last day of the period a day lies in."""
    if period == "day":
        return Span(day, day)
    months = _MONTHS[period]
    first = (day.month - 1) // months * months + 1
    last = first + months - 1
    return Span(date(day.year, first, 1), date(day.year, last, monthrange(day.year, last)[1]))


def before(period: str, last: date, count: int = 1) -> date:
    """The last day of the period so many periods before the one that ends on `last`."""
    if period == "day":
        return last - count * DAY
    for _ in range(count):
        last = whole(period, last).first - DAY
    return last


def year_before(period: str, last: date) -> date:
    """The last day of the same period a year before; 29 February is compared with 28 February."""
    year = last.year - 1
    if period == "day":
        return date(year, last.month, min(last.day, monthrange(year, last.month)[1]))
    return date(year, last.month, monthrange(year, last.month)[1])


def ends(period: str, span: Span) -> list[date]:
    """The last days of all periods that a span of days touches, in order."""
    if period == "day":
        return span.days
    found = [whole(period, span.first).last]
    while found[-1] < span.last:
        found.append(whole(period, found[-1] + DAY).last)
    return found


def label(period: str, last: date) -> str:
    """A period as people write it: 2025-06-30, 2025-06, 2025-Q2, 2025."""
    if period == "quarter":
        return f"{last.year}-Q{last.month // 3}"
    return last.isoformat()[: {"day": 10, "month": 7, "year": 4}[period]]


def parse(text: str) -> tuple[str, date]:
    """A period and its last day from `2025-06-30`, `2025-06`, `2025-Q2` or `2025`; ValueError otherwise."""
    match = _TEXT.fullmatch(text.strip().upper())
    if match is None:
        raise ValueError(f"{text!r} is no period; write {FORMS}")
    year, month = int(match["year"]), int(match["month"] or 1)
    if match["day"]:
        return "day", date(year, month, int(match["day"]))
    if match["quarter"]:
        return "quarter", whole("quarter", date(year, 3 * int(match["quarter"]), 1)).last
    period = "month" if match["month"] else "year"
    return period, whole(period, date(year, month, 1)).last


def last_day(period: str, day: str) -> str:
    """SQL: the last day of the period that the day in an expression lies in."""
    return _LAST[period].format(day=day)


def groups(days: Iterable[date], most: int, gap: timedelta) -> list[list[date]]:
    """Days in order, cut where more than `gap` lies between two or `most` are together."""
    found: list[list[date]] = []
    for day in sorted(days):
        if found and len(found[-1]) < most and day - found[-1][-1] <= gap:
            found[-1].append(day)
        else:
            found.append([day])
    return found
