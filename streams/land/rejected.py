"""Rejected events: find them with their raw bytes, and prepare them, corrected, to be sent again.

A rejected event was never counted, so its corrected form goes to the feed under its own source and id; where an
event of that identity was accepted all the same, it goes as a correction of it. Either way it counts once, and
sending it again changes nothing. The rejection stays, marked as resent.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, NamedTuple

import msgspec

from schemas.contract import Contract
from schemas.decoder import Decoder
from schemas.errors import Misdeclared, Rejected
from schemas.fields import TIME_ZONE
from streams.land.warehouse import Warehouse

ENVELOPE = ("id", "source", "time", "type", "timeline")
Place = tuple[str, int, int, int]
_FOUND = """
SELECT r.topic, r.log_epoch, r.partition, r.offset, r.feed, r.arrived, r.timeline, r.field, r.rule, r.value,
    r.id, r.source, r.raw, if(s.topic = '', NULL, s.at), s.id
FROM (SELECT * FROM landing.rejected FINAL WHERE {where}) AS r
LEFT JOIN (SELECT * FROM landing.resent FINAL) AS s
    ON s.topic = r.topic AND s.log_epoch = r.log_epoch AND s.partition = r.partition AND s.offset = r.offset
{state} ORDER BY r.arrived DESC, r.topic, r.log_epoch DESC, r.partition, r.offset DESC LIMIT %(limit)s"""


@dataclass(frozen=True)
class Rejection:
    """One rejected event: where it stands in the log, why it was rejected, what it said, whether resent."""

    topic: str
    log_epoch: int
    partition: int
    offset: int
    feed: str
    arrived: datetime
    timeline: str
    field: str
    rule: str
    value: str
    id: str
    source: str
    raw: bytes
    resent: datetime | None = None
    resent_as: str = ""

    @property
    def place(self) -> Place:
        """Its place in the log."""
        return self.topic, self.log_epoch, self.partition, self.offset

    @property
    def ref(self) -> str:
        """What people call it: `topic/epoch/partition/offset`."""
        return "/".join(map(str, self.place))

    @property
    def reason(self) -> str:
        """The field and the rule it breaks."""
        return f"{self.field}: {self.rule}"

    def as_json(self, raw: bool = False) -> dict[str, Any]:
        """The rejection as JSON has it; `raw` as text, or as `raw_base64` where it is not UTF-8."""
        named = {
            name: getattr(self, name)
            for name in ("ref", *Rejection.__dataclass_fields__)
            if name not in ("raw", "resent")
        }
        state = "resent" if self.resent else "open"
        shown = named | {
            "reason": self.reason,
            "day": self.arrived.date().isoformat(),
            "arrived": self.arrived.isoformat(),
            "state": state,
            "resent": self.resent and self.resent.isoformat(),
        }
        return shown | _shown(self.raw) if raw else shown


@dataclass(frozen=True)
class Filter:
    """Which rejections: of a topic, for a reason (`field: rule`, or either), arrived on a day, of a state."""

    topic: str = ""
    reason: str = ""
    day: date | None = None
    state: str = ""
    places: Sequence[Place] = ()
    ids: Sequence[tuple[str, str]] = ()

    @property
    def where(self) -> str:
        """The condition on `landing.rejected`."""
        parts = ["1"]
        if self.topic:
            parts.append("topic = %(topic)s")
        if self.reason:
            parts.append("%(reason)s IN (concat(field, ': ', rule), field, rule)")
        if self.day:
            parts.append(f"toDate(arrived, '{TIME_ZONE}') = %(day)s")
        if self.places:
            parts.append("(topic, log_epoch, partition, offset) IN %(places)s")
        if self.ids:
            parts.append("(source, id) IN %(ids)s")
        return " AND ".join(parts)


class Resend(NamedTuple):
    """What goes to the feed for one rejection: the event's bytes, its id and what it corrects."""

    rejection: Rejection
    raw: bytes
    source: str
    id: str
    corrects: str
    data: Mapping[str, Any]


def find(warehouse: Warehouse, chosen: Filter, limit: int = 1_000_000) -> list[Rejection]:
    """The rejections a filter chooses, newest arrivals first."""
    state = {"open": "WHERE s.topic = ''", "resent": "WHERE s.topic != ''"}.get(chosen.state, "")
    given = {
        "topic": chosen.topic,
        "reason": chosen.reason,
        "day": chosen.day,
        "places": tuple(chosen.places),
        "ids": tuple(chosen.ids),
        "limit": limit,
    }
    rows = warehouse.rows(_FOUND.format(where=chosen.where, state=state), given, strings_as_bytes=True)
    return [_rejection(row) for row in rows]


def as_called_now(found: Iterable[Rejection], contracts: Iterable[Contract]) -> list[Rejection]:
    """The rejections by what their feeds are called now: a topic stays, a newer major version takes the name."""
    names = {contract.topic: contract.feed for contract in contracts}
    return [replace(item, feed=names.get(item.topic, item.feed)) for item in found]


