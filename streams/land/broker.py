"""The broker as land sees it: which topic this is, where its partitions start and end. A thin shell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, OffsetSpec
from kafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    GroupIdNotFoundError,
    KafkaError,
    KafkaTimeoutError,
    NotCoordinatorError,
    OffsetOutOfRangeError,
)

from schemas.errors import Unavailable
from streams.broker_probe import probe_broker
from streams.land.ledger import topic_id
from streams.retrying import within

TIMEOUT = 10_000  # milliseconds to wait for the broker in one call
COORDINATOR_SECONDS, PAUSE_SECONDS = 5.0, 0.25
"""A broker that has just started makes or reads its topic of offsets when first asked for them."""
_NO_COORDINATOR = (CoordinatorNotAvailableError, CoordinatorLoadInProgressError, NotCoordinatorError)


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
        probe_broker(address, TIMEOUT / 1000)  # a client that finds nobody leaves its sockets open
        admin = _client(address)
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
    there = {topic["name"]: topic for topic in admin.describe_topics(list(names))}
    for name, topic in there.items():
        if topic["error_code"]:
            raise Unavailable(f"broker: topic {name} does not exist yet; liaowang up makes it")
    parts = {
        name: [TopicPartition(name, each["partition_index"]) for each in topic["partitions"]]
        for name, topic in there.items()
    }
    every = [tp for tps in parts.values() for tp in tps]  # asked for at once, however many topics there are
    starts = admin.list_partition_offsets(dict.fromkeys(every, OffsetSpec.EARLIEST)) if every else {}
    ends = admin.list_partition_offsets(dict.fromkeys(every, OffsetSpec.LATEST)) if every else {}
    return [
        Topic(
            name,
            topic_id(str(there[name]["topic_id"]), len(tps)),
            {tp.partition: (starts[tp].offset, ends[tp].offset) for tp in sorted(tps)},
        )
        for name, tps in parts.items()
    ]


def committed(admin: KafkaAdminClient, group: str) -> dict[TopicPartition, int]:
    """The offsets a group has committed; nothing where there is no such group."""
    try:
        found = within(
            lambda: admin.list_group_offsets(group)[group],
            lambda error: isinstance(error, _NO_COORDINATOR),
            COORDINATOR_SECONDS,
            PAUSE_SECONDS,
        )
    except GroupIdNotFoundError:
        return {}
    return {tp: at.offset for tp, at in found.items()}


class Administrator:
    """Describes topics by a client that is kept from call to call, and made anew after whatever went wrong."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._admin: KafkaAdminClient | None = None
        self._lock = Lock()

    def describe(self, names: Iterable[str]) -> list[Topic]:
        """The topics of these names, one caller at a time; Unavailable where the broker is away."""
        with self._lock:
            try:
                probe_broker(self._address, TIMEOUT / 1000)
                if self._admin is None:
                    self._admin = _client(self._address)
                return describe(self._admin, names)
            except (KafkaError, OSError) as error:
                self._close()
                raise Unavailable(f"broker {self._address}: {error or type(error).__name__}") from error

    def close(self) -> None:
        """End the connection."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        admin, self._admin = self._admin, None
        if admin is not None:
            admin.close()


def _client(address: str) -> KafkaAdminClient:
    return KafkaAdminClient(
        bootstrap_servers=address, request_timeout_ms=TIMEOUT, bootstrap_timeout_ms=TIMEOUT
    )


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
