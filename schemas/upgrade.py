"""Events of an older major version as those of the next: each as the sender would have sent it himself. Pure.

Fields that have one name in both versions are carried over; what `upgrade` declares goes over that. What cannot
give an event of the next version is told when contracts are read, not when events come. Numbers are multiplied as
decimals, as people do it: 0.035 mg times 1000 are 35 µg.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from schemas.contract_model import CLASSIFICATIONS, REASONS, Contract, Field
from schemas.declaration import Entry
from schemas.decoder import Decoder
from schemas.errors import Misdeclared, Rejected
from schemas.event import encode_event
from schemas.simulate.frame import fits
from schemas.succession import Origin, Scalar
from schemas.succession_yaml import text_of

_KEY = "customProperties.upgrade"
_SOME_TIME = datetime(2026, 1, 1, tzinfo=UTC)


class Upgrader:
    """Turns bytes of the older version into those of the next; made once, since it compiles the older contract."""

    def __init__(self, old: Contract, new: Contract) -> None:
        self.old, self.new = old, new
        self._decode = Decoder(old).decode
        self._origins = origins_of(old, new)

    def carries(self, old: str, new: str) -> bool:
        """Whether a field of the next version is one of the older as it stands."""
        return Origin(new, old) in self._origins

    def __call__(self, raw: bytes) -> tuple[dict[str, Any], bytes] | None:
        """The data and the bytes of the event; None where the older version itself rejects it."""
        try:
            event = self._decode(raw)
        except Rejected:
            return None
        data = upgraded(msgspec.to_builtins(event.data), self._origins)
        return data, encode_event(
            id=event.id,
            source=event.source,
            type=self.new.event_type,
            time=event.time,
            data=data,
            corrects=event.corrects,
            timeline=event.timeline,
        )


def upgraded(data: dict[str, Any], origins: tuple[Origin, ...]) -> dict[str, Any]:
    """The data of an event as the next version has them; what is nothing is left out."""
    found = {origin.field: _value(data.get(origin.source), origin) for origin in origins}
    return {name: value for name, value in found.items() if value is not None}


def _value(value: Any, origin: Origin) -> Any:
    if value is None:
        return origin.default
    if origin.values:
        return origin.values.get(text_of(value), origin.default)
    if origin.factor is not None:
        return _times(value, origin.factor)
    return value


def _times(value: int | float, factor: int | float) -> int | float:
    if isinstance(value, int) and isinstance(factor, int):
        return value * factor
    return float(Decimal(repr(value)) * Decimal(repr(factor)))


def origins_of(old: Contract, new: Contract) -> tuple[Origin, ...]:
    """Where each field of the next version has its value from; Misdeclared where that cannot be."""
    declared = old.upgrade.origins if old.upgrade else {}
    names = {field.name for field in new.fields}
    for name in declared:
        if name not in names:
            there = ", ".join(field.name for field in new.fields)
            raise _wrong(old, name, f"{new.event_type} has no such field; there are {there}")
    known = {field.name: field for field in old.fields}
    found = []
    for field in new.fields:
        origin = declared.get(field.name) or (Origin(field.name, field.name) if field.name in known else None)
        if origin is None:
            if field.required:
                raise _wrong(old, field.name, f"{new.event_type} requires it: say `from` or `default`")
            continue
        _check(old, new, field, origin, known.get(origin.source))
        found.append(origin)
    return tuple(found)


def _check(old: Contract, new: Contract, field: Field, origin: Origin, source: Field | None) -> None:
    """Misdeclared where the origin cannot give what the field takes."""
    entry = Entry(str(old.path), f"{_KEY}.{field.name}", None)
    constants = [*origin.values.values(), *([] if origin.default is None else [origin.default])]
    for constant in constants:
        _demand_taken(fits(entry, constant, field), entry, new, field)
    if source is None:
        return
    _check_kept(entry, field, source)
    if not origin.values:
        _check_kind(entry, field, origin, source)
    if field.required and origin.default is None:
        if not source.required:
            raise entry.wrong(f"{source.name} may be absent and {field.name} is required: say `default`")
        given = ("true", "false") if source.kind == "boolean" else source.enum
        if origin.values and (not given or set(given) - origin.values.keys()):
            more = ", ".join(value for value in given if value not in origin.values) or "other values"
            raise entry.wrong(f"{field.name} is required, and `values` lacks {more}: say what they become")


def _demand_taken(constant: Scalar, entry: Entry, new: Contract, field: Field) -> None:
    """Misdeclared where the newer version's own decoder rejects this value: no such region, a day out of range."""
    region = field.name if field.name == new.region_field else ""
    alone = replace(new, fields=(field,), region_field=region)
    try:
        data = {field.name: constant}
        raw = encode_event(id="1", source="/upgrade", type=new.event_type, time=_SOME_TIME, data=data)
        Decoder(alone).decode(raw)
    except Rejected as error:
        why = REASONS[error.rule]
        raise entry.wrong(f"{constant!r:.60} is no value of {field.name}: {why}") from None


def _check_kind(entry: Entry, field: Field, origin: Origin, source: Field) -> None:
    given = source.kind
    if isinstance(origin.factor, float):
        given = "number"
    if given != field.kind and (given, field.kind) != ("integer", "number"):
        raise entry.wrong(f"is a {field.kind}, and {source.name} gives a {given}")
    if field.enum and (not source.enum or set(source.enum) - set(field.enum)):
        gone = ", ".join(value for value in source.enum if value not in field.enum) or "any text"
        raise entry.wrong(f"{source.name} may be {gone}, {field.name} not: say by `values` what it becomes")
    if source.unit != field.unit and origin.factor is None:
        raise entry.wrong(
            f"is in {field.unit or 'no unit'}, {source.name} in {source.unit or 'none'}: say `factor`"
        )


def _check_kept(entry: Entry, field: Field, source: Field) -> None:
    """Misdeclared where what was kept from others would be seen by more than before."""
    if CLASSIFICATIONS.index(field.classification) < CLASSIFICATIONS.index(source.classification):
        raise entry.wrong(f"is {field.classification}, and {source.name} is {source.classification}")
    if source.pseudonymised and not field.pseudonymised:
        raise entry.wrong(f"is not pseudonymised, as {source.name} is")


def _wrong(old: Contract, name: str, problem: str) -> Misdeclared:
    return Misdeclared(str(old.path), f"{_KEY}.{name}", problem)
