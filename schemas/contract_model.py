"""The contract: what a department promises about one feed. Everything else is derived from it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from schemas.gate import Gate
from schemas.intake import IntakeMapping
from schemas.names import table_of
from schemas.simulate.model import Simulate
from schemas.succession import Sunset, Upgrade

KINDS = ("string", "integer", "number", "date", "timestamp", "boolean")
CLASSIFICATIONS = ("public", "internal", "personal")
LICENCE = "CC-BY-4.0"
"""Under which public fields and figures are given away where no other licence is declared."""
SKEW = timedelta(minutes=5)
"""How far a clock may be ahead where the contract does not say."""
_MAJOR = re.compile(r"\.v\d+$", re.ASCII)
INT64 = (-(2**63), 2**63 - 1)

RULES = {
    "json": "the bytes are not one JSON document in UTF-8 (field `event`)",
    "envelope": "a CloudEvents attribute is missing or of the wrong form",
    "type": "another feed's event, or a field of another JSON type",
    "required": "a required field is absent, null, or a text of nothing but blanks",
    "missing": "the value marks a missing measurement",
    "minimum": "below what the field or the warehouse can hold",
    "maximum": "above what the field or the warehouse can hold",
    "pattern": "the text does not have the form of the field",
    "enum": "not one of the field's values",
    "length": "the text is too long",
    "control": "a control character, a line break where the field has one line, or a mark that turns the writing",
    "region": "no such region, or a region of another level",
    "future": "the event's time is ahead of its arrival by more than the contract's skew (field `time`)",
}
REASONS = {
    **RULES,
    "unstorable": "the event keeps its contract, and the warehouse cannot hold it all the same (field `event`)",
    "fault": "the platform failed over this event; its bytes are kept (field `event`)",
}
"""All reasons of a rejection: rules of contracts, and what landing finds."""


def family_of(name: str) -> str:
    """The feed's name without the major version that an older one is named by."""
    return _MAJOR.sub("", name)


@dataclass(frozen=True)
class Field:
    """One data field. `kind` is one of KINDS; bounds hold for numbers, pattern and length for text.

    A text has one line and no control characters; `multiline` lets it have tabs and line breaks.
    A personal field that is `pseudonymised` is stored as a pseudonym in all tables; only raw bytes keep it.
    """

    name: str
    kind: str
    required: bool = False
    minimum: int | float | None = None
    maximum: int | float | None = None
    exclusive_minimum: int | float | None = None
    pattern: str = ""
    max_length: int | None = None
    enum: tuple[str, ...] = ()
    missing: tuple[int | float | str, ...] = ()
    unit: str = ""
    classification: str = "internal"
    pseudonymised: bool = False
    multiline: bool = False
    description: str = ""


@dataclass(frozen=True)
class Example:
    """The `data` of one event and what must come of it: accepted, or rejected for `field` and `rule`."""

    name: str
    data: Mapping[str, Any]
    field: str = ""
    rule: str = ""

    @property
    def accepted(self) -> bool:
        """Whether the contract must accept this event."""
        return not self.rule


@dataclass(frozen=True)
class Contract:
    """One feed: its fields, Kafka key, region, times, examples. `lateness` is how late an event may come.

    `skew` is how far its time may be ahead of its arrival; `horizon` is how far back later events and corrections
    change published days by themselves; further back it takes a person. `simulate` says how the feed is made up.
    `feed` is its name; an older major version that is still taken is named by its event type, and has a `sunset`.
    """

    feed: str
    version: str
    topic: str
    department: str
    description: str
    fields: tuple[Field, ...]
    subject: tuple[str, ...]
    lateness: timedelta
    retention: timedelta
    region_field: str = ""
    region_levels: tuple[str, ...] = ()
    horizon: timedelta = timedelta(days=31)
    skew: timedelta = SKEW
    gate: Gate = field(default_factory=Gate)
    intake: tuple[IntakeMapping, ...] = ()
    examples: tuple[Example, ...] = ()
    licence: str = LICENCE
    simulate: Simulate | None = None
    status: str = "active"
    sunset: Sunset | None = None
    upgrade: Upgrade | None = None
    path: Path = Path()

    @property
    def family(self) -> str:
        """The feed's name, which all its major versions share."""
        return family_of(self.feed)

    @property
    def older(self) -> bool:
        """Whether a newer major version has the feed's own name."""
        return self.family != self.feed

    @property
    def event_type(self) -> str:
        """The CloudEvents type: feed and major version, `ecology.air-quality.v1`."""
        return f"{self.family}.v{self.major}"

    @property
    def major(self) -> int:
        """The major version; each has a topic and tables of its own."""
        return int(self.version.split(".")[0])

    @property
    def table(self) -> str:
        """Name of the feed's table in every database: `ecology_air_quality`; of version 2 `…_v2`."""
        name = table_of(self.family)
        return name if self.major <= 1 else f"{name}_v{self.major}"

    @property
    def skew_ms(self) -> int:
        """`skew` in whole milliseconds, as arrivals are counted."""
        return self.skew // timedelta(milliseconds=1)

    def field(self, name: str) -> Field:
        """The field of this name; KeyError where there is none."""
        for known in self.fields:
            if known.name == name:
                return known
        raise KeyError(name)
