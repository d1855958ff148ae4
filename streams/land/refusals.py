"""Rejected events on the topic `rejected`, so that departments see what was refused and why."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from datetime import timedelta

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas.errors import Unavailable
from schemas.event import encode_event
from schemas.fields import EPOCH
from schemas.topics import REJECTED
from streams.land.classification import Refused
from streams.land.columns import Landed

REJECTED_TYPE = "liaowang.rejected.v1"
STOP_SECONDS = 10.0
RAW_LIMIT = 100_000  # bytes of the event that go along; landing.rejected has all of them


def messages(landed: Sequence[Landed], personal: Collection[str] = ()) -> Iterator[tuple[bytes, bytes]]:
    """Key `topic:partition:offset` and value of each refusal; the same one always gives the same bytes.

    Of feeds with `personal` fields the event itself does not go along.
    """
    for item in landed:
        for row in item.batch.refused:
            key = f"{item.topic}:{item.partition}:{row.offset}"
            yield key.encode(), _event(key, item, row, withheld=item.feed in personal)


def _event(key: str, item: Landed, row: Refused, *, withheld: bool) -> bytes:
    raw = row.raw[:RAW_LIMIT]
    try:
        shown = {"withheld": "personal"} if withheld else {"raw": raw.decode()}
    except UnicodeDecodeError:
        shown = {"raw_base64": base64.b64encode(raw).decode()}
    data = {
        "feed": item.feed,
        "topic": item.topic,
        "partition": item.partition,
        "offset": row.offset,
        "field": row.field,
        "rule": row.rule,
        "value": row.value,
        "event_id": row.id,
        "event_source": row.source,
        "cut": len(row.raw) > RAW_LIMIT,
        **shown,
    }
    arrived = EPOCH + timedelta(milliseconds=row.arrived)
    return encode_event(
        id=key, source="/liaowang/land", type=REJECTED_TYPE, time=arrived, data=data, timeline=row.timeline
    )


class Refusals:
    """Publishes refusals; returns when the broker has acknowledged all of them."""

    def __init__(self, broker: str, personal: Collection[str] = ()) -> None:
        self._broker, self._personal = broker, personal
        self._producer: AIOKafkaProducer | None = None

    async def __call__(self, landed: Sequence[Landed]) -> None:
        """Send the refusals of these batches; Unavailable when the broker does not take them."""
        try:
            producer = await self._started()
            sent = [
                await producer.send(REJECTED, value, key=key)
                for key, value in messages(landed, self._personal)
            ]
            await asyncio.gather(*sent)
        except (KafkaError, OSError) as error:
            await self.stop()
            raise Unavailable(
                f"broker {self._broker}, topic {REJECTED}: {error or type(error).__name__}"
            ) from error

    async def stop(self) -> None:
        """End the connection; the next call makes another."""
        producer, self._producer = self._producer, None
        if producer is not None:
            with suppress(KafkaError, OSError, TimeoutError):  # what it still held is sent again anyway
                await asyncio.wait_for(producer.stop(), STOP_SECONDS)

    async def _started(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = AIOKafkaProducer(bootstrap_servers=self._broker, acks="all", linger_ms=5)
            try:
                await producer.start()
            except BaseException:
                await producer.stop()
                raise
            self._producer = producer
        return self._producer
