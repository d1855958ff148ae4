"""The service `console`: puts the parts together, serves pages and API on 127.0.0.1 until told to stop."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from types import FrameType

import httpx
import sqlalchemy as sa
import uvicorn
from starlette.types import ASGIApp

from schemas.contract import Contract, load_contracts
from schemas.errors import Misdeclared, Unavailable
from schemas.in_use import in_use
from schemas.settings import HOST, Settings
from streams.bounded import Bound, Places, Shares
from streams.console import facts, meters
from streams.console.accounts import Accounts
from streams.console.app import make_console
from streams.console.behind import DepartmentsNow
from streams.console.cached import Cached
from streams.console.dependencies import ConsoleDependencies
from streams.console.forms import FORM_SECONDS
from streams.console.i18n import load_words
from streams.console.live import Hub, Touched
from streams.console.oidc import Client, Provider
from streams.console.pauses import Pauses
from streams.console.reading import Reading, probe_port
from streams.console.rendering import environment
from streams.console.reviewed import reviews
from streams.console.tiles import load_tiles
from streams.duty.accounts.limits import Limit, Limiter
from streams.duty.accounts.officers import add_officer, set_password
from streams.duty.accounts.rights import ADMIN, Grant
from streams.duty.api.app import make_api
from streams.duty.cases import queries
from streams.duty.cases.known_rules import published_at
from streams.duty.database.database import Database
from streams.duty.database.models import Case, Officer
from streams.duty.database.sequence import visible_up_to
from streams.duty.dependencies import DutyDependencies
from streams.duty.home import open_home, operator
from streams.duty.rosters.desk import Desks
from streams.duty.shifts.roles import active_rules, publisher_of
from streams.http_guard import basic, guard_of
from streams.land.broker import administration, describe
from streams.patient_http import PatientProtocol
from streams.watch.publish.active_rules import Live
from streams.worker import start_logging

log = logging.getLogger("liaowang.console")

ADMINISTRATOR = "admin"
STANDINGS_SECONDS, FEEDS_SECONDS, TRUST_SECONDS, METERS_SECONDS = 30.0, 10.0, 30.0, 5.0
REQUESTS, TAPS = Limit(300, 1200), Limit(20, 20)
SIGN_INS, PLACE_SIGN_INS = Limit(10, 10), Limit(120, 120)
"""Tries to sign in of one login from one place, and of all logins there."""
STOP_SECONDS = 3
HASHING, HASHING_WAIT, HASHING_SECONDS = 2, 20, 10.0
"""Passwords that are looked at at once (each takes 64 MiB), sign-ins that wait for it, and for how long. One more
for browsers that are known."""
FILES = Bound(2, 4, FORM_SECONDS), Bound(16, 32, FORM_SECONDS)
"""Files that come at once, of one officer and of all."""
REFRESH_SLOTS, QUERY_SLOTS = 2, 4
SWITCH_SECONDS = 0.0005
"""How long a thread that computes keeps others waiting: a request waits so after each question to the database, at
Python's own 5 ms longer than all its work takes."""


@dataclass(frozen=True)
class Console:
    """A console that is put together; to be closed after use."""

    app: ASGIApp
    deps: ConsoleDependencies
    close: Callable[[], None]


def open_console(settings: Settings, clock: Callable[[], datetime], requests: Limit = REQUESTS) -> Console:
    """The console of a home; its database is made and the first account, where they are missing."""
    if not settings.console_key:
        raise Misdeclared("settings", "LIAOWANG_CONSOLE_KEY", "must be given; liaowang up makes it")
    database, desks = open_home(settings, clock())
    ensure_administrator(settings, database, desks, clock())
    contracts, departments = load_contracts(in_use(settings).feeds), DepartmentsNow(settings)
    active = active_rules(settings)
    active.watch()
    rules, known = Live(lambda: active.now.rules), Live(lambda: active.now.known)
    service = Reading(settings.warehouse("service"), time.time)
    mart = Reading(settings.warehouse("bi"), time.time)
    http = httpx.Client(timeout=5.0, trust_env=False)
    secret = basic(settings.console_admin_password)
    executor = ThreadPoolExecutor(3, "console-facts")
    regions = desks.now().regions
    metrics = f"http://{HOST}:{settings.metrics_port}/metrics"
    deps = ConsoleDependencies(
        database=database,
        desk=desks.now,
        accounts=Accounts(database),
        words=load_words(),
        templates=environment(),
        regions=regions,
        rules=rules,
        known=known,
        contracts=contracts,
        departments=departments,
        tiles=load_tiles(regions),
        service=service,
        mart=mart,
        standings=Cached(partial(facts.standings, mart), STANDINGS_SECONDS, time.time, executor),
        feeds=Cached(
            partial(_feeds, settings, service, contracts, departments), FEEDS_SECONDS, time.time, executor
        ),
        trust=Cached(partial(facts.trust, service, mart), TRUST_SECONDS, time.time, executor),
        meters=Cached(partial(meters.read, http, metrics, secret), METERS_SECONDS, time.time, executor),
        reviews=Cached(partial(reviews, mart), TRUST_SECONDS, time.time, executor),
        hub=Hub(partial(changes, database)),
        refresh_slots=asyncio.Semaphore(REFRESH_SLOTS),
        query_slots=asyncio.Semaphore(QUERY_SLOTS),
        requests=Limiter(requests),
        sign_ins=Limiter(SIGN_INS),
        places=Limiter(PLACE_SIGN_INS),
        taps=Limiter(TAPS),
        pauses=Pauses(),
        hashing=Places(HASHING, HASHING_WAIT, HASHING_SECONDS),
        known_hashing=Places(1, HASHING_WAIT, HASHING_SECONDS),
        files=Shares(*FILES),
        clock=clock,
        key=settings.console_key,
        cookie=f"liaowang_session_{settings.console_port}",
        provider=_provider(settings, http),
    )
    api = make_api(
        DutyDependencies(
            database,
            desks,
            clock,
            publisher_of(settings, known.values()),
            published_at(settings.kafka),
            rules=rules,
        )
    )

    def close() -> None:
        active.close()
        executor.shutdown(cancel_futures=True)
        http.close()
        service.close()
        mart.close()
        database.close()

    return Console(make_console(deps, guard_of(settings), api), deps, close)


