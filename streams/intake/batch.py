"""A department's batch: the body as single events, each checked by its contract; all or none. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import msgspec

from schemas.contract import Contract
from schemas.decoder import Decoder
from schemas.errors import Rejected
from schemas.event import LIVE, id_of
from schemas.fields import milliseconds
from schemas.skew import future
from streams.intake.lines import decode_object
from streams.intake.mapping import LONGEST, subject_key
from streams.intake.rights import Scope

SHOWN_ID = 200
MAX_ITEMS = 10_000


class _Item(msgspec.Struct, gc=False):
    """An object of which nothing is kept: what counting costs."""


_DOCUMENT = msgspec.json.Decoder(msgspec.Raw)
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_COUNT = msgspec.json.Decoder(list[_Item | int | float | str | bool | None])
_LINE = re.compile(rb"[^\r\n]+")

Record = tuple[bytes | None, bytes]


class Malformed(ValueError):
    """The body holds no batch at all; says why."""


class TooMany(ValueError):
    """The body holds more events than one batch takes, or might: it was not taken apart."""


@dataclass(frozen=True)
class Fault:
    """Why one event of a batch is refused; `rule` is the contract's vocabulary, `reserved` or `scope`."""

    index: int
    id: str
    field: str
    rule: str
    value: str

    def as_json(self) -> dict[str, Any]:
        """Write it as the answer shows it."""
        return asdict(self)


def split_batch(body: bytes, most: int = MAX_ITEMS) -> list[bytes]:
    """Cut a body into its events' own bytes: a JSON array, one object, or one object a line.

    Raises Malformed for a broken array or an empty body, TooMany for more than `most` events; a broken line is for
    the contract to reject. Memory is bounded by the body and `most`, whatever the body holds.
    """
    text = body.strip()
    if not text:
        raise Malformed("the body is empty; send one CloudEvent, an array of them or one a line")
    if text.startswith(b"["):
        return _elements(text, most)
    return [text] if _is_document(text) else _lines(text, most)


def _elements(text: bytes, most: int) -> list[bytes]:
    """The elements of a JSON array, which are counted first where there could be too many."""
    try:
        if text.count(b",") >= most and len(_COUNT.decode(text)) > most:
            raise TooMany(f"more than {most} events")
        return [bytes(item) for item in _ARRAY.decode(text)]
    except msgspec.ValidationError:
        raise Malformed("the body is a JSON array of something else than events") from None
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Malformed(f"the body is no JSON array: {error}") from None


def _lines(text: bytes, most: int) -> list[bytes]:
    """The lines that are not blank."""
    found: list[bytes] = []
    for match in _LINE.finditer(text):
        line = match.group().strip()
        if line:
            found.append(line)
        if len(found) > most:
            raise TooMany(f"more than {most} events")
    return found


def check_batch(
    contract: Contract,
    decoder: Decoder,
    items: Sequence[bytes],
    arrived: datetime,
    scope: Scope | None = None,
) -> tuple[list[Record], list[Fault]]:
    """Return records to send and what is wrong; with any fault nothing of the batch may be sent.

    `scope` are the regions of which events may be sent, where these are not all.
    """
    moment = milliseconds(arrived)
    records: list[Record] = []
    faults: list[Fault] = []
    for index, raw in enumerate(items):
        found = _event(contract, decoder, index, raw, moment, scope)
        if isinstance(found, Fault):
            faults.append(found)
        else:
            records.append((subject_key(contract.subject, found), raw))
    return records, faults


def _event(
    contract: Contract, decoder: Decoder, index: int, raw: bytes, arrived: int, scope: Scope | None
) -> dict[str, Any] | Fault:
    """The data of an event as it was sent, or what is wrong with it."""
    if len(raw) > LONGEST:
        return Fault(index, id_of(raw)[:SHOWN_ID], "event", "length", f"{len(raw)} bytes")
    document = decode_object(raw) or {}
    id = document.get("id")
    shown = id[:SHOWN_ID] if isinstance(id, str) else ""
    try:
        event = decoder.decode(raw)
        if ahead := future(event.time, arrived, contract.skew_ms):
            raise ahead
    except Rejected as rejected:
        return Fault(index, shown, rejected.field, rejected.rule, rejected.value)
    if event.timeline != LIVE:
        return Fault(index, shown, "timeline", "reserved", event.timeline)
    # a field that the contract does not know may be a number that nobody can read
    data: dict[str, Any] = document["data"] if document else msgspec.to_builtins(event.data)
    if scope is not None and (region := scope.outside(data)) is not None:
        return Fault(index, shown, scope.column, "scope", region[:SHOWN_ID])
    return data


def _is_document(text: bytes) -> bool:
    try:
        _DOCUMENT.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    return True
