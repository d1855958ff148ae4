"""The bulk producer: whole batches a partition at a time, in order, acknowledged by all replicas.

kafka-python passes some 7,000-28,000 records a second, aiokafka's batches, filled here, above 150,000. A
round holds at most one batch a partition, and the next begins when all of it is acknowledged: so the order
within a partition holds even where a round is sent again. A lost acknowledgement means records twice; their
ids tell.
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections import defaultdict
from functools import lru_cache
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError
from aiokafka.partitioner import murmur2

from schemas.errors import Unavailable
from streams.intake.retry_policy import RetryPolicy, passing

log = logging.getLogger(__name__)

BATCH_BYTES, MAX_BATCH_BYTES = 256 * 1024, 1_000_000
RECORD_OVERHEAD = 70
REQUEST_SECONDS, ANSWER_SECONDS, STOP_SECONDS = 10.0, 3.0, 2.0

Record = tuple[bytes | None, bytes]


def partition_of(key: bytes | None, raw: bytes, partitions: int) -> int:
    """Partition of a record: Kafka's own murmur2 of the key; without one, a stable hash of the bytes."""
    return _hashed(key) % partitions if key is not None else zlib.crc32(raw) % partitions


@lru_cache(maxsize=65_536)
def _hashed(key: bytes) -> int:
    return int(murmur2(key)) & 0x7FFFFFFF


class BulkProducer:
    """Writes records to one topic; `async with` it. A broker that is away is tried again (`RetryPolicy`)."""

    def __init__(self, bootstrap: str, topic: str, retry: RetryPolicy) -> None:
        self._bootstrap, self._topic, self._retry = bootstrap, topic, retry
        self._round: defaultdict[int, list[Record]] = defaultdict(list)
        self._bytes: defaultdict[int, int] = defaultdict(int)
        self._shipping: dict[int, asyncio.Task[None]] = {}
        self._producer: AIOKafkaProducer | None = None
        self.partitions = 0

    async def __aenter__(self) -> Self:
        self.partitions = await self._retry.until_success(
            f"looking for topic {self._topic}", self._find_partitions
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._drop()

    async def put(self, key: bytes | None, raw: bytes, partition: int | None = None) -> None:
        """Add a record to its partition's batch; a full one ships the round."""
        at = partition_of(key, raw, self.partitions) if partition is None else partition
        size = len(raw) + len(key or b"") + RECORD_OVERHEAD
        if self._round[at] and self._bytes[at] + size > BATCH_BYTES:
            await self.flush()
        self._round[at].append((key, raw))
        self._bytes[at] += size

    async def flush(self) -> None:
        """Ship what has been put; returns when all of it is acknowledged."""
        if any(self._round.values()):
            await self._retry.until_success(f"sending to {self._topic}", self._ship)
        self._bytes.clear()

    async def _ship(self) -> None:
        """Wait for the round's acknowledgements. What is late is not sent again: the client still tries."""
        producer = await self._connected()
        for at in self._round:
            if at not in self._shipping:
                self._shipping[at] = asyncio.create_task(self._ship_batch(producer, at))
        done, late = await asyncio.wait(self._shipping.values(), timeout=ANSWER_SECONDS)
        errors = [error for task in done if (error := task.exception())]
        if errors:
            await self._drop()
            raise next((error for error in errors if not passing(error)), errors[0])
        if late:
            raise TimeoutError("no acknowledgement yet")
        self._shipping.clear()

    async def _ship_batch(self, producer: AIOKafkaProducer, partition: int) -> None:
        batch = producer.create_batch()
        for key, raw in self._round[partition]:
            batch.append(timestamp=None, key=key, value=raw)
        acknowledged = await producer.send_batch(batch, self._topic, partition=partition)
        await acknowledged
        del self._round[partition]

    async def _find_partitions(self) -> int:
        producer = await self._connected()
        try:
            return len(await producer.partitions_for(self._topic))
        except UnknownTopicOrPartitionError:
            raise Unavailable(f"the topic {self._topic} is not there; `liaowang up` makes it") from None

    async def _connected(self) -> AIOKafkaProducer:
        if self._producer is None:
            self._producer = AIOKafkaProducer(
                bootstrap_servers=self._bootstrap,
                acks="all",
                enable_idempotence=True,
                max_batch_size=MAX_BATCH_BYTES,
                request_timeout_ms=int(REQUEST_SECONDS * 1000),
            )
            try:
                await asyncio.wait_for(self._producer.start(), REQUEST_SECONDS)
            except BaseException:
                await self._drop()
                raise
        return self._producer

    async def _drop(self) -> None:
        producer, self._producer = self._producer, None
        for task in self._shipping.values():
            task.cancel()
        await asyncio.gather(*self._shipping.values(), return_exceptions=True)
        self._shipping.clear()
        if producer is None:
            return
        try:
            await asyncio.wait_for(producer.stop(), STOP_SECONDS)
        except (KafkaError, TimeoutError) as error:
            log.info("producer stopped with records it could not deliver: %r", error)
            await producer.client.close()
