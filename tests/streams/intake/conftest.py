"""A feed topic of its own for every test, on the real broker."""

from __future__ import annotations

import uuid

import pytest
from kafka import KafkaAdminClient
from kafka.admin import NewTopic
from kafka.errors import TopicAlreadyExistsError

from schemas.topics import REPLAYS

COMPACTED = {"cleanup.policy": "compact"}


@pytest.fixture
def topic(kafka: str) -> str:
    """Make a fresh topic of three partitions; the topic of finished replays is there too."""
    name = f"feed.test.{uuid.uuid4()}"
    create(kafka, REPLAYS, 1, COMPACTED)
    create(kafka, name, 3)
    return name


def create(kafka: str, name: str, partitions: int, config: dict[str, str] | None = None) -> None:
    """Make a topic where it is not there."""
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    try:
        admin.create_topics(
            [NewTopic(name=name, num_partitions=partitions, replication_factor=1, topic_configs=config or {})]
        )
    except TopicAlreadyExistsError:
        return
    finally:
        admin.close()
