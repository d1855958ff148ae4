"""What the topic `warnings` says already, so that a restarted worker does not say it again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.errors import Unavailable
from schemas.topics import WARNINGS


class _Id(msgspec.Struct):
    id: str


_ids = msgspec.json.Decoder(_Id)


def id_of(raw: bytes | None) -> str | None:
    """The id of the warning in these bytes; None for whatever else stands on the topic: it was not sent here."""
    try:
        return _ids.decode(raw or b"").id
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


@asynccontextmanager
async def _reader(broker: str) -> AsyncIterator[tuple[AIOKafkaConsumer, list[TopicPartition]]]:
    """A consumer of all partitions of `warnings`, in no group."""
    consumer = AIOKafkaConsumer(WARNINGS, bootstrap_servers=broker, enable_auto_commit=False)
    try:
        await consumer.start()
        partitions = [
            TopicPartition(WARNINGS, each) for each in consumer.partitions_for_topic(WARNINGS) or ()
        ]
        if not partitions:
            raise Unavailable(f"{broker}: the topic {WARNINGS} does not exist yet")
        consumer.unsubscribe()
        consumer.assign(partitions)
        yield consumer, partitions
    finally:
        await consumer.stop()


async def ends(broker: str) -> dict[int, int]:
    """Where each partition of `warnings` ends now: whatever is sent from now on stands at or after it."""
    async with _reader(broker) as (consumer, partitions):
        return {tp.partition: offset for tp, offset in (await consumer.end_offsets(partitions)).items()}


async def already_sent(broker: str, since: Mapping[int, int]) -> set[str]:
    """Ids of the transitions on `warnings` from these offsets (partition -> offset) to its end.

    A partition not named is read from its start; so is one that ends before, since it is another log then.
    """
    async with _reader(broker) as (consumer, partitions):
        end = await consumer.end_offsets(partitions)
        start = await consumer.beginning_offsets(partitions)
        at = {tp: max(start[tp], since.get(tp.partition, 0)) for tp in partitions}
        at = {tp: start[tp] if offset > end[tp] else offset for tp, offset in at.items()}
        for tp, offset in at.items():
            consumer.seek(tp, offset)
        found: set[str] = set()
        while any(at[tp] < end[tp] for tp in partitions):
            for tp, records in (await consumer.getmany(timeout_ms=1000)).items():
                found.update(id for record in records if (id := id_of(record.value)) is not None)
                at[tp] = records[-1].offset + 1
        return found
