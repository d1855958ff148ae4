"""How something that is done again and again goes: its last success; since when, how often and why it fails."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from streams.retrying import Backoff

LONGEST_DELAY = 30.0


@dataclass(frozen=True)
class RoundHealth:
    """The last success, and the failures since."""

    last: datetime | None = None
    failing_since: datetime | None = None
    failures: int = 0
    error: str = ""

    def succeeded(self, now: datetime) -> RoundHealth:
        """After one that succeeded."""
        return RoundHealth(last=now)

    def failed(self, now: datetime, error: str) -> RoundHealth:
        """After one that failed."""
        return RoundHealth(self.last, self.failing_since or now, self.failures + 1, error)

    @property
    def well(self) -> bool:
        """Whether the last one succeeded."""
        return self.last is not None and not self.failures

    def delay(self, seconds: float) -> float:
        """Seconds to the next: longer and longer while they fail."""
        return Backoff(seconds, LONGEST_DELAY).ceiling(self.failures + 1) if self.failures else seconds

    def as_json(self) -> dict[str, str | int | None]:
        """Write it as `/healthz` tells it."""
        return {
            "last": self.last.isoformat() if self.last else None,
            "failing_since": self.failing_since.isoformat() if self.failing_since else None,
            "failures": self.failures,
            "error": self.error,
        }
