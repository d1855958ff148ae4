"""How one major version of a feed follows another: until when the older is taken, what becomes of its events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as field_of
from datetime import UTC, date, datetime
from email.utils import format_datetime

Scalar = str | int | float | bool


@dataclass(frozen=True)
class Sunset:
    """Of a major version that a newer one replaces: deprecated from `since` on, taken before `ends`."""

    since: datetime
    ends: datetime
    last_day: date

    @property
    def first_day(self) -> date:
        """The day from which on it is deprecated."""
        return self.since.date()

    def over(self, now: datetime) -> bool:
        """Whether it is no longer taken."""
        return now >= self.ends

    @property
    def headers(self) -> dict[str, str]:
        """What an answer says of it: `Deprecation` (RFC 9745) and `Sunset` (RFC 8594)."""
        ends = format_datetime(self.ends.astimezone(UTC), usegmt=True)
        return {"Deprecation": f"@{int(self.since.timestamp())}", "Sunset": ends}


@dataclass(frozen=True)
class Origin:
    """Where a field of the newer version has its value from.

    That is the older field `source`, times `factor` or by `values`; `default` where this gives nothing.
    """

    field: str
    source: str = ""
    factor: int | float | None = None
    values: Mapping[str, Scalar] = field_of(default_factory=dict)
    default: Scalar | None = None

    def __str__(self) -> str:
        """In words: `pm25 times 0.001`, `default beta`."""
        times = "" if self.factor is None else f" times {self.factor}"
        pairs = ", ".join(f"{old}: {new}" for old, new in self.values.items())
        default = "" if self.default is None else f"default {self.default}"
        value = f"{self.source}{times}{f' by {pairs}' if pairs else ''}"
        return ", ".join(filter(None, (value, default)))


@dataclass(frozen=True)
class Upgrade:
    """What is declared of turning events into those of the next major version, by field of that version."""

    origins: Mapping[str, Origin]
