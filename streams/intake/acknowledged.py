"""The live producer: a call returns when the broker has stored every record, or says that it may not have.

kafka-python, shared by the gateway and the ticker; its calls block, so they belong in threads. A call that
ends in Unavailable may have stored some of its records, and may yet store more for a few seconds.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence

from kafka import KafkaProducer
from kafka.errors import KafkaError

from schemas.errors import Unavailable
from streams.intake.bulk import partition_of

CONNECT_MS, REQUEST_MS, DELIVERY_MS = 3_000, 8_000, 12_000
CLOSE_SECONDS = 10.0

Record = tuple[bytes | None, bytes]


class AcknowledgedProducer:
    """Writes records with acks=all. Connects at the first call, so that a broker may come later."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._lock = threading.Lock()
        self._producer: KafkaProducer | None = None
        self._suspect = False

    def write(self, topic: str, records: Sequence[Record]) -> None:
        """Store the records, each in the partition of its key; Unavailable where not all are acknowledged."""
        partitions = self.partitions(topic)
        self.store(topic, [(partition_of(key, raw, partitions), key, raw) for key, raw in records])

    def store(self, topic: str, placed: Sequence[tuple[int, bytes | None, bytes]]) -> None:
        """Store (partition, key, bytes); Unavailable where not all are acknowledged."""
        try:
            producer = self._connected()
            sent = [producer.send(topic, value=raw, key=key, partition=at) for at, key, raw in placed]
            for future in sent:
                future.get(timeout=DELIVERY_MS / 1000)
        except (KafkaError, OSError) as error:
            raise self._away(topic, error) from error

    def partitions(self, topic: str) -> int:
        """How many partitions a topic has; Unavailable where the broker or the topic is away."""
        try:
            return len(self._connected().partitions_for(topic))
        except (KafkaError, OSError) as error:
            raise self._away(topic, error) from error

    def close(self) -> None:
        """Flush and disconnect."""
        with self._lock:
            producer, self._producer = self._producer, None
        if producer is not None:
            producer.close(timeout=CLOSE_SECONDS)

    def _connected(self) -> KafkaProducer:
        with self._lock:
            if self._producer is None or self._suspect:
                self._knock()
            if self._producer is None:
                self._producer = KafkaProducer(
                    bootstrap_servers=self._bootstrap,
                    acks="all",
                    bootstrap_timeout_ms=CONNECT_MS,
                    max_block_ms=CONNECT_MS,
                    request_timeout_ms=REQUEST_MS,
                    delivery_timeout_ms=DELIVERY_MS,
                    reconnect_backoff_max_ms=1_000,
                )
            return self._producer

    def _knock(self) -> None:
        """Raise OSError at once where nobody listens; the client itself would try for seconds."""
        host, _, port = self._bootstrap.rpartition(":")
        socket.create_connection((host, int(port)), CONNECT_MS / 1000).close()
        self._suspect = False

    def _away(self, topic: str, error: BaseException) -> Unavailable:
        self._suspect = True
        return Unavailable(f"{topic}: {str(error) or type(error).__name__}")
