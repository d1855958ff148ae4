"""How often somebody may do something: token buckets in memory, one a key. Pure: time comes in."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock


@dataclass(frozen=True)
class Limit:
    """So many at once, and so many a minute after that."""

    burst: int
    per_minute: float


class Limiter:
    """Token buckets of one limit; forgets keys that are full again. Thread-safe."""

    def __init__(self, limit: Limit, keys: int = 10_000) -> None:
        self._limit, self._keys, self._lock = limit, keys, Lock()
        self._buckets: dict[str, tuple[float, float]] = {}

    def wait(self, key: str, now: float) -> float:
        """Take one token of the key: 0 where there was one, else the seconds until there is."""
        with self._lock:
            return self._take(key, now)

    def until(self, key: str, now: float) -> float:
        """Seconds until there is a token of the key; none is taken, and nothing is remembered."""
        with self._lock:
            return self._lack(self._tokens(key, now))

    def _take(self, key: str, now: float) -> float:
        tokens = self._tokens(key, now)
        lack = self._lack(tokens)
        self._buckets[key] = (tokens if lack else tokens - 1, now)
        if len(self._buckets) > self._keys:
            self._forget(now)
        return lack

    def _tokens(self, key: str, now: float) -> float:
        burst = float(self._limit.burst)
        tokens, then = self._buckets.get(key, (burst, now))
        return min(burst, tokens + max(0.0, now - then) * self._limit.per_minute / 60)

    def _lack(self, tokens: float) -> float:
        return 0.0 if tokens >= 1 else (1 - tokens) * 60 / self._limit.per_minute

    def _forget(self, now: float) -> None:
        """Drop the keys that are full again; where none are, the half that was seen longest ago."""
        for key in [key for key in self._buckets if self._tokens(key, now) >= self._limit.burst]:
            del self._buckets[key]
        if len(self._buckets) > self._keys // 2:
            for key in sorted(self._buckets, key=lambda key: self._buckets[key][1])[: self._keys // 2]:
                del self._buckets[key]
