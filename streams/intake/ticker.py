"""The ticker: every few seconds one tick in each partition of each feed, so that silence moves time too.

The live clock of a feed is now minus its contract's lateness: what comes in time has come by then. All ticks of
a round carry the same rule epoch: there every partition changes to them. Where several tickers
run, the one that has the lease ticks; the others stand by.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime

from schemas.contract import Contract
from schemas.errors import Unavailable
from schemas.event import encode_tick
from streams.intake.acknowledged import AcknowledgedProducer, Stored
from streams.intake.lease import Lease, OwnLease, Standing
from streams.intake.round_health import RoundHealth
from streams.retrying import Outage

log = logging.getLogger("liaowang.ticker")

_SAID = {
    Standing.HOLDS: "this ticker ticks from now on",
    Standing.ANOTHERS: "this ticker stands by: the lease is another's",
    Standing.JOINING: "joining the group of tickers: whose the lease is is not known yet",
}

LOOK_SECONDS = 1.0
"""How often the lease is asked for between two rounds: who does not ask is out of it."""


class Ticker:
    """Ticks all feeds while it has the lease; `health` says how its rounds go, `ticks` how many each topic got."""

    def __init__(
        self,
        contracts: Iterable[Contract],
        producer: AcknowledgedProducer,
        seconds: float,
        now: Callable[[], datetime],
        epoch: Callable[[], int] = lambda: 0,
        lease: Lease | None = None,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        """`beat` is called whenever something was done, however it went."""
        self._contracts, self._producer = tuple(contracts), producer
        self._seconds, self._now, self._epoch = seconds, now, epoch
        self._lease, self._beat = lease or OwnLease(), beat
        self.health, self.leads, self.epoch = RoundHealth(), False, 0
        self._told: Standing | None = None
        self.ticks: Counter[str] = Counter()
        self._outage = Outage(log, waits="ticks wait", over="ticks go on")

    def take(self, contracts: Iterable[Contract]) -> None:
        """Tick these feeds from the next round on."""
        self._contracts = tuple(contracts)

    async def run(self, stop: asyncio.Event, heard: Callable[[str], None] = lambda error: None) -> None:
        """Tick until `stop` is set, ending between rounds. A failed round is tried again with back-off.

        `heard` is told in each turn why the last round failed; nothing where it did not.
        """
        loop = asyncio.get_running_loop()
        due = loop.time()
        while not stop.is_set():
            now = loop.time()
            await asyncio.to_thread(self._turn, now >= due)
            if now >= due and (self.leads or self.health.failures):
                due = loop.time() + self.health.delay(self._seconds)
            heard(self.health.error)
            self._beat()
            left = due - loop.time()
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), min(LOOK_SECONDS, left) if left > 0 else LOOK_SECONDS)
        await asyncio.to_thread(self._lease.close)

    def _turn(self, due: bool) -> None:
        """Ask for the lease, and where it is time tick with it."""
        try:
            if (due or self.leads or not self.health.failures) and self._looked() and due:
                self.round()
        # Whatever it is, the next round may do better, and the health tells of it.
        except Exception as error:
            if not self._outage.failures:
                log.exception("a round of ticks failed")
            self._fail(self._now(), [f"{type(error).__name__}: {error}"])

    def _looked(self) -> bool:
        """Whether this ticker ticks now; the log says it at first and where it has changed."""
        try:
            standing = self._lease.standing()
        except Unavailable as error:
            self.leads = False
            self._fail(self._now(), [str(error)])
            return False
        if standing is not self._told:
            log.info(_SAID[standing])
        self.leads, self._told = standing is Standing.HOLDS, standing
        if not self.leads:
            self.health = RoundHealth(last=self.health.last)
        return self.leads

    def round(self) -> None:
        """One tick in each partition of each feed; a feed that fails does not keep the others from theirs.

        The round ends where the lease has gone to another: what is left is his. All ticks are sent before the
        first is waited for: who reads many feeds is woken by a few requests a round, not by one a feed.
        """
        now, errors = self._now(), list[str]()
        sent: list[tuple[str, int, Stored]] = []
        try:
            self.epoch = self._epoch()
        except Unavailable as error:  # the rules stay as they are; time must go on
            errors.append(str(error))
            self.epoch = 0
        for contract in self._contracts:
            if not self._looked():
                break
            try:
                sent.append(self._tick(contract, now, self.epoch))
            except Unavailable as error:
                errors.append(str(error))
            self._beat()
        errors += self._stored(sent)
        if not self.leads:
            return
        if errors:
            self._fail(now, errors)
        else:
            self.health = self.health.succeeded(now)
            self._outage.ended()

    def _fail(self, now: datetime, errors: list[str]) -> None:
        self._outage.failed(errors[0])
        self.health = self.health.failed(now, errors[0])

    def _tick(self, contract: Contract, now: datetime, epoch: int) -> tuple[str, int, Stored]:
        """Send the ticks of one feed: its topic, how many they are, and what waits for them."""
        clock, topic = now - contract.lateness, contract.topic
        parts = range(self._producer.partitions(topic))
        ticks = [(at, None, live_tick(at, clock, epoch)) for at in parts]
        return topic, len(parts), self._producer.send(topic, ticks)

    def _stored(self, sent: Iterable[tuple[str, int, Stored]]) -> Iterator[str]:
        """Wait for what was sent, and count it; why some of it was not stored."""
        for topic, ticks, stored in sent:
            try:
                stored()
                self.ticks[topic] += ticks
            except Unavailable as error:
                yield str(error)
            self._beat()


def live_tick(partition: int, clock: datetime, epoch: int = 0) -> bytes:
    """One live tick as its bytes."""
    id = f"live/{partition}/{clock.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    return encode_tick(id=id, clock=clock, epoch=epoch)
