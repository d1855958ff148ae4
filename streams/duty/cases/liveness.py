"""Which timelines are replays that are not live: their warnings open no case and nobody is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from streams.intake.replays import Replays, look_up_replays

Look = Callable[[], Replays]
"""Reads the topic of replays; Unavailable where the broker is away."""


class Liveness:
    """Remembers which timelines are live: one is so from its beginning to its end, or it never is.

    The beginning is acknowledged before the first event of its timeline is sent, so whoever has a warning of it
    finds it. A timeline that was never begun (sent before there were beginnings, or by a program of its own) is
    not live, and is looked up again when it comes again.
    """

    def __init__(self, look: Look) -> None:
        self._look = look
        self._live: dict[str, bool] = {}

    def dry(self, timelines: Iterable[str]) -> frozenset[str]:
        """Those of these timelines that are replays and not live; what happens now has no timeline."""
        asked = {timeline for timeline in timelines if timeline}
        if unknown := asked - self._live.keys():
            replays = self._look()
            self._live |= {one: live for one in unknown if (live := replays.live(one)) is not None}
        return frozenset(one for one in asked if not self._live.get(one, False))


def look_at(bootstrap: str) -> Look:
    """Looks into the topic at this broker; for a thread without a loop of its own."""
    return lambda: asyncio.run(look_up_replays(bootstrap))
