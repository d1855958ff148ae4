"""The topic `rules`: read whole, followed, written. One partition, so that it has one order."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import kafka
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.errors import Unavailable
from schemas.topics import RULES
from streams.broker_probe import probe_broker
from streams.retrying import Backoff, Outage
from streams.waits import Held, unheld
from streams.watch.publish.logs import log_ids
from streams.watch.publish.published import History, RuleRecord, encode_record

log = logging.getLogger("liaowang.rules")

PLACE = TopicPartition(RULES, 0)
REQUEST_MS = 10_000
CONNECT_MS, LOOK_MS = 3_000, 5_000
"""How long a look at the rule epoch may take: the ticks of a round wait for it."""
AGAIN_SECONDS, LONGEST_PAUSE = 1.0, 5.0


async def read_history(bootstrap: str) -> History:
    """Everything published so far, nothing where there is no topic yet; Unavailable where the broker is away."""
    async with _reader(bootstrap) as consumer:
        if RULES not in await consumer.topics():
            return History()
        log_id = (await log_ids(bootstrap, [RULES])).get(RULES, "")
        await _begin(consumer)
        history, end = History(log=log_id), (await consumer.end_offsets([PLACE]))[PLACE]
        while await consumer.position(PLACE) < end:
            await _take(consumer, history)
        return history


async def is_whole(bootstrap: str, history: History) -> bool:
    """Whether nothing was published since a history was read; False where that is not sure."""
    async with _reader(bootstrap) as consumer:
        if RULES not in await consumer.topics():
            return not history.records
        if (await log_ids(bootstrap, [RULES])).get(RULES, "") != history.log:
            return False
        end: int = (await consumer.end_offsets([PLACE]))[PLACE]
        return end == (history.records[-1][0] + 1 if history.records else 0)


async def follow(bootstrap: str, history: History, changed: asyncio.Event, held: Held = unheld) -> None:
    """Add to a history whatever is published, for ever; sets `changed` each time. Waits for a broker away.

    It follows one log: whether the topic is still that one, the worker asks (`_verify_logs`).
    """
    outage = Outage(
        log,
        waits="rules stay as they are",
        over="rules are followed again",
        backoff=Backoff(AGAIN_SECONDS, LONGEST_PAUSE),
        held=held,
    )
    while True:
        try:
            async with _reader(bootstrap) as consumer:
                if RULES not in await consumer.topics():
                    raise Unavailable(
                        f"{bootstrap}: the topic {RULES} does not exist yet; `liaowang up` makes it"
                    )
                await _begin(consumer)
                outage.ended()
                while True:
                    if await _take(consumer, history):
                        changed.set()
        except Unavailable as error:
            await asyncio.sleep(outage.failed(error))


async def publish(bootstrap: str, entries: Sequence[RuleRecord]) -> int:
    """Write one publication, in order, acknowledged; returns its rule epoch."""
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, request_timeout_ms=REQUEST_MS
    )
    try:
        await producer.start()
        epoch = 0
        for entry in entries:
            sent = await producer.send_and_wait(RULES, encode_record(entry), entry.key, partition=0)
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
        take(history, record.offset, record.value)
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


class RuleEpochReader:
    """The topic as it is at each look, which costs two requests to the broker. For threads without a loop."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._consumer: kafka.KafkaConsumer | None = None
        self._history, self._end = History(), 0

    def latest(self) -> int:
        """The rule epoch of the latest publication; Unavailable where the broker is away."""
        return self.history().epoch

    def history(self) -> History:
        """All that is published, to be read before the next look; nothing where there is no topic yet."""
        try:
            consumer = self._connected()
            place = kafka.TopicPartition(RULES, 0)
            if not consumer.partitions_for_topic(RULES):
                return self._history
            end = consumer.end_offsets([place], timeout_ms=LOOK_MS)[place]
            until = time.monotonic() + LOOK_MS / 1000
            if end < self._end:
                log.warning("%s was made anew (it ends at %d, before %d): read anew", RULES, end, self._end)
                self._history = History()
                consumer.seek_to_beginning(place)
            self._end = end
            while consumer.position(place, timeout_ms=LOOK_MS) < end:
                for records in consumer.poll(timeout_ms=500).values():
                    for record in records:
                        take(self._history, record.offset, record.value)
                if time.monotonic() > until:
                    raise kafka.errors.KafkaTimeoutError(
                        f"not read up to {end} within {LOOK_MS / 1000:.0f} s"
                    )
        except (kafka.errors.KafkaError, OSError) as error:
            self.close()
            raise Unavailable(f"{RULES}: {error or type(error).__name__}") from error
        return self._history

    def close(self) -> None:
        """Disconnect; the next look connects again."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close()

    def _connected(self) -> kafka.KafkaConsumer:
        if self._consumer is None:
            probe_broker(self._bootstrap, CONNECT_MS / 1000)
            place = kafka.TopicPartition(RULES, 0)
            consumer = kafka.KafkaConsumer(
                bootstrap_servers=self._bootstrap,
                enable_auto_commit=False,
                bootstrap_timeout_ms=CONNECT_MS,
                request_timeout_ms=LOOK_MS,
            )
            consumer.assign([place])
            consumer.seek_to_beginning(place)
            self._consumer = consumer
        return self._consumer


def take(history: History, offset: int, raw: bytes | None) -> None:
    """Add one record of the topic; what is no publication is left out by every reader alike, and said."""
    if not history.add(offset, raw):
        log.error("%s at offset %d is no publication of rules: it is left out", RULES, offset)
