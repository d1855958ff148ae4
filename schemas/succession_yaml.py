"""Reading what an older major version says of its end and of its events' way into the next one; strictly."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from schemas.contract_model import Field
from schemas.declaration import Entry, meant
from schemas.fields import midnight
from schemas.simulate.frame import fits
from schemas.succession import Origin, Scalar, Sunset, Upgrade

SINCE, ENDS = "endOfSupport", "endOfLife"
"""The service levels of the Open Data Contract Standard that say since when and until when."""
YEARS = range(2000, 2141)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_WHOLE = re.compile(r"0|-?[1-9]\d{0,18}", re.ASCII)
_MAPPED = ("string", "integer", "boolean")
_NUMBERS = ("integer", "number")
_PLAIN = ("string", *_NUMBERS, "boolean")


def read_sunset(entry: Entry) -> Sunset:
    """The days among `slaProperties`, which an older major version must say; Misdeclared where it does not."""
    levels = entry.items() if entry.value is not None else ()
    said: dict[str, Entry] = {}
    for level in levels:
        name = level.at("property").text()
        if name in said and name in (SINCE, ENDS):
            raise level.wrong(f"{name} is said twice")
        said[name] = level.at("value")
    for name, what in ((SINCE, "since when it is deprecated"), (ENDS, "its last day")):
        if name not in said:
            raise entry.wrong(
                f"an older major version must say {what}: - {{property: {name}, value: YYYY-MM-DD}}"
            )
    since, last = _day(said[SINCE]), _day(said[ENDS])
    if last < since:
        raise said[ENDS].wrong(f"must not be before {SINCE}, {since}")
    return Sunset(midnight(since), midnight(last + timedelta(days=1)), last)


def _day(entry: Entry) -> date:
    text = entry.text()
    try:
        found = date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        found = None
    if found is None or found.year not in YEARS:
        raise entry.wrong(f"{text!r:.60} must be a day such as 2027-06-30, from {YEARS[0]} to {YEARS[-1]}")
    return found


def read_upgrade(entry: Entry, fields: Mapping[str, Field]) -> Upgrade:
    """What is declared by field of the next version; `fields` are those of the older one."""
    return Upgrade({name: _origin(name, item, fields) for name, item in entry.mapping().items()})


def _origin(name: str, entry: Entry, fields: Mapping[str, Field]) -> Origin:
    parts = entry.mapping([], ["from", "factor", "values", "default"])
    default = _scalar(parts["default"]) if "default" in parts else None
    if "from" not in parts:
        if default is None or len(parts) > 1:
            raise entry.wrong("must have `from`, a field of this version, or `default` alone")
        return Origin(name, default=default)
    source = parts["from"].text()
    if source not in fields:
        there = ", ".join(fields)
        raise parts["from"].wrong(f"no field {source!r:.60}; there are {there}{meant(source, fields)}")
    if "factor" in parts and "values" in parts:
        raise entry.wrong("must have `factor` or `values`, not both")
    factor = _factor(parts["factor"], fields[source]) if "factor" in parts else None
    values = _values(parts["values"], fields[source]) if "values" in parts else {}
    return Origin(name, source, factor, values, default)


def _factor(entry: Entry, field: Field) -> int | float:
    if field.kind not in _NUMBERS:
        raise entry.wrong(f"{field.name} is a {field.kind}; numbers have factors")
    if not 1e-12 <= abs(entry.number()) <= 1e12:
        raise entry.wrong("must be from 1e-12 to 1e12, or as much below zero")
    return entry.number()


def _values(entry: Entry, field: Field) -> dict[str, Scalar]:
    """What each value becomes, by its text: `"1": urban`, `true: open`."""
    if field.kind not in _MAPPED:
        raise entry.wrong(f"{field.name} is a {field.kind}; a {', '.join(_MAPPED)} has values")
    found: dict[str, Scalar] = {}
    given: dict[Any, Any] = entry.value if isinstance(entry.value, dict) else {}
    if not given:
        raise entry.wrong("must give one or more values, each with what it becomes")
    for key, value in given.items():
        name = text_of(key)
        if field.enum and name not in field.enum:
            raise entry.wrong(f"{name!r:.60} is no value of {field.name}: {', '.join(field.enum)}")
        elif not field.enum:
            _demand_key(entry, name, field)
        if name in found:
            raise entry.wrong(f"{name!r:.60} stands there twice")
        found[name] = _scalar(Entry(entry.where, f"{entry.key}.{name}", value))
    return found


def _demand_key(entry: Entry, name: str, field: Field) -> None:
    """Misdeclared where no event of the older version can have this text for its value."""
    value: Any = name
    if field.kind == "boolean":
        value = {"true": True, "false": False}.get(name)
    elif field.kind == "integer":
        value = int(name) if _WHOLE.fullmatch(name) else None
    if value is None:
        raise entry.wrong(f"{name!r:.60} is no value of {field.name}: it is of kind {field.kind}")
    fits(entry, value, field)


def text_of(value: Any) -> str:
    """A value as the text by which `values` know it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _scalar(entry: Entry) -> Scalar:
    if isinstance(entry.value, str):
        return entry.text()
    if not isinstance(entry.value, int | float):
        raise entry.wrong(f"must be one of {', '.join(_PLAIN)}")
    if not isinstance(entry.value, bool):
        entry.number()
    value: Scalar = entry.value
    return value
