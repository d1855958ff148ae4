"""Takes frames: finds where their partition stands, judges them, and hands them to the writer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

from schemas.contract import Contract
from schemas.decoder import Decoder
from schemas.errors import LiaowangError
from streams.land.account import MILLISECOND, Feed, Position, Record, check
from streams.land.broker import administration, describe
from streams.land.columns import Landed
from streams.land.ledger import epoch_of, incident, lineage
from streams.land.warehouse import Warehouse
from streams.land.writer import Key, Writer

log = logging.getLogger("liaowang.land")

STALE = 64  # frames of an earlier reading that may still be on their way after a rewind


class Incident(LiaowangError):
    """Log and ledger contradict each other; landing on would lose or mix events. A person must look."""


class Recovery:
    """Where the partitions of a topic stand, by the ledger; an Incident when the broker contradicts it."""

    def __init__(self, broker: str, warehouse: Warehouse) -> None:
        self._broker, self._warehouse = broker, warehouse

    def __call__(self, name: str) -> tuple[int, dict[int, Position]]:
        """The topic's epoch, and the position of each of its partitions. Blocks."""
        with administration(self._broker) as admin:
            topic = describe(admin, [name])[0]
        known = self._warehouse.epochs(name)
        epoch = epoch_of(known, topic.topic_id)
        if epoch not in known:
            log.info("%s: epoch %d begins, topic id/partitions %s", name, epoch.number, epoch.topic_id)
            self._warehouse.record(name, epoch)
        standings = self._warehouse.standings(name, lineage(known, epoch))
        positions = {}
        for partition, (start, end) in topic.offsets.items():
            standing = standings.get(partition)
            if standing is None:
                positions[partition] = Position(start)
                continue
            problem = incident(f"{name}/{partition}", standing, start, end)
            if problem:
                raise Incident(problem)
            positions[partition] = Position(standing.next, standing.watermarks)
        return epoch.number, positions


class Lander:
    """Judges frames in the order of their partition, each offset once.

    Where a frame does not begin where its partition stands, the records between may have been dropped on
    their way (Faust does so around rebalances) or skipped by Kafka's own committed offset. They are read
    again; only what is missing in that reading too is known not to exist and counts as control.
    """

    def __init__(
        self,
        contracts: Mapping[str, Contract],
        recovery: Recovery,
        writer: Writer,
        rewind: Callable[[str, int, int], Awaitable[None]],
    ) -> None:
        """`contracts` by topic; `rewind` reads a topic's partition again from an offset."""
        self._contracts = contracts
        self._feeds = {t: Feed(Decoder(c).decode, c.lateness // MILLISECOND) for t, c in contracts.items()}
        self._recovery, self._writer, self._rewind = recovery, writer, rewind
        self._epochs: dict[str, int] = {}
        self._positions: dict[Key, Position] = {}
        self._rereading: dict[
            Key, tuple[int, int]
        ] = {}  # first offset of the frame that came too early, frames since
        self._locks: dict[str, asyncio.Lock] = {}

    def keep(self, partitions: Collection[Key]) -> None:
        """Drop what is known of all other partitions; they belong to another worker now."""
        gone = self._positions.keys() - set(partitions)
        for key in gone:
            self._positions.pop(key, None)
            self._rereading.pop(key, None)
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
                epoch, positions = await self._writer.call(lambda: self._recovery(topic))
                self._epochs[topic] = epoch
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
        self._rereading.pop(key, None)
        self._positions[key], batch = check(self._feeds[topic], position, frame)
        if batch is None:
            done()
            return
        feed = self._contracts[topic].feed
        await self._writer.add(Landed(topic, feed, self._epochs[topic], partition, batch), done)

    async def _truly_missing(self, key: Key, position: Position, offset: int) -> bool:
        """Whether the offsets before this one were read again and are not there; if not, they will be."""
        early, frames = self._rereading.get(key, (0, STALE))
        if key in self._rereading and offset <= early:
            return True
        if frames < STALE:
            self._rereading[key] = (early, frames + 1)
            return False
        log.warning("%s/%d: frame at %d, expected %d: reading again from there", *key, offset, position.next)
        self._rereading[key] = (offset, 0)
        await self._rewind(*key, position.next)
        return False
