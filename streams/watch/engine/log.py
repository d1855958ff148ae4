"""What is needed of a record of a Kafka log, real or made up."""

from __future__ import annotations

from typing import Protocol


class LogRecord(Protocol):
    """What is needed of a Kafka record: place, LogAppendTime in ms, bytes."""

    @property
    def offset(self) -> int:
        """Its place in the partition."""

    @property
    def timestamp(self) -> int:
        """Its LogAppendTime, ms."""

    @property
    def value(self) -> bytes | None:
        """The event as received."""
