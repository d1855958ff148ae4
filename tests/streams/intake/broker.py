"""What stands in a topic, and how a replay is told on the way there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from kafka import KafkaConsumer, TopicPartition

from streams.intake.retry_policy import Clock, RetryPolicy

CLOCK = Clock(time.monotonic, asyncio.sleep)


def read(kafka: str, topic: str) -> dict[int, list[tuple[bytes | None, bytes]]]:
    """Key and bytes of every record, by partition, in order."""
    consumer = KafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest", enable_auto_commit=False)
    try:
        parts = [TopicPartition(topic, at) for at in sorted(consumer.partitions_for_topic(topic))]
        consumer.assign(parts)
        ends = consumer.end_offsets(parts)
        found: dict[int, list[tuple[bytes | None, bytes]]] = {part.partition: [] for part in parts}
        while any(consumer.position(part) < ends[part] for part in parts):
            for part, records in consumer.poll(timeout_ms=500).items():
                found[part.partition].extend((record.key, record.value) for record in records)
        return found
    finally:
        consumer.close()


def retry(seconds: float = 60, say: Callable[[str], None] = print) -> RetryPolicy:
    """Patience of the real clock."""
    return RetryPolicy(CLOCK, seconds, say)


@dataclass
class Notes:
    """A watcher that writes down what it is told."""

    said: list[str] = field(default_factory=list)
    begun: list[tuple[str, int | None]] = field(default_factory=list)
    sent: int = 0

    def say(self, text: str) -> None:
        self.said.append(text)

    def begin(self, timeline: str, total: int | None) -> Callable[[int], None]:
        self.begun.append((timeline, total))
        return self._count

    def _count(self, sent: int) -> None:
        self.sent += sent
