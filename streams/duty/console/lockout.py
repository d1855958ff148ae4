"""When sign-in is locked after wrong passwords. Pure: time comes in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

ATTEMPTS = 5
FIRST_LOCK = timedelta(minutes=1)
LONGEST_LOCK = timedelta(hours=1)


@dataclass(frozen=True)
class Attempts:
    """Wrong passwords in a row, and until when no password is looked at."""

    failures: int = 0
    locked_until: datetime | None = None

    def locked(self, now: datetime) -> bool:
        """Whether no password is looked at now, right or wrong."""
        return self.locked_until is not None and now < self.locked_until

    def failed(self, now: datetime) -> Attempts:
        """After another wrong one: each fifth in a row locks, every time twice as long, an hour at most."""
        failures = self.failures + 1
        if failures % ATTEMPTS:
            return Attempts(failures, self.locked_until)
        times = min(failures // ATTEMPTS - 1, 10)
        return Attempts(failures, now + min(FIRST_LOCK * 2**times, LONGEST_LOCK))
