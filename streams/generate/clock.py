"""Times of a span as whole seconds from its start, and their texts, which are looked up and not formatted."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import cache

from schemas.fields import OFFSET
from schemas.simulate.model import DAY, MONTH
from streams.generate.model import Span


class Clock:
    """The times of one span."""

    def __init__(self, span: Span) -> None:
        self.start, self.end = span.start, span.days * DAY
        self.dates = [span.start.date() + timedelta(days=n) for n in range(span.days)]
        self.stamps = [f"{day:%Y%m%d}" for day in self.dates]
        self._days = [day.isoformat() for day in self.dates]
        self._minutes, self._seconds = _texts()

    def time(self, at: int) -> datetime:
        """The moment so many seconds after the start."""
        return self.start + timedelta(seconds=at)

    def text(self, at: int) -> str:
        """The moment as ISO 8601 with its offset."""
        if 0 <= at < self.end:
            return self._days[at // DAY] + self._minutes[at % DAY // 60] + self._seconds[at % 60]
        return self.time(at).isoformat()

    def day(self, at: int) -> date:
        """The day of a moment, which may be outside the span."""
        return self.dates[at // DAY] if 0 <= at < self.end else self.time(at).date()

    def steps(self, every: int, at: int) -> list[int]:
        """The times within the span of what comes every so many seconds; days are counted from a Monday."""
        if every == MONTH:
            return [n * DAY + at for n, day in enumerate(self.dates) if day.day == 1]
        if every < DAY:
            return [*range(0, self.end, every)]
        period = every // DAY
        return [n * DAY + at for n, day in enumerate(self.dates) if (day.toordinal() - 1) % period == 0]

    def stamp(self, at: int, every: int) -> str:
        """A moment in an id, as exact as it has to be."""
        day, hour = self.stamps[at // DAY], at % DAY // 3600
        if every == MONTH or every % DAY == 0:
            return day
        return (
            f"{day}{hour:02d}" if every % 3600 == 0 else f"{day}{hour:02d}{at % 3600 // 60:02d}{at % 60:02d}"
        )


@cache
def _texts() -> tuple[list[str], list[str]]:
    minutes = [f"T{minute // 60:02d}:{minute % 60:02d}:" for minute in range(1440)]
    return minutes, [f"{second:02d}{OFFSET}" for second in range(60)]
