"""What the first stage hands to the second: batches of rows, each with the place where it was cut.

A batch is cut where its input partition's log says so: at a tick (then it carries the watermark) or where ROWS
rows have come since the last cut. Its id is (stream, number, offset of the cut), the same whatever the frames were
and however often the log is read; so a batch sent twice is known, and skipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

ROWS = 1000
"""Rows of one rule a batch holds at most, so that a message and what is kept between ticks stay small."""

BEGINNING = -(1 << 62)
"""Before all time, ms: the watermark of a stream that has said nothing."""

Shipped = tuple[int, str, tuple[Any, ...]]
"""A row on its way: time ms, source and id of the event, the fields the rule reads."""


Group = tuple[tuple[Any, ...], list[int]]
"""(the fields the rule reads, times in ms)."""


class Portion(msgspec.Struct, array_like=True):
    """The rows of one rule's version from one feed; `names` are the fields in each row's values."""

    rule: str
    version: int
    feed: str
    names: tuple[str, ...]
    rows: list[Shipped]
    groups: list[Group] = []
    """Instead of rows, where only times matter to the rule: the same fields, at these times."""

    @property
    def size(self) -> int:
        """Number of rows."""
        return len(self.rows) + sum(len(times) for _, times in self.groups)


class Batch(msgspec.Struct, array_like=True):
    """Rows of a timeline for one partition of the second stage.

    `stream` is a feed's topic or, for transitions that the second stage itself made, `rule:<id>`; `number` its
    partition, `offset` the record at which it was cut and `part` its number among those cut there. With a
    `watermark` all that is before it has been sent.
    """

    stream: str
    number: int
    offset: int
    part: int
    timeline: str
    epoch: int
    watermark: int | None
    portions: list[Portion]
    since: int | None = None
    """The watermark at which the epoch began in this stream, where it is not that of the batch."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Batch]).decode


def encode_batches(batches: Sequence[Batch]) -> bytes:
    """Batches as one message."""
    return _encode(batches)


def decode_batches(raw: bytes | None) -> list[Batch] | None:
    """The batches in a message; None where it is no message of the first stage."""
    try:
        return _decode(raw or b"")
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def messages(batches: Iterable[Batch]) -> Iterator[bytes]:
    """Batches for one partition as messages, each of not much more than 4 * ROWS rows."""
    held: list[Batch] = []
    rows = 0
    for batch in batches:
        size = sum(portion.size for portion in batch.portions)
        if held and rows + size > 4 * ROWS:
            yield _encode(held)
            held, rows = [], 0
        held.append(batch)
        rows += size
    if held:
        yield _encode(held)


Place = tuple[str, int, int, str]
"""(stream, number, offset, timeline)."""


def cut_in_parts(
    place: Place, epoch: int, watermark: int | None, portions: Sequence[Portion], since: int | None = None
) -> Iterator[Batch]:
    """What was cut at one place, in batches of at most about 2 * ROWS rows; the last carries the watermark."""
    stream, number, offset, timeline = place
    held: list[Portion] = []
    part = rows = 0
    for portion in portions:
        if held and rows + portion.size > 2 * ROWS:
            yield Batch(stream, number, offset, part, timeline, epoch, None, held)
            held, rows, part = [], 0, part + 1
        held.append(portion)
        rows += portion.size
    yield Batch(stream, number, offset, part, timeline, epoch, watermark, held, since)


def rule_stream(rule: str) -> str:
    """The name of the stream of a rule's transitions, for composite rules."""
    return f"rule:{rule}"
