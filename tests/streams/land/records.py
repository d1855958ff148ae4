"""Logs of one partition for the tests of land: what departments, tickers and careless clients write."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.event import encode_event, encode_tick

NOON = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
NOON_MS = int(NOON.timestamp() * 1000)
TYPE = "ecology.air-quality.v1"
AIR = {"station": "330100-01", "region": "330100", "averaging": "1h", "pm25": 35.5, "aqi": 50}


@dataclass(frozen=True)
class Record:
    """A Kafka record as land sees it."""

    offset: int
    timestamp: int
    value: bytes | None


def air(id: str, at: datetime = NOON, timeline: str = "", *, type: str = TYPE, **data: Any) -> bytes:
    """One event like those of ecology.air-quality."""
    return encode_event(
        id=id,
        source="/hangzhou/ecology/air",
        type=type,
        time=at,
        data=data.get("data") or AIR | data,
        timeline=timeline,
    )


def tick(at: datetime, timeline: str = "", final: bool = False) -> bytes:
    """One tick of the feed's clock."""
    return encode_tick(id=f"tick-{at.isoformat()}", clock=at, timeline=timeline, final=final)


def log(*values: bytes | None, first: int = 0, arrived: datetime = NOON, step: int = 1) -> list[Record]:
    """These values at consecutive offsets, one millisecond apart; `step` leaves offsets out."""
    start = int(arrived.timestamp() * 1000)
    return [Record(first + i * step, start + i, value) for i, value in enumerate(values)]


def minutes(number: float) -> timedelta:
    """So many minutes."""
    return timedelta(minutes=number)
