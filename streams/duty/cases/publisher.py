"""The publisher: messages that changes have left go to Kafka in their order, at least once, known by their id.

What the broker has stored (acks=all) is marked so before anything more is sent; where the mark fails (a full
disk), it alone is tried again, with growing pauses. A crash between the two sends one batch again and loses none.
A message that the broker can never take is set aside with the reason, and the others go on.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

import sqlalchemy as sa
from aiokafka import AIOKafkaProducer
from aiokafka.errors import InvalidTopicError, KafkaError

from schemas.errors import Unavailable
from schemas.settings import Settings
from streams.duty.database.database import Database
from streams.duty.database.models import Message
from streams.duty.faults import Doubt, Fault, SetAside, fault_of, told
from streams.retrying import Backoff, Outage, pause
from streams.waits import Held, unheld

BATCH = 500
NAP = 0.25
SEND_MS = 15_000
LONGEST_PAUSE = 10.0
"""How long a database that takes no mark is left alone at most."""
_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")
log = logging.getLogger("liaowang.duty")


@dataclass(frozen=True)
class Sent:
    """What became of a batch: stored messages, those refused for good, and the first other error."""

    stored: tuple[int, ...] = ()
    refused: Mapping[int, Exception] = field(default_factory=dict)
    error: Exception | None = None


class Publisher:
    """Empties the table `message` into Kafka until it is stopped."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        clock: Callable[[], datetime],
        rng: Random,
        *,
        aside: SetAside,
        beat: Callable[[], None],
        held: Held = unheld,
    ) -> None:
        self._settings, self._database, self._clock = settings, database, clock
        self._aside, self._beat, self._doubt = aside, beat, Doubt()
        self._stored: tuple[int, ...] = ()
        self._outage = Outage(
            log,
            waits="publishing dispositions waits",
            over="publishing dispositions goes on",
            rng=rng,
            backoff=Backoff(longest=LONGEST_PAUSE),
            held=held,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Publish until `stop`; while broker or database are away, try again with growing pauses."""
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
                await self._publish(producer, stop)
            except KafkaError as error:
                await pause(self._outage.failed(error), stop, self._beat)
            finally:
                await producer.stop()

    async def _publish(self, producer: AIOKafkaProducer, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self._beat()
            try:
                some = await self._turn(producer)
            except Unavailable as error:
                await pause(self._outage.failed(error), stop, self._beat)
                continue
            self._outage.ended()
            if not some:
                await pause(NAP, stop, self._beat)

    async def _turn(self, producer: AIOKafkaProducer) -> bool:
        """Mark what was sent, then send one batch and mark it; whether there was one."""
        await self._mark_stored()
        waiting = await asyncio.to_thread(unpublished, self._database)
        if not waiting:
            return False
        if self._outage.failures:
            await asyncio.to_thread(probe, self._database, waiting[0].id)
        sent = outcome_of(waiting, await _send(producer, waiting, self._beat))
        self._stored = sent.stored
        await self._mark_stored()
        for id, error in sent.refused.items():
            reason = self._doubt.blame(error)
            await asyncio.to_thread(refuse, self._database, id, reason)
            self._aside(f"message {next(each.uid for each in waiting if each.id == id)}", reason)
        if sent.error is not None:
            raise _waited_for(sent.error)
        return True

    async def _mark_stored(self) -> None:
        if self._stored:
            await asyncio.to_thread(mark_published, self._database, self._stored, self._clock())
            self._stored = ()
            self._doubt.good()


async def _send(
    producer: AIOKafkaProducer, waiting: Sequence[Message], beat: Callable[[], None]
) -> list[Exception | None]:
    """Send messages in their order and wait for the broker's word on each: None where it has stored it."""
    futures: list[asyncio.Future[object] | Exception] = []
    for each in waiting:
        try:
            if not _TOPIC.fullmatch(each.topic):  # the client would ask for it for ever
                raise InvalidTopicError(f"{each.topic!r} is no name of a topic")
            futures.append(await producer.send(each.topic, value=each.payload, key=each.key.encode()))
        except Exception as error:
            futures.append(error)
            if fault_of(error) is Fault.peer:  # the next ones would only wait as long
                break
    beat()
    pending = [each for each in futures if not isinstance(each, Exception)]
    answers = iter(await asyncio.gather(*pending, return_exceptions=True))
    found = [each if isinstance(each, Exception) else next(answers) for each in futures]
    said = [each if isinstance(each, Exception) else None for each in found]
    return said + [Unavailable("not sent")] * (len(waiting) - len(said))


def outcome_of(waiting: Sequence[Message], answers: Sequence[Exception | None]) -> Sent:
    """What became of a batch. Behind one that failed for now its key's others count as not sent: order is kept."""
    stored: list[int] = []
    refused: dict[int, Exception] = {}
    blocked: set[str] = set()
    first: Exception | None = None
    for message, error in zip(waiting, answers, strict=True):
        if error is not None and fault_of(error) in (Fault.value, Fault.item):
            refused[message.id] = error
        elif error is not None:
            first = first or error
            blocked.add(message.key)
        elif message.key not in blocked:
            stored.append(message.id)
    return Sent(tuple(stored), refused, first)


def _waited_for(error: Exception) -> Exception:
    """An error of the broker or the way to it as one that is waited for; any other one as it is."""
    known = isinstance(error, KafkaError | Unavailable)
    return error if known or fault_of(error) is not Fault.peer else Unavailable(told(error))


def unpublished(database: Database, limit: int = BATCH) -> Sequence[Message]:
    """The oldest messages that wait, in their order."""
    waits = (Message.published.is_(None), Message.refused.is_(None))
    with database.reading() as session:
        return session.scalars(sa.select(Message).where(*waits).order_by(Message.id).limit(limit)).all()


def probe(database: Database, id: int) -> None:
    """Write a message as it is: what cannot be marked need not be sent."""
    with database.writing() as session:
        session.execute(sa.update(Message).where(Message.id == id).values(refused=None))


def mark_published(database: Database, ids: Sequence[int], now: datetime) -> None:
    """The broker has these."""
    with database.writing() as session:
        session.execute(sa.update(Message).where(Message.id.in_(ids)).values(published=now))


def refuse(database: Database, id: int, reason: str) -> None:
    """The broker will never have this one."""
    with database.writing() as session:
        session.execute(sa.update(Message).where(Message.id == id).values(refused=reason))


def revive_messages(database: Database) -> int:
    """Let messages that were refused go out again; how many."""
    with database.writing() as session:
        change = sa.update(Message).where(Message.published.is_(None), Message.refused.is_not(None))
        return int(session.execute(change.values(refused=None)).rowcount)  # type: ignore[attr-defined]
