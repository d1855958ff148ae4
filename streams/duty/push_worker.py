"""The push worker: from the topic of warnings into the outbox, from the outbox to the webhook.

A warning's offset is committed after its push is on disk, so a crash at any moment repeats work, loses none;
what is read again is known by its id.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from sqlalchemy.exc import OperationalError

from schemas.contract import load_contracts
from schemas.decoder import Decoder
from schemas.errors import Rejected, Unavailable
from schemas.event import decode_tick
from schemas.settings import Settings
from schemas.topics import WARNINGS
from streams.duty.courier import CONCURRENCY, Courier
from streams.duty.outbox import Outbox
from streams.duty.policy import backoff
from streams.duty.push import Push, push_of
from streams.duty.stopping import stop_on_signals
from streams.duty.webhook import Webhook
from streams.worker import heartbeat, start_logging

log = logging.getLogger("liaowang.push")

GROUP = "push"
BATCH = 500
POLL_MS = 500
PROBE_SECONDS = 5.0
PROBE_PATIENCE = 10.0
METADATA_MS = 10_000


def outbox_path(settings: Settings) -> Path:
    """The outbox of this home."""
    return settings.home / "duty" / "outbox.sqlite"


def main(settings: Settings) -> None:
    """Push warnings until SIGTERM or SIGINT; a second worker on the same home is Unavailable."""
    start_logging()
    # It writes a line each time it tries again; this worker says once that the broker is away.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    with _alone(settings.home / "duty"):
        asyncio.run(_run(settings, time.time, Random()))


async def _run(settings: Settings, clock: Callable[[], float], rng: Random) -> None:
    stop = stop_on_signals()
    outbox = Outbox(outbox_path(settings))
    try:
        async with Webhook(settings.webhook, settings.webhook_key, CONCURRENCY) as webhook:
            courier = Courier(outbox, webhook, clock, rng)
            reader = Reader(settings, outbox, courier.wake, clock, rng)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(courier.run(stop))
                    group.create_task(reader.run(stop))
            except* OperationalError as errors:
                # Started again, it goes on where it was: what is not on disk is not committed either.
                raise Unavailable(f"the outbox {outbox_path(settings)}: {errors.exceptions[0]}") from errors
    finally:
        outbox.close()


class Reader:
    """Reads warnings into the outbox until it is stopped, through any absence of the broker."""

    def __init__(
        self,
        settings: Settings,
        outbox: Outbox,
        wake: Callable[[], None],
        clock: Callable[[], float],
        rng: Random,
    ) -> None:
        self._settings, self._outbox, self._wake, self._clock, self._rng = settings, outbox, wake, clock, rng
        self._decoder = Decoder(load_contracts()["duty.warning"])
        self._beat = heartbeat(settings, "push")
        self._broker_away = False

    async def run(self, stop: asyncio.Event) -> None:
        """Read until `stop`; after an error of the broker, connect anew with back-off."""
        failures = 0
        while not stop.is_set():
            consumer = AIOKafkaConsumer(
                WARNINGS,
                bootstrap_servers=self._settings.kafka,
                group_id=GROUP,
                client_id="liaowang-push",
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                metadata_max_age_ms=METADATA_MS,
            )
            try:
                await consumer.start()
                failures = 0
                await self._read(consumer, stop)
            except (TimeoutError, KafkaError) as error:
                failures += 1
                self._mark_broker(away=True, why=repr(error))
                await _sleep(backoff(failures, self._rng), stop, self._beat)
            finally:
                await _stop_consumer(consumer)

    async def _read(self, consumer: AIOKafkaConsumer, stop: asyncio.Event) -> None:
        probed = self._clock()
        while not stop.is_set():
            self._beat()
            records = await consumer.getmany(timeout_ms=POLL_MS, max_records=BATCH)
            values = [record.value for batch in records.values() for record in batch]
            if values:
                new = await asyncio.to_thread(self._outbox.add, list(self._pushes(values)), self._clock())
                await consumer.commit()
                if new:
                    self._wake()
            elif self._clock() - probed >= PROBE_SECONDS:
                # Polling an absent broker gives nothing, as polling an idle one does: ask it something.
                await asyncio.wait_for(consumer.end_offsets(consumer.assignment()), PROBE_PATIENCE)
                probed = self._clock()
            else:
                continue
            self._mark_broker(away=False, why="")

    def _pushes(self, values: Iterable[bytes | None]) -> Iterator[Push]:
        """The pushes of those messages that are warnings; ticks are passed over, broken ones named."""
        for value in values:
            if value is None or decode_tick(value) is not None:
                continue
            try:
                yield push_of(self._decoder.decode(value))
            except Rejected as error:
                log.error("a message on %s is no warning: %s", WARNINGS, error)

    def _mark_broker(self, *, away: bool, why: str) -> None:
        """One log line at each change."""
        if away != self._broker_away:
            log.warning("broker %s is %s", self._settings.kafka, f"away: {why}" if away else "back")
        self._broker_away = away


async def _stop_consumer(consumer: AIOKafkaConsumer) -> None:
    """Leave the group; a broker that is away cannot be told."""
    try:
        await asyncio.wait_for(consumer.stop(), PROBE_PATIENCE)
    except (TimeoutError, KafkaError) as error:
        log.info("left the broker without a word: %r", error)


async def _sleep(seconds: float, stop: asyncio.Event, beat: Callable[[], None]) -> None:
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


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock: two workers on one outbox would push everything twice."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / "push.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise Unavailable(f"another push worker holds {folder / 'push.lock'}; stop it first") from None
    try:
        yield
    finally:
        os.close(handle)
