"""What becomes of a push after an answer, and how long to wait: pure, time and randomness come in.

2xx: delivered. 429 and 5xx: again later, no sooner than Retry-After says. No connection: again as soon as the
receiver is back, and until then one push at a time tries it. Anything else: dead, with its reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from random import Random

from streams.duty.words import one_line
from streams.retrying import Backoff

FIRST_WAIT = 0.5
LONGEST_WAIT = 60.0
_BACKOFF = Backoff(FIRST_WAIT, LONGEST_WAIT)
LONGEST_RETRY_AFTER = 3600.0
REASON_LENGTH = 300
GATHER_SECONDS = 0.01
"""How long answers are gathered after the first, so that a burst does not cost a transaction for each."""


@dataclass(frozen=True)
class Answer:
    """What came back: an HTTP status with the Retry-After header, or no status and the error instead.

    Where `meant` the status is what the answer means, not what stood on it, and only the reason is told.
    """

    status: int | None
    retry_after: str = ""
    reason: str = ""
    meant: bool = False


@dataclass(frozen=True)
class Delivered:
    """The receiver has it."""


@dataclass(frozen=True)
class Retry:
    """Try again at `at`."""

    at: float
    reason: str


@dataclass(frozen=True)
class Late:
    """It has waited too long here: another way where there is one, else again at `at`."""

    at: float
    reason: str


@dataclass(frozen=True)
class Dead:
    """Never again: the receiver will not have it."""

    reason: str


Outcome = Delivered | Retry | Dead


def backoff(failures: int, rng: Random) -> float:
    """Seconds to wait after this many failures in a row: doubled up to a minute, half of it jitter."""
    return _BACKOFF.delay(failures, rng)


def retry_after_seconds(header: str, now: float) -> float:
    """Seconds that a Retry-After header asks for (RFC 9110, 10.2.3); 0 where it is unreadable."""
    text = header.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max(0.0, aware.timestamp() - now), LONGEST_RETRY_AFTER)


def outcome(answer: Answer, attempts: int, now: float, rng: Random) -> Outcome:
    """What becomes of a push that has been tried `attempts` times, this one included."""
    status = answer.status
    said = one_line(answer.reason)  # a database may refuse what a service says
    if status is None:
        return Retry(now, said[:REASON_LENGTH])
    if 200 <= status < 300:
        return Delivered()
    reason = (said if answer.meant else f"HTTP {status} {said}".strip())[:REASON_LENGTH]
    if status == 429 or status >= 500:
        return Retry(now + max(backoff(attempts, rng), retry_after_seconds(answer.retry_after, now)), reason)
    return Dead(reason)


@dataclass(frozen=True)
class Circuit:
    """The circuit breaker before a receiver: connection failures in a row, and until when nothing is sent."""

    failures: int = 0
    blocked_until: float = 0.0

    @property
    def broken(self) -> bool:
        """Whether the last attempt found nobody."""
        return self.failures > 0

    def slots(self, now: float, concurrency: int) -> int:
        """How many pushes may be under way: none while blocked, one as a probe while broken (half-open)."""
        if now < self.blocked_until:
            return 0
        return 1 if self.broken else concurrency

    def after(self, answer: Answer, now: float, rng: Random) -> Circuit:
        """The circuit after an answer; of several failures under way at once only the first counts."""
        if answer.status is None:
            if now < self.blocked_until:
                return self
            return Circuit(self.failures + 1, now + backoff(self.failures + 1, rng))
        if answer.status == 429:
            pause = max(backoff(1, rng), retry_after_seconds(answer.retry_after, now))
            return Circuit(0, max(self.blocked_until, now + pause))
        return Circuit(0, 0.0 if self.broken else self.blocked_until)
