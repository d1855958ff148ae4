"""Parts shared by the tests of pushes: warnings, a fast clock, receivers of their own, plain HTTP answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from aiohttp import web

from schemas.event import encode_event
from schemas.levels import LEVELS
from streams.duty.systems.courier import Courier
from streams.duty.systems.outbox import Outbox
from streams.duty.systems.push import Push
from streams.duty.systems.webhook import Webhook
from streams.waits import Held, unheld

KEY = "a key for tests"
SPEED = 20.0
PATIENCE = 60.0
Aside = list[tuple[str, str]]
"""What was set aside, and why."""


def fast_clock() -> Callable[[], float]:
    """A clock that runs twenty times as fast as the real one, so that back-off takes no time to test."""
    start = time.time()
    return lambda: start + SPEED * (time.time() - start)


def warning(number: int, level: str = "yellow", kind: str = "opened", timeline: str = "") -> bytes:
    """A transition as `watch` writes it; the number makes its id."""
    at = datetime(2026, 3, 1, 8, tzinfo=UTC)
    data = {
        "rule": "ecology.pm25-high",
        "rule_version": 1,
        "subject": f"station-{number}",
        "region": "330110",
        "kind": kind,
        "level": level,
        "previous": None,
        "episode": f"episode-{number}",
        "ordinal": 0,
        "at": at.isoformat(),
        "value": 160.5,
        "threshold": 150.0,
        "evidence": '{"topic":"feed.ecology.air-quality","partition":0,"offset":17}',
        "title": "PM2.5 细颗粒物 is high",
        "runbook": "Ask the station.",
        "duty_role": "ecology-duty",
    }
    return encode_event(
        id=f"w-{number}",
        source="/liaowang/watch",
        type="duty.warning.v1",
        time=at,
        data=data,
        timeline=timeline,
    )


def push(number: int, level: str = "yellow") -> Push:
    """A push without much to say."""
    return Push(f"w-{number}", level, b'{"level":"%s","title":"number %d"}' % (level.encode(), number))


def mixed_pushes(number: int) -> list[Push]:
    """Pushes of all levels in turn."""
    return [push(n, LEVELS[-1 - n % 4]) for n in range(number)]


@dataclass
class Desk:
    """A receiver that answers as it is told (status and headers, by number of the post) and remembers."""

    answer: Callable[[int], tuple[int, dict[str, str]]] = lambda _: (200, {})
    keys: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        self.keys.append(request.headers["Idempotency-Key"])
        self.times.append(time.time())
        status, headers = self.answer(len(self.keys))
        return web.Response(status=status, headers=headers, text="so says the desk")


@asynccontextmanager
async def desk_open(desk: Desk, port: int = 0) -> AsyncIterator[int]:
    """The desk behind a real HTTP server; gives its port."""
    app = web.Application()
    app.add_routes([web.post("/warnings", desk.take)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def delivering(
    outbox: Outbox,
    port: int,
    clock: Callable[[], float],
    timeout: float = 10.0,
    concurrency: int = 8,
    aside: Aside | None = None,
    held: Held = unheld,
    answered: Held = unheld,
) -> AsyncIterator[Courier]:
    """A courier at work on the outbox for as long as the block lasts; what it sets aside goes to `aside`."""
    stop = asyncio.Event()
    aside = [] if aside is None else aside
    async with Webhook(f"http://127.0.0.1:{port}/warnings", KEY, concurrency, timeout) as webhook:
        courier = Courier(
            outbox,
            webhook,
            clock,
            Random(1),
            concurrency,
            aside=lambda what, why: aside.append((what, why)),
            beat=lambda: None,
            held=held,
            answered=answered,
        )
        running = asyncio.create_task(courier.run(stop))
        try:
            yield courier
        finally:
            stop.set()
            await asyncio.wait_for(running, PATIENCE)


async def until(fulfilled: Callable[[], bool]) -> None:
    """Wait for a condition; fails after a minute."""
    end = time.monotonic() + PATIENCE
    while not fulfilled():
        assert time.monotonic() < end, "waited in vain"
        await asyncio.sleep(0.02)


def in_outbox(path: Path, work: Callable[[Outbox], Awaitable[None]]) -> None:
    """Run async work on a new outbox and let go of it."""
    outbox = Outbox(path / "outbox.sqlite")
    try:
        asyncio.run(_awaited(work(outbox)))
    finally:
        outbox.close()


async def _awaited(work: Awaitable[None]) -> None:
    await work
