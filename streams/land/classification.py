"""What each record of a partition is: accepted, rejected or control; late or not. A function of the log.

The same log gives the same rows, ledger and watermarks whatever the frames it came in. Times are milliseconds
since 1970-01-01 UTC throughout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import msgspec

from schemas.errors import Rejected
from schemas.event import LIVE, Tick, decode_tick
from schemas.fields import milliseconds
from schemas.skew import future
from schemas.text import visible
from streams.faults import Faults

TIMELINES = (
    256  # watermarks kept a partition; an invented timeline an event must not grow the ledger for ever
)
EXCERPT = 200  # characters of an attribute kept with a refusal
FAULT = "fault"
_NEVER = -(2**62)


class Record(Protocol):
    """What is read of a Kafka record; the records of a frame have it."""

    offset: int
    timestamp: int
    value: bytes | None


class Accepted(NamedTuple):
    """One event that keeps its contract; `event` is what the feed's decoder made of `raw`."""

    offset: int
    arrived: int
    late: bool
    time: int
    event: Any
    raw: bytes


class Refused(NamedTuple):
    """One event that breaks its contract, with the reason and what could still be read of its envelope."""

    offset: int
    arrived: int
    timeline: str
    field: str
    rule: str
    value: str
    id: str
    source: str
    raw: bytes


class Ticked(NamedTuple):
    """One tick: the clock of its timeline, whether a replay ends with it, and the set of rules it brings."""

    offset: int
    arrived: int
    timeline: str
    clock: int
    final: bool
    epoch: int


@dataclass(frozen=True, slots=True)
class Feed:
    """How the records of one topic are judged: its decoder, and how late or ahead (ms) an event may be."""

    decode: Callable[[bytes], Any]
    lateness: int
    skew: int
    shown: Callable[[Exception], str] = lambda error: type(error).__name__
    """An error over one of its events in one line, without personal values."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a partition stands: the next offset to account for, and the latest time seen of each timeline.

    `faults`: over so many records just before, in a row, the program failed.
    """

    next: int
    watermarks: Mapping[str, int] = field(default_factory=dict)
    faults: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """What the offsets `first`..`last` of a partition came to. Every one of them is counted once."""

    first: int
    last: int
    accepted: list[Accepted]
    refused: list[Refused]
    ticks: list[Ticked]
    watermarks: Mapping[str, int]
    arrived_last: int

    @property
    def control(self) -> int:
        """Offsets that are no event: ticks, transaction markers, aborted or compacted records."""
        return self.last - self.first + 1 - len(self.accepted) - len(self.refused)


def check(feed: Feed, position: Position, frame: Iterable[Record]) -> tuple[Position, Batch | None]:
    """Judge one frame from `position` on; records before it are replayed ones and are left out.

    Offsets missing between the records are control. No batch comes of a frame that holds nothing new. A record
    over which the program fails is refused as `fault`, with its bytes; where it fails over many in a row, in
    whatever frames, no record is to blame: the error is raised.
    """
    accepted: list[Accepted] = []
    refused: list[Refused] = []
    ticks: list[Ticked] = []
    faults = Faults(position.faults)
    marks = dict(position.watermarks)
    decode, lateness, skew, following, arrived = feed.decode, feed.lateness, feed.skew, position.next, 0
    for record in frame:
        offset = record.offset
        if offset < following:
            continue
        following, arrived, raw = offset + 1, record.timestamp, record.value
        try:
            try:
                if raw is None:
                    raise Rejected("event", "json", "")
                event = decode(raw)
                time = milliseconds(event.time)
                if time > arrived and (ahead := future(event.time, arrived, skew)):
                    raise ahead
            except Rejected as error:
                tick = decode_tick(raw) if raw else None
                if tick is None:
                    refused.append(_refused(offset, arrived, error, raw or b""))
                else:
                    ticks.append(_ticked(offset, arrived, tick, marks))
                continue
        except Exception as fault:  # the program's, over this one record
            faults.add(fault, len(accepted))
            refused.append(_refused(offset, arrived, _failed(feed, fault), raw or b""))
            continue
        timeline = event.timeline
        mark = marks.get(timeline, _NEVER)
        accepted.append(Accepted(offset, arrived, time < mark - lateness, time, event, raw))
        if time > mark:
            _advance(marks, timeline, mark, min(time, arrived))
    in_a_row = faults.end(len(accepted))
    if following == position.next:
        return position, None
    batch = Batch(position.next, following - 1, accepted, refused, ticks, marks, arrived)
    return Position(following, marks, in_a_row), batch


def join(batches: list[Batch]) -> Batch:
    """Consecutive batches of one partition as one."""
    last = batches[-1]
    return Batch(
        first=batches[0].first,
        last=last.last,
        accepted=[row for batch in batches for row in batch.accepted],
        refused=[row for batch in batches for row in batch.refused],
        ticks=[row for batch in batches for row in batch.ticks],
        watermarks=last.watermarks,
        arrived_last=last.arrived_last,
    )


def _advance(marks: dict[str, int], timeline: str, mark: int, seen: int) -> None:
    """Raise the timeline's watermark; where timelines are too many, the one furthest back is forgotten."""
    if seen <= mark:
        return
    marks[timeline] = seen
    if len(marks) > TIMELINES:
        del marks[min((t for t in marks if t != LIVE), key=lambda t: (marks[t], t))]


def _ticked(offset: int, arrived: int, tick: Tick, marks: dict[str, int]) -> Ticked:
    clock = milliseconds(tick.data.clock)
    _advance(marks, tick.timeline, marks.get(tick.timeline, _NEVER), min(clock, arrived))
    return Ticked(offset, arrived, tick.timeline, clock, tick.data.final, tick.data.epoch)


class _Envelope(msgspec.Struct, frozen=True):
    """What may be known of an event that was rejected."""

    id: Any = ""
    source: Any = ""
    timeline: Any = ""


_ENVELOPES = msgspec.json.Decoder(_Envelope)


def _refused(offset: int, arrived: int, error: Rejected, raw: bytes) -> Refused:
    try:
        envelope = _ENVELOPES.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        envelope = _Envelope()
    timeline, id, source = (_text(v) for v in (envelope.timeline, envelope.id, envelope.source))
    return Refused(offset, arrived, timeline, error.field, error.rule, error.value, id, source, raw)


def _failed(feed: Feed, fault: Exception) -> Rejected:
    return Rejected("event", FAULT, visible(feed.shown(fault))[:EXCERPT])


def _text(value: Any) -> str:
    return value[:EXCERPT] if isinstance(value, str) else ""
