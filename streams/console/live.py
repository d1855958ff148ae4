"""Live pages: one look at the audit for all browsers, and a server-sent event to each when it has grown."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NamedTuple

from schemas.errors import Unavailable
from streams.retrying import Backoff, Outage

log = logging.getLogger("liaowang.console")
LONGEST_PAUSE = 10.0

INTERVAL = 0.5
APART = 0.025
"""Seconds between two browsers that are told the same, as long as all are told within an interval."""
GOLDEN = 0.618_034
"""Multiples of it fall evenly into an interval, however many browsers there come to be."""
BEAT = 15.0
MOST = 100
"""So many cases are named in an event; of more a page is told that there are more."""


class Touched(NamedTuple):
    """A case that changed, and what decides who may hear of it."""

    case: int
    role: str
    region: str
    assignee: int | None


class News(NamedTuple):
    """What changed since; `more`: other cases, too."""

    seq: int
    cases: tuple[Touched, ...]
    more: bool


Changes = Callable[[int | None], tuple[int, tuple[Touched, ...]]]
"""From a sequence number (None: the newest) to the newest one and the cases changed since."""
Sees = Callable[[Touched], bool]
"""Whether one listener may hear of a case."""


class Hub:
    """Tells listening browsers of changes. To be used from one event loop."""

    def __init__(self, changes: Changes, interval: float = INTERVAL) -> None:
        self._changes, self._interval = changes, interval
        self._queues: set[asyncio.Queue[News | None]] = set()
        self._seats = 0

    @property
    def listening(self) -> int:
        """How many browsers listen."""
        return len(self._queues)

    async def run(self) -> None:
        """Look for changes until cancelled; a database that is away is looked at again later."""
        seq: int | None = None
        backoff = Backoff(self._interval, max(self._interval, LONGEST_PAUSE))
        outage = Outage(log, waits="pages hear of no changes", over="pages hear of changes", backoff=backoff)
        while True:
            seconds = self._interval
            try:
                latest, cases = await asyncio.to_thread(self._changes, seq)
                if seq is not None and latest != seq:
                    self.tell(latest, cases)
                seq = latest
                outage.ended()
            except Unavailable as error:
                seconds = outage.failed(error)
            await asyncio.sleep(seconds)

    def tell(self, seq: int, cases: tuple[Touched, ...]) -> None:
        """Tell everybody; to whoever has not taken the last news yet, the new one says that there is more."""
        for queue in self._queues:
            if queue.empty():
                queue.put_nowait(News(seq, cases, False))
            elif queue.get_nowait() is None:
                queue.put_nowait(None)
            else:
                queue.put_nowait(News(seq, (), True))

    def stop(self) -> None:
        """End every stream, so that the server can stop."""
        for queue in self._queues:
            queue.put_nowait(None)

    async def listen(self, sees: Callable[[], Awaitable[Sees | None]]) -> AsyncIterator[str]:
        """The events for one browser, with a comment now and then, so that a dead connection is noticed.

        `sees` is asked at first and every few seconds what he may hear of; None: of nothing any more. Each browser
        has its own moment within the interval: told all at once, all would ask for their pages at once.
        """
        queue: asyncio.Queue[News | None] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        may, asked = await sees(), loop.time()
        seat, self._seats = self._seats * GOLDEN % 1, self._seats + 1
        self._queues.add(queue)
        try:
            yield "retry: 2000\n\n"
            while may is not None:
                try:
                    news = await asyncio.wait_for(queue.get(), BEAT)
                    event = _event(news, may) if news is not None else None
                except TimeoutError:
                    event = ": still here\n\n"
                if event is None:
                    return
                await asyncio.sleep(seat * min(self._interval, APART * len(self._queues)))
                if event:
                    yield event
                if loop.time() - asked >= BEAT:
                    may, asked = await sees(), loop.time()
        finally:
            self._queues.discard(queue)


def _event(news: News, sees: Sees) -> str:
    """The event for one listener; nothing where none of the cases is one of his."""
    cases = [each.case for each in news.cases if sees(each)]
    if news.cases and not cases:
        return ""
    told = {"seq": news.seq, "cases": cases[:MOST], "more": news.more or len(cases) > MOST}
    said = json.dumps(told, separators=(",", ":"))
    return f"id: {news.seq}\nevent: change\ndata: {said}\n\n"
