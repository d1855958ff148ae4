"""Bounded work: so many at once, so many waiting, and whoever comes after that is told to come again.

What many share is shared fairly: `Shares` bounds each of them before all together.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass


class Crowded(Exception):
    """There is no place, and too many wait for one; nothing was begun. `own`: it is his own share that is full."""

    def __init__(self, *, own: bool = False) -> None:
        super().__init__("too many at once")
        self.own = own


class Places:
    """Places for work that costs memory or time; to be used from one event loop.

    `at_once` at a time, `waiting` more in order of their coming, each for `seconds` at most.
    """

    def __init__(self, at_once: int, waiting: int, seconds: float) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._most, self._seconds = at_once + waiting, seconds
        self._here = 0

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Hold a place; Crowded where there is none in time."""
        if self._here >= self._most:
            raise Crowded
        self._here += 1
        try:
            try:
                await asyncio.wait_for(self._places.acquire(), self._seconds)
            except TimeoutError:
                raise Crowded from None
            try:
                yield
            finally:
                self._places.release()
        finally:
            self._here -= 1


@dataclass(frozen=True)
class Bound:
    """So many at once, so many waiting, each for so many seconds at most."""

    at_once: int
    waiting: int
    seconds: float

    def places(self) -> Places:
        """Places of this bound, all of them free."""
        return Places(self.at_once, self.waiting, self.seconds)


class Shares:
    """Places for each of many, and wider ones for all together; to be used from one event loop.

    Who has filled his own share waits and is refused there, so that it takes nobody else a place.
    """

    def __init__(self, each: Bound, all: Bound) -> None:
        self._each, self._all = each, all.places()
        self._own: dict[str, tuple[Places, int]] = {}

    @asynccontextmanager
    async def one(self, whose: str) -> AsyncIterator[None]:
        """Hold a place of `whose` share; Crowded where there is none in time."""
        own, users = self._own.get(whose) or (self._each.places(), 0)
        self._own[whose] = own, users + 1
        try:
            async with AsyncExitStack() as held:
                try:
                    await held.enter_async_context(own.one())
                except Crowded:
                    raise Crowded(own=True) from None
                await held.enter_async_context(self._all.one())
                yield
        finally:
            self._leave(whose)

    def _leave(self, whose: str) -> None:
        own, users = self._own.pop(whose)
        if users > 1:
            self._own[whose] = own, users - 1
