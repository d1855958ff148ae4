"""A department's batch: the body as single events, each checked by its contract; all or none. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import msgspec

from schemas.contract import Contract
from schemas.decoder import Decoder
from schemas.errors import Rejected
from schemas.event import LIVE
from schemas.fields import EPOCH
from schemas.skew import MILLISECOND, future
from streams.intake.lines import decode_object
from streams.intake.mapping import LONGEST, subject_key

SHOWN_ID = 200
_DOCUMENT = msgspec.json.Decoder(msgspec.Raw)
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])

Record = tuple[bytes | None, bytes]


class Malformed(ValueError):
    """The body holds no batch at all; says why."""


@dataclass(frozen=True)
class Fault:
    """Why one event of a batch is refused; `rule` is the contract's vocabulary, or `reserved`."""

    index: int
    id: str
    field: str
    rule: str
    value: str

    def as_json(self) -> dict[str, Any]:
        """Write it as the answer shows it."""
        return asdict(self)


def split_batch(body: bytes) -> list[bytes]:
    """Cut a body into its events' own bytes: a JSON array, one object, or one object a line.

    Raises Malformed for a broken array or an empty body; a broken line is for the contract to reject.
    """
    text = body.strip()
    if not text:
        raise Malformed("the body is empty; send one CloudEvent, an array of them or one a line")
    if text.startswith(b"["):
        try:
            return [bytes(item) for item in _ARRAY.decode(text)]
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise Malformed(f"the body is no JSON array: {error}") from None
    return [text] if _is_document(text) else [line for line in map(bytes.strip, text.splitlines()) if line]


def check_batch(
    contract: Contract, decoder: Decoder, items: Sequence[bytes], arrived: datetime
) -> tuple[list[Record], list[Fault]]:
    """Return records to send and what is wrong; with any fault nothing of the batch may be sent."""
    moment = (arrived - EPOCH) // MILLISECOND
    records: list[Record] = []
    faults: list[Fault] = []
    for index, raw in enumerate(items):
        document = decode_object(raw) or {}
        fault = _fault(contract, decoder, index, raw, document, moment)
        if fault:
            faults.append(fault)
        else:
            records.append((subject_key(contract.subject, document["data"]), raw))
    return records, faults


def _fault(
    contract: Contract, decoder: Decoder, index: int, raw: bytes, document: dict[str, Any], arrived: int
) -> Fault | None:
    id = document.get("id")
    shown = id[:SHOWN_ID] if isinstance(id, str) else ""
    if len(raw) > LONGEST:
        return Fault(index, shown, "event", "length", f"{len(raw)} bytes")
    try:
        event = decoder.decode(raw)
        if ahead := future(event.time, arrived, contract.skew_ms):
            raise ahead
    except Rejected as rejected:
        return Fault(index, shown, rejected.field, rejected.rule, rejected.value)
    return Fault(index, shown, "timeline", "reserved", event.timeline) if event.timeline != LIVE else None


def _is_document(text: bytes) -> bool:
    try:
        _DOCUMENT.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    return True
