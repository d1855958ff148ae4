"""Frames that do not begin where their partition stands are read again before anything counts as missing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from functools import partial
from typing import Any

import pytest

from schemas.contract import load_contracts
from schemas.decoder import Decoder
from schemas.settings import Settings
from streams.land.classification import Feed, Position, check
from streams.land.columns import Landed
from streams.land.lander import Lander
from streams.land.ledger import LogEpoch
from streams.land.recovery import Incident
from streams.land.warehouse import Warehouse
from streams.land.writer import Limits, Writer
from tests.streams.land.records import air, log

CONTRACT = load_contracts()["ecology.air-quality"]
CONTRACTS = {CONTRACT.topic: CONTRACT}
NOWHERE = Settings(warehouse_port=1).warehouse("service")  # nothing listens there: a warehouse that is away


async def drop(landed: Any) -> None:
    """Publish nothing."""


class Known:
    """A log of which the test knows everything: where the partition stands, and which offsets there are."""

    def __init__(self, stands: int, offsets: Iterable[int]) -> None:
        self.stands, self.offsets, self.id = stands, sorted(offsets), "log/1"

    def stand(self, name: str) -> tuple[LogEpoch, dict[int, Position]]:
        """Epoch 0, one partition."""
        return LogEpoch("log/1", 0), {0: Position(self.stands)}

    def first_at(self, topic: str, partition: int, offset: int) -> int | None:
        """The first offset there is."""
        return next((each for each in self.offsets if each >= offset), None)

    def ids(self, names: Sequence[str]) -> dict[str, str]:
        """The same log, until the test says otherwise."""
        return dict.fromkeys(names, self.id)


class Bench:
    """A lander whose partition 0 stands at some offset; notes what is read again."""

    def __init__(self, stands: int, offsets: Iterable[int] = range(1000)) -> None:
        self.rewound: list[tuple[str, int, int]] = []
        self.done: list[int] = []
        self.known = Known(stands, offsets)
        self.writer = Writer(CONTRACTS, Warehouse(NOWHERE), drop, lambda: None, Limits(seconds=60))
        self.lander = Lander(CONTRACTS, self.known, self.writer, self._rewind)

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
async def test_the_same_early_frame_twice_proves_nothing() -> None:
    bench = Bench(10)
    assert [await bench.take(20), await bench.take(20), await bench.take(20)] == [10] * 3
    assert await bench.take(10) == 13


@running
async def test_a_hole_that_the_broker_has_too_is_control() -> None:
    bench = Bench(10, [*range(10), *range(20, 30)])
    assert await bench.take(20) == 23
    assert bench.lander.judged(CONTRACT.topic) == 23
    assert bench.rewound == []


@running
async def test_a_hole_is_filled_as_far_as_the_broker_has_it() -> None:
    bench = Bench(10, [*range(10), *range(15, 30)])
    assert await bench.take(20) == 10
    assert await bench.take(15) == 18
    assert await bench.take(18) == 21


@running
async def test_a_topic_made_anew_is_an_incident() -> None:
    bench = Bench(10)
    await bench.take(10)
    await bench.lander.verify()
    bench.known.id = "another log/1"
    with pytest.raises(Incident, match="new log epoch"):
        await bench.lander.verify()


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
    return check(Feed(Decoder(CONTRACT).decode, 0, CONTRACT.skew_ms), position, frame)
