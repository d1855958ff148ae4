"""The courier empties the outbox into the webhook: the most urgent first, a bounded number at once.

What was answered is written down before anything more is sent: while the outbox takes nothing (a full disk), it
is asked with growing pauses, and no push goes out twice for that. A push that cannot even be sent is dead and set
aside.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from random import Random

from schemas.errors import Unavailable
from streams.duty.faults import Doubt, Fault, SetAside, fault_of, told
from streams.duty.retry_policy import GATHER_SECONDS, Answer, Circuit, Dead, Outcome, Retry, outcome
from streams.duty.systems.outbox import Due, Outbox
from streams.duty.systems.webhook import Webhook
from streams.duty.words import one_line
from streams.retrying import Backoff, Outage, pause
from streams.waits import Held, unheld

log = logging.getLogger("liaowang.push")

CONCURRENCY = 32
LONGEST_NAP = 1.0
LONGEST_PAUSE = 10.0
"""How long an outbox that takes nothing is left alone at most."""


class Removed(Unavailable):
    """The outbox is not where it was opened: what is written to it now is lost."""


class Courier:
    """Delivers what is due until it is stopped; `wake` is called when new pushes were written down."""

    def __init__(
        self,
        outbox: Outbox,
        webhook: Webhook,
        clock: Callable[[], float],
        rng: Random,
        concurrency: int = CONCURRENCY,
        *,
        aside: SetAside,
        beat: Callable[[], None],
        held: Held = unheld,
        answered: Held = unheld,
    ) -> None:
        """`held` is told what the outbox does not give or take, `answered` what the receiver does not."""
        self._outbox, self._webhook, self._clock, self._rng = outbox, webhook, clock, rng
        self._concurrency, self._aside, self._beat = concurrency, aside, beat
        self._doubt, self._probed, self._answered = Doubt(), False, answered
        self._full = Outage(
            log,
            waits="pushes wait",
            over=f"the outbox {outbox.path} takes pushes again",
            rng=rng,
            backoff=Backoff(longest=LONGEST_PAUSE),
            held=held,
        )
        self._receiver = Outage(log, waits="pushes wait", over=f"receiver {webhook.url} is back")
        self._outcomes: dict[asyncio.Task[Answer], Outcome] = {}
        self._circuit = Circuit()
        self._under_way: dict[asyncio.Task[Answer], Due] = {}
        self._news = asyncio.Event()

    def wake(self) -> None:
        """Look at the outbox now."""
        self._news.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop`; what is under way then is finished and recorded first."""
        waker = asyncio.create_task(self._wake_when(stop))
        try:
            while not stop.is_set():
                self._beat()
                self._news.clear()
                try:
                    await self._turn()
                except Unavailable as error:
                    await self._pause(error, stop)
            await self._finish()
        finally:
            waker.cancel()
            for task in self._under_way:
                task.cancel()

    async def _turn(self) -> None:
        """Write down what was answered, only then start what is due, and wait."""
        if self._outbox.gone:
            raise Removed(
                f"the outbox {self._outbox.path} was removed or replaced while it was in use; "
                "started again, it is filled from the topic warnings"
            )
        await self._collect_answers()
        if not self._probed:
            await asyncio.to_thread(self._outbox.probe, self._clock())
            self._probed = True
        await self._start_due()
        self._full.ended()
        await self._wait()

    async def _pause(self, error: Unavailable, stop: asyncio.Event) -> None:
        """The outbox takes nothing, or gives nothing: a pause, longer each time; one that is gone ends this."""
        if isinstance(error, Removed):
            raise error
        self._probed = False
        await pause(self._full.failed(error), stop, self._beat)

    async def _finish(self) -> None:
        """Wait for what is under way and write it down, where that is possible."""
        try:
            while self._under_way:
                await asyncio.wait(self._under_way)
                await self._collect_answers()
        except Unavailable as error:
            log.warning("%s; %d pushes will go out again", error, len(self._under_way))

    async def _wake_when(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self.wake()

    async def _start_due(self) -> None:
        """Start as many due pushes as the line has room for."""
        now = self._clock()
        free = self._circuit.slots(now, self._concurrency) - len(self._under_way)
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
            self._answered("")
            return LONGEST_NAP
        return min(LONGEST_NAP, max(0.0, max(due, self._circuit.blocked_until) - self._clock()))

    async def _collect_answers(self) -> None:
        """Write down what became of the pushes that were answered."""
        done = [task for task in self._under_way if task.done()]
        if not done:
            return
        now = self._clock()
        outcomes: dict[str, Outcome] = {}
        for task in done:
            push = self._under_way[task]
            if task not in self._outcomes:
                self._outcomes[task] = self._outcome(task, push, now)
            outcomes[push.id] = self._outcomes[task]
        await asyncio.to_thread(self._outbox.record_outcomes, outcomes, now)
        for task in done:
            del self._under_way[task], self._outcomes[task]
        for id, what in outcomes.items():
            if isinstance(what, Dead):
                log.error("push %.200s is dead: %s", one_line(id), what.reason)

    def _outcome(self, task: asyncio.Task[Answer], push: Due, now: float) -> Outcome:
        """What becomes of a push; one that cannot even be sent is dead, and stops no other."""
        try:
            answer = task.result()
            found = outcome(answer, push.attempts + 1, now, self._rng)
        except Exception as error:
            if fault_of(error) is Fault.peer:
                answer = Answer(None, reason=told(error))
                found = outcome(answer, push.attempts + 1, now, self._rng)
            else:
                reason = self._doubt.blame(error)
                self._aside(f"push {push.id}", reason)
                return Dead(f"it cannot be sent: {reason}")
        self._doubt.good()
        self._learn(answer, now)
        self._answered(f"receiver {self._webhook.url}: {found.reason}" if isinstance(found, Retry) else "")
        return found

    def _learn(self, answer: Answer, now: float) -> None:
        """Keep in mind whether somebody is there, and say so."""
        before, self._circuit = self._circuit, self._circuit.after(answer, now, self._rng)
        if self._circuit.failures > before.failures:
            self._receiver.failed(f"receiver {self._webhook.url} is away: {answer.reason}")
        elif not self._circuit.broken:
            self._receiver.ended()
