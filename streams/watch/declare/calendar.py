"""Quiet hours, maintenance, windows: by event time in Asia/Shanghai, never by the wall clock.

- **Quiet hours** come again every day (or on some days of the week). What would open or raise a warning is held
  back up to a level; when they end, what still stands opens then. Falling and recovering go on.
- **Maintenance** is a span given once, for all subjects or some. Its events are not judged, and nothing opens,
  rises, falls or recovers in it; what is due within it happens at its end.
- **Windows** that tumble begin at midnight, or at whole lengths from it; those of whole weeks on Monday.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from schemas.fields import AHEAD

DAY = 86_400_000
WEEK = 7 * DAY
OFFSET = AHEAD // timedelta(milliseconds=1)

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday


@dataclass(frozen=True)
class Quiet:
    """From `start` to `end` of day (ms; past midnight where end <= start) on these days; levels up to `rank`."""

    start: int
    end: int
    days: tuple[int, ...]
    rank: int

    def ends(self, at: int) -> int | None:
        """When the quiet hours that cover this moment end; None where none do. The end itself is not quiet."""
        local = at + OFFSET
        midnight = local - local % DAY
        length = (self.end - self.start) % DAY or DAY
        for day in (midnight, midnight - DAY):
            if weekday(day) in self.days and day + self.start <= local < day + self.start + length:
                return day + self.start + length - OFFSET
        return None


@dataclass(frozen=True)
class Maintenance:
    """One span [start, end) in ms since the epoch, for some subjects and regions; for all where none is named."""

    start: int
    end: int
    subjects: tuple[str, ...]
    regions: tuple[str, ...]

    def covers(self, at: int, subject: str, region: str) -> bool:
        """Whether this subject is in maintenance at this moment; a region counts for all that lies in it."""
        if not self.start <= at < self.end:
            return False
        if not self.subjects and not self.regions:
            return True
        return subject in self.subjects or any(_lies_in(region, each) for each in self.regions)


def window_start(time: int, length: int) -> int:
    """Where the window of this length (ms) begins that a moment is in: from midnight on, whole weeks on Monday."""
    return time - (time + shift(length)) % length


def shift(length: int) -> int:
    """What is added to a moment (ms) so that windows of this length begin at its multiples."""
    return OFFSET + (_EPOCH_WEEKDAY * DAY if length % WEEK == 0 else 0)


def weekday(local: int) -> int:
    """Day of the week of a local time in ms: 0 is Monday."""
    return (local // DAY + _EPOCH_WEEKDAY) % 7


def quiet_until(hours: Sequence[Quiet], at: int, rank: int) -> int | None:
    """When quiet hours that hold back this rank end, where they cover this moment; adjoining ones are one."""
    until = None
    moment: int | None = at
    while moment is not None:
        ends = [end for each in hours if rank <= each.rank and (end := each.ends(moment)) is not None]
        moment = max(ends, default=None)
        if moment is not None and (until is not None and moment - at > 14 * DAY):
            return moment
        until = moment if moment is not None else until
    return until


def maintained_until(spans: Sequence[Maintenance], at: int, subject: str, region: str) -> int | None:
    """When the maintenance of a subject ends, where it has one now; spans that touch are one."""
    until = None
    moment: int | None = at
    while moment is not None:
        moment = max((each.end for each in spans if each.covers(moment, subject, region)), default=None)
        until = moment if moment is not None else until
    return until


def _lies_in(region: str, outer: str) -> bool:
    """Whether a GB/T 2260 code is another or lies in it: 330106 in 330100 in 330000."""
    significant = outer[:2] if outer.endswith("0000") else outer[:4] if outer.endswith("00") else outer
    return bool(region) and region.startswith(significant)