def too_late(topics: Collection[str], contracts: Mapping[str, Contract], now: datetime) -> dict[str, str]:
    """The topics to which nothing goes, each with what is said of it: of major versions whose last day is over.

    Of what is declared no more, too: a major version's file may go while events of it stand among the rejected.
    """
    declared = {contract.topic for contract in contracts.values()}
    told = {
        topic: f"{topic} is the topic of no feed that is declared now"
        for topic in topics
        if topic not in declared
    }
    for contract in contracts.values():
        sunset = contract.sunset
        if contract.topic in topics and sunset is not None and sunset.over(now):
            newest = contracts[contract.family].event_type
            told[contract.topic] = (
                f"{contract.event_type} was taken until {sunset.last_day}: its department sends {newest}"
            )
    return told


def read_ref(text: str) -> tuple[str, int | None, int, int]:
    """Topic, log epoch (None: any), partition, offset of `topic/epoch/partition/offset`.

    Or of `topic:partition:offset`, which is the key of the message on the topic `rejected`.
    """
    mark = "/" if "/" in text else ":"
    topic, *numbers = text.split(mark)
    if len(numbers) not in (2, 3) or not all(number.isdecimal() for number in numbers):
        raise Misdeclared(
            "rejected", text, "must be topic/epoch/partition/offset, as `rejected list` shows it"
        )
    *log_epoch, partition, offset = map(int, numbers)
    return topic, log_epoch[0] if log_epoch else None, partition, offset


def edited(contract: Contract, raw: bytes, changes: Mapping[str, str]) -> bytes:
    """The event with fields of its data, or id, source, time of its envelope, set to other values.

    `null` takes a field out of use; numbers and truth values are read as JSON, fields of text are text.
    Rejected where the bytes are no JSON object.
    """
    if not changes:
        return raw
    try:
        document = msgspec.json.decode(raw, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise Rejected("event", "json", f"{len(raw)} bytes that are no JSON object") from None
    data = document.get("data")
    document["data"] = dict(data) if isinstance(data, dict) else {}
    textual = {field.name for field in contract.fields if field.kind in ("string", "date", "timestamp")}
    for name, text in changes.items():
        if name in ENVELOPE:
            document[name] = text
        else:
            document["data"][name] = text if name in textual and text != "null" else _value(text)
    return msgspec.json.encode(document)


def prepare(
    contract: Contract,
    decoder: Decoder,
    rejection: Rejection,
    raw: bytes,
    accepted: Mapping[tuple[str, str], bytes],
) -> Resend:
    """What to send for a rejection, given its corrected bytes; Rejected where they still break the contract.

    `accepted` holds the raw bytes of events already landed, by source and id.
    """
    event = decoder.decode(raw)
    id, corrects = event.id, event.corrects
    standing = accepted.get((event.source, id))
    if standing is not None and standing != raw:
        corrects = id
        id = f"{id}~{rejection.log_epoch}.{rejection.partition}.{rejection.offset}"
        document: dict[str, Any] = dict(msgspec.json.decode(raw, type=dict[str, msgspec.Raw]))
        raw = msgspec.json.encode(document | {"id": id, "corrects": corrects})
        decoder.decode(raw)
    return Resend(rejection, raw, event.source, id, corrects, msgspec.to_builtins(event.data))


def landed(
    warehouse: Warehouse, contract: Contract, keys: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], bytes]:
    """Raw bytes of the first landed copy of events of a feed, by source and id."""
    wanted = sorted(set(keys))
    if not wanted:
        return {}
    rows = warehouse.rows(
        f"SELECT source, id, raw FROM landing.`{contract.table}` FINAL WHERE (source, id) IN %(keys)s"
        " ORDER BY log_epoch, partition, offset LIMIT 1 BY source, id",
        {"keys": tuple(wanted)},
        strings_as_bytes=True,
    )
    return {(source.decode(), id.decode()): raw for source, id, raw in rows}


def mark(warehouse: Warehouse, sent: Sequence[Resend], now: datetime) -> None:
    """Record that these rejections were sent again."""
    places = [item.rejection.place for item in sent]
    columns: dict[str, list[Any]] = {
        name: [place[at] for place in places]
        for at, name in enumerate(("topic", "log_epoch", "partition", "offset"))
    }
    columns |= {name: [getattr(item, name) for item in sent] for name in ("source", "id", "corrects")}
    warehouse.insert("resent", columns | {"at": [now] * len(sent)})


def _rejection(row: Sequence[Any]) -> Rejection:
    *told, raw, resent, resent_as = row
    texts = [item.decode(errors="replace") if isinstance(item, bytes) else item for item in told]
    values: list[Any] = [*texts, raw, resent, resent_as.decode()]
    return Rejection(*values)


def _shown(raw: bytes) -> dict[str, str]:
    try:
        return {"raw": raw.decode()}
    except UnicodeDecodeError:
        return {"raw_base64": base64.b64encode(raw).decode()}


def _value(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return text
