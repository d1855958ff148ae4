"""Which replays are done: a record each in the topic `replays`, written after all is acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime

import msgspec
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from schemas.topics import REPLAYS
from streams.intake.bulk import REQUEST_SECONDS, BulkProducer
from streams.intake.patience import Patience


class Done(msgspec.Struct, frozen=True):
    """One file's finished replay."""

    feed: str
    timeline: str
    file: str
    rows: int
    sent_at: datetime
    horizon: datetime | None = None


async def read_replays(bootstrap: str, patience: Patience) -> dict[str, Done]:
    """All finished replays by identity."""
    async with BulkProducer(bootstrap, REPLAYS, patience) as producer:
        parts = [TopicPartition(REPLAYS, at) for at in range(producer.partitions)]
    return await patience.outlast(f"reading {REPLAYS}", lambda: _read(bootstrap, parts))


async def record_replays(bootstrap: str, patience: Patience, done: Iterable[tuple[str, Done]]) -> None:
    """Record finished replays; returns when they are acknowledged."""
    async with BulkProducer(bootstrap, REPLAYS, patience) as producer:
        for identity, replay in done:
            await producer.put(identity.encode(), msgspec.json.encode(replay))
        await producer.flush()


async def _read(bootstrap: str, parts: list[TopicPartition]) -> dict[str, Done]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        request_timeout_ms=int(REQUEST_SECONDS * 1000),
    )
    try:
        await asyncio.wait_for(consumer.start(), REQUEST_SECONDS)
        return await asyncio.wait_for(_read_all(consumer, parts), 3 * REQUEST_SECONDS)
    finally:
        await consumer.stop()


async def _read_all(consumer: AIOKafkaConsumer, parts: list[TopicPartition]) -> dict[str, Done]:
    consumer.assign(parts)
    ends = await consumer.end_offsets(parts)
    found: dict[str, Done] = {}
    while [part for part in parts if await consumer.position(part) < ends[part]]:
        for records in (await consumer.getmany(timeout_ms=500)).values():
            for record in records:
                found[record.key.decode()] = msgspec.json.decode(record.value, type=Done)
    return found
