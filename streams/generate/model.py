"""What a generated world is made of: places, the span of days, events, lines, what was planted."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from hashlib import blake2b
from typing import Any

import msgspec

from schemas.fields import midnight
from schemas.regions import Region

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Places:
    """Where events happen: the cities and counties, and the province for what has no finer place."""

    cities: tuple[Region, ...]
    counties: tuple[Region, ...]
    province: Region


@dataclass(frozen=True)
class Span:
    """Whole days of Asia/Shanghai, `until` included; `tag` makes the ids of two different runs differ."""

    days: int
    until: date
    seed: int

    def __post_init__(self) -> None:
        if self.days < 1:
            raise ValueError(f"days must be at least 1, not {self.days}")

    @property
    def start(self) -> datetime:
        """Midnight at which the first day begins."""
        return self.end - self.days * DAY

    @property
    def end(self) -> datetime:
        """Midnight at which the last day is over."""
        return midnight(self.until) + DAY

    @property
    def tag(self) -> str:
        """Eight hex digits, a function of days, seed and until."""
        return blake2b(f"{self.days} {self.seed} {self.until}".encode(), digest_size=4).hexdigest()


class Event(msgspec.Struct, frozen=True, gc=False):
    """One event before it is encoded: `at` in seconds from the span's start, `series` the place of its series."""

    id: str
    source: str
    at: int
    data: dict[str, Any]
    series: int


@dataclass(frozen=True)
class Anomaly:
    """One planted anomaly and the one episode a right rule makes of it, in event time."""

    rule: str
    subject: str
    level: str
    opened_at: datetime
    recovered_at: datetime | None
    onset: datetime
    peak: float | None = None


@dataclass(frozen=True)
class Dirt:
    """One planted dirty line and what must become of it: `rejected` (field, rule), `duplicate` or `late`."""

    feed: str
    kind: str
    outcome: str
    id: str | None
    source: str | None
    time: datetime
    field: str = ""
    rule: str = ""


class Line(msgspec.Struct, frozen=True, gc=False):
    """One line of a feed's file, with the dirt it is, if it is."""

    raw: bytes
    dirt: Dirt | None = None


@dataclass
class Tally:
    """Counts of one feed's lines, as they are written."""

    lines: int = 0
    valid_unique: int = 0
    duplicates: int = 0
    rejected: int = 0
    late: int = 0
    dirt: list[tuple[int, Dirt]] = field(default_factory=list)

    def count(self, line: Line) -> None:
        """Take one line into account; line numbers begin at 1. Late lines are valid and unique as well."""
        self.lines += 1
        outcome = line.dirt.outcome if line.dirt else ""
        self.valid_unique += outcome in ("", "late")
        self.duplicates += outcome == "duplicate"
        self.rejected += outcome == "rejected"
        self.late += outcome == "late"
        if line.dirt:
            self.dirt.append((self.lines, line.dirt))
