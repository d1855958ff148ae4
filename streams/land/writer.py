"""Gathers batches and writes them: rows first, the ledger last, and only then are their frames done.

Each feed is gathered by itself and flushed when it has enough rows for a good block of its table; after some
seconds all are. While a flush is written, the next is gathered; when a feed or all together have what they may,
`add` waits, so memory stays bounded while the warehouse is away. Each step of a flush
is repeated until it succeeds; whatever a repeated step writes twice has the same keys. Rows that can never be
stored do not hold up the others (`streams/land/storing.py`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TypeVar

from schemas.contract import Contract
from schemas.errors import Unavailable
from schemas.pseudonyms import Pseudonyms
from streams.land.classification import Batch, join
from streams.land.columns import Columns, FeedColumns, Landed
from streams.land.storing import Storing
from streams.land.warehouse import Warehouse
from streams.land.write_buffer import Key, Limits, Taken, WriteBuffer
from streams.retrying import Backoff, Outage
from streams.waits import Held, unheld

__all__ = ["Key", "Limits", "Writer"]
log = logging.getLogger("liaowang.land")
FIRST_PAUSE = 0.25

Publish = Callable[[Sequence[Landed]], Awaitable[None]]
T = TypeVar("T")


class Writer:
    """Writes what is added, in order, until cancelled; `lively` is called whenever it is not stuck."""

    def __init__(
        self,
        contracts: Mapping[str, Contract],
        warehouse: Warehouse,
        publish: Publish,
        lively: Callable[[], None],
        limits: Limits,
        pseudonyms: Pseudonyms | None = None,
        aside: Callable[[str, str], None] = lambda what, reason: None,
        moving: Callable[[], bool] = lambda: True,
        stuck: Callable[[], bool] = lambda: False,
        held: Held = unheld,
    ) -> None:
        """`contracts` by topic; `publish` sends refusals to the broker and returns when it has them.

        `aside` is told of each row that could not be stored: where it stands and why. `moving` says, where nothing
        is there to be flushed, whether what was handed to this worker is taken; `stuck` whether some of it has
        waited too long to be. `held` is told what is waited for.
        """
        tables = {topic: (c.table, FeedColumns(c, pseudonyms)) for topic, c in contracts.items()}
        self._store = Storing(tables, self._insert, aside)
        self._warehouse, self._publish, self._lively, self._limits = warehouse, publish, lively, limits
        self._moving, self._stuck = moving, stuck
        self._gathered = WriteBuffer(limits)
        self._room = asyncio.Event()
        self._full = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "land-writer")
        self._outage = Outage(
            log,
            waits="waiting and trying again, nothing is acknowledged meanwhile",
            over="writing again",
            backoff=Backoff(FIRST_PAUSE, limits.longest_pause),
            held=held,
        )
        self._held = False
        self.rows: dict[str, int] = dict.fromkeys(contracts, 0)
        self.refused: dict[str, int] = dict.fromkeys(contracts, 0)
        self.written: dict[Key, tuple[int, int]] = {}
        """By partition its log epoch and the offset up to which this worker has written its ledger."""

    async def add(self, landed: Landed, done: Callable[[], None]) -> None:
        """Take a batch for the next flush; call `done` when it is written. Waits while there is no room."""
        while not self._gathered.room(landed.topic):
            self._room.clear()
            await self._room.wait()
        self._gathered.add(Taken(landed, done), asyncio.get_running_loop().time())
        if self._gathered.full:
            self._full.set()

    def forget(self, partitions: Collection[Key]) -> None:
        """Drop what waits for the next flush of these partitions; another worker lands it."""
        for key in partitions:
            self.written.pop(key, None)
        self._gathered.forget(partitions)
        self._made_room()

    async def call(self, function: Callable[[], T]) -> T:
        """What a blocking function gives, run in the writer's thread until no peer is Unavailable to it."""
        loop = asyncio.get_running_loop()
        return await self._insist(lambda: loop.run_in_executor(self._thread, function))

    async def run(self) -> None:
        """Flush for ever."""
        while True:
            await self._wait_for_flush()
            taken = self._gathered.take(asyncio.get_running_loop().time())
            self._made_room()
            if taken:
                await self._flush(taken)
            if self._moving() or taken:
                self._alive()

    async def _wait_for_flush(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._full.wait(), self._gathered.wait(asyncio.get_running_loop().time()))

    def _made_room(self) -> None:
        if not self._gathered.full:
            self._full.clear()
        self._room.set()

    async def _flush(self, taken: Sequence[Taken]) -> None:
        landed = await self._store(_joined([item.landed for item in taken]))
        if any(item.batch.refused for item in landed):
            await self._insist(lambda: self._publish(landed), flushing=True)
        await self._store.account(landed)
        if self._held:
            self._held = False
            self._outage.ended()
        for _, done in taken:
            done()
        for item in landed:
            self.written[item.topic, item.partition] = (item.log_epoch, item.batch.last + 1)
            self.rows[item.topic] += len(item.batch.accepted)
            self.refused[item.topic] += len(item.batch.refused)

    async def _insert(self, table: str, columns: Columns) -> None:
        loop, insert = asyncio.get_running_loop(), partial(self._warehouse.insert, table, columns)
        try:
            await self._insist(lambda: loop.run_in_executor(self._thread, insert), flushing=True)
        finally:  # an insert that found a row that does not fit has got on, too
            self._alive()

    def _alive(self) -> None:
        if not self._stuck():
            self._lively()

    async def _insist(self, attempt: Callable[[], Awaitable[T]], flushing: bool = False) -> T:
        """Repeat an attempt while a peer is away, with back-off; the log says when that begins and ends.

        A flush that was held up goes on only when all of it is written; what else is asked meanwhile says nothing.
        """
        while True:
            try:
                result = await attempt()
            except Unavailable as error:
                self._held = self._held or flushing
                seconds = self._outage.failed(error)
                self._lively()
                await asyncio.sleep(seconds)
            else:
                if not self._held:
                    self._outage.ended()
                return result


def _joined(landed: Sequence[Landed]) -> list[Landed]:
    """The same with one batch a partition."""
    batches: dict[tuple[str, int], list[Batch]] = {}
    first: dict[tuple[str, int], Landed] = {}
    for item in landed:
        key = (item.topic, item.partition)
        first.setdefault(key, item)
        batches.setdefault(key, []).append(item.batch)
    return [item._replace(batch=join(batches[key])) for key, item in first.items()]
