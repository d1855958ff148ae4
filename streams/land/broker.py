"""The broker as land sees it: which topic this is, where its partitions start and end. A thin shell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from kafka import TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, OffsetSpec
from kafka.errors import KafkaError

from schemas.errors import Unavailable
from streams.land.ledger import topic_id

TIMEOUT = 10_000  # milliseconds to wait for the broker in one call


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it is now: what identifies it, and the offsets [start, end) of each partition."""

    name: str
    topic_id: str
    offsets: dict[int, tuple[int, int]]


@contextmanager
def administration(address: str) -> Iterator[KafkaAdminClient]:
    """A client of the broker inside the block; whatever goes wrong with it is Unavailable."""
    try:
        admin = KafkaAdminClient(
            bootstrap_servers=address, request_timeout_ms=TIMEOUT, bootstrap_timeout_ms=TIMEOUT
        )
        try:
            yield admin
        finally:
            admin.close()
    except (KafkaError, OSError) as error:
        raise Unavailable(f"broker {address}: {error or type(error).__name__}") from error


def describe(admin: KafkaAdminClient, names: Iterable[str]) -> list[Topic]:
    """The topics of these names; a topic that does not exist is Unavailable, as `liaowang migrate` makes it.

    The id is the broker's topic UUID (KIP-516), which a recreated topic does not keep.
    """
    found = []
    for topic in admin.describe_topics(list(names)):
        if topic["error_code"]:
            raise Unavailable(
                f"broker: topic {topic['name']} does not exist yet; liaowang migrate makes the topics"
            )
        partitions = sorted(p["partition_index"] for p in topic["partitions"])
        tps = [TopicPartition(topic["name"], p) for p in partitions]
        starts = admin.list_partition_offsets(dict.fromkeys(tps, OffsetSpec.EARLIEST))
        ends = admin.list_partition_offsets(dict.fromkeys(tps, OffsetSpec.LATEST))
        offsets = {tp.partition: (starts[tp].offset, ends[tp].offset) for tp in tps}
        found.append(Topic(topic["name"], topic_id(str(topic["topic_id"]), len(partitions)), offsets))
    return found


def timestamp_types(admin: KafkaAdminClient, names: Iterable[str]) -> dict[str, str]:
    """How each topic is stamped: `LogAppendTime`, which landing needs, or `CreateTime`."""
    key = "message.timestamp.type"
    resources = [ConfigResource(ConfigResourceType.TOPIC, name, [key]) for name in names]
    described = admin.describe_configs(resources, config_filter="all")
    return {name: configs[key]["value"] for name, configs in described["topic"].items()}
