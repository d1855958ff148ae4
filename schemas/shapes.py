"""What a value of a declaration must be, said once: a shape reads an entry, and is a piece of JSON Schema.

What a shape refuses, its schema (draft 2020-12) refuses too, but for what none can say: a whole number written as
`1.0`, a day or time of day that is none, a duration beyond 36,500 days.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from schemas.declaration import LARGEST, LARGEST_WHOLE, Entry
from schemas.faults import Faults
from schemas.fields import MILLISECOND
from schemas.text import NOT_IN_LINES

Json = Mapping[str, Any] | bool
"""A piece of JSON Schema."""
Value = TypeVar("Value")
Value_co = TypeVar("Value_co", covariant=True)
Other = TypeVar("Other")

DURATION = r"^P(?=[0-9]|T[0-9])([0-9]+W)?([0-9]+D)?(T(?=[0-9])([0-9]+H)?([0-9]+M)?([0-9]+S)?)?$"
SOME_TIME = DURATION.replace("^P", "^P(?=.*[1-9])", 1)
_DAY = r"[0-9]{4}(-[0-9]{2}-[0-9]{2}|[0-9]{4}|-W[0-9]{2}(-[1-7])?|W[0-9]{2}[1-7]?)"
_CLOCK = r"[0-9]{2}(:?[0-9]{2}(:?[0-9]{2}([.,][0-9]+)?)?)?"
MOMENT = rf"^{_DAY}[\s\S]{_CLOCK}(Z|[+-]{_CLOCK})$"
"""All forms of ISO 8601 that are read."""
DEFINITIONS = {"text": {"type": "string", "pattern": r"\S", "not": {"pattern": f"[{NOT_IN_LINES}]"}}}
"""What schemas of shapes refer to: `$defs` of a document."""


@dataclass(frozen=True)
class Shape(Generic[Value_co]):
    """What one value must be: `read` gives it, or says what is wrong (Misdeclared); `schema` says the same."""

    read: Callable[[Entry], Value_co]
    schema: Json


@dataclass(frozen=True)
class ByKind(Generic[Value_co]):
    """A shape that depends on the `kind` of the form under the key `by`, which is read before."""

    by: str
    of: Callable[[str], Shape[Value_co]]


def text(*choices: str, pattern: str = "", said: str = "", longest: int = 0) -> Shape[str]:
    """A text that is not blank: one of some, or of a form. `said`: what it must be, after the text itself."""

    def read(entry: Entry) -> str:
        found = entry.text(choices)
        if pattern and not re.fullmatch(pattern, found):
            raise entry.wrong(f"{found!r} {said}")
        if longest and len(found) > longest:
            raise entry.wrong(f"has {len(found)} characters; there may be {longest}")
        return found

    if choices:
        return Shape(read, {"enum": list(choices)})
    form = {"type": "string", "pattern": pattern} if pattern else {"$ref": "#/$defs/text"}
    return Shape(read, {**form, **({"maxLength": longest} if longest else {})})


def texts(*choices: str, most: int = 0) -> Shape[tuple[str, ...]]:
    """A list of one or more different texts."""

    def read(entry: Entry) -> tuple[str, ...]:
        found = entry.texts()
        for each in found:
            if choices and each not in choices:
                raise entry.wrong(f"{each!r} must be one of {', '.join(choices)}")
        return found

    schema = {"type": "array", "items": text(*choices).schema, "minItems": 1, "uniqueItems": True}
    return Shape(read, {**schema, **({"maxItems": most} if most else {})})


def number(*, least: float = -LARGEST) -> Shape[float]:
    """A finite number, no less than this."""

    def read(entry: Entry) -> float:
        if entry.number() < least:
            raise entry.wrong(f"must not be below {least:g}")
        return float(entry.number())

    return Shape(read, {"type": "number", "minimum": least, "maximum": LARGEST})


def share(such: str) -> Shape[float]:
    """A number between 0 and 1."""

    def read(entry: Entry) -> float:
        if not 0 < entry.number() < 1:
            raise entry.wrong(f"must lie between 0 and 1, such as {such}")
        return float(entry.number())

    return Shape(read, {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1})


def whole(least: int) -> Shape[int]:
    """A whole number of 64 bits, no less than this."""

    def read(entry: Entry) -> int:
        if entry.integer() < least:
            raise entry.wrong(f"must be {least} or more")
        return entry.integer()

    return Shape(read, {"type": "integer", "minimum": least, "maximum": LARGEST_WHOLE})


def duration(*, some: bool = False, other: str = "", meant: int = 0) -> Shape[int]:
    """An ISO 8601 duration in ms; it must be longer than nothing where `some`, and `other` is `meant`."""

    def read(entry: Entry) -> int:
        if other and entry.value == other:
            return meant
        found = entry.duration() // MILLISECOND
        if some and found <= 0:
            raise entry.wrong("must be longer than nothing, such as PT1H")
        return found

    pattern = (SOME_TIME if some else DURATION) + (f"|^{other}$" if other else "")
    return Shape(read, {"type": "string", "pattern": pattern, "examples": [other or "PT2H", "P1D"]})


def moment() -> Shape[datetime]:
    """A moment, with its offset."""
    such = "2026-03-01T09:00:00+08:00"

    def read(entry: Entry) -> datetime:
        try:
            found = datetime.fromisoformat(entry.text())
        except ValueError:
            found = None
        if found is None or found.tzinfo is None:
            raise entry.wrong(f"{entry.value!r} must be ISO 8601 with an offset, such as {such}")
        return found

    return Shape(read, {"type": "string", "pattern": MOMENT, "examples": [such]})


def free(*scalars: str) -> Shape[Mapping[str, Any]]:
    """A mapping with any keys, as it stands; the types of its values (of JSON) are for the schema only."""

    def read(entry: Entry) -> Mapping[str, Any]:
        return {key: item.value for key, item in entry.mapping().items()}

    return Shape(
        read, {"type": "object", **({"additionalProperties": {"type": list(scalars)}} if scalars else {})}
    )


def each(
    item: Shape[Value], *, least: int = 0, few: str = "", different: bool = False
) -> Shape[tuple[Value, ...]]:
    """A list of so many of one shape, or of more; `few` is said where there are fewer."""

    def read(entry: Entry) -> tuple[Value, ...]:
        faults = Faults()
        found = faults.all(item.read, entry.items())
        faults.end()
        if len(found) < least:
            raise entry.wrong(few or "must list at least one; leave the key out where there is none")
        return found

    fewest = {"minItems": least} if least else {}
    unique = {"uniqueItems": True} if different else {}
    return Shape(read, {"type": "array", "items": item.schema, **fewest, **unique})


def either(kind: type, one: Shape[Value], other: Shape[Other]) -> Shape[Value | Other]:
    """One shape where the value is of a type of YAML, else the other."""

    def read(entry: Entry) -> Value | Other:
        return one.read(entry) if isinstance(entry.value, kind) else other.read(entry)

    return Shape(read, {"oneOf": [one.schema, other.schema]})


def among(keys: tuple[str, ...], item: Shape[Value]) -> Shape[dict[str, Value]]:
    """A mapping of one or more of these keys to values of one shape, in the order of the keys."""

    def read(entry: Entry) -> dict[str, Value]:
        faults = Faults()
        parts = faults.parts(entry, [], keys)
        if not parts and not faults:
            raise entry.wrong(f"must name at least one of {', '.join(keys)}")
        found = {key: faults.of(item.read, parts[key]) for key in keys if key in parts}
        faults.end()
        return found

    items = dict.fromkeys(keys, item.schema)
    schema = {"type": "object", "properties": items, "additionalProperties": False, "minProperties": 1}
    return Shape(read, schema)


def barred(why: str) -> Shape[Any]:
    """No value: the key is known, and does not fit here."""

    def read(entry: Entry) -> Any:
        raise entry.wrong(why)

    return Shape(read, False)


def later(shape: Shape[Any]) -> Shape[Any]:
    """A shape for the schema only: it is read by who knows more, such as whether the text is an older one."""
    return Shape(lambda entry: entry.value, shape.schema)
