"""Apps of frames, each in a process of its own: `python -m tests.streams.frames_scenes SCENE BROKER TOPIC HOME`.

A scene prints one JSON list a line and ends at once when it has seen what it waits for, for an app that is stopped
in the process of a test can hang. All records of the topic hold their own offset.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import traceback
from collections.abc import Callable
from random import Random
from typing import Any

from faust.types import TP

from streams.frames import FrameApp

TURN = 0.02
HELD_SECONDS = 1.0
SMALL = {"consumer_max_fetch_size": 1024}


def app_of(broker: str, topic: str, home: str, *, framed: bool = True, **conf: Any) -> FrameApp:
    """An app of its own group, that fetches little at once."""
    frames = [topic] if framed else [f"{topic}-other"]
    return FrameApp(
        f"{topic}-app", broker=broker, framed=frames, datadir=home, topic_partitions=1, **SMALL, **conf
    )


def say(values: list[int]) -> None:
    print(json.dumps(values), flush=True)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(TURN)


def reading(app: FrameApp, topic: str, take: Callable[[Any, list[int]], None]) -> None:
    """Have an agent give each frame and its values to `take`."""

    @app.agent(app.frames_topic(topic))  # type: ignore[untyped-decorator]
    async def each(stream: Any) -> None:
        async for event in stream.noack().events():
            take(event.message, [int(record.value) for record in event.value])


async def tell(broker: str, topic: str, home: str) -> None:
    """Print every frame; all are done except those that hold 500, or numbers from 1000 on."""
    app = app_of(broker, topic, home)

    def take(message: Any, values: list[int]) -> None:
        say(values)
        if not any(value == 500 or value >= 1000 for value in values):
            app.frame_done(message)

    reading(app, topic, take)
    await app.start()
    await asyncio.Event().wait()


async def rewound(broker: str, topic: str, home: str) -> None:
    """Go back in partition 0 at any moment while 2,000 records of each are read, in the end to 700."""
    app, random = app_of(broker, topic, home), Random(7)
    starts: set[tuple[int, int]] = set()
    last: dict[int, int] = {}

    def take(message: Any, values: list[int]) -> None:
        starts.add((message.partition, values[0]))
        last[message.partition] = values[-1]
        say([message.partition, *values])
        app.frame_done(message)

    reading(app, topic, take)
    await app.start()
    await until(lambda: bool(last))
    for _ in range(25):
        await app.rewind(TP(topic, 0), random.randrange(2000))
        await asyncio.sleep(random.random() * TURN)
    await app.rewind(TP(topic, 0), 700)
    await until(lambda: (0, 700) in starts and last == {0: 1999, 1: 1999})


async def ordinary(broker: str, topic: str, home: str) -> Any:
    """The consumer of an app that has read 100 records of a topic without frames, and fetches no more."""
    app, seen = app_of(broker, topic, home, framed=False), []

    @app.agent(app.topic(topic, value_type=bytes, value_serializer="raw"))  # type: ignore[untyped-decorator]
    async def each(stream: Any) -> None:
        async for value in stream.noack():
            seen.append(value)

    await app.start()
    await until(lambda: len(seen) == 100)
    await app._stop_fetcher()
    await until(lambda: not fetches(app.consumer))
    return app.consumer


def fetches(consumer: Any) -> set[Any]:
    """The fetches that wait for records in the thread of the consumer."""
    waiting: set[Any] = consumer._thread._consumer._fetcher._fetch_waiters
    return waiting


async def held(broker: str, topic: str, home: str) -> None:
    """Seek as recovery does, while a fetch of a flow that was stopped is held for want of records."""
    consumer = await ordinary(broker, topic, home)

    async def fetched() -> list[int]:
        return [message.offset async for _, message in consumer.getmany(HELD_SECONDS)]

    fetching = asyncio.ensure_future(fetched())
    await until(lambda: bool(fetches(consumer)))
    consumer.stop_flow()
    await consumer.seek_wait({TP(topic, 0): 0})
    found = await fetching
    consumer.resume_flow()
    while found[-1:] != [99]:
        found += await fetched()
    say(found)


async def handed(broker: str, topic: str, home: str) -> None:
    """Seek as recovery does, while a record is being handed over and others of its fetch are yet to be."""
    consumer = await ordinary(broker, topic, home)
    found: list[int] = []

    async def take(message: Any) -> None:
        found.append(message.offset)
        if len(found) == 1:
            await consumer.seek_wait({TP(topic, 0): 0})

    await consumer.seek_wait({TP(topic, 0): 70})
    consumer.callback = take
    await consumer.app._fetcher.start()
    await until(lambda: found[-1:] == [99])
    say(found)


async def waits(broker: str, topic: str, home: str) -> None:
    """How long the broker may hold a fetch: while partition 0 is held back, and when nothing is left to read."""
    app, go, read = app_of(broker, topic, home, stream_buffer_maxsize=1), asyncio.Event(), []

    @app.agent(app.frames_topic(topic))  # type: ignore[untyped-decorator]
    async def each(stream: Any) -> None:
        async for event in stream.noack().events():
            await go.wait()
            read.extend(event.value)
            app.frame_done(event.message)

    def wait() -> int:
        allowed: int = app.consumer._thread._consumer._fetcher._fetch_max_wait_ms
        return allowed

    await app.start()
    await until(lambda: bool(app.consumer._buffered_partitions))
    await asyncio.sleep(HELD_SECONDS)
    say([wait()])
    go.set()
    await until(lambda: len(read) == 2 * 2000)
    await until(lambda: bool(fetches(app.consumer)))
    await asyncio.sleep(HELD_SECONDS)
    say([wait()])


SCENES = {scene.__name__: scene for scene in (tell, rewound, held, handed, waits)}


async def play(name: str, *where: str) -> None:
    """Play a scene and end the process."""
    try:
        await asyncio.wait_for(SCENES[name](*where), 60)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(play(*sys.argv[1:]))
