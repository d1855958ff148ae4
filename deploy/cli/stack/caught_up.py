"""Whether the workers have caught up: their committed offsets against where the topics end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import CoordinatorLoadInProgressError, CoordinatorNotAvailableError, NotCoordinatorError

from schemas.errors import Unavailable
from schemas.settings import Settings

_NO_COORDINATOR = (CoordinatorNotAvailableError, CoordinatorLoadInProgressError, NotCoordinatorError)


def ends(settings: Settings, topics: Sequence[str]) -> dict[TopicPartition, int]:
    """Where every partition of these topics ends now."""
    consumer = KafkaConsumer(bootstrap_servers=settings.kafka)
    try:
        partitions = [
            TopicPartition(topic, number)
            for topic in topics
            for number in consumer.partitions_for_topic(topic) or ()
        ]
        return dict(consumer.end_offsets(partitions))
    finally:
        consumer.close()


def behind(settings: Settings, group: str, goal: dict[TopicPartition, int]) -> int:
    """How many records of the goal a consumer group has not committed yet, as far as the broker can say now.

    A broker just started makes its topic of offsets when first asked: until then nothing counts as committed.
    """
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka)
    try:
        committed = admin.list_group_offsets(group)[group]
    except _NO_COORDINATOR:
        committed = {}
    finally:
        admin.close()
    done = {tp: offset.offset for tp, offset in committed.items()}
    return sum(max(0, end - max(0, done.get(tp, 0))) for tp, end in goal.items())


def catch_up(
    remaining: Callable[[], int], show: Callable[[int, int], None], seconds: float, what: str
) -> None:
    """Wait until nothing remains, showing (done, total); Unavailable when nothing moves for `seconds`."""
    total = left = remaining()
    moved = time.monotonic()
    show(0, total)
    while left:
        time.sleep(0.5)
        now = remaining()
        if now < left:
            moved = time.monotonic()
        elif time.monotonic() - moved > seconds:
            raise Unavailable(
                f"{what}: {now} records wait and nothing moves for {seconds:.0f} s; see its log"
            )
        left = now
        show(total - left, total)
