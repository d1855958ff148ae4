"""The records of a topic from a moment to its end as it is now, read without a group. A thin shell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from schemas.errors import Unavailable
from schemas.fields import milliseconds

TIMEOUT_MS = 10_000
BATCH = 500


def records_of(broker: str, topic: str, since: datetime | None = None) -> Iterator[Any]:
    """The records of a topic up to its end now, of each partition in order; those that arrived since a moment.

    A broker that does not answer, or gives nothing for ten seconds, is Unavailable; a topic that is not there is
    empty.
    """
    with _consumer(broker) as consumer:
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
        if partitions:
            yield from _records(consumer, partitions, since)


def _records(
    consumer: KafkaConsumer, partitions: list[TopicPartition], since: datetime | None
) -> Iterator[Any]:
    ends = consumer.end_offsets(partitions)
    consumer.assign(partitions)
    _go_to(consumer, partitions, since, ends)
    open = {each for each in partitions if consumer.position(each) < ends[each]}
    while open:
        found = consumer.poll(timeout_ms=TIMEOUT_MS, max_records=BATCH)
        for records in found.values():
            yield from records
        left = {each for each in open if consumer.position(each) < ends[each]}
        if not found and left == open:
            topic = partitions[0].topic
            raise Unavailable(f"the broker gave nothing of {topic} for {TIMEOUT_MS // 1000} s; try again")
        open = left


def _go_to(
    consumer: KafkaConsumer,
    partitions: list[TopicPartition],
    since: datetime | None,
    ends: dict[TopicPartition, int],
) -> None:
    """To the first that arrived since then; to the end where none did."""
    if since is None:
        consumer.seek_to_beginning(*partitions)
        return
    places = consumer.offsets_for_times(dict.fromkeys(partitions, milliseconds(since)))
    for partition in partitions:
        place = places.get(partition)
        consumer.seek(partition, place.offset if place else ends[partition])


@contextmanager
def _consumer(broker: str) -> Iterator[KafkaConsumer]:
    try:
        consumer = KafkaConsumer(bootstrap_servers=broker, bootstrap_timeout_ms=TIMEOUT_MS)
        try:
            yield consumer
        finally:
            consumer.close()
    except (KafkaError, OSError) as error:
        raise Unavailable(f"broker {broker}: {error or type(error).__name__}") from error
