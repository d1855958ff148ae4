"""Waiting for a peer that is away: the same call again with back-off, said aloud, up to a limit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    NodeNotReadyError,
    OutOfOrderSequenceNumber,
    ProducerClosed,
)

from schemas.errors import Unavailable
from streams.retrying import Backoff

Result = TypeVar("Result")

BACKOFF = Backoff(first=0.5, longest=5.0)
"""Without jitter: one command waits, and says for how long."""
_PASSING = (
    KafkaConnectionError,
    KafkaTimeoutError,
    NodeNotReadyError,
    OutOfOrderSequenceNumber,
    ProducerClosed,
)


@dataclass(frozen=True)
class Clock:
    """How time passes for a shell: a steady clock in seconds, and a way to wait."""

    monotonic: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]


@dataclass(frozen=True)
class RetryPolicy:
    """How long a peer may be away (`timeout` seconds), and who is told while it is."""

    clock: Clock
    timeout: float
    say: Callable[[str], None]

    async def until_success(self, doing: str, attempt: Callable[[], Awaitable[Result]]) -> Result:
        """Try until `attempt` succeeds; Unavailable where the peer stays away too long."""
        begun, failures = self.clock.monotonic(), 0
        while True:
            try:
                return await attempt()
            except (KafkaError, OSError, TimeoutError) as error:
                reason = _reason(error)
                if not passing(error):
                    raise Unavailable(f"{doing}: the broker refuses: {reason}") from error
                failures += 1
                delay = BACKOFF.ceiling(failures)
                waited = self.clock.monotonic() - begun
                if waited + delay > self.timeout:
                    raise Unavailable(f"{doing}: no answer for {waited:.0f} s: {reason}") from error
                self.say(f"{doing}: {reason}; trying again in {delay:.1f} s")
            await self.clock.sleep(delay)


def passing(error: BaseException) -> bool:
    """Whether the same call may succeed later."""
    return isinstance(error, (OSError, TimeoutError, *_PASSING)) or bool(getattr(error, "retriable", False))


def _reason(error: BaseException) -> str:
    if isinstance(error, KafkaConnectionError | ConnectionError):
        return "the broker cannot be reached"
    return str(error) or type(error).__name__
