"""Fields of a contract from their ODCS properties; options that do not fit the type are refused."""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection
from typing import Any

from schemas.contract_model import CLASSIFICATIONS, INT64, KINDS, Field
from schemas.declaration import Entry
from schemas.faults import Faults
from schemas.names import LONGEST_FIELD
from schemas.tables import OWN_COLUMNS

_NOT_RE2 = re.compile(r"\(\?(?:[=!]|<[=!]|P=|\()|\\[1-9]")
_NAME = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)
_NUMBER_OPTIONS = ("minimum", "maximum", "exclusiveMinimum")
_OPTIONS = {"string": ("pattern", "maxLength"), "integer": _NUMBER_OPTIONS, "number": _NUMBER_OPTIONS}
_PROPERTIES = ("unit", "pseudonymised", "multiline")
_KEYS = ("name", "logicalType", "required", "classification", "description")
_MORE_KEYS = ("logicalTypeOptions", "quality", "customProperties", "businessName", "examples", "tags")


def custom_properties(entry: Entry, required: Collection[str], more: Collection[str]) -> dict[str, Entry]:
    """The values of `customProperties` by property; a missing, repeated or unknown one is Misdeclared."""
    faults = Faults()
    found = read_custom_properties(entry, required, more, faults)
    faults.end()
    return found


def read_custom_properties(
    entry: Entry, required: Collection[str], more: Collection[str], faults: Faults
) -> dict[str, Entry]:
    """The values of `customProperties` by property; what is wrong is noted."""
    listed = entry.at("customProperties")
    found: dict[str, Entry] = {}
    items: tuple[Entry, ...] = ()
    if listed.value is not None:
        items = faults.of(Entry.items, listed) or ()
    for item in items:
        with faults:
            parts = item.mapping(["property", "value"], ["description"])
            name = parts["property"].text([*required, *more])
            if name in found:
                raise item.wrong(f"{name!r} stands there twice; keep one")
            found[name] = Entry(listed.where, f"{listed.key}.{name}", parts["value"].value)
    for name in required:
        if name not in found:
            faults.note(listed.at(name).wrong(f"must be given: - {{property: {name}, value: …}}"))
    return found


def read_field(entry: Entry) -> Field:
    """One field of the event's data."""
    parts = entry.mapping(_KEYS, _MORE_KEYS)
    name, kind = _name(parts["name"]), parts["logicalType"].text(KINDS)
    options = entry.at("logicalTypeOptions")
    given = options.mapping([], _OPTIONS.get(kind, ())) if options.value is not None else {}
    enum, missing = _quality(parts["quality"], kind) if "quality" in parts else ((), ())
    field = Field(
        name=name,
        kind=kind,
        required=parts["required"].flag(),
        minimum=_bound(given.get("minimum"), kind),
        maximum=_bound(given.get("maximum"), kind),
        exclusive_minimum=_bound(given.get("exclusiveMinimum"), kind),
        pattern=_pattern(given["pattern"]) if "pattern" in given else "",
        max_length=_length(given["maxLength"]) if "maxLength" in given else None,
        enum=enum,
        missing=missing,
        unit=_unit(entry),
        classification=parts["classification"].text(CLASSIFICATIONS),
        pseudonymised=_pseudonymised(entry, kind, parts["classification"].text(CLASSIFICATIONS)),
        multiline=_multiline(entry, kind),
        description=" ".join(parts["description"].text().split()),
    )
    _check_bounds(field, options)
    return field


def _name(entry: Entry) -> str:
    name = entry.text()
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise entry.wrong(
            f"{name!r} must be lower-case letters, digits and underscores, and no Python keyword"
        )
    if name in OWN_COLUMNS:
        raise entry.wrong(f"{name!r} is a column of the platform in every feed's tables; choose another name")
    if len(name) > LONGEST_FIELD:
        raise entry.wrong(f"has {len(name)} characters; there may be {LONGEST_FIELD}")
    return name


def _unit(entry: Entry) -> str:
    found = custom_properties(entry, (), _PROPERTIES)
    return found["unit"].text() if "unit" in found else ""


def _pseudonymised(entry: Entry, kind: str, classification: str) -> bool:
    found = custom_properties(entry, (), _PROPERTIES)
    if "pseudonymised" not in found or not found["pseudonymised"].flag():
        return False
    if kind != "string" or classification != "personal":
        raise found["pseudonymised"].wrong("is for strings that are classified as personal")
    return True


def _multiline(entry: Entry, kind: str) -> bool:
    found = custom_properties(entry, (), _PROPERTIES)
    if "multiline" not in found or not found["multiline"].flag():
        return False
    if kind != "string":
        raise found["multiline"].wrong("is for strings")
    return True


def _bound(entry: Entry | None, kind: str) -> int | float | None:
    if entry is None:
        return None
    value = entry.integer() if kind == "integer" else entry.number()
    if kind == "integer" and not INT64[0] <= value <= INT64[1]:
        raise entry.wrong("must fit 64 bits")
    return value


def _check_bounds(field: Field, options: Entry) -> None:
    if field.minimum is not None and field.exclusive_minimum is not None:
        raise options.wrong("must have one of minimum and exclusiveMinimum, not both")
    low = field.exclusive_minimum if field.minimum is None else field.minimum
    if low is not None and field.maximum is not None and low > field.maximum:
        raise options.at("maximum").wrong(f"must not be below {low}")


def _pattern(entry: Entry) -> str:
    try:
        re.compile(entry.text())
    except re.error as error:
        raise entry.wrong(f"must be a regular expression: {error}") from None
    if _NOT_RE2.search(entry.text()):
        raise entry.wrong("must do without lookaround and backreferences: the warehouse (RE2) has none")
    return entry.text()


def _length(entry: Entry) -> int:
    if entry.integer() < 1:
        raise entry.wrong("must be 1 or more")
    return entry.integer()


def _quality(entry: Entry, kind: str) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    enum: tuple[str, ...] = ()
    missing: tuple[Any, ...] = ()
    for item in entry.items():
        parts = item.mapping(["metric", "arguments", "mustBe"], ["description", "name", "dimension"])
        if parts["mustBe"].integer() != 0:
            raise parts["mustBe"].wrong("must be 0: no such value is allowed")
        if parts["metric"].text(["invalidValues", "missingValues"]) == "invalidValues":
            if kind != "string":
                raise parts["metric"].wrong("validValues are for strings only; use minimum and maximum")
            enum = parts["arguments"].mapping(["validValues"], [])["validValues"].texts()
        else:
            values = parts["arguments"].mapping(["missingValues"], [])["missingValues"]
            missing = tuple(_marker(value, kind) for value in values.items())
    return enum, missing


def _marker(entry: Entry, kind: str) -> int | float | str:
    if kind == "integer":
        return entry.integer()
    if kind == "number":
        return entry.number()
    if kind == "string" and isinstance(entry.value, str):
        return entry.value
    raise entry.wrong(f"must be a value of the field's type, {kind}")
