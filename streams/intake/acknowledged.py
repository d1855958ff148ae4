"""The live producer: a call returns when the broker has stored every record, or says that it may not have.

kafka-python, shared by the gateway and the ticker; its calls block, so they belong in threads. A call that
ends in Unavailable may have stored some of its records, and may yet store more for a few seconds.

An idempotent producer whose batch has expired can stay in the reset of its producer id for ever. So after a call
that failed the next one has a producer of its own, made once the broker answers again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError

from schemas.errors import Unavailable
from streams.broker_probe import probe_broker
from streams.intake.bulk import partition_of

log = logging.getLogger(__name__)

CONNECT_MS, REQUEST_MS, DELIVERY_MS = 3_000, 8_000, 12_000
CLOSE_SECONDS = 10.0
END_SECONDS = DELIVERY_MS / 1000 + 3.0
"""How long a stop waits for records on their way, and a failed producer: all its batches have expired by then."""
PAUSE_SECONDS = 2.0
"""So long after a probe that nobody answered, calls are refused without another."""

Record = tuple[bytes | None, bytes]
Stored = Callable[[], None]
"""Waits until what was sent is acknowledged; Unavailable where it is not."""


class AcknowledgedProducer:
    """Writes records with acks=all. Connects at the first call, so that a broker may come later.

    `linger_ms`: how long a record waits for others to go to the broker with.
    """

    def __init__(self, bootstrap: str, linger_ms: int = 0) -> None:
        self._bootstrap, self._linger_ms = bootstrap, linger_ms
        self._lock = threading.Lock()
        self._producer: KafkaProducer | None = None
        self._tries = 0
        self._away = ""
        self._again = 0.0

    def write(self, topic: str, records: Sequence[Record]) -> None:
        """Store the records, each in the partition of its key; Unavailable where not all are acknowledged."""
        partitions = self.partitions(topic)
        self.store(topic, [(partition_of(key, raw, partitions), key, raw) for key, raw in records])

    def store(self, topic: str, placed: Sequence[tuple[int, bytes | None, bytes]]) -> None:
        """Store (partition, key, bytes); Unavailable where not all are acknowledged."""
        self.send(topic, placed)()

    def send(self, topic: str, placed: Sequence[tuple[int, bytes | None, bytes]]) -> Stored:
        """Send (partition, key, bytes), and give what returns when they are stored, as `store` does.

        Records of several topics that are sent before the first is waited for share requests to the broker.
        """
        producer, until = self._connected(topic), time.monotonic() + DELIVERY_MS / 1000
        try:
            sent = [producer.send(topic, value=raw, key=key, partition=at) for at, key, raw in placed]
        except (KafkaError, OSError) as error:
            self._replace(producer)
            raise _unavailable(topic, error) from error

        def stored() -> None:
            try:
                for future in sent:
                    future.get(timeout=max(0.0, until - time.monotonic()))
            except (KafkaError, OSError) as error:
                self._replace(producer)
                raise _unavailable(topic, error) from error

        return stored

    def partitions(self, topic: str) -> int:
        """How many partitions a topic has; Unavailable where the broker or the topic is away."""
        producer = self._connected(topic)
        try:
            return len(producer.partitions_for(topic))
        except (KafkaError, OSError) as error:
            self._replace(producer)
            raise _unavailable(topic, error) from error

    def close(self) -> None:
        """Flush and disconnect."""
        with self._lock:
            producer, self._producer = self._producer, None
        if producer is not None:
            _end(producer, CLOSE_SECONDS)

    def _connected(self, topic: str) -> KafkaProducer:
        """The producer, made where there is none; one call at a time probes, and those that waited hear of it."""
        tries = self._tries
        with self._lock:
            if self._producer is None:
                if self._away and (tries != self._tries or time.monotonic() < self._again):
                    raise Unavailable(f"{topic}: {self._away}")
                self._connect(topic)
            return self._producer

    def _connect(self, topic: str) -> None:
        self._tries += 1
        try:
            probe_broker(self._bootstrap, CONNECT_MS / 1000)
            self._producer = KafkaProducer(
                bootstrap_servers=self._bootstrap,
                acks="all",
                linger_ms=self._linger_ms,
                bootstrap_timeout_ms=CONNECT_MS,
                max_block_ms=CONNECT_MS,
                request_timeout_ms=REQUEST_MS,
                delivery_timeout_ms=DELIVERY_MS,
                reconnect_backoff_max_ms=1_000,
            )
        except (KafkaError, OSError) as error:
            self._away = str(error) or type(error).__name__
            self._again = time.monotonic() + PAUSE_SECONDS
            raise _unavailable(topic, error) from error
        self._away = ""

    def _replace(self, failed: KafkaProducer) -> None:
        """Let the next call make another; what others have in this one has its time to be acknowledged."""
        with self._lock:
            old = self._producer
            if old is None or old is not failed:  # another call has done it
                return
            self._producer = None
        threading.Thread(target=_end, args=(old, END_SECONDS), name="old-producer", daemon=True).start()


def _end(producer: Any, seconds: float) -> None:
    """Close a producer; what it has not stored by then is told to whoever waits for it."""
    try:
        producer.close(timeout=seconds)
    except KafkaError as error:
        log.warning(
            "a producer is closed with records unacknowledged", extra={"fields": {"error": str(error)}}
        )


def _unavailable(topic: str, error: BaseException) -> Unavailable:
    return Unavailable(f"{topic}: {str(error) or type(error).__name__}")
