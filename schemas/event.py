"""The event: CloudEvents 1.0 in JSON structured mode, one a Kafka message.

Source: CloudEvents specification 1.0.2, JSON event format 1.0.2. Two extension attributes are ours: `corrects`
(id of the event this one replaces) and `timeline` (the replay an event belongs to; absent on live events).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec

from schemas.fields import TIMES, TIMESTAMPS
from schemas.text import control

SPECVERSION = "1.0"
TICK_TYPE = "liaowang.tick.v1"
LIVE = ""
NAME_LENGTH, TIMELINE_LENGTH = 512, 128

Timeline = Annotated[str, msgspec.Meta(max_length=TIMELINE_LENGTH)]

CLOCKS = (TIMESTAMPS[0], TIMES[1])
"""Clocks of ticks: what tables can hold and be asked for. A replay's clock is behind its first event."""
EPOCHS = 1 << 62


def encode_event(
    *,
    id: str,
    source: str,
    type: str,
    time: datetime,
    data: Mapping[str, Any],
    corrects: str = "",
    timeline: str = LIVE,
) -> bytes:
    """One event as the bytes that go to Kafka; empty extension attributes are left out."""
    envelope: dict[str, Any] = {
        "specversion": SPECVERSION,
        "id": id,
        "source": source,
        "type": type,
        "time": time.isoformat(),
        "datacontenttype": "application/json",
    }
    if corrects:
        envelope["corrects"] = corrects
    if timeline:
        envelope["timeline"] = timeline
    envelope["data"] = data
    return msgspec.json.encode(envelope)


class _Named(msgspec.Struct, gc=False):
    id: str = ""


_NAMED = msgspec.json.Decoder(_Named)


def id_of(raw: bytes) -> str:
    """The id in the bytes of an event of which nothing else is read; empty where there is none."""
    try:
        return _NAMED.decode(raw).id
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return ""


class _Typed(msgspec.Struct, gc=False):
    type: str = ""


_TYPED = msgspec.json.Decoder(_Typed)


def type_of(raw: bytes) -> str:
    """The type in the bytes of an event of which nothing else is read; empty where there is none."""
    try:
        return _TYPED.decode(raw).type
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return ""


class TickData(msgspec.Struct, frozen=True):
    """What a tick says: the feed's clock, whether a replay ends with it, and the set of rules from here on.

    `epoch` 0 leaves the rules as they are.
    """

    clock: Annotated[datetime, msgspec.Meta(tz=True)]
    final: bool = False
    epoch: Annotated[int, msgspec.Meta(ge=0, lt=EPOCHS)] = 0


class Tick(msgspec.Struct, frozen=True):
    """A control message in every partition of a feed: it carries the feed's clock, so silence moves time too."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_LENGTH)]
    data: TickData
    timeline: Timeline = LIVE


_TICKS = msgspec.json.Decoder(Tick)
_MARKED = 8192
"""Bytes in which the type of an event stands: id and source are before it, and have a bounded length."""
_TICK_MARK = b'"type":"liaowang.tick.v1"'


def encode_tick(
    *, id: str, clock: datetime, timeline: str = LIVE, final: bool = False, epoch: int = 0
) -> bytes:
    """One tick as the bytes that go to Kafka. Only the ticker and replays write them."""
    data: dict[str, Any] = {"clock": clock.isoformat(), "final": final}
    if epoch:
        data["epoch"] = epoch
    return encode_event(
        id=id,
        source="/liaowang/ticker",
        type=TICK_TYPE,
        time=clock,
        data=data,
        timeline=timeline,
    )


def decode_tick(raw: bytes) -> Tick | None:
    """The tick in these bytes, or None where the bytes are no tick, or one that no table can hold."""
    if raw.find(_TICK_MARK, 0, _MARKED) < 0:
        return None
    try:
        tick = _TICKS.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    fits = CLOCKS[0] <= tick.data.clock <= CLOCKS[1] and not control(tick.timeline)
    return tick if fits else None
