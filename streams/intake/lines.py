"""JSON lines become events: CloudEvents pass as they are, plain objects are mapped. Pure.

- A line that is a CloudEvent (has `specversion`), or is no JSON object at all, goes as its bytes are, so that
  the contract judges it; `timeline` is added where it is missing or empty.
- A plain object with the columns of one of the contract's mappings is mapped like a row of CSV.
- Any other plain object is the data itself: its `time` (ISO 8601 with offset) is the event's; its `id` and
  `source` are taken where they are text, else the id is the line's hash, the source `/liaowang/send/<feed>`.
- Ticks are not sent (a replay writes its own), blank lines are passed over; both are counted as skipped.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import msgspec

from schemas.contract import Contract
from schemas.event import TICK_TYPE, encode_event
from schemas.intake import IntakeMapping, TimeOf
from streams.intake.cells import cell_of, read_time
from streams.intake.mapping import LONGEST, Mapped, Outgoing, Row, Skipped, Unreadable, map_rows, subject_key

_DECODER = msgspec.json.Decoder()
_TIME = TimeOf(("time",))


def map_lines(contract: Contract, timeline: str, lines: Iterable[tuple[int, bytes]]) -> Iterator[Mapped]:
    """Map each numbered line. Lines of a mapping with derived columns come last, in order of time."""
    derived: defaultdict[str, list[Row]] = defaultdict(list)
    for number, line in lines:
        raw = line.strip()
        document = decode_object(raw)
        mapping = recognised_by(contract, document)
        if mapping is None:
            yield _line(contract, timeline, number, raw, document)
            continue
        row = Row(number, {key: cell_of(value) for key, value in (document or {}).items()})
        if mapping.derive:
            derived[mapping.name].append(row)
        else:
            yield from map_rows(contract, mapping, timeline, [row])
    for mapping in contract.intake:
        yield from map_rows(contract, mapping, timeline, derived[mapping.name])


def decode_object(raw: bytes) -> dict[str, Any] | None:
    """JSON object in these bytes; None where there is none."""
    try:
        found = _DECODER.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def recognised_by(contract: Contract, document: dict[str, Any] | None) -> IntakeMapping | None:
    """Find the mapping that knows a plain object by its columns; None for CloudEvents and others."""
    if document is None or "specversion" in document:
        return None
    return next((mapping for mapping in contract.intake if mapping.recognises(document)), None)


def _line(
    contract: Contract, timeline: str, number: int, raw: bytes, document: dict[str, Any] | None
) -> Mapped:
    if not raw:
        return Skipped(number, "blank line")
    if len(raw) > LONGEST:
        return Unreadable(number, f"{len(raw):,} bytes; a message takes {LONGEST:,}")
    if document is None:
        return Outgoing(None, None, raw)
    if "specversion" not in document:
        return _plain(contract, timeline, number, raw, document)
    if document.get("type") == TICK_TYPE:
        return Skipped(number, "tick")
    return _cloud_event(contract, timeline, raw, document)


def _cloud_event(contract: Contract, timeline: str, raw: bytes, document: dict[str, Any]) -> Outgoing:
    if "timeline" not in document:
        raw = b'{"timeline":' + msgspec.json.encode(timeline) + b"," + raw[1:]
    elif document["timeline"] == "":
        raw = msgspec.json.encode(document | {"timeline": timeline})
    data = document.get("data")
    key = subject_key(contract.subject, data) if isinstance(data, dict) else None
    return Outgoing(_time_of(document), key, raw, bool(document.get("corrects")))


def _plain(
    contract: Contract, timeline: str, number: int, raw: bytes, document: dict[str, Any]
) -> Outgoing | Unreadable:
    try:
        time = read_time(_TIME, {"time": cell_of(document.get("time"))})
    except ValueError as error:
        return Unreadable(number, f"{error}; a plain line needs `time`, or the columns of a mapping")
    id, source = document.get("id"), document.get("source")
    event = encode_event(
        id=id if isinstance(id, str) and id else hashlib.sha256(raw).hexdigest()[:32],
        source=source if isinstance(source, str) and source else f"/liaowang/send/{contract.family}",
        type=contract.event_type,
        time=time,
        data=document,
        timeline=timeline,
    )
    return Outgoing(time, subject_key(contract.subject, document), event)


def _time_of(document: dict[str, Any]) -> datetime | None:
    try:
        return read_time(_TIME, {"time": cell_of(document.get("time"))})
    except ValueError:
        return None
