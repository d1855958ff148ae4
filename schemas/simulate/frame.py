"""What the reader of a `simulate` block knows of the contract around it, and whether values keep it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec

from schemas.contract_model import Field
from schemas.declaration import Entry, meant
from schemas.fields import anchored, checked_type

Pair = tuple[float, float]
MOST = 1e12
"""The largest number of a block: what is drawn from it stays exact."""
NAMES = ("region", "city", "subject", "letter", "n", "day", "serial", "tag", "feed")
"""What a text may name: of the subject, of the day (20260301), of the event (serial) and of the run (tag)."""
SUBJECT_NAMES = ("region", "city", "letter", "n")


@dataclass(frozen=True)
class Frame:
    """The contract around the block, and the block's shape."""

    feed: str
    fields: Mapping[str, Field]
    subject: tuple[str, ...]
    region_field: str
    region_levels: tuple[str, ...]
    lateness: timedelta
    shape: str = ""
    stages: tuple[str, ...] = ()

    def field(self, entry: Entry, name: str | None = None) -> Field:
        """The contract's field of this name; one that is none is Misdeclared."""
        name = entry.text() if name is None else name
        if name not in self.fields:
            there = ", ".join(self.fields)
            raise entry.wrong(f"no field {name!r:.60}; there are {there}{meant(name, self.fields)}")
        return self.fields[name]


def fits(entry: Entry, value: Any, field: Field) -> Any:
    """The value, which the field may have by its contract; else Misdeclared."""
    try:
        msgspec.convert(value, checked_type(field))
    except msgspec.ValidationError as error:
        why = str(error)
        raise entry.wrong(f"{value!r:.60} is no value of {field.name}: {why[:1].lower()}{why[1:]}") from None
    if value in field.missing:
        raise entry.wrong(f"{value!r:.60} marks a missing value of {field.name}")
    if field.kind == "string":
        _text_fits(entry, value, field)
    return value


def _text_fits(entry: Entry, value: str, field: Field) -> None:
    if field.required and not value.strip():
        raise entry.wrong(f"blanks are no value of {field.name}")
    if field.pattern and not field.enum and not re.search(anchored(field.pattern), value):
        raise entry.wrong(f"{value!r:.60} does not have the form of {field.name}, {field.pattern}")


def number(entry: Entry, least: float = 0.0, most: float = MOST) -> float:
    """A number within bounds."""
    if not least <= entry.number() <= most:
        raise entry.wrong(f"must be from {least:g} to {most:g}")
    return float(entry.number())


def integer(entry: Entry, least: int, most: int) -> int:
    """A whole number within bounds."""
    if not least <= entry.integer() <= most:
        raise entry.wrong(f"must be from {least} to {most}")
    return entry.integer()


def share(entry: Entry) -> float:
    """A part of a whole."""
    return number(entry, 0.0, 1.0)


def pair(entry: Entry, least: float = -MOST, most: float = MOST) -> Pair:
    """Two numbers, of which the second is not the smaller."""
    found = [number(item, least, most) for item in entry.items()]
    if len(found) != 2 or found[0] > found[1]:
        raise entry.wrong("must be two numbers, the smaller one first, such as [2, 95]")
    return found[0], found[1]


def span(entry: Entry, least: float = 0.0) -> float:
    """The seconds of a duration."""
    found = entry.duration().total_seconds()
    if found < least:
        raise entry.wrong(f"must be {least:g} seconds or more")
    return found


def spans(entry: Entry) -> Pair:
    """The seconds of two durations, of which the second is not the shorter."""
    found = [span(item) for item in entry.items()]
    if len(found) != 2 or found[0] > found[1]:
        raise entry.wrong("must be two durations, the shorter one first, such as [PT30M, P2D]")
    return found[0], found[1]


def numbers(entry: Entry, how_many: int) -> tuple[float, ...]:
    """So many numbers that are not negative nor all zero."""
    found = tuple(number(item) for item in entry.items())
    if len(found) != how_many or not any(found):
        raise entry.wrong(f"must be {how_many} numbers, 0 or more, not all 0")
    return found
