"""The duty service: warnings become cases, cases escalate, what changed goes to Kafka, and the API answers."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from random import Random

import uvicorn
from starlette.types import ASGIApp

from schemas.contract import load_contracts
from schemas.errors import Unavailable
from schemas.settings import HOST, Settings
from streams.duty.api.app import make_api
from streams.duty.api.parts import Parts, forget_replies, utc_now
from streams.duty.database import ASK_EVERY
from streams.duty.desk import plan_of
from streams.duty.holes import Holes
from streams.duty.home import open_home
from streams.duty.known_rules import published_at
from streams.duty.leaving import hand_on_of_the_absent
from streams.duty.liveness import Liveness, look_at
from streams.duty.opening import hear
from streams.duty.policy import backoff
from streams.duty.publisher import Publisher
from streams.duty.reader import Read, Reader, sleep
from streams.duty.refusals import Invalid
from streams.duty.roles import publisher_of
from streams.duty.still_open import any_let_go, tell_still_open
from streams.duty.stopping import stop_on_signals
from streams.duty.waiting import advance_due, any_due, shift_of
from streams.http_doors import Guarded
from streams.http_guard import guard_of
from streams.patient_http import CONNECTIONS, PatientProtocol
from streams.watch.rule import load_rules
from streams.worker import start_logging

TICK = 1.0
AT_ONCE = 25
"""Warnings in one transaction, so few that an officer who acknowledges meanwhile does not notice the wait."""
GIVE_WAY = 2 * ASK_EVERY
ROSTER_CHECK = timedelta(hours=1)
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
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # this worker says once that the broker is away
    asyncio.run(_run(settings, utc_now, Random()))


async def _run(settings: Settings, clock: Callable[[], datetime], rng: Random) -> None:
    stop = stop_on_signals()
    listener = listen(settings.duty_port, "LIAOWANG_DUTY_PORT")
    database, desks = open_home(settings, clock())
    rules = load_rules(load_contracts())
    parts = Parts(database, desks, clock, publisher_of(settings, rules), published_at(settings.kafka))
    liveness = Liveness(look_at(settings.kafka))

    def write_down(found: Sequence[Read]) -> int:
        return take(parts, found, rng, liveness)

    reader = Reader(settings, "duty", write_down, _nothing, time.monotonic, rng)
    publisher = Publisher(settings, database, clock, rng, _nothing)
    try:
        async with asyncio.TaskGroup() as group:
            api = Guarded(make_api(parts), guard_of(settings))
            group.create_task(serve(api, listener, stop, settings.trusted_proxy))
            group.create_task(reader.run(stop))
            group.create_task(publisher.run(stop))
            group.create_task(tick(parts, {rule.duty_role for rule in rules}, stop))
    finally:
        database.close()


async def serve(app: ASGIApp, listener: socket.socket, stop: asyncio.Event, proxy: str = "") -> None:
    """Answer on this socket until `stop`; `proxy`: whose `X-Forwarded-…` headers are believed."""
    config = uvicorn.Config(
        app,
        http=PatientProtocol,
        limit_concurrency=CONNECTIONS,
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


def take(parts: Parts, found: Sequence[Read], rng: Random, liveness: Liveness | None = None) -> int:
    """Write warnings down as cases, however long the database may be away: they are not read past.

    With `liveness` those of replays that are not live become none; without it every warning is one of now.

    Some at a time, all by one plan of who is on duty: between two transactions officers have their turn. Where the
    database cannot hold one of them, these are written one by one, and that one is named and passed over.
    """
    new, done, failures, alone = 0, 0, 0, 0
    shift, now, dry = None, parts.clock(), None
    while done < len(found):
        some = found[done : done + (1 if done < alone else AT_ONCE)]
        try:
            if dry is None:
                dry = liveness.dry(each.warning.timeline for each in found) if liveness else frozenset()
            with parts.database.writing() as session:
                shift = shift or shift_of(session, parts.desks.now(), now)
                events = [each.warning for each in some]
                new += hear(session, shift.desk, now, events, shift=shift, dry=dry)
            done, failures = done + len(some), 0
            if done < len(found):
                time.sleep(GIVE_WAY)
        except Invalid as error:
            alone = done + len(some)
            if len(some) == 1:
                _pass_over(some[0], error)
                done += 1
        except Unavailable as error:
            failures += 1
            if failures == 1:
                log.warning("%s; warnings wait", error)
            time.sleep(min(5.0, backoff(failures, rng)))
            shift, now = None, parts.clock()
    return new


def _pass_over(read: Read, error: Exception) -> None:
    """Say which warning becomes no case; a name too long for the database is not one for the log either."""
    episode, why = read.warning.data.episode, str(error).partition("\n")[0]
    log.error("%s: the warning of episode %.200r becomes no case: %s", read.place, episode, why)


async def tick(parts: Parts, roles: Collection[str], stop: asyncio.Event) -> None:
    """Each second advance the cases whose time has come; look for holes in the roster when that changed.

    Accounts that begin or end, overrides and the roster's file change it, and so does time: each hour in any case.
    """
    holes, checked, failures = Holes(), datetime.min.replace(tzinfo=parts.clock().tzinfo), 0
    seen: object = None
    while not stop.is_set():
        try:
            while await asyncio.to_thread(advance_once, parts):
                pass
            while await asyncio.to_thread(tell_once, parts):
                pass
            now = parts.clock()
            here = await asyncio.to_thread(plan_now, parts, now)
            if now - checked >= ROSTER_CHECK or here != seen:
                await asyncio.to_thread(check_roster, parts, holes, roles, now)
                checked, seen = now, here
            failures = 0
        except Unavailable as error:
            failures += 1
            if failures == 1:
                log.warning("%s; escalation waits", error)
        await sleep(TICK, stop, _nothing)


def plan_now(parts: Parts, now: datetime) -> object:
    """What decides who is on duty: the roster, changes and accounts as they stand; equal while nothing changed."""
    with parts.database.reading() as session:
        plan = plan_of(session, parts.desks.now(), now)
    return plan.roster, frozenset(plan.substitutions), plan.able


def advance_once(parts: Parts) -> int:
    """One batch of cases that are due; how many there were."""
    with parts.database.reading() as session:
        if not any_due(session, parts.clock()):
            return 0
    with parts.database.writing() as session:
        return advance_due(session, parts.desks.now(), parts.clock())


def tell_once(parts: Parts) -> int:
    """One batch of what was held back and is not any more; how many notifications these were."""
    with parts.database.reading() as session:
        if not any_let_go(session, parts.clock()):
            return 0
    with parts.database.writing() as session:
        return tell_still_open(session, parts.clock())


def check_roster(parts: Parts, holes: Holes, roles: Collection[str], now: datetime) -> None:
    """Warn of holes as they are now; hand on what ended accounts hold; forget old answers to repeated posts."""
    with parts.database.writing() as session:
        forget_replies(session, now)
        moved = hand_on_of_the_absent(session, parts.desks.now(), now)
        found = holes.warn(session, parts.desks.now(), roles, now)
    if moved:
        log.warning("%d open cases were those of ended accounts and went on to others", len(moved))
    if found:
        log.warning("the roster has %d holes ahead; see liaowang duty holes", found)


def _nothing() -> None:
    """Nothing is to be done."""
