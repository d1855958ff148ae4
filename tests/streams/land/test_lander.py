"""Frames that do not begin where their partition stands are read again before anything counts as missing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from schemas.contract import load_contracts
from schemas.decoder import Decoder
from schemas.settings import Settings
from streams.land.account import Feed, Position, check
from streams.land.columns import Landed
from streams.land.lander import STALE, Lander
from streams.land.warehouse import Warehouse
from streams.land.writer import Limits, Writer
from tests.streams.land.records import air, log

CONTRACT = load_contracts()["ecology.air-quality"]
CONTRACTS = {CONTRACT.topic: CONTRACT}
NOWHERE = Settings(warehouse_port=1).warehouse("service")  # nothing listens there: a warehouse that is away


async def drop(landed: Any) -> None:
    """Publish nothing."""


class Bench:
    """A lander whose partition 0 stands at some offset; notes what is read again."""

    def __init__(self, stands: int) -> None:
        self.rewound: list[tuple[str, int, int]] = []
        self.done: list[int] = []
        self.writer = Writer(CONTRACTS, Warehouse(NOWHERE), drop, lambda: None, Limits(seconds=60))
        self.lander = Lander(CONTRACTS, lambda topic: (0, {0: Position(stands)}), self.writer, self._rewind)

    async def _rewind(self, topic: str, partition: int, offset: int) -> None:
        self.rewound.append((topic, partition, offset))

    async def take(self, first: int, number: int = 3) -> int:
        """Take a frame; gives where the partition stands then."""
        frame = log(*[air(f"{first + i}") for i in range(number)], first=first)
        await self.lander.take(CONTRACT.topic, 0, frame, lambda: self.done.append(first))
        return (await self.lander.position(CONTRACT.topic, 0)).next


def running(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test in an event loop."""

    def run() -> None:
        asyncio.run(test())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


@running
async def test_a_hole_that_was_only_dropped_on_its_way_is_filled() -> None:
    bench = Bench(10)
    assert await bench.take(20) == 10
    assert bench.rewound == [(CONTRACT.topic, 0, 10)]
    assert await bench.take(23) == 10, "still of the earlier reading"
    assert await bench.take(10) == 13
    assert await bench.take(13) == 16
    assert len(bench.rewound) == 1


@running
async def test_a_hole_that_is_there_on_reading_again_is_control() -> None:
    bench = Bench(10)
    assert await bench.take(20) == 10
    assert await bench.take(20) == 23
    assert bench.lander.judged(CONTRACT.topic) == 23
    assert len(bench.rewound) == 1


@running
async def test_a_rewind_that_was_lost_is_repeated() -> None:
    bench = Bench(10)
    for each in range(STALE + 2):
        await bench.take(20 + 3 * each)
    assert [offset for _, _, offset in bench.rewound] == [10, 10]


@running
async def test_a_frame_that_is_in_the_ledger_already_is_done_at_once() -> None:
    bench = Bench(10)
    assert await bench.take(2) == 10
    assert await bench.take(8) == 11
    assert bench.done == [2]


@running
async def test_partitions_of_another_worker_are_forgotten() -> None:
    bench = Bench(10)
    assert await bench.take(10) == 13
    bench.lander.keep({(CONTRACT.topic, 0)})
    assert await bench.take(13) == 16
    bench.lander.keep(set())
    assert (await bench.lander.position(CONTRACT.topic, 0)) == Position(10), "as the ledger says"


@running
async def test_lag_is_what_the_broker_has_beyond_the_positions() -> None:
    bench = Bench(10)
    await bench.take(10)
    assert bench.lander.lag(CONTRACT.topic, lambda topic, partition: 113) == 100
    assert bench.lander.lag(CONTRACT.topic, lambda topic, partition: None) == 0


@running
async def test_memory_stays_bounded_while_the_warehouse_is_away() -> None:
    writer = Writer(CONTRACTS, Warehouse(NOWHERE), drop, lambda: None, Limits(rows=10, seconds=0.05))
    written: list[int] = []

    async def feed() -> None:
        position = Position(0)
        for each in range(100):
            position, batch = _batch(position, each)
            await writer.add(
                Landed(CONTRACT.topic, CONTRACT.feed, 0, 0, batch), partial(written.append, each)
            )
            taken.append(each)

    taken: list[int] = []
    tasks = [asyncio.create_task(feed()), asyncio.create_task(writer.run())]
    await asyncio.sleep(1.0)
    for task in tasks:
        task.cancel()
    assert written == []
    assert 2 <= len(taken) <= 4, "one flush that waits and one that is gathered"


def _batch(position: Position, each: int) -> Any:
    frame = log(*[air(f"{each}-{i}") for i in range(10)], first=position.next)
    return check(Feed(Decoder(CONTRACT).decode, 0), position, frame)
