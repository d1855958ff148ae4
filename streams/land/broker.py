"""The broker as land sees it: which topic this is, where its partitions start and end. A thin shell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, OffsetSpec
from kafka.errors import KafkaError, KafkaTimeoutError, OffsetOutOfRangeError

from schemas.errors import Unavailable
from streams.knock import knock
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
        knock(address, TIMEOUT / 1000)  # a client that finds nobody leaves its sockets open
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
            raise Unavailable(f"broker: topic {topic['name']} does not exist yet; liaowang up makes it")
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


class Probe:
    """Looks up which record of a partition is really the next; for one caller at a time."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._consumer: KafkaConsumer | None = None

    def first_at(self, topic: str, partition: int, offset: int) -> int | None:
        """Offset of the first committed record at `offset` or after it; None where there is none. Blocks.

        Unavailable when the broker does not answer; OffsetOutOfRangeError when it has no more what was there.
        """
        tp = TopicPartition(topic, partition)
        try:
            consumer = self._started()
            consumer.assign([tp])
            consumer.seek(tp, offset)
            end = consumer.end_offsets([tp], timeout_ms=TIMEOUT)[tp]
            for _ in range(TIMEOUT // 500):
                if consumer.position(tp, timeout_ms=TIMEOUT) >= end:
                    return None
                for record in consumer.poll(timeout_ms=500, max_records=1).get(tp, ()):
                    return int(record.offset)
            raise KafkaTimeoutError(f"nothing came of {topic}/{partition} at {offset}")
        except OffsetOutOfRangeError:
            raise
        except (KafkaError, OSError) as error:
            self.close()
            raise Unavailable(f"broker {self._address}: {error or type(error).__name__}") from error

    def close(self) -> None:
        """End the connection."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def _started(self) -> KafkaConsumer:
        if self._consumer is None:
            self._consumer = KafkaConsumer(
                bootstrap_servers=self._address,
                isolation_level="read_committed",
                auto_offset_reset="none",
                enable_auto_commit=False,
                allow_auto_create_topics=False,
                max_partition_fetch_bytes=1 << 16,
            )
        return self._consumer
