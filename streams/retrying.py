"""Trying again while a peer is away: growing pauses with jitter, and what is said meanwhile. One for all loops.

A loop keeps its own shape (threads, asyncio, a stop); what it shares is here: `Backoff` says how long to wait,
`Outage` says it at once, then seldom with how long it has lasted, and when it is over, and tells `status`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from schemas.errors import Unavailable
from streams.waits import Held, unheld

SELDOM = 600.0
"""Seconds after which an outage that lasts is said again."""
CHANGED = 60.0
"""Seconds after which another reason is said: reasons may change with each try."""
_MOST_DOUBLINGS = 64

T = TypeVar("T")


@dataclass(frozen=True)
class Backoff:
    """Pauses between tries: doubled from `first` to `longest` seconds, of which the share `jitter` is random."""

    first: float = 0.5
    longest: float = 60.0
    jitter: float = 0.5

    def ceiling(self, failures: int) -> float:
        """The longest pause after so many failures in a row."""
        return min(self.longest, self.first * 2.0 ** min(max(0, failures - 1), _MOST_DOUBLINGS))

    def delay(self, failures: int, rng: Random) -> float:
        """Seconds to wait after so many failures in a row."""
        ceiling = self.ceiling(failures)
        return ceiling * (1 - self.jitter) + rng.uniform(0.0, ceiling * self.jitter)


class Outage:
    """One kind of work that fails and is tried again: counts, says and tells it; thread-bound as its loop is.

    `waits` and `over` are what the log says beside the reason, as in "pushes wait" and "pushes go out again".
    `clock` gives seconds that never go back; `held` is what `status` hears.
    """

    def __init__(
        self,
        log: logging.Logger,
        *,
        waits: str,
        over: str,
        clock: Callable[[], float] = time.monotonic,
        rng: Random | None = None,
        backoff: Backoff = Backoff(),
        held: Held = unheld,
    ) -> None:
        self._log, self._waits, self._over = log, waits, over
        self._clock, self._rng, self._backoff, self._held = clock, rng or Random(), backoff, held
        self.failures = 0
        self._since = self._said_at = 0.0
        self._said = ""

    def failed(self, reason: object) -> float:
        """After a try that failed: seconds to wait before the next."""
        why, now = _reason(reason), self._clock()
        self.failures += 1
        if self.failures == 1:
            self._since = now
            self._say(why, now, "%s; %s", why, self._waits)
        elif now - self._said_at >= (SELDOM if why == self._said else CHANGED):
            lasted = duration(now - self._since)
            self._say(why, now, "%s; %s, for %s already (%d tries)", why, self._waits, lasted, self.failures)
        self._held(why)
        return self._backoff.delay(self.failures, self._rng)

    def ended(self) -> None:
        """After a try that did not fail."""
        if self.failures:
            lasted = duration(self._clock() - self._since)
            self._log.warning("%s: it lasted %s (%d tries)", self._over, lasted, self.failures)
            self.failures, self._said = 0, ""
        self._held("")

    def _say(self, why: str, now: float, text: str, *given: object) -> None:
        self._said, self._said_at = why, now
        self._log.warning(text, *given)


def insist(attempt: Callable[[], T], outage: Outage, sleep: Callable[[float], object] = time.sleep) -> T:
    """Try until a peer that is away is back; what is not Unavailable is raised."""
    while True:
        try:
            found = attempt()
        except Unavailable as error:
            sleep(outage.failed(error))
        else:
            outage.ended()
            return found


async def insist_async(
    attempt: Callable[[], Awaitable[T]],
    outage: Outage,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> T:
    """The same for a coroutine."""
    while True:
        try:
            found = await attempt()
        except Unavailable as error:
            await sleep(outage.failed(error))
        else:
            outage.ended()
            return found


async def pause(seconds: float, stop: asyncio.Event, beat: Callable[[], None] = lambda: None) -> None:
    """Wait, and end at once when stopped; a worker that waits is alive, and its heart beats each second."""
    remaining = seconds
    while remaining > 0 and not stop.is_set():
        beat()
        step = min(1.0, remaining)
        remaining -= step
        try:
            await asyncio.wait_for(stop.wait(), step)
        except TimeoutError:
            continue


def until(
    done: Callable[[], bool],
    seconds: float,
    every: float = 0.2,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> bool:
    """Look every so often until it is done, for so many seconds at most; whether it was."""
    end = clock() + seconds
    while not done():
        if clock() >= end:
            return False
        sleep(min(every, max(0.0, end - clock())))
    return True


def within(
    attempt: Callable[[], T],
    again: Callable[[Exception], bool],
    seconds: float,
    every: float = 0.2,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> T:
    """Try as long as an error is one of those that pass, for so many seconds; then the last one is raised."""
    end = clock() + seconds
    while True:
        try:
            return attempt()
        except Exception as error:
            if not again(error) or clock() >= end:
                raise
        sleep(every)


def duration(seconds: float) -> str:
    """How long something has lasted, as people say it."""
    whole = int(max(0.0, seconds))
    hours, minutes = whole // 3600, whole % 3600 // 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{whole} s"


def _reason(reason: object) -> str:
    """A reason in words; an error that says nothing by its name."""
    return str(reason) or (type(reason).__name__ if isinstance(reason, BaseException) else "no reason given")