def ensure_administrator(settings: Settings, database: Database, desks: Desks, now: datetime) -> None:
    """The account `admin` with the password of the secrets, made where nobody may administer yet."""
    if not settings.console_admin_password:
        return
    regions = desks.now().regions
    actor = operator("operator:first start", "first start", regions)
    with database.writing() as session:
        officer = session.scalar(sa.select(Officer).where(Officer.login == ADMINISTRATOR))
        if officer is None:
            grants = [Grant(ADMIN, regions.province.code)]
            officer = add_officer(
                session, actor, now, regions, login=ADMINISTRATOR, name="管理员", grants=grants
            )
        if not officer.password_hash:
            set_password(session, officer, settings.console_admin_password, now)
            log.info("account %s: its password is LIAOWANG_CONSOLE_ADMIN_PASSWORD", ADMINISTRATOR)


def changes(database: Database, seq: int | None) -> tuple[int, tuple[Touched, ...]]:
    """The newest audit entry, and the cases changed since `seq`."""
    with database.reading() as session:
        if seq is None:
            return visible_up_to(session), ()
        latest, cases = queries.changes_since(session, seq)
        wanted = sa.select(Case.id, Case.role, Case.region, Case.assignee_id).where(Case.id.in_(cases))
        return latest, tuple(Touched(*row) for row in session.execute(wanted))


def _feeds(
    settings: Settings, service: Reading, contracts: dict[str, Contract], departments: DepartmentsNow
) -> tuple[facts.FeedState, ...]:
    """Every feed; without lag while the broker is away."""
    topics = sorted({contract.topic for contract in contracts.values()})
    ends: dict[tuple[str, int], int] | None = None
    try:
        probe_port(HOST, settings.kafka_port)
        with administration(settings.kafka) as admin:
            found = describe(admin, topics)
        ends = {(t.name, partition): end for t in found for partition, (_, end) in t.offsets.items()}
    except (Unavailable, OSError) as error:
        log.warning("lag is not known: %s", error)
    return facts.feed_states(service, contracts, ends, departments())


def _provider(settings: Settings, http: httpx.Client) -> Provider | None:
    if not settings.oidc_issuer:
        return None
    client = Client(
        issuer=settings.oidc_issuer,
        id=settings.oidc_client_id,
        secret=settings.oidc_client_secret,
        redirect=f"{settings.console}/oidc/callback",
        claim=settings.oidc_claim,
    )
    return Provider(client, http)


class Server(uvicorn.Server):
    """A server that ends the streams of live pages when it is told to stop; else it would wait for them."""

    def __init__(self, config: uvicorn.Config, deps: ConsoleDependencies) -> None:
        super().__init__(config)
        self._deps = deps

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM or SIGINT came."""
        self._deps.hub.stop()
        super().handle_exit(sig, frame)


def make_server(console: Console, proxy: str = "") -> Server:
    """The server of a console, without a socket yet; `proxy`: whose `X-Forwarded-…` headers are believed."""
    config = uvicorn.Config(
        console.app,
        http=PatientProtocol,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(proxy),
        forwarded_allow_ips=proxy,
        lifespan="on",
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    return Server(config, console.deps)


def listen(port: int) -> socket.socket:
    """A socket on 127.0.0.1; a taken port is Unavailable."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((HOST, port))
    except OSError as error:
        made.close()
        if error.errno != errno.EADDRINUSE:
            raise
        message = f"port {port} is taken; stop what uses it or set LIAOWANG_CONSOLE_PORT"
        raise Unavailable(message) from None
    return made


def main(settings: Settings) -> None:
    """Serve the console until SIGTERM or SIGINT."""
    start_logging()
    sys.setswitchinterval(SWITCH_SECONDS)
    logging.getLogger("kafka").setLevel(
        logging.CRITICAL
    )  # the console says by itself that the broker is away
    with listen(settings.console_port) as place:
        console = open_console(settings, partial(datetime.now, UTC))
        try:
            make_server(console, settings.trusted_proxy).run(sockets=[place])
        finally:
            console.close()
