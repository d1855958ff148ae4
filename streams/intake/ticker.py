"""The ticker: every few seconds one tick in each partition of each feed, so that silence moves time too.

The live clock of a feed is now minus its contract's lateness: what comes in time has come by then. All ticks of
a round carry the same epoch of the published rules: there every partition changes to them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from schemas.contract import Contract
from schemas.errors import Unavailable
from schemas.event import encode_tick
from streams.intake.acknowledged import AcknowledgedProducer

log = logging.getLogger(__name__)

LONGEST_DELAY = 30.0
STANDS_SECONDS = 60.0
"""A round may take so long: each feed waits for its acknowledgement."""


@dataclass(frozen=True)
class Pulse:
    """How the ticker does: its last whole round; since when, how often and why rounds fail."""

    last: datetime | None = None
    failing_since: datetime | None = None
    failures: int = 0
    error: str = ""

    def succeeded(self, now: datetime) -> Pulse:
        """After a round in which every tick was acknowledged."""
        return Pulse(last=now)

    def failed(self, now: datetime, error: str) -> Pulse:
        """After a round in which some tick was not."""
        return Pulse(self.last, self.failing_since or now, self.failures + 1, error)

    def stands(self, now: datetime, seconds: float) -> bool:
        """Whether rounds that should come every so many seconds have not come for long: one hangs."""
        return self.last is not None and (now - self.last).total_seconds() > STANDS_SECONDS + 2 * seconds

    def delay(self, seconds: float) -> float:
        """Seconds to the next round: longer and longer while rounds fail."""
        return seconds if not self.failures else min(seconds * 2 ** min(self.failures, 10), LONGEST_DELAY)


class Ticker:
    """Ticks all feeds; `pulse` says how it goes."""

    def __init__(
        self,
        contracts: Iterable[Contract],
        producer: AcknowledgedProducer,
        seconds: float,
        now: Callable[[], datetime],
        epoch: Callable[[], int] = lambda: 0,
    ) -> None:
        self._contracts, self._producer = tuple(contracts), producer
        self._seconds, self._now, self._epoch = seconds, now, epoch
        self.pulse = Pulse()

    def take(self, contracts: Iterable[Contract]) -> None:
        """Tick these feeds from the next round on."""
        self._contracts = tuple(contracts)

    @property
    def stands(self) -> bool:
        """Whether it has not ticked for long, though no round has failed."""
        return self.pulse.stands(self._now(), self._seconds)

    async def run(self, stop: asyncio.Event) -> None:
        """Tick until `stop` is set, ending between rounds. A failed round is tried again with back-off."""
        while not stop.is_set():
            try:
                await asyncio.to_thread(self.round)
            # Whatever it is, the next round may do better, and the pulse tells of it.
            except Exception as error:
                self.pulse = self.pulse.failed(self._now(), f"{type(error).__name__}: {error}")
                log.error("ticks failed", exc_info=True)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self.pulse.delay(self._seconds))

    def round(self) -> None:
        """One tick in each partition of each feed; a feed that fails does not keep the others from theirs."""
        now, epoch, errors = self._now(), 0, []
        try:
            epoch = self._epoch()
        except Unavailable as error:  # the rules stay as they are; time must go on
            errors.append(str(error))
        told = [self._tick(contract, now, epoch) for contract in self._contracts]
        errors += [each for each in told if each]
        if not errors:
            self.pulse = self.pulse.succeeded(now)
            return
        self.pulse = self.pulse.failed(now, errors[0])
        log.warning("ticks failed", extra={"fields": {"failed": len(errors), "error": errors[0]}})

    def _tick(self, contract: Contract, now: datetime, epoch: int) -> str:
        clock = now - contract.lateness
        try:
            parts = range(self._producer.partitions(contract.topic))
            self._producer.store(contract.topic, [(at, None, live_tick(at, clock, epoch)) for at in parts])
        except Unavailable as error:
            return str(error)
        return ""


def live_tick(partition: int, clock: datetime, epoch: int = 0) -> bytes:
    """One live tick as its bytes."""
    id = f"live/{partition}/{clock.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    return encode_tick(id=id, clock=clock, epoch=epoch)
