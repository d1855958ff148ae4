"""Topics as the broker has them: any number of them in a few requests, by one client for all calls."""

from __future__ import annotations

import time
import uuid

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic

from schemas.errors import Unavailable
from streams.land.broker import Administrator, Topic, administration, describe

pytestmark = pytest.mark.stack


def described(topics: Administrator, names: list[str]) -> list[Topic]:
    """As soon as the broker has leaders for the new topics."""
    until = time.monotonic() + 120
    while True:
        try:
            return topics.describe(names)
        except Unavailable:
            if time.monotonic() > until:
                raise
            time.sleep(0.5)


def test_topics_are_described_together_as_they_are_one_by_one(kafka: str) -> None:
    names = [f"feed.{uuid.uuid4().hex[:8]}-{number}" for number in range(3)]
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    admin.create_topics([NewTopic(name, at + 1, 1) for at, name in enumerate(names)])
    admin.close()
    topics = Administrator(kafka)
    try:
        described(topics, names)
        producer = KafkaProducer(bootstrap_servers=kafka)
        for number, name in enumerate(names):
            for _ in range(number):
                producer.send(name, b"x", partition=number)
        producer.close()
        found = topics.describe(names)
        ends = {topic.name: [topic.offsets[part] for part in sorted(topic.offsets)] for topic in found}
        assert ends == {names[0]: [(0, 0)], names[1]: [(0, 0), (0, 1)], names[2]: [(0, 0), (0, 0), (0, 2)]}
        assert len({topic.topic_id for topic in found}) == 3 and topics.describe([]) == []
        with administration(kafka) as one:
            assert [describe(one, [name])[0] for name in names] == found
        with pytest.raises(Unavailable, match=r"topic feed\.none does not exist yet"):
            topics.describe([names[0], "feed.none"])
        topics.close()
        assert topics.describe(names[:1]) == found[:1], "a client that is gone is made anew"
    finally:
        topics.close()


def test_a_broker_away_is_unavailable_each_time() -> None:
    topics = Administrator("127.0.0.1:1")
    for _ in range(2):
        with pytest.raises(Unavailable, match=r"broker 127\.0\.0\.1:1"):
            topics.describe(["feed.any"])
    topics.close()
