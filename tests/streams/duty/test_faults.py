"""All faults at once: both services killed again and again, receivers down, slow, or failing half the time."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from random import Random
from threading import Thread

import pytest
import sqlalchemy as sa
from aiohttp import web
from kafka import KafkaProducer

from deploy.ports import free_port
from schemas.regions import Regions
from schemas.settings import HOST, Settings
from schemas.topics import WARNINGS
from streams.duty.database.models import Case, Notification
from streams.duty.home import open_database
from streams.duty.notify.signature import KEY_HEADER
from streams.duty.push_worker import outbox_path
from streams.duty.rosters.desk import EXAMPLE
from streams.duty.systems.outbox import Outbox
from tests.programs import process, program, until
from tests.streams.duty.moments import warning_bytes
from tests.streams.duty.test_service import home, number

__all__ = ["home"]
pytestmark = pytest.mark.stack

WARNED, KILLS = 120, 4
BAD_LUCK = 4
"""So often one message is refused at most: the pause after each refusal is twice the one before."""
CHANNELS = ("half", "slow", "late")
PROGRAMS = ("streams.duty.worker", "streams.duty.push_worker")


@dataclass
class Receivers:
    """One server for all but the late one; what each path has taken, by key, with the bodies of the copies."""

    rng: Random
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    taken: dict[str, Counter[str]] = field(default_factory=dict)
    bodies: dict[tuple[str, str], set[bytes]] = field(default_factory=dict)

    async def take(self, request: web.Request) -> web.Response:
        path, key, body = request.path.strip("/"), request.headers[KEY_HEADER], await request.read()
        if path == "slow":
            await asyncio.sleep(0.2)
        if path in ("half", "pushes") and self.refused[path, key] < BAD_LUCK and self.rng.random() < 0.5:
            self.refused[path, key] += 1
            return web.Response(status=500)
        self.taken.setdefault(path, Counter())[key] += 1
        said = {k: v for k, v in json.loads(body).items() if k != "url"}  # a link is signed anew
        self.bodies.setdefault((path, key), set()).add(json.dumps(said, sort_keys=True).encode())
        return web.Response()

    @contextmanager
    def serving(self, port: int) -> Iterator[None]:
        """Answer on this port while the block lasts."""
        loop = asyncio.new_event_loop()

        async def start() -> web.AppRunner:
            app = web.Application()
            app.add_routes([web.post("/{path}", self.take)])
            runner = web.AppRunner(app, access_log=None)
            await runner.setup()
            await web.TCPSite(runner, HOST, port).start()
            return runner

        runner = loop.run_until_complete(start())
        thread = Thread(target=loop.run_forever)
        thread.start()
        try:
            yield
        finally:
            asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(30)
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()


@contextmanager
def programs(settings: Settings) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Both services as processes, killed at the end without a warning."""
    log = settings.home / "programs.log"
    with ExitStack() as stack:
        yield [stack.enter_context(process(settings, program(name), log)) for name in PROGRAMS]


def declare(settings: Settings, port: int, late: int) -> None:
    """Three channels, to all of which the first step of every chain tells."""
    folder = settings.home / "duty"
    folder.mkdir(exist_ok=True)
    there = {name: f"http://{HOST}:{late if name == 'late' else port}/{name}" for name in CHANNELS}
    lines = [f'  {name}: {{kind: webhook, url: "{url}"}}' for name, url in there.items()]
    (folder / "channels.yaml").write_text("channels:\n" + "\n".join(lines) + "\n")
    roster = (EXAMPLE / "roster.yaml").read_text(encoding="utf-8")
    told = roster.replace("channels: [webhook]", f"channels: [{', '.join(CHANNELS)}]")
    (folder / "roster.yaml").write_text(told, encoding="utf-8")


def test_whatever_dies_or_fails_meanwhile_every_warning_arrives_and_the_outboxes_drain(
    home: Settings, regions: Regions
) -> None:
    port, late = free_port(), free_port()
    settings = replace(
        home, webhook_url=f"http://{HOST}:{port}/pushes", webhook_key="key", console_key="another key"
    )
    declare(settings, port, late)
    database, there, rng = (
        open_database(settings, datetime.now(UTC), regions),
        Receivers(Random(1)),
        Random(2),
    )
    producer = KafkaProducer(bootstrap_servers=settings.kafka, acks="all")
    levels = ("red", "orange", "yellow", "blue")
    with there.serving(port):
        for kill in range(KILLS):
            for n in range(kill * WARNED // KILLS, (kill + 1) * WARNED // KILLS):
                value = warning_bytes(f"e{n}", level=levels[n % 4])
                producer.send(WARNINGS, key=f"e{n}".encode(), value=value)
            producer.flush()
            before = sum(there.taken.get("half", Counter()).values())
            more = rng.randrange(1, 15)
            with programs(settings):
                until(
                    lambda: sum(there.taken.get("half", Counter()).values()) >= before + more,  # noqa: B023
                    "something is delivered before the kill",
                )
        with programs(settings):
            until(lambda: number(database, Case) == WARNED, "every warning is a case")
            with there.serving(late):
                pending = Notification.state == "pending"
                until(lambda: number(database, Notification, pending) == 0, "all officers are told", 200)
                until(lambda: outbox_counts(settings)["pending"] == 0, "the outbox drains")
    with database.reading() as session:
        rows = session.execute(sa.select(Notification.key, Notification.channel, Notification.state)).all()
    assert {state for _, _, state in rows} == {"delivered"}
    for channel in CHANNELS:
        assert set(there.taken[channel]) == {key for key, of, _ in rows if of == channel}
    assert len(there.taken["pushes"]) == WARNED
    assert outbox_counts(settings) == {"pending": 0, "delivered": WARNED, "dead": 0}
    assert all(len(copies) == 1 for copies in there.bodies.values()), "a copy says what the first one said"
    assert "Traceback" not in (settings.home / "programs.log").read_text()
    database.close()


def outbox_counts(settings: Settings) -> dict[str, int]:
    outbox = Outbox(outbox_path(settings))
    try:
        return outbox.counts()
    finally:
        outbox.close()
