"""The publisher: messages that changes have left go to Kafka in their order, at least once, known by their id.

A message is marked as published after the broker has stored it (acks=all), so a crash at any moment sends some
again and loses none.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from random import Random

import sqlalchemy as sa
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas.errors import Unavailable
from schemas.settings import Settings
from streams.duty.database import Database
from streams.duty.models import Message
from streams.duty.policy import backoff
from streams.duty.reader import sleep

BATCH = 500
NAP = 0.25
SEND_MS = 15_000
log = logging.getLogger("liaowang.duty")


class Publisher:
    """Empties the table `message` into Kafka until it is stopped."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        clock: Callable[[], datetime],
        rng: Random,
        beat: Callable[[], None],
    ) -> None:
        self._settings, self._database, self._clock, self._rng = settings, database, clock, rng
        self._beat = beat
        self._away = False

    async def run(self, stop: asyncio.Event) -> None:
        """Publish until `stop`; while broker or database are away, try again with back-off."""
        failures = 0
        while not stop.is_set():
            producer = AIOKafkaProducer(
                bootstrap_servers=self._settings.kafka,
                client_id="liaowang-duty",
                acks="all",
                enable_idempotence=True,
                linger_ms=5,
                request_timeout_ms=SEND_MS,
            )
            try:
                await producer.start()
                self._mark(away=False)
                failures = 0
                await self._publish(producer, stop)
            except (KafkaError, Unavailable) as error:
                failures += 1
                self._mark(away=True, why=repr(error))
                await sleep(backoff(failures, self._rng), stop, self._beat)
            finally:
                await producer.stop()

    async def _publish(self, producer: AIOKafkaProducer, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self._beat()
            waiting = await asyncio.to_thread(unpublished, self._database)
            if not waiting:
                await sleep(NAP, stop, self._beat)
                continue
            sent = [
                await producer.send(each.topic, value=each.payload, key=each.key.encode()) for each in waiting
            ]
            await asyncio.gather(*sent)
            ids = [each.id for each in waiting]
            await asyncio.to_thread(mark_published, self._database, ids, self._clock())

    def _mark(self, *, away: bool, why: str = "") -> None:
        """One log line at each change."""
        if away != self._away:
            log.warning("publishing dispositions %s", f"waits: {why}" if away else "goes on")
        self._away = away


def unpublished(database: Database, limit: int = BATCH) -> Sequence[Message]:
    """The oldest messages that wait, in their order."""
    query = sa.select(Message).where(Message.published.is_(None)).order_by(Message.id).limit(limit)
    with database.reading() as session:
        return session.scalars(query).all()


def mark_published(database: Database, ids: Sequence[int], now: datetime) -> None:
    """The broker has these."""
    with database.writing() as session:
        session.execute(sa.update(Message).where(Message.id.in_(ids)).values(published=now))
