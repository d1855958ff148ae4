"""The topic `replays`: which timelines were begun, and which files are done.

Before the first event of a timeline its beginning is acknowledged: whoever meets a warning of it finds there
whether it is live. After its last one each file is recorded as done. A timeline without a beginning was not live.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from schemas.errors import Unavailable
from schemas.topics import REPLAYS
from streams.intake.bulk import REQUEST_SECONDS, BulkProducer
from streams.intake.retry_policy import RetryPolicy

log = logging.getLogger("liaowang.intake")


class Done(msgspec.Struct, frozen=True):
    """One file's finished replay."""

    feed: str
    timeline: str
    file: str
    rows: int
    sent_at: datetime
    horizon: datetime | None = None


class Begun(msgspec.Struct, frozen=True):
    """The beginning of a timeline; where it is `live` its warnings open cases and officers are told."""

    timeline: str
    live: bool
    at: datetime


@dataclass(frozen=True)
class Replays:
    """All that the topic says: finished files by identity, beginnings by timeline."""

    done: dict[str, Done] = field(default_factory=dict)
    begun: dict[str, Begun] = field(default_factory=dict)

    def live(self, timeline: str) -> bool | None:
        """Whether a timeline is live; None where it was never begun."""
        if timeline in self.begun:
            return self.begun[timeline].live
        return False if any(each.timeline == timeline for each in self.done.values()) else None


LOOKS = 100
_BEGUN = "timeline/"
"""What keys of beginnings begin with; those of files are hashes."""


async def read_replays(bootstrap: str, retry: RetryPolicy) -> Replays:
    """All that was recorded, through an absence of the broker."""
    async with BulkProducer(bootstrap, REPLAYS, retry) as producer:
        parts = [TopicPartition(REPLAYS, at) for at in range(producer.partitions)]
    return await retry.until_success(f"reading {REPLAYS}", lambda: _read(bootstrap, parts))


async def look_up_replays(bootstrap: str) -> Replays:
    """All that was recorded, nothing where there is no topic yet; Unavailable where the broker is away."""
    try:
        return await _read(bootstrap)
    except (KafkaError, OSError) as error:
        raise Unavailable(f"{REPLAYS} at {bootstrap}: {error or type(error).__name__}") from error


async def record_beginning(bootstrap: str, retry: RetryPolicy, begun: Begun) -> None:
    """Record that a timeline begins; returns when that is acknowledged."""
    async with BulkProducer(bootstrap, REPLAYS, retry) as producer:
        await producer.put(f"{_BEGUN}{begun.timeline}".encode(), msgspec.json.encode(begun))
        await producer.flush()


async def record_replays(bootstrap: str, retry: RetryPolicy, done: Iterable[tuple[str, Done]]) -> None:
    """Record finished replays; returns when they are acknowledged."""
    async with BulkProducer(bootstrap, REPLAYS, retry) as producer:
        for identity, replay in done:
            await producer.put(identity.encode(), msgspec.json.encode(replay))
        await producer.flush()


async def _read(bootstrap: str, parts: list[TopicPartition] | None = None) -> Replays:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        request_timeout_ms=int(REQUEST_SECONDS * 1000),
    )
    try:
        await asyncio.wait_for(consumer.start(), REQUEST_SECONDS)
        if parts is None:
            if REPLAYS not in await consumer.topics():
                return Replays()
            parts = [TopicPartition(REPLAYS, at) for at in range(await _partitions(consumer))]
        return await asyncio.wait_for(_read_all(consumer, parts), 3 * REQUEST_SECONDS)
    finally:
        await consumer.stop()


async def _partitions(consumer: AIOKafkaConsumer) -> int:
    """How many partitions the topic has; asked for by itself, since a consumer that reads nothing knows none."""
    consumer.subscribe([REPLAYS])
    for _ in range(LOOKS):
        if found := consumer.partitions_for_topic(REPLAYS):
            consumer.unsubscribe()
            return len(found)
        await asyncio.sleep(REQUEST_SECONDS / LOOKS)
    raise Unavailable(f"{REPLAYS}: its partitions are not known")


async def _read_all(consumer: AIOKafkaConsumer, parts: list[TopicPartition]) -> Replays:
    consumer.assign(parts)
    ends = await consumer.end_offsets(parts)
    found = Replays()
    while [part for part in parts if await consumer.position(part) < ends[part]]:
        for records in (await consumer.getmany(timeout_ms=500)).values():
            for record in records:
                if not _take(found, record.key, record.value):
                    log.warning("%s at offset %d tells of no replay", REPLAYS, record.offset)
    return found


def _take(found: Replays, key: bytes | None, raw: bytes | None) -> bool:
    """Add one record; False where it is none of this topic's, which is left out."""
    try:
        name = (key or b"").decode()
        if name.startswith(_BEGUN):
            begun = msgspec.json.decode(raw or b"", type=Begun)
            found.begun[begun.timeline] = begun
        else:
            found.done[name] = msgspec.json.decode(raw or b"", type=Done)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return False
    return True
