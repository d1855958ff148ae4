"""Filling the outbox from the topic of warnings, by hand: what it does not have is written down, by its key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from schemas.contract import FEEDS
from schemas.errors import Rejected
from schemas.event import decode_tick
from schemas.topics import WARNINGS
from streams.duty.faults import Fault, fault_of
from streams.duty.inbox.read import Read, warning_decoder
from streams.duty.systems.outbox import Outbox
from streams.duty.systems.push import Push, push_of
from streams.duty.systems.topic_records import records_of

BATCH = 500


@dataclass(frozen=True)
class Refilled:
    """How many transitions were read, how many the outbox did not have, and how many can be no push."""

    read: int
    added: int
    unfit: int


def refill(broker: str, outbox: Outbox, since: datetime | None, now: float, feeds: Path = FEEDS) -> Refilled:
    """Write down every transition that arrived since a moment (None: all there are) and is not in the outbox."""
    read = added = unfit = 0
    waiting: list[Push] = []
    for found in warnings_of(broker, since, feeds):
        read += 1
        try:
            waiting.append(push_of(found.warning))
        except Exception as error:
            if fault_of(error) not in (Fault.value, Fault.item):
                raise
            unfit += 1
        if len(waiting) >= BATCH:
            added += outbox.add(waiting, now)
            waiting = []
    return Refilled(read, added + outbox.add(waiting, now), unfit)


def warnings_of(broker: str, since: datetime | None = None, feeds: Path = FEEDS) -> Iterator[Read]:
    """The warnings on their topic up to its end now, partition by partition; what is none is passed over."""
    decode = warning_decoder(feeds).decode
    for record in records_of(broker, WARNINGS, since):
        if record.value is None or decode_tick(record.value) is not None:
            continue
        try:
            warning = decode(record.value)
        except Rejected:
            continue
        yield Read(
            warning, f"{WARNINGS}, partition {record.partition}, offset {record.offset}", record.timestamp
        )
