"""Why an event was rejected: the slow way of the decoder, taken only once the fast way has failed.

The bytes are split into envelope and fields, and each is read with the same types as on the fast way, in the
order of the contract; the first that breaks a rule is the reason. Values are shown as text, cut short.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from schemas.contract_model import INT64, Contract, Field
from schemas.errors import Rejected
from schemas.event import SPECVERSION
from schemas.fields import DATES, TIMES, TIMESTAMPS, anchored, plain_type
from schemas.text import control, visible

SHOWN = 200
_UNREADABLE = (msgspec.MsgspecError, UnicodeError, RecursionError)
_NUMBER = re.compile(rb"-?\d+(\.\d+)?([eE][+-]?\d+)?")
_RANGES: dict[str, tuple[Any, Any]] = {"timestamp": TIMESTAMPS, "date": DATES, "integer": INT64}
_REQUIRED = ("id", "source", "specversion", "type", "time", "data")
_OPTIONAL = ("corrects", "timeline")
_TEXTS = ("id", "source", *_OPTIONAL)


class Reasons:
    """Finds the reason why bytes break one contract."""

    def __init__(self, contract: Contract, codes: frozenset[str], envelope: type[msgspec.Struct]) -> None:
        self._contract, self._codes = contract, codes
        self._envelope = {member.name: member.type for member in msgspec.structs.fields(envelope)}
        self._patterns = {field.name: re.compile(anchored(field.pattern)) for field in contract.fields}

    def find(self, raw: bytes) -> Rejected:
        """The first rule these bytes break."""
        try:
            parts = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        except msgspec.ValidationError:
            return Rejected("event", "envelope" if _is_json(raw) else "json", show(raw))
        except _UNREADABLE:
            return Rejected("event", "json", show(raw))
        return self._envelope_reason(parts) or self._data_reason(parts["data"]) or _ambiguous(raw)

    def _envelope_reason(self, parts: dict[str, msgspec.Raw]) -> Rejected | None:
        for name in (*_REQUIRED, *(name for name in _OPTIONAL if name in parts)):
            if name not in parts:
                return Rejected(name, "envelope", "")
            rule = self._attribute(name, bytes(parts[name]))
            if rule:
                return _rejected(name, rule, bytes(parts[name]))
        return None

    def _attribute(self, name: str, raw: bytes) -> str:
        kinds = {"specversion": str, "type": str, "data": dict[str, msgspec.Raw]}
        try:
            value = msgspec.json.decode(raw, type=kinds.get(name, self._envelope.get(name)))
        except _UNREADABLE as error:
            return "json" if isinstance(error, UnicodeError | RecursionError) else "envelope"
        if name == "time":
            return _range(value, TIMES)
        if name in _TEXTS and control(value):
            return "control"
        if name == "specversion" and value != SPECVERSION:
            return "envelope"
        return "type" if name == "type" and value != self._contract.event_type else ""

    def _data_reason(self, raw: msgspec.Raw) -> Rejected | None:
        parts = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        for field in self._contract.fields:
            part = bytes(parts.get(field.name, b"null"))
            rule = self._rule(field, part)
            if rule:
                return _rejected(field.name, rule, part if field.name in parts else b"")
        return None

    def _rule(self, field: Field, raw: bytes) -> str:
        if raw == b"null":
            return "required" if field.required else ""
        try:
            value = msgspec.json.decode(raw, type=plain_type(field))
        except _UNREADABLE as error:
            return _unreadable(field, raw, error)
        if value in field.missing:
            return "missing"
        if field.required and isinstance(value, str) and not value.strip():
            return "required"
        return self._text_rule(field, value) if field.kind == "string" else _number_rule(field, value)

    def _text_rule(self, field: Field, value: str) -> str:
        if field.name == self._contract.region_field and value not in self._codes:
            return "region"
        if field.enum and value not in field.enum:
            return "enum"
        if field.max_length is not None and len(value) > field.max_length:
            return "length"
        if not self._patterns[field.name].search(value):
            return "pattern"
        return "control" if control(value, field.multiline) else ""


def show(raw: bytes) -> str:
    """JSON bytes as text for people: no quotes around it, controls written out, at most 200 characters."""
    try:
        text = msgspec.json.decode(raw, type=str)
    except _UNREADABLE:
        text = raw[: SHOWN * 4].decode(errors="replace")
    return visible(text[:SHOWN])[:SHOWN]


def _is_json(raw: bytes) -> bool:
    try:
        msgspec.json.decode(raw)
    except msgspec.ValidationError:
        return True  # such as a number out of range: well-formed all the same
    except _UNREADABLE:
        return False
    return True


def _rejected(name: str, rule: str, raw: bytes) -> Rejected:
    return Rejected("event" if rule == "json" else name, rule, show(raw))


def _unreadable(field: Field, raw: bytes, error: Exception) -> str:
    if isinstance(error, UnicodeError | RecursionError):
        return "json"
    if field.kind in ("integer", "number") and _NUMBER.fullmatch(raw) and "range" in str(error):
        return "minimum" if raw.startswith(b"-") else "maximum"
    return "type"


def _number_rule(field: Field, value: Any) -> str:
    if field.kind in _RANGES and (rule := _range(value, _RANGES[field.kind])):
        return rule
    if field.minimum is not None and value < field.minimum:
        return "minimum"
    if field.exclusive_minimum is not None and value <= field.exclusive_minimum:
        return "minimum"
    return "maximum" if field.maximum is not None and value > field.maximum else ""


def _range(value: Any, bounds: tuple[Any, Any]) -> str:
    low, high = bounds
    return "minimum" if value < low else "maximum" if value > high else ""


def _ambiguous(raw: bytes) -> Rejected:
    """What is left: a repeated key, of which one value is wrong and the last one right."""
    return Rejected("event", "json", show(raw))
