"""The topic `rules`: read whole, followed, written. One partition, so that it has one order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import kafka
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.errors import Unavailable
from schemas.topics import RULES
from streams.watch.published import Entry, History, encode_entry

log = logging.getLogger("liaowang.rules")

PLACE = TopicPartition(RULES, 0)
REQUEST_MS = 10_000
AGAIN_SECONDS = 1.0


async def read_history(bootstrap: str) -> History:
    """Everything published so far, nothing where there is no topic yet; Unavailable where the broker is away."""
    async with _reader(bootstrap) as consumer:
        if RULES not in await consumer.topics():
            return History()
        await _begin(consumer)
        history, end = History(), (await consumer.end_offsets([PLACE]))[PLACE]
        while await consumer.position(PLACE) < end:
            await _take(consumer, history)
        return history


async def follow(bootstrap: str, history: History, changed: asyncio.Event) -> None:
    """Add to a history whatever is published, for ever; sets `changed` each time. Waits for a broker away."""
    while True:
        try:
            async with _reader(bootstrap) as consumer:
                if RULES not in await consumer.topics():
                    raise Unavailable(
                        f"{bootstrap}: the topic {RULES} does not exist yet; `liaowang up` makes it"
                    )
                await _begin(consumer)
                while True:
                    if await _take(consumer, history):
                        changed.set()
        except Unavailable as error:
            log.warning("%s; trying again", error)
        await asyncio.sleep(AGAIN_SECONDS)


async def publish(bootstrap: str, entries: Sequence[Entry]) -> int:
    """Write one publication, in order, acknowledged; returns its epoch."""
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, request_timeout_ms=REQUEST_MS
    )
    try:
        await producer.start()
        epoch = 0
        for entry in entries:
            sent = await producer.send_and_wait(RULES, encode_entry(entry), entry.key, partition=0)
            epoch = sent.offset + 1
        return epoch
    except (KafkaError, OSError) as error:
        raise Unavailable(f"{RULES} at {bootstrap}: {error or type(error).__name__}") from error
    finally:
        await producer.stop()


async def _take(consumer: AIOKafkaConsumer, history: History) -> int:
    found = await consumer.getmany(PLACE, timeout_ms=1000)
    records = [record for records in found.values() for record in records]
    for record in records:
        history.add(record.offset, record.value)
    return len(records)


async def _begin(consumer: AIOKafkaConsumer) -> None:
    consumer.assign([PLACE])
    await consumer.seek_to_beginning(PLACE)


@asynccontextmanager
async def _reader(bootstrap: str) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, enable_auto_commit=False, request_timeout_ms=REQUEST_MS
    )
    try:
        await consumer.start()
        yield consumer
    except (KafkaError, OSError) as error:
        raise Unavailable(f"{RULES} at {bootstrap}: {error or type(error).__name__}") from error
    finally:
        await consumer.stop()


class EpochReader:
    """The epoch of the latest publication, for whoever ticks; a look costs two requests to the broker."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._consumer: kafka.KafkaConsumer | None = None
        self._history = History()

    def latest(self) -> int:
        """The epoch now; Unavailable where the broker or the topic is away."""
        try:
            consumer = self._connected()
            place = kafka.TopicPartition(RULES, 0)
            if not consumer.partitions_for_topic(RULES):
                return self._history.epoch
            end = consumer.end_offsets([place])[place]
            while consumer.position(place) < end:
                for records in consumer.poll(timeout_ms=1000).values():
                    for record in records:
                        self._history.add(record.offset, record.value)
        except (kafka.errors.KafkaError, OSError) as error:
            self.close()
            raise Unavailable(f"{RULES}: {error or type(error).__name__}") from error
        return self._history.epoch

    def close(self) -> None:
        """Disconnect; the next look connects again."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close()

    def _connected(self) -> kafka.KafkaConsumer:
        if self._consumer is None:
            place = kafka.TopicPartition(RULES, 0)
            self._consumer = kafka.KafkaConsumer(
                bootstrap_servers=self._bootstrap, enable_auto_commit=False, bootstrap_timeout_ms=3000
            )
            self._consumer.assign([place])
            self._consumer.seek_to_beginning(place)
        return self._consumer
