"""Every way in which an event of a contract can be wrong, derived from its fields."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from schemas.contract_model import INT64, Contract, Field
from schemas.fields import anchored
from schemas.regions import PROVINCE

ABSENT = object()


@dataclass(frozen=True)
class Fault:
    """One way to be wrong: the field, the wrong values to choose from, the contract rule that says so."""

    kind: str
    field: str
    rule: str
    values: tuple[Any, ...]


ENVELOPE = (
    Fault("missing-source", "source", "envelope", (ABSENT,)),
    Fault("missing-id", "id", "envelope", (ABSENT,)),
    Fault("time-without-offset", "time", "envelope", ("2026-01-01T08:00:00",)),
    Fault("wrong-event-type", "type", "type", ("unknown.feed.v1",)),
)
NO_REGIONS = ("339999", "999999", PROVINCE, "3300y1")
WRONG_TYPES: dict[str, tuple[Any, ...]] = {
    "string": (17, True, ["x"]),
    "integer": ("12", 3.5, "--"),
    "number": ("35.2", "--", True),
    "date": ("2026-02-30", "--", 20260101),
    "timestamp": ("2026-01-01T08:00:00", "--", 1767225600),
    "boolean": ("yes", 1, "--"),
}
NO_FORMS = ("?", "a b", "#" * 8, "x" * 40, "-")
UNKNOWN = ("no-such-value", "UNKNOWN", "??")


def faults_of(contract: Contract) -> tuple[Fault, ...]:
    """The faults of all fields in the contract's order, then those of the envelope."""
    found = [fault for field in contract.fields for fault in _of_field(field, contract.region_field)]
    return (*(fault for fault in found if fault.values), *ENVELOPE)


def _of_field(field: Field, region: str) -> Iterator[Fault]:
    if field.required:
        yield Fault("missing-required", field.name, "required", (ABSENT, None))
    yield Fault("wrong-type", field.name, "type", WRONG_TYPES[field.kind])
    marks = tuple(mark for mark in field.missing if not isinstance(mark, str) or mark.strip())
    yield Fault("missing-marker", field.name, "missing", marks)
    yield from _of_text(field, region) if field.kind == "string" else _of_range(field)


def _of_text(field: Field, region: str) -> Iterator[Fault]:
    if field.name == region:
        yield Fault("unknown-region", field.name, "region", NO_REGIONS)
        return
    if field.required:
        yield Fault("blank-required", field.name, "required", ("", "  "))
    if field.enum:
        known = {*field.enum, *field.missing}
        yield Fault(
            "unknown-value", field.name, "enum", tuple(value for value in UNKNOWN if value not in known)
        )
        return
    if field.max_length is not None:
        yield Fault("too-long", field.name, "length", ("x" * (field.max_length + 1),))
    if field.pattern:
        search = re.compile(anchored(field.pattern)).search
        short = [text[: field.max_length] for text in NO_FORMS]
        wrong = tuple(text for text in short if not search(text) and text not in field.missing)
        yield Fault("wrong-form", field.name, "pattern", wrong)
    else:
        fits = field.max_length is None or field.max_length >= 3
        yield Fault("control-character", field.name, "control", ("a\x07b",) if fits else ())


def _of_range(field: Field) -> Iterator[Fault]:
    if field.kind == "date":
        yield Fault("out-of-range", field.name, "minimum", ("1899-12-31",))
        yield Fault("out-of-range", field.name, "maximum", ("2300-01-01",))
    if field.kind == "timestamp":
        yield Fault("out-of-range", field.name, "minimum", ("1899-12-31T00:00:00+08:00",))
        yield Fault("out-of-range", field.name, "maximum", ("2300-01-01T00:00:00+08:00",))
    low = field.minimum if field.exclusive_minimum is None else field.exclusive_minimum
    if low is not None:
        yield Fault("out-of-range", field.name, "minimum", _beyond(field, low, -1))
    if field.maximum is not None:
        yield Fault("out-of-range", field.name, "maximum", _beyond(field, field.maximum, 1))


def _beyond(field: Field, bound: float, sign: int) -> tuple[float, ...]:
    """Numbers a little and far beyond a bound."""
    far = sign * (10 * abs(bound) + 37)
    if field.kind == "number":
        found = [bound + sign, bound + far + 0.5]
    else:
        found = [value for value in (bound + sign, bound + far) if INT64[0] <= value <= INT64[1]]
    return tuple(value for value in found if value not in field.missing)
