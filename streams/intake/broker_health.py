"""Whether the gateway can store what it takes: the broker is probed every few seconds, and batches tell."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from streams.broker_probe import probe_broker
from streams.intake.round_health import RoundHealth

log = logging.getLogger(__name__)

KNOCK_SECONDS, ANSWER_SECONDS = 5.0, 3.0
REMEMBERED = timedelta(seconds=60)
"""So long a batch that was not stored counts, where none has been stored since."""


class BrokerHealth:
    """`health` says whether batches can be stored now."""

    def __init__(self, bootstrap: str, now: Callable[[], datetime]) -> None:
        self._bootstrap, self._now = bootstrap, now
        self._probes, self._batches, self._tried = RoundHealth(), RoundHealth(), now()

    async def run(self, stop: asyncio.Event) -> None:
        """Probe the broker until `stop` is set."""
        while not stop.is_set():
            await asyncio.to_thread(self.look)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), KNOCK_SECONDS)

    def look(self) -> None:
        """Probe the broker once."""
        try:
            probe_broker(self._bootstrap, ANSWER_SECONDS)
        except OSError as error:
            if not self._probes.failures:
                log.warning("the broker does not answer", extra={"fields": {"error": str(error)}})
            self._probes = self._probes.failed(self._now(), str(error) or type(error).__name__)
        else:
            self._probes = self._probes.succeeded(self._now())

    def batch(self, error: str = "") -> None:
        """Take how the storing of a batch went."""
        now = self._now()
        self._batches = self._batches.failed(now, error) if error else self._batches.succeeded(now)
        self._tried = now

    @property
    def health(self) -> RoundHealth:
        """How it goes: the batches that were not stored lately, or else the probes."""
        lately = self._now() - self._tried < REMEMBERED
        return self._batches if self._probes.well and self._batches.failures and lately else self._probes
