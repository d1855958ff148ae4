"""Contracts and rows for the tests of the intake."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.contract import Contract, load_contracts
from schemas.event import encode_event
from schemas.intake import IntakeMapping
from streams.intake.mapping import Decided, Mapped, Outgoing, Row, map_rows

CONTRACTS = load_contracts()
AIR = CONTRACTS["ecology.air-quality"]
HEALTH = CONTRACTS["health.infectious-disease"]
COVID = next(mapping for mapping in HEALTH.intake if mapping.name == "covid-city-daily")
CNEMC = next(mapping for mapping in AIR.intake if mapping.name == "cnemc-daily")
SHANGHAI = "+08:00"
NOON = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)


def covid_rows(city: str, figures: Iterable[int | str], code: str = "330100") -> list[Row]:
    """One row a day from 2020-01-20 on with these cumulative figures."""
    first = datetime(2020, 1, 20, tzinfo=UTC)
    return [
        Row(2 + at, covid_cells(f"{first + timedelta(days=at):%Y-%m-%d}", city, figure, code))
        for at, figure in enumerate(figures)
    ]


def covid_cells(date: str, city: str, figure: int | str, code: str = "330100") -> dict[str, str]:
    """Cells of one row of the city file."""
    return {"date": date, "province": "浙江省", "city": city, "cityCode": code, "confirmed": str(figure)}


def covid_events(rows: Iterable[Row], mapping: IntakeMapping = COVID) -> list[Mapped]:
    """Map these rows; what falls were taken for is left out."""
    return [item for item in map_rows(HEALTH, mapping, "past", rows) if not isinstance(item, Decided)]


def document(event: Mapped) -> dict[str, Any]:
    """Read the CloudEvent of one outgoing event."""
    assert isinstance(event, Outgoing)
    found: dict[str, Any] = json.loads(event.raw)
    return found


def air(id: str, at: datetime = NOON, station: str = "330100", timeline: str = "", **data: Any) -> bytes:
    """One air-quality event."""
    return encode_event(
        id=id,
        source="/hangzhou/ecology/air",
        type=AIR.event_type,
        time=at,
        data={"station": station, "region": "330100", "averaging": "1h", "pm25": 35.5} | data,
        timeline=timeline,
    )


def on_topic(contract: Contract, topic: str) -> Contract:
    """Put the same contract on a topic of its own."""
    return replace(contract, topic=topic)
