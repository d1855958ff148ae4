"""Bounded work: so many at once, so many waiting, and whoever comes after that is told to come again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Crowded(Exception):
    """There is no place, and too many wait for one; nothing was begun."""


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
