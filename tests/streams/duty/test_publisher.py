"""What the duty service publishes while its database takes no mark, or the broker will not have a message."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from random import Random
from uuid import uuid4

import pytest
import sqlalchemy as sa
from aiokafka.errors import InvalidTopicError, KafkaConnectionError, MessageSizeTooLargeError
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient

from schemas.settings import Settings
from streams.duty.cases.publisher import BATCH, Publisher, outcome_of, revive_messages
from streams.duty.database.database import Database
from streams.duty.database.models import Message
from tests.streams.duty.full_disk import full_disk
from tests.streams.duty.parts import Aside, until

NOW = datetime(2026, 11, 30, 8, tzinfo=UTC)


def messages(topic: str, number: int, payload: bytes = b"{}") -> list[Message]:
    return [
        Message(uid=f"m-{n}", topic=topic, key=f"case-{n % 7}", payload=payload, created=NOW)
        for n in range(number)
    ]


def test_behind_a_failure_the_messages_of_its_key_count_as_not_sent() -> None:
    waiting = [Message(id=n, key=key) for n, key in enumerate("ababc")]
    away = KafkaConnectionError()
    sent = outcome_of(waiting, [None, away, None, None, MessageSizeTooLargeError()])
    assert sent.stored == (0, 2) and sent.error is away
    assert list(sent.refused) == [4]


def test_a_refusal_holds_up_nothing() -> None:
    waiting = [Message(id=n, key="a") for n in range(3)]
    sent = outcome_of(waiting, [None, InvalidTopicError(), None])
    assert sent.stored == (0, 2) and sent.error is None and list(sent.refused) == [1]


@pytest.fixture
def topic(kafka: str) -> Iterator[str]:
    name = f"dispositions-{uuid4().hex}"
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    admin.create_topics({name: {"num_partitions": 2}}, wait_for_metadata=True)
    yield name
    admin.delete_topics([name])
    admin.close()


def count(kafka: str, topic: str) -> int:
    """How many records the topic has."""
    consumer = KafkaConsumer(bootstrap_servers=kafka)
    try:
        return sum(consumer.end_offsets([TopicPartition(topic, number) for number in (0, 1)]).values())
    finally:
        consumer.close()


def waiting(database: Database) -> int:
    with database.reading() as session:
        found = sa.select(sa.func.count()).where(Message.published.is_(None), Message.refused.is_(None))
        return session.scalar(found) or 0


async def publishing(
    settings: Settings, database: Database, aside: Aside, work: Callable[[], Awaitable[None]]
) -> None:
    """Work while a publisher empties the table."""
    stop = asyncio.Event()
    publisher = Publisher(
        settings,
        database,
        lambda: NOW,
        Random(1),
        aside=lambda what, why: aside.append((what, why)),
        beat=lambda: None,
    )
    running = asyncio.create_task(publisher.run(stop))
    try:
        await work()
    finally:
        stop.set()
        await asyncio.wait_for(running, 60)


@pytest.mark.stack
def test_on_a_full_disk_at_most_one_batch_goes_out_again(
    sqlite_url: str, kafka: str, topic: str, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """Far more than a batch waits and no mark can be written: there were 11,768 records of 2,239 messages."""
    number = 3 * BATCH

    async def filled() -> None:
        await until(lambda: "database or disk is full" in caplog.text)
        await asyncio.sleep(6)
        assert count(kafka, topic) <= BATCH, "nothing more is sent before what was sent is marked"
        room()
        await until(lambda: waiting(database) == 0)

    with closing(Database(sqlite_url)) as database:
        with database.writing() as session:
            session.add_all(messages(topic, number))
        with full_disk(database.engine) as room:
            asyncio.run(publishing(settings, database, [], filled))
    assert count(kafka, topic) == number, "what had been sent was marked, not sent again"
    said = [each.getMessage() for each in caplog.records if "publishing dispositions" in each.getMessage()]
    assert len(said) == 2 and "goes on" in said[1]


@pytest.mark.stack
def test_a_message_that_the_broker_never_takes_is_set_aside_and_stops_no_other(
    sqlite_url: str, kafka: str, topic: str, settings: Settings
) -> None:
    aside: Aside = []

    async def sent() -> None:
        await until(lambda: waiting(database) == 0)

    with closing(Database(sqlite_url)) as database:
        with database.writing() as session:
            session.add_all(messages(topic, 20))
            session.flush()
            session.execute(sa.update(Message).where(Message.uid == "m-3").values(payload=b"x" * 3_000_000))
            session.execute(sa.update(Message).where(Message.uid == "m-4").values(topic="no topic\n"))
        asyncio.run(publishing(settings, database, aside, sent))
        assert count(kafka, topic) == 18
        with database.reading() as session:
            refused = dict(
                session.execute(
                    sa.select(Message.uid, Message.refused).where(Message.published.is_(None))
                ).all()
            )
        assert sorted(refused) == ["m-3", "m-4"]
        assert sorted(aside) == sorted((f"message {uid}", why) for uid, why in refused.items())
        assert revive_messages(database) == 2 == waiting(database)
