"""Services that end again and again, as supervisor and health program wrote down: they look well in between."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from deploy.local.ends import read_ends
from deploy.local.progress import read as read_noted

WINDOW = 600.0
MANY = 3
"""So many ends by themselves within so many seconds are a crash loop."""
LOOPS = ((WINDOW, MANY), (3600.0, 4))
"""So are, for `status`, four within an hour: one that lasts a quarter of an hour each time is a loop as well."""


def crash_loops(home: Path, now: float, window: float = WINDOW) -> dict[str, int]:
    """How often services that end again and again have ended within the window; `now` in seconds since 1970."""
    counts = {name: _within(times, now, window) for name, times in read_ends(home).times.items()}
    return {name: count for name, count in counts.items() if count >= MANY}


def restarts(home: Path, now: float) -> dict[str, tuple[int, float]]:
    """Services that end, or are restarted as hung or unwell, again and again: how often in how many seconds.

    What was before the supervisor of now is over.
    """
    ended = read_ends(home)
    times = {name: list(each) for name, each in ended.times.items()}
    for name, each in read_noted(home).restarted.items():
        times.setdefault(name, []).extend(at for at in each if at >= ended.since)
    loops = {}
    for name, at in times.items():
        counts = [(_within(at, now, window), window, many) for window, many in LOOPS]
        loop = next(((count, window) for count, window, many in counts if count >= many), None)
        if loop is not None:
            loops[name] = loop
    return loops


def _within(times: Iterable[float], now: float, window: float) -> int:
    return sum(now - at <= window for at in times)
