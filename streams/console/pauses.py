"""How long the next try to sign in waits after wrong passwords. Times come in; nothing is kept beyond the process.

A pause belongs to one login from one place: an address, or a browser in which that officer has signed in before.
So whoever tries passwords slows himself down, and locks nobody out: the officer's own browser counts apart.
"""

from __future__ import annotations

from threading import Lock

FREE = 5
"""So many wrong passwords in a row cost nothing."""
LONGEST = 30.0
KEPT = 10_000
FORGOTTEN = 3600.0
"""Seconds after which wrong passwords do not count any more."""


def pause(failures: int) -> float:
    """Seconds until another password is looked at, after so many wrong ones in a row."""
    return 0.0 if failures <= FREE else min(LONGEST, 2.0 ** (failures - FREE - 1))


class Pauses:
    """Wrong passwords in a row, by login and place. Thread-safe; the ones longest ago are forgotten first."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept, self._lock = kept, Lock()
        self._failed: dict[tuple[str, str], tuple[int, float]] = {}

    def wait(self, login: str, place: str, now: float) -> float:
        """Seconds until a password of this login from this place is looked at; 0: now."""
        with self._lock:
            failures, last = self._failed.get((login, place), (0, now))
        return max(0.0, last + pause(failures) - now)

    def failed(self, login: str, place: str, now: float) -> None:
        """Another wrong one."""
        with self._lock:
            failures, last = self._failed.pop((login, place), (0, now))
            self._failed[login, place] = (failures + 1 if now - last < FORGOTTEN else 1, now)
            while len(self._failed) > self._kept:
                del self._failed[next(iter(self._failed))]

    def succeeded(self, login: str, place: str) -> None:
        """A right one: nothing is held against him."""
        with self._lock:
            self._failed.pop((login, place), None)
