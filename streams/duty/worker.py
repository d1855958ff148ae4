"""The duty service: warnings become cases, cases escalate, what changed goes to Kafka, and the API answers."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from random import Random

import uvicorn
from starlette.types import ASGIApp

from schemas.errors import Unavailable
from schemas.in_use import in_use
from schemas.settings import HOST, Settings
from streams.aside import Aside
from streams.duty.api.app import make_api
from streams.duty.background.advancing import Advancing
from streams.duty.background.case_inbox import CaseInbox
from streams.duty.background.letting_go import LettingGo
from streams.duty.background.roster_check import RosterCheck
from streams.duty.cases.known_rules import published_at
from streams.duty.cases.liveness import Liveness, look_at
from streams.duty.cases.publisher import Publisher
from streams.duty.dependencies import DutyDependencies, utc_now
from streams.duty.faults import SetAside
from streams.duty.heartbeat import Heartbeat
from streams.duty.home import open_home
from streams.duty.inbox.reader import Reader
from streams.duty.shifts.holes import Holes
from streams.duty.shifts.roles import active_rules, publisher_of, roles_of
from streams.duty.together import together
from streams.http_guard import guard_of
from streams.http_middleware import Guarded
from streams.patient_http import PatientProtocol
from streams.retrying import Backoff, Outage, pause
from streams.stopping import stop_on_signals
from streams.waits import Held, Waits, unheld
from streams.watch.publish.active_rules import Live, LiveNames
from streams.worker import heartbeat, start_logging

TICK, LONGEST_PAUSE = 1.0, 10.0
log = logging.getLogger("liaowang.duty")


class Server(uvicorn.Server):
    """uvicorn that leaves the signals to the service."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing is captured."""
        yield


def main(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; a taken port or a database that is away is Unavailable."""
    start_logging()
    for library in ("aiokafka", "kafka"):  # this worker says once that the broker is away
        logging.getLogger(library).setLevel(logging.CRITICAL)
    asyncio.run(_run(settings, utc_now, Random()))


async def _run(settings: Settings, clock: Callable[[], datetime], rng: Random) -> None:
    stop = stop_on_signals()
    listener = listen(settings.duty_port, "LIAOWANG_DUTY_PORT")
    database, desks = open_home(settings, clock())
    active = active_rules(settings)
    await asyncio.to_thread(active.watch)
    rules = Live(lambda: active.now.rules)
    aside = Aside(settings.home, "duty", time.time).add
    beats = Heartbeat(heartbeat(settings, "duty"), time.monotonic, ("reader", "publisher", "escalation"))
    waits = Waits(settings.home, "duty", time.time)
    published = published_at(settings.kafka)
    deps = DutyDependencies(
        database,
        desks,
        clock,
        publisher_of(settings, Live(lambda: active.now.known).values()),
        published,
        still=beats.still,
        rules=rules,
    )
    reader = Reader(
        settings,
        "duty",
        CaseInbox(deps, aside, Liveness(look_at(settings.kafka))),
        _nothing,
        time.monotonic,
        rng,
        keeps="the duty database",
        now=time.time,
        aside=aside,
        beat=beats.of("reader"),
        held=waits.of("reader"),
    )
    publisher = Publisher(
        settings, database, clock, rng,
        aside=aside, beat=beats.of("publisher"), held=waits.of("publisher"),
    )  # fmt: skip
    roles, holes = LiveNames(lambda: roles_of(rules.values())), Holes(in_use(settings).feeds)
    try:
        await together(
            api=serve(Guarded(make_api(deps), guard_of(settings)), listener, stop, settings.trusted_proxy),
            reader=reader.run(stop),
            publisher=publisher.run(stop),
            escalation=tick(
                deps,
                roles,
                stop,
                aside=aside,
                beat=beats.of("escalation"),
                held=waits.of("escalation"),
                holes=holes,
            ),
        )
    finally:
        await asyncio.to_thread(active.close)
        database.close()


async def serve(app: ASGIApp, listener: socket.socket, stop: asyncio.Event, proxy: str = "") -> None:
    """Answer on this socket until `stop`; `proxy`: whose `X-Forwarded-…` headers are believed."""
    config = uvicorn.Config(
        app,
        http=PatientProtocol,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=5,
        server_header=False,
        proxy_headers=bool(proxy),
        forwarded_allow_ips=proxy,
    )
    server = Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    stopping.cancel()
    await serving


def listen(port: int, setting: str) -> socket.socket:
    """A socket on 127.0.0.1; a taken port is Unavailable."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        if error.errno != errno.EADDRINUSE:
            raise
        raise Unavailable(f"port {port} is taken; stop what uses it or set {setting}") from None
    return listener


async def tick(
    deps: DutyDependencies,
    roles: Collection[str],
    stop: asyncio.Event,
    *,
    aside: SetAside,
    beat: Callable[[], None],
    held: Held = unheld,
    holes: Holes | None = None,
) -> None:
    """Each second advance the cases whose time has come, tell what is held back no more, and check the roster.

    What cannot be done for one of them through its own fault is set aside, and the rest goes on.
    """
    outage = Outage(
        log,
        waits="escalation waits",
        over="escalation goes on",
        backoff=Backoff(TICK, LONGEST_PAUSE),
        held=held,
    )
    advancing, letting_go, checking = (
        Advancing(deps, aside),
        LettingGo(deps, aside),
        RosterCheck(deps, roles, aside, holes),
    )
    while not stop.is_set():
        beat()
        seconds = TICK
        try:
            while await asyncio.to_thread(advancing.once):
                beat()
            while await asyncio.to_thread(letting_go.once):
                beat()
            await asyncio.to_thread(checking.once)
            outage.ended()
        except Unavailable as error:
            seconds = outage.failed(error)
        await pause(seconds, stop, beat)


def _nothing() -> None:
    """Nothing is to be done."""
