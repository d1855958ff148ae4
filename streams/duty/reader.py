"""Reading warnings: from the topic to where they are written down, through any absence of the broker.

A warning's offset is committed after it is on disk, so a crash at any moment repeats work, loses none; what is
read again is known by its id.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from random import Random
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.errors import CommitFailedError, KafkaError

from schemas.contract import load_contracts
from schemas.decoder import Decoder
from schemas.errors import Rejected
from schemas.event import decode_tick
from schemas.settings import Settings
from schemas.topics import WARNINGS
from streams.duty.policy import backoff
from streams.worker import heartbeat

BATCH = 500
POLL_MS, COMMIT_MS = 500, 200
"""How long news are waited for; how often at most what was read is committed: not after each few of a burst."""
MANY, GATHER_SECONDS = 4, 0.05
"""After a reading of so many the next are gathered: in a burst a few at a time cost nearly twice as much each."""
PROBE_SECONDS = 5.0
PROBE_PATIENCE = 10.0
METADATA_MS = 10_000
STOP_COMMIT_SECONDS, STOP_SECONDS = 2.0, 5.0
"""What the last commit and the farewell to the broker may take. With a question under way at the stop it is
less than the supervisor waits before it kills."""


@dataclass(frozen=True)
class Read:
    """A decoded warning, and where on its topic it stands."""

    warning: Any
    place: str


Take = Callable[[Sequence[Read]], int]
"""Writes warnings down, in their order; returns how many of them were new."""


class Reader:
    """Gives warnings to `take` (in a thread) until it is stopped, through any absence of the broker.

    `name` is the consumer group and the worker whose heart beats; `clock` gives seconds that never go back.
    """

    def __init__(
        self,
        settings: Settings,
        name: str,
        take: Take,
        wake: Callable[[], None],
        clock: Callable[[], float],
        rng: Random,
    ) -> None:
        self._settings, self._name, self._take, self._wake = settings, name, take, wake
        self._clock, self._rng = clock, rng
        self._decoder = Decoder(load_contracts()["duty.warning"])
        self._beat = heartbeat(settings, name)
        self._log = logging.getLogger(f"liaowang.{name}")
        self._broker_away = False

    async def run(self, stop: asyncio.Event) -> None:
        """Read until `stop`; after an error of the broker, connect anew with back-off."""
        failures = 0
        while not stop.is_set():
            consumer = AIOKafkaConsumer(
                WARNINGS,
                bootstrap_servers=self._settings.kafka,
                group_id=self._name,
                # Known to the group by its home: started again after a crash, it need not wait to be missed.
                group_instance_id=_member(self._name, self._settings),
                client_id=f"liaowang-{self._name}",
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                metadata_max_age_ms=METADATA_MS,
            )
            try:
                await consumer.start()
                failures = 0
                await self._read(consumer, stop)
            except KafkaError as error:
                failures += 1
                self._mark_broker(away=True, why=repr(error))
                await sleep(backoff(failures, self._rng), stop, self._beat)
            finally:
                await self._stop(consumer)

    async def _read(self, consumer: AIOKafkaConsumer, stop: asyncio.Event) -> None:
        """Read with one consumer: it finds an absent broker again by itself."""
        asked, committed, uncommitted = self._clock(), 0.0, False
        while not stop.is_set():
            self._beat()
            patience = COMMIT_MS if uncommitted else POLL_MS
            records = await consumer.getmany(timeout_ms=patience, max_records=BATCH)
            found = [record for batch in records.values() for record in batch]
            if found:
                uncommitted = True
                if await asyncio.to_thread(self._take, list(self._warnings(found))):
                    self._wake()
                await asyncio.sleep(GATHER_SECONDS if len(found) >= MANY else 0)
            # An absent broker gives nothing, as an idle one does: now and then ask it something.
            if uncommitted and self._clock() - committed >= COMMIT_MS / 1000:
                uncommitted = not await self._answered(consumer.commit(), PROBE_PATIENCE)
                committed = self._clock()
            elif not uncommitted and self._clock() - asked >= PROBE_SECONDS:
                await self._answered(consumer.topics(), PROBE_PATIENCE)
                asked = self._clock()
        if uncommitted and not self._broker_away:
            await self._answered(consumer.commit(), STOP_COMMIT_SECONDS)

    async def _answered(self, question: Awaitable[object], patience: float) -> bool:
        """Whether the broker answers in time; what is not committed is only read again."""
        try:
            await asyncio.wait_for(question, patience)
        except CommitFailedError:
            return True
        except (TimeoutError, KafkaError) as error:
            self._mark_broker(away=True, why=repr(error))
            return False
        self._mark_broker(away=False, why="")
        return True

    def _warnings(self, records: Iterable[ConsumerRecord[Any, Any]]) -> Iterator[Read]:
        """Those messages that are warnings, decoded; ticks are passed over, broken ones named."""
        for record in records:
            if record.value is None or decode_tick(record.value) is not None:
                continue
            place = f"{WARNINGS}, partition {record.partition}, offset {record.offset}"
            try:
                yield Read(self._decoder.decode(record.value), place)
            except Rejected as error:
                self._log.error("a message on %s is no warning: %s", place, error)

    def _mark_broker(self, *, away: bool, why: str) -> None:
        """One log line at each change."""
        if away != self._broker_away:
            self._log.warning("broker %s is %s", self._settings.kafka, f"away: {why}" if away else "back")
        self._broker_away = away

    async def _stop(self, consumer: AIOKafkaConsumer) -> None:
        """Stop a consumer, within a time: the broker may be away.

        As a task of its own, because aiokafka 0.14 lets the cancellation of its inner tasks out of `stop`, which
        would look as if this worker itself was cancelled.
        """
        stopping = asyncio.create_task(consumer.stop())
        await asyncio.wait({stopping}, timeout=STOP_SECONDS)
        if not stopping.done():
            stopping.cancel()
        elif stopping.cancelled() or stopping.exception():
            self._log.info("left the broker without a word")


async def sleep(seconds: float, stop: asyncio.Event, beat: Callable[[], None]) -> None:
    """Sleep that ends at once when stopped; a worker that waits is alive."""
    remaining = seconds
    while remaining > 0 and not stop.is_set():
        beat()
        step = min(1.0, remaining)
        remaining -= step
        try:
            await asyncio.wait_for(stop.wait(), step)
        except TimeoutError:
            continue


def _member(name: str, settings: Settings) -> str:
    """A name in the group that stays the same from start to start and differs from home to home."""
    return f"{name}-{blake2b(str(settings.home.absolute()).encode(), digest_size=8).hexdigest()}"
