"""Small worlds for tests, and an independent look at what their lines say."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cache
from typing import Any

from schemas.contract import load_contracts
from schemas.contract_model import Contract
from schemas.decoder import Decoder
from schemas.errors import Rejected
from schemas.regions import load_regions
from streams.generate.model import Anomaly, Line, Places, Span
from streams.generate.world import make_world

UNTIL = date(2026, 1, 31)


@cache
def places() -> Places:
    """All cities and counties, the cities with a fixed number of inhabitants."""
    regions = load_regions()
    cities = tuple(replace(city, population=12_000_000) for city in regions.cities)
    return Places(cities, regions.counties, regions.province)


def few_places(counties_a_city: int) -> Places:
    """All cities with a few counties each, for speed."""
    everything = places()
    chosen = [
        county
        for city in everything.cities
        for county in [c for c in everything.counties if c.parent == city.code][:counties_a_city]
    ]
    return replace(everything, counties=tuple(chosen))


@dataclass(frozen=True)
class Made:
    """A world whose lines have been read."""

    span: Span
    anomalies: tuple[Anomaly, ...]
    lines: dict[str, list[Line]]


def made(
    days: int,
    seed: int,
    where: Places | None = None,
    until: date = UNTIL,
    feeds: Mapping[str, Contract] | None = None,
) -> Made:
    """The world of these arguments, with its lines."""
    span = Span(days, until, seed)
    world = make_world((feeds or contracts()).values(), where or places(), span)
    return Made(span, world.anomalies, {feed.name: list(feed.lines) for feed in world.feeds})


@cache
def contracts() -> dict[str, Contract]:
    """The feeds' contracts."""
    return load_contracts()


@cache
def decoders() -> dict[str, Decoder]:
    """A decoder for each feed."""
    return {feed: Decoder(contract) for feed, contract in contracts().items()}


def verdict(feed: str, raw: bytes) -> tuple[str, str] | None:
    """What the contract says of a line: None where it is accepted, else field and rule."""
    try:
        decoders()[feed].decode(raw)
    except Rejected as error:
        return error.field, error.rule
    return None


def clean(lines: Iterable[Line]) -> Iterator[dict[str, Any]]:
    """The ordinary events, in order."""
    return (json.loads(line.raw) for line in lines if line.dirt is None)


def series(lines: Iterable[Line], value: str, *subject: str) -> dict[str, list[tuple[datetime, float]]]:
    """(time, value) of each subject, in order of arrival."""
    found: dict[str, list[tuple[datetime, float]]] = defaultdict(list)
    for event in clean(lines):
        name = "|".join(event["data"][field] for field in subject)
        found[name].append((datetime.fromisoformat(event["time"]), event["data"][value]))
    return found
