"""The courier empties the outbox into the webhook: the most urgent first, a bounded number at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from random import Random

from streams.duty.outbox import Due, Outbox
from streams.duty.policy import GATHER_SECONDS, Answer, Dead, Line, Outcome, outcome
from streams.duty.webhook import Webhook

log = logging.getLogger("liaowang.push")

CONCURRENCY = 32
LONGEST_NAP = 1.0


class Courier:
    """Delivers what is due until it is stopped; `wake` is called when new pushes were written down."""

    def __init__(
        self,
        outbox: Outbox,
        webhook: Webhook,
        clock: Callable[[], float],
        rng: Random,
        concurrency: int = CONCURRENCY,
    ) -> None:
        self._outbox, self._webhook, self._clock, self._rng = outbox, webhook, clock, rng
        self._concurrency = concurrency
        self._line = Line()
        self._under_way: dict[asyncio.Task[Answer], Due] = {}
        self._news = asyncio.Event()

    def wake(self) -> None:
        """Look at the outbox now."""
        self._news.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop`; what is under way then is finished and settled first."""
        waker = asyncio.create_task(self._wake_when(stop))
        try:
            while not stop.is_set():
                self._news.clear()
                await self._start_due()
                await self._wait()
                await self._settle()
            while self._under_way:
                await asyncio.wait(self._under_way)
                await self._settle()
        finally:
            waker.cancel()
            for task in self._under_way:
                task.cancel()

    async def _wake_when(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self.wake()

    async def _start_due(self) -> None:
        """Start as many due pushes as the line has room for."""
        now = self._clock()
        free = self._line.slots(now, self._concurrency) - len(self._under_way)
        if free <= 0:
            return
        busy = {push.id for push in self._under_way.values()}
        for push in await asyncio.to_thread(self._outbox.due, now, free, busy):
            self._under_way[asyncio.create_task(self._webhook.post(push, now))] = push

    async def _wait(self) -> None:
        """Wait for an answer, for news, or for the next push's time."""
        nap = LONGEST_NAP if self._under_way else await self._nap()
        news = asyncio.create_task(self._news.wait())
        try:
            await asyncio.wait({news, *self._under_way}, timeout=nap, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({news}, timeout=GATHER_SECONDS)
        finally:
            news.cancel()

    async def _nap(self) -> float:
        """Seconds until something may be due."""
        due = await asyncio.to_thread(self._outbox.next_due)
        if due is None:
            return LONGEST_NAP
        return min(LONGEST_NAP, max(0.0, max(due, self._line.closed_until) - self._clock()))

    async def _settle(self) -> None:
        """Write down what became of the pushes that were answered."""
        done = [task for task in self._under_way if task.done()]
        if not done:
            return
        now = self._clock()
        outcomes: dict[str, Outcome] = {}
        for task in done:
            push, answer = self._under_way[task], task.result()
            outcomes[push.id] = outcome(answer, push.attempts + 1, now, self._rng)
            self._learn(answer, now)
        await asyncio.to_thread(self._outbox.settle, outcomes, now)
        for task in done:
            del self._under_way[task]
        for id, what in outcomes.items():
            if isinstance(what, Dead):
                log.error("push %s is dead: %s", id, what.reason)

    def _learn(self, answer: Answer, now: float) -> None:
        """Keep in mind whether somebody is there; one log line at each change."""
        before, self._line = self._line, self._line.after(answer, now, self._rng)
        if self._line.broken and not before.broken:
            log.warning("receiver %s is away: %s", self._webhook.url, answer.reason)
        elif before.broken and not self._line.broken:
            log.warning("receiver %s is back", self._webhook.url)
