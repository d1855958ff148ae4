"""Days of Asia/Shanghai and moments of event time in milliseconds. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime

from schemas import fields
from schemas.fields import SHANGHAI, midnight


def milliseconds(day: date) -> int:
    """When a day begins."""
    return fields.milliseconds(midnight(day))


def moment(at: int) -> datetime:
    """A moment as its own time in Shanghai."""
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(SHANGHAI)


def day_of(at: int) -> date:
    """The day a moment is of."""
    return moment(at).date()
