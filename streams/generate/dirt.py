"""Dirt: extra lines made from real ones, each with exactly one fault and what must become of it.

Dirt never takes the place of a reading. A rejected line has an id of its own; a duplicate is its original
byte for byte.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

import msgspec

from schemas.event import encode_event
from streams.generate.model import Dirt, Event, Kind

ABSENT = object()
JSON_RULE = ("event", "json")
SPACERS = ("duplicate", "late")


@dataclass(frozen=True)
class Fault:
    """One way to be wrong: the field, the wrong values to choose from, the contract rule that says so."""

    kind: str
    field: str
    rule: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Recipe:
    """The dirt of one feed: one dirty line in `every`, its faults, delays of duplicates and of late lines.

    `late_minutes` is at least twice the contract's lateness, `duplicate_minutes` well within it.
    `late_data` replaces data of a late line by a whole number within the bounds.
    """

    every: int
    faults: tuple[Fault, ...]
    duplicate_minutes: tuple[int, int]
    late_minutes: tuple[int, int]
    late_data: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def kinds(self) -> tuple[str | Fault, ...]:
        """Every kind of dirt, in the order in which they take turns: every other one is a fault."""
        faults: tuple[str | Fault, ...] = ("broken-json", *self.faults)
        return tuple(kind for n, fault in enumerate(faults) for kind in (SPACERS[n % 2], fault))


ENVELOPE = (
    Fault("missing-source", "source", "envelope", (ABSENT,)),
    Fault("missing-id", "id", "envelope", (ABSENT,)),
    Fault("time-without-offset", "time", "envelope", ("2026-01-01T08:00:00",)),
    Fault("wrong-event-type", "type", "type", ("unknown.feed.v1",)),
)
UNKNOWN_REGION = Fault("unknown-region", "region", "region", ("339999", "999999", "3300y1", "330000"))

AIR_DIRT = Recipe(
    every=500,
    faults=(
        Fault("out-of-range", "pm25", "maximum", (1001, 1874.5, 9999)),
        Fault("out-of-range", "pm25", "minimum", (-1, -99.9)),
        Fault("missing-marker", "pm25", "missing", (0,)),
        Fault("out-of-range", "aqi", "maximum", (501, 999)),
        UNKNOWN_REGION,
        Fault("missing-required", "pm25", "required", (ABSENT, None)),
        Fault("missing-required", "station", "required", (ABSENT,)),
        Fault("wrong-type", "pm25", "type", ("35.2", "--", True)),
        Fault("unknown-value", "averaging", "enum", ("8h", "1 h")),
        *ENVELOPE,
    ),
    duplicate_minutes=(1, 90),
    late_minutes=(300, 600),
)
HEALTH_DIRT = Recipe(
    every=40,
    faults=(
        Fault("out-of-range", "cases", "maximum", (100001, 10**9)),
        Fault("out-of-range", "cases", "minimum", (-1, -37)),
        UNKNOWN_REGION,
        Fault("missing-required", "cases", "required", (ABSENT, None)),
        Fault("missing-required", "date", "required", (ABSENT,)),
        Fault("wrong-type", "cases", "type", ("12", 3.5)),
        Fault("unknown-value", "disease", "enum", ("plague-of-frogs", "dragon-pox")),
        *ENVELOPE,
    ),
    duplicate_minutes=(1, 600),
    late_minutes=(60 * 60, 100 * 60),
    late_data={"cases": (1, 3)},
)
REQUESTS_DIRT = Recipe(
    every=400,
    faults=(
        Fault("out-of-range", "limit_hours", "minimum", (0, -24)),
        Fault("out-of-range", "limit_hours", "maximum", (2161, 99999)),
        Fault("out-of-range", "rating", "maximum", (6, 10)),
        UNKNOWN_REGION,
        Fault("missing-required", "request", "required", (ABSENT, None)),
        Fault("missing-required", "received_at", "required", (ABSENT,)),
        Fault("wrong-type", "rating", "type", ("good", [5])),
        Fault("unknown-value", "stage", "enum", ("closed", "RECEIVED")),
        *ENVELOPE,
    ),
    duplicate_minutes=(1, 120),
    late_minutes=(780, 1800),
)


def spoil(event: Event, kind: Kind, fault: Fault, rng: Random) -> tuple[bytes, Dirt]:
    """The event's line with one fault, under an id of its own."""
    fake = Event(f"{event.id}~bad", event.source, event.time, event.data)
    envelope = msgspec.json.decode(encode(fake, kind))
    target = envelope if fault in ENVELOPE else envelope["data"]
    value = rng.choice(fault.values)
    target[fault.field] = value
    if value is ABSENT:
        del target[fault.field]
    known = Dirt(
        feed=kind.feed,
        kind=fault.kind,
        outcome="rejected",
        id=envelope.get("id"),
        source=envelope.get("source"),
        time=event.time,
        field=fault.field,
        rule=fault.rule,
    )
    return msgspec.json.encode(envelope), known


def tear(event: Event, kind: Kind, rng: Random) -> tuple[bytes, Dirt]:
    """The event's line cut short, as a broken transfer leaves it: no longer JSON."""
    raw = encode(event, kind)
    field, rule = JSON_RULE
    dirt = Dirt(kind.feed, "broken-json", "rejected", None, None, event.time, field, rule)
    return raw[: rng.randint(len(raw) // 3, len(raw) - 2)], dirt


def encode(event: Event, kind: Kind) -> bytes:
    """The event as its line."""
    return encode_event(id=event.id, source=event.source, type=kind.type, time=event.time, data=event.data)
