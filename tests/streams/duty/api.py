"""The API as it runs, on a database of a test's own, asked over HTTP by officers of the example roster."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from threading import Thread

import httpx
from fastapi import FastAPI

from deploy.ports import free_port
from schemas.settings import HOST, Settings
from streams.duty.accounts.limits import Limit, Limiter
from streams.duty.accounts.officers import add_officer, add_token, find
from streams.duty.accounts.rights import Grant
from streams.duty.api.app import make_api
from streams.duty.cases.known_rules import Published
from streams.duty.cases.opening import hear
from streams.duty.database.database import Database
from streams.duty.dependencies import DutyDependencies
from streams.duty.rosters.desk import Desk, Desks
from streams.duty.shifts.roles import rules_in_use
from streams.duty.systems.cap_index import Publisher
from streams.duty.worker import listen, serve
from tests.streams.duty.moments import NOW, root, warning

NO_LIMIT = Limit(1_000_000, 1_000_000)


@dataclass
class Clock:
    """A clock that stands where it is put."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


class Api:
    """A running API; `as_` gives a client that bears an officer's token, `bare` one without."""

    def __init__(
        self, database: Database, home: Path, publisher: Publisher | None = None, limit: Limit = NO_LIMIT
    ) -> None:
        self.database, self.clock = database, Clock()
        self.desks = Desks(Settings(home=home))
        limits = {"requests": Limiter(limit), "wrong_tokens": Limiter(limit)}
        self.published: Published = tuple[str]
        told = publisher or Publisher()
        rules = {rule.id: rule for rule in rules_in_use(Settings(home=home))}
        deps = DutyDependencies(
            database, self.desks, self.clock, told, lambda: self.published(), rules=rules, **limits
        )
        self.app = make_api(deps)
        self.url = ""
        self._clients: list[httpx.Client] = []
        self._numbers = count(1)

    @contextmanager
    def running(self) -> Iterator[Api]:
        """Answer on a free port for a while."""
        with served(self.app) as self.url:
            yield self
            for client in self._clients:
                client.close()

    def bare(self, headers: dict[str, str] | None = None) -> httpx.Client:
        client = httpx.Client(base_url=self.url, headers=headers, trust_env=False, timeout=60)
        self._clients.append(client)
        return client

    @property
    def desk(self) -> Desk:
        return self.desks.now()

    def as_(self, login: str) -> httpx.Client:
        return self.bare({"Authorization": f"Bearer {self.token(login)}"})

    def token(self, login: str, scope: str = "api") -> str:
        actor = root(self.desk.regions)
        with self.database.writing() as session:
            secret = f"{login}-{next(self._numbers)}"
            return add_token(session, actor, self.clock.now, find(session, login), secret, scope=scope)

    def officer(self, login: str, role: str, region: str) -> httpx.Client:
        regions = self.desk.regions
        with self.database.writing() as session:
            grants = [Grant(role, region)]
            add_officer(session, root(regions), NOW, regions, login=login, name=login, grants=grants)
        return self.as_(login)

    def warn(self, *episodes: str, **changes: object) -> None:
        """Each episode becomes a case."""
        with self.database.writing() as session:
            hear(session, self.desk, self.clock.now, [warning(each, **changes) for each in episodes])


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """An application answers on a free port, in a thread, as the service runs it."""
    port = free_port()
    listener = listen(port, "LIAOWANG_DUTY_PORT")
    listener.listen()  # what is asked before the server is up waits
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    thread = Thread(target=loop.run_until_complete, args=(serve(app, listener, stop),))
    thread.start()
    try:
        yield f"http://{HOST}:{port}"
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
