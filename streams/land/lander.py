"""Takes frames: finds where their partition stands, judges them, and hands them to the writer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from typing import NamedTuple, Protocol

from schemas.blanking import fault
from schemas.contract import Contract
from schemas.decoder import Decoder
from schemas.fields import MILLISECOND
from streams.land.classification import FAULT, Feed, Position, Record, check
from streams.land.columns import Landed
from streams.land.ledger import LogEpoch
from streams.land.recovery import Incident
from streams.land.writer import Key, Writer

log = logging.getLogger("liaowang.land")

AGAIN_SECONDS = 5.0  # a rewind that has not helped by then is repeated


class Knowledge(Protocol):
    """What a lander must know from outside; `Recovery` asks broker and ledger. Every call blocks."""

    def stand(self, name: str) -> tuple[LogEpoch, dict[int, Position]]:
        """The topic's log epoch and the position of each of its partitions."""

    def first_at(self, topic: str, partition: int, offset: int) -> int | None:
        """Offset of the first record there really is at `offset` or after it."""

    def ids(self, names: Sequence[str]) -> dict[str, str]:
        """What identifies each topic now."""


class _Gap(NamedTuple):
    """A hole before a frame: where records really go on after it, and when it was last read again."""

    first: int | None
    reread: float


class Lander:
    """Judges frames in the order of their partition, each offset once.

    Where a frame does not begin where its partition stands, the records between may have been dropped on
    their way (Faust does so around rebalances) or skipped by Kafka's own committed offset. The broker is
    asked which record is really the next: only what it does not have is control, the rest is read again.
    """

    def __init__(
        self,
        contracts: Mapping[str, Contract],
        knowledge: Knowledge,
        writer: Writer,
        rewind: Callable[[str, int, int], Awaitable[None]],
        aside: Callable[[str, str], None] = lambda what, reason: None,
    ) -> None:
        """`contracts` by topic; `rewind` reads a topic's partition again from an offset.

        `aside` is told of each record over which the program failed.
        """
        self._contracts = contracts
        self._feeds = {
            topic: Feed(
                Decoder(each).decode, each.lateness // MILLISECOND, each.skew_ms, partial(fault, (each,))
            )
            for topic, each in contracts.items()
        }
        self._knowledge, self._writer, self._rewind = knowledge, writer, rewind
        self._aside = aside
        self._log_epochs: dict[str, LogEpoch] = {}
        self._positions: dict[Key, Position] = {}
        self._gaps: dict[Key, _Gap] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    def keep(self, partitions: Collection[Key]) -> None:
        """Drop what is known of all other partitions; they belong to another worker now."""
        gone = self._positions.keys() - set(partitions)
        for key in gone:
            self._positions.pop(key, None)
            self._gaps.pop(key, None)
        self._writer.forget(gone)

    def judged(self, topic: str) -> int:
        """How far the positions of a topic's partitions are, summed up."""
        return sum(position.next for (name, _), position in self._positions.items() if name == topic)

    def lag(self, topic: str, highwater: Callable[[str, int], int | None]) -> int:
        """Offsets of a topic that are not judged yet, by the broker's high-water marks as last seen."""
        marks = [
            (highwater(t, p), position.next) for (t, p), position in self._positions.items() if t == topic
        ]
        return sum(max(0, mark - following) for mark, following in marks if mark is not None)

    async def position(self, topic: str, partition: int) -> Position:
        """Where a partition stands, from the ledger at first."""
        lock = self._locks.setdefault(topic, asyncio.Lock())
        async with lock:
            if (topic, partition) not in self._positions:
                log_epoch, positions = await self._writer.call(partial(self._knowledge.stand, topic))
                self._log_epochs[topic] = log_epoch
                for other, position in positions.items():
                    self._positions.setdefault((topic, other), position)
        return self._positions[topic, partition]

    async def take(
        self, topic: str, partition: int, frame: Sequence[Record], done: Callable[[], None]
    ) -> None:
        """Land one frame; `done` is called once everything in it is written."""
        key = (topic, partition)
        position = self._positions.get(key) or await self.position(topic, partition)
        if frame[0].offset > position.next and not await self._truly_missing(key, position, frame[0].offset):
            return
        self._gaps.pop(key, None)
        self._positions[key], batch = check(self._feeds[topic], position, frame)
        if batch is None:
            done()
            return
        for row in batch.refused:
            if row.rule == FAULT:
                self._aside(
                    f"{topic}/{partition} at {row.offset}", f"the program failed over it: {row.value}"
                )
        feed, log_epoch = self._contracts[topic].feed, self._log_epochs[topic].number
        await self._writer.add(Landed(topic, feed, log_epoch, partition, batch), done)

    async def verify(self) -> None:
        """Check that the topics are still those that are landed; Incident when one was made anew."""
        now = await self._writer.call(partial(self._knowledge.ids, sorted(self._log_epochs)))
        for name, log_epoch in self._log_epochs.items():
            if now[name] != log_epoch.topic_id:
                raise Incident(
                    f"{name}: the topic or its number of partitions changed from {log_epoch.topic_id} to "
                    f"{now[name]}; start the worker again, it begins a new log epoch"
                )

    async def _truly_missing(self, key: Key, position: Position, offset: int) -> bool:
        """Whether there is no record between the position and this offset; otherwise they are read again."""
        now, gap = asyncio.get_running_loop().time(), self._gaps.get(key)
        if gap is None:
            first = await self._writer.call(partial(self._knowledge.first_at, *key, position.next))
            gap = _Gap(first, -AGAIN_SECONDS)
        if offset == gap.first:
            return True
        if now - gap.reread >= AGAIN_SECONDS:
            log.warning("%s/%d: frame at %d, expected %d: reading again", *key, offset, gap.first)
            gap = _Gap(gap.first, now)
            await self._rewind(*key, position.next)
        self._gaps[key] = gap
        return False
