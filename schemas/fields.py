"""Fields of contracts as Python types: what msgspec can check while it decodes, and what is left to check."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Annotated, Any, Literal

import msgspec

from schemas.contract_model import INT64, Contract, Field

TIME_ZONE = "Asia/Shanghai"
AHEAD = timedelta(hours=8)
OFFSET = "+08:00"
SHANGHAI = timezone(AHEAD)
"""The platform's day: Asia/Shanghai has had no daylight saving since 1991, so the offset is fixed."""

TIMES = (datetime(1970, 1, 1, tzinfo=SHANGHAI), datetime(2149, 6, 6, 23, 59, 59, 999999, tzinfo=SHANGHAI))
"""Times of events: what a day of type Date can hold."""

TIMESTAMPS = (
    datetime(1900, 1, 1, tzinfo=SHANGHAI),
    datetime(2299, 12, 31, 23, 59, 59, 999999, tzinfo=SHANGHAI),
)
"""Timestamps of data: what DateTime64 can hold."""

DATES = (date(1900, 1, 1), date(2299, 12, 31))
"""Dates of data: what Date32 can hold."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


def milliseconds(time: datetime) -> int:
    """A moment as whole milliseconds since 1970, rounded down: by whole numbers, so that all count the same.

    As a float of seconds, 1000 times as much can be a millisecond less.
    """
    return (time - EPOCH) // MILLISECOND


def midnight(day: date) -> datetime:
    """When a day of the platform begins."""
    return datetime(day.year, day.month, day.day, tzinfo=SHANGHAI)


Aware = Annotated[datetime, msgspec.Meta(tz=True)]
_BASE: dict[str, Any] = {
    "string": str,
    "integer": int,
    "number": float,
    "date": date,
    "timestamp": Aware,
    "boolean": bool,
}


def plain_type(field: Field) -> Any:
    """The field's JSON type alone, without bounds."""
    return _BASE[field.kind]


def checked_type(field: Field) -> Any:
    """The field's type with every bound that msgspec checks; None is allowed where the field is optional.

    A pattern is left to the decoder, which remembers texts that match.
    """
    kind = Literal[field.enum] if field.enum else _BASE[field.kind]
    bounds = _bounds(field)
    checked = Annotated[kind, msgspec.Meta(**bounds)] if bounds else kind
    return checked if field.required else checked | None


def anchored(pattern: str) -> str:
    r"""The pattern with a final `$` as `\Z`: a trailing line break does not match, as in ClickHouse."""
    return re.sub(r"(?<!\\)\$$", r"\\Z", pattern)


def data_struct(contract: Contract) -> type[msgspec.Struct]:
    """The struct of a contract's data; fields in the contract's order, optional ones None by default."""
    members: list[Any] = [
        (field.name, checked_type(field)) if field.required else (field.name, checked_type(field), None)
        for field in contract.fields
    ]
    return msgspec.defstruct(_name(contract, "Data"), members, kw_only=True, frozen=True, gc=False)


def _name(contract: Contract, suffix: str) -> str:
    return "".join(part.capitalize() for part in contract.table.split("_")) + suffix


def _bounds(field: Field) -> dict[str, Any]:
    if field.enum:
        return {}
    bounds: dict[str, Any] = {}
    if field.minimum is not None:
        bounds["ge"] = field.minimum
    if field.exclusive_minimum is not None:
        bounds["gt"] = field.exclusive_minimum
    if field.maximum is not None:
        bounds["le"] = field.maximum
    if field.kind == "integer":
        if not bounds.keys() & {"ge", "gt"}:
            bounds["ge"] = INT64[0]
        bounds.setdefault("le", INT64[1])
    if field.kind == "string" and field.required:
        bounds["min_length"] = 1
    if field.max_length is not None:
        bounds["max_length"] = field.max_length
    return bounds
