"""Reading warnings: from the topic to where they are written down, through any absence of the broker.

How far was read stands where the warnings are written down, in the same transaction: that decides where to go
on, so a crash repeats work and loses none, and what a restored or new database lacks is read again. What is
committed to the broker only shows how far behind a reader is. What is read again is known by its id.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import blake2b
from random import Random
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, KafkaError

from schemas.errors import Unavailable
from schemas.event import decode_tick
from schemas.in_use import in_use
from schemas.settings import Settings
from schemas.topics import WARNINGS
from streams.duty.faults import Doubt, SetAside
from streams.duty.inbox.read import Inbox, Read, warning_decoder
from streams.duty.inbox.read_position import Log, ReadPosition, Start, start_of
from streams.duty.inbox.redelivery import Redelivery
from streams.duty.inbox.warning_log import log_of
from streams.retrying import Backoff, Outage, pause
from streams.waits import Held, unheld

BATCH = 500
POLL_MS, COMMIT_MS = 500, 200
"""How long news are waited for; how often at most what was read is committed: not after each few of a burst."""
MANY, GATHER_SECONDS = 4, 0.05
"""After a reading of so many the next are gathered: in a burst a few at a time cost nearly twice as much each."""
PROBE_SECONDS = 5.0
PROBE_TIMEOUT = 10.0
VERIFY_SECONDS = 30.0
"""How often it is asked whether the topic is still there, and still the same."""
METADATA_MS = 10_000
STOP_COMMIT_SECONDS, STOP_SECONDS = 2.0, 5.0
"""Shutdown budget: the last commit, and leaving the group. With a request under way at the stop the sum is
less than the supervisor waits before it kills."""


TICKS_SECONDS = 60.0
"""How often at most it is written down that nothing but ticks was read."""
LONGEST_PAUSE = 10.0
OLD_SECONDS = 86_400.0
"""Warnings that waited so long for their first reader ever may have had one before."""


class BrokerAway(Unavailable):
    """The broker does not answer, or has no such topic yet."""


class Reader:
    """Gives warnings to an inbox (in a thread) until it is stopped, through any absence of the broker.

    `name` is the consumer group, `keeps` what the inbox is called; `clock` gives seconds that never go back, `now`
    those since 1970.
    """

    def __init__(
        self,
        settings: Settings,
        name: str,
        inbox: Inbox,
        wake: Callable[[], None],
        clock: Callable[[], float],
        rng: Random,
        *,
        keeps: str,
        now: Callable[[], float],
        aside: SetAside,
        beat: Callable[[], None],
        held: Held = unheld,
    ) -> None:
        self._settings, self._name, self._inbox, self._wake = settings, name, inbox, wake
        self._clock, self._now, self._aside, self._beat = clock, now, aside, beat
        self._keeps = keeps
        self._decoder = warning_decoder(in_use(settings).feeds)
        self._doubt = Doubt()
        self._log = logging.getLogger(f"liaowang.{name}")
        self._broker = Outage(
            self._log,
            waits="warnings wait",
            over=f"broker {settings.kafka} is back",
            clock=clock,
            rng=rng,
            held=held,
        )
        self._written = Outage(
            self._log,
            waits="warnings wait",
            over="warnings are written down again",
            clock=clock,
            rng=rng,
            backoff=Backoff(longest=LONGEST_PAUSE),
            held=held,
        )
        self._id, self._start, self._next = "", Start({}), dict[int, int]()
        self._again: Redelivery | None = None
        self._floor: int | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Read until `stop`; after an error of the broker, connect anew with back-off."""
        while not stop.is_set():
            consumer = None
            try:
                await self._plan()
                consumer = self._consumer()
                if await self._connected(consumer, stop):
                    await self._read(consumer, stop)
            except (KafkaError, BrokerAway) as error:
                await pause(self._broker_away(error), stop, self._beat)
            except Unavailable as error:
                await pause(self._written.failed(error), stop, self._beat)
            finally:
                if consumer is not None:
                    await self._stop(consumer)

    async def _plan(self) -> None:
        """Decide where to go on: by what is written down, and the topic as it is."""
        known = await asyncio.to_thread(self._inbox.reached)
        empty = not known and await asyncio.to_thread(self._inbox.empty)
        log = await asyncio.to_thread(_log_of, self._settings.kafka, "" if known else self._name)
        start = start_of(known, empty, log, int(self._now() * 1000))
        start = replace(start, new=start.new or self._start.new)  # until the first warnings have come
        self._id, self._start, self._next = log.id, start, dict(start.next)
        self._again = None if start.filling is None else Redelivery(start.filling)
        self._floor = start.filling
        if self._floor is None and log.id in known:
            self._floor = known[log.id].floor
        if start.why:
            self._log.warning("%s, topic %s: %s", self._keeps, WARNINGS, start.why)
        await asyncio.to_thread(self._inbox.take, [], self._reached())
        await self._fill_end()
        self._written.ended()

    def _consumer(self) -> AIOKafkaConsumer:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._settings.kafka,
            group_id=self._name,
            # Known to the group by its home: started again after a crash, it need not wait to be missed. And by
            # the log and its partitions: a member that is known gets what it had, if that was nothing.
            group_instance_id=_member(self._name, self._settings, f"{self._id}/{len(self._next)}"),
            client_id=f"liaowang-{self._name}",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            metadata_max_age_ms=METADATA_MS,
        )
        consumer.subscribe([WARNINGS], listener=_Seek(consumer, self._next))
        return consumer

    def _reached(self) -> ReadPosition:
        """How far was read; while what is gone is filled again it is not said to be read."""
        if self._again is not None:
            return ReadPosition(self._id, self._start.next, self._start.filling)
        return ReadPosition(self._id, dict(self._next), floor=self._floor)

    async def _read(self, consumer: AIOKafkaConsumer, stop: asyncio.Event) -> None:
        """Read with one consumer: it finds an absent broker again by itself."""
        asked, committed, uncommitted, ticks = self._clock(), 0.0, False, self._clock()
        verified = self._clock()
        while not stop.is_set():
            self._beat()
            if self._clock() - verified >= VERIFY_SECONDS:
                await self._verify()
                verified = self._clock()
            timeout = COMMIT_MS if uncommitted else POLL_MS
            records = await consumer.getmany(timeout_ms=timeout, max_records=BATCH)
            found = [record for batch in records.values() for record in batch]
            if found:
                self._broker.ended()
                warnings = list(self._warnings(found))
                self._say_old(warnings)
                self._next.update(
                    {tp.partition: batch[-1].offset + 1 for tp, batch in records.items() if batch}
                )
                if warnings or self._again is not None or self._clock() - ticks >= TICKS_SECONDS:
                    ticks = self._clock()
                    if not await self._write_down(warnings, stop):
                        return
                uncommitted = True
                await asyncio.sleep(GATHER_SECONDS if len(found) >= MANY else 0)
            elif self._again is not None:
                await self._look_where(consumer)
                if not await self._write_down([], stop):
                    return
            # An absent broker gives nothing, as an idle one does: now and then ask it something.
            if uncommitted and self._clock() - committed >= COMMIT_MS / 1000:
                uncommitted = not await self._answered(consumer.commit(), PROBE_TIMEOUT)
                committed = self._clock()
            elif not uncommitted and self._clock() - asked >= PROBE_SECONDS:
                await self._answered(consumer.topics(), PROBE_TIMEOUT)
                asked = self._clock()
        if uncommitted and not self._broker.failures:
            await self._answered(consumer.commit(), STOP_COMMIT_SECONDS)

    async def _verify(self) -> None:
        """BrokerAway where the topic is gone, or another of its name: then it is decided anew where to go on."""
        log = await asyncio.to_thread(_log_of, self._settings.kafka, "")
        if log.id != self._id:
            raise BrokerAway(f"the topic {WARNINGS} was made anew while it was read")

    def _say_old(self, warnings: Sequence[Read]) -> None:
        """Say once where who has read nothing before begins with what is old: it may have been told already.

        A new home has no old warnings; one whose database and offsets are both gone looks the same otherwise.
        """
        if not self._start.new or not warnings:
            return
        self._start = replace(self._start, new=False)
        arrived = datetime.fromtimestamp(warnings[0].arrived / 1000, UTC)
        if self._now() - arrived.timestamp() > OLD_SECONDS:
            self._aside(
                f"{self._keeps}: nothing is written down, and no group {self._name} has read before",
                f"all of {WARNINGS} since {arrived:%Y-%m-%d %H:%M} UTC is taken as new, and told; if it was told "
                "before, restore the backup",
            )

    async def _look_where(self, consumer: AIOKafkaConsumer) -> None:
        """Take the position of each partition from the consumer: the last offsets may be no records."""
        for partition in consumer.assignment():
            self._next[partition.partition] = await consumer.position(partition)

    async def _write_down(self, warnings: Sequence[Read], stop: asyncio.Event) -> bool:
        """Give warnings to the inbox, however long it may be away; False where it is stopped before."""
        if self._again is not None:
            warnings = self._again.sort(warnings)
        while not stop.is_set():
            try:
                if await asyncio.to_thread(self._inbox.take, warnings, self._reached()):
                    self._wake()
                await self._fill_end()
            except Unavailable as error:
                await pause(self._written.failed(error), stop, self._beat)
                continue
            self._written.ended()
            return True
        return False

    async def _fill_end(self) -> None:
        """Where what was gone is filled again up to the end, say so, and go on as always."""
        again = self._again
        if again is None or any(self._next.get(p, 0) < end for p, end in self._start.until.items()):
            return
        rest = again.rest()
        here = ReadPosition(self._id, dict(self._next), floor=self._floor)
        new = await asyncio.to_thread(self._inbox.take, rest, here)
        if new:
            self._wake()
        self._again = None
        taken = again.taken + len(rest)
        if taken or again.left:
            self._aside(
                f"{self._keeps}: {self._start.why}",
                f"{taken} transitions were taken again from {WARNINGS}, some of them may have been told before; "
                f"{again.left} older ones of ended episodes were not (liaowang duty refill --since takes them)",
            )

    async def _answered(self, question: Awaitable[object], timeout: float) -> bool:
        """Whether the broker answers in time; what is not committed is only read again."""
        try:
            await asyncio.wait_for(question, timeout)
        except CommitFailedError:
            return True
        except (TimeoutError, KafkaError) as error:
            self._broker_away(error)
            return False
        self._broker.ended()
        return True

    def _warnings(self, records: Iterable[ConsumerRecord[Any, Any]]) -> Iterator[Read]:
        """Those messages that are warnings, decoded; ticks are passed over, broken ones set aside."""
        for record in records:
            place = f"{WARNINGS}, partition {record.partition}, offset {record.offset}"
            try:
                if record.value is None or decode_tick(record.value) is not None:
                    continue
                at = (record.partition, record.offset)
                read = Read(self._decoder.decode(record.value), place, record.timestamp, at)
            except Exception as error:
                self._aside(place, f"it is no warning: {self._doubt.blame(error)}")
            else:
                self._doubt.good()
                yield read

    def _broker_away(self, error: Exception) -> float:
        """Say that the broker does not answer: seconds to wait before it is connected to anew."""
        return self._broker.failed(f"broker {self._settings.kafka} is away: {error or type(error).__name__}")

    async def _connected(self, consumer: AIOKafkaConsumer, stop: asyncio.Event) -> bool:
        """Start a consumer; False where it is to stop before: aiokafka waits long for a broker that just died."""
        starting, stopped = asyncio.create_task(consumer.start()), asyncio.create_task(stop.wait())
        await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if starting.done():
            await starting
            return True
        starting.cancel()
        await asyncio.wait({starting}, timeout=STOP_COMMIT_SECONDS)
        return False

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


def _log_of(broker: str, group: str) -> Log:
    try:
        return log_of(broker, group)
    except Unavailable as error:
        raise BrokerAway(str(error)) from error


class _Seek(ConsumerRebalanceListener):  # type: ignore[misc]
    """Has a consumer read on where it is to, whenever it is given partitions."""

    def __init__(self, consumer: AIOKafkaConsumer, next: Mapping[int, int]) -> None:
        self._consumer, self._next = consumer, next

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Nothing is to be done: what was read is written down."""

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Go to where was read to; a partition that is new is read from its beginning."""
        for partition in assigned:
            self._consumer.seek(partition, self._next.get(partition.partition, 0))


def _member(name: str, settings: Settings, log: str) -> str:
    """A name in the group that stays the same from start to start and differs by home and by log."""
    told = f"{settings.home.absolute()}\n{log}"
    return f"{name}-{blake2b(told.encode(), digest_size=8).hexdigest()}"
