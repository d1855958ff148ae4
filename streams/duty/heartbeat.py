"""The heartbeat of a program of several loops: it beats only while each of them has turned lately."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

log = logging.getLogger("liaowang.pulse")

STALLED_AFTER = 45.0
"""Seconds after which a loop that has not turned round stands still; who waits for a peer turns round, too."""


class Heartbeat:
    """Touches the heartbeat of a program for its loops. `clock` gives seconds that never go back."""

    def __init__(self, touch: Callable[[], None], clock: Callable[[], float], loops: Iterable[str]) -> None:
        self._touch, self._clock = touch, clock
        self._last = dict.fromkeys(loops, clock())
        self._told: list[str] = []

    def of(self, loop: str) -> Callable[[], None]:
        """What one loop calls each time it turns round."""

        def beat() -> None:
            self._last[loop] = self._clock()
            still = self.still()
            if not still:
                self._touch()
            elif still != self._told:
                log.error(
                    "%s: no turn for more than %.0f s; no heartbeat until it goes on",
                    ", ".join(still),
                    STALLED_AFTER,
                )
            self._told = still

        return beat

    def still(self) -> list[str]:
        """The loops that stand still."""
        now = self._clock()
        return [loop for loop, last in self._last.items() if now - last > STALLED_AFTER]
