"""A console of its own for tests: real server and database, officers with passwords, warnings of `watch`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa

from deploy.environment import settings_from
from deploy.local.secrets import ensure_secrets
from deploy.ports import free_port
from schemas.contract import load_contracts
from schemas.decoder import Decoder
from schemas.event import encode_event
from schemas.settings import Settings
from streams.console.service import Console, listen, make_server, open_console
from streams.duty.accounts.limits import Limit
from streams.duty.accounts.officers import add_officer, find, set_password
from streams.duty.accounts.rights import Grant
from streams.duty.cases import opening
from streams.duty.database.models import Case, Officer
from streams.duty.home import operator

PASSWORD = "correct horse battery"
PATIENCE = 60.0
NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
GENEROUS = Limit(100_000, 100_000)


@dataclass
class Clock:
    """The real time, moved by what a test asks for; or a moment at which it stands."""

    ahead: timedelta = field(default_factory=timedelta)
    stands: datetime | None = None

    def __call__(self) -> datetime:
        return (self.stands or datetime.now(UTC)) + self.ahead


@dataclass(frozen=True)
class House:
    """A running console: its address, its parts, its time."""

    address: str
    settings: Settings
    console: Console
    clock: Clock

    def officer(self, login: str, role: str, region: str, name: str = "") -> int:
        """An officer with the password of the tests; made where he is not there yet."""
        deps = self.console.deps
        actor = operator("operator:test", "test", deps.regions)
        with deps.database.writing() as session:
            officer = session.scalar(sa.select(Officer).where(Officer.login == login))
            if officer is None:
                grants = [Grant(role, region)]
                officer = add_officer(
                    session,
                    actor,
                    self.clock(),
                    deps.regions,
                    login=login,
                    name=name or login,
                    grants=grants,
                )
            if not officer.password_hash:
                set_password(session, officer, PASSWORD, self.clock())
            return officer.id

    def warn(self, number: int, **how: str) -> int:
        """Let a warning become a case; its number."""
        self.hear([warning(number, **how)])
        return self.case(f"episode-{number}")

    def hear(self, warnings: Sequence[Any]) -> None:
        """Let warnings become cases."""
        with self.console.deps.database.writing() as session:
            opening.hear(session, self.console.deps.desk(), self.clock(), warnings)

    def hear_some(self) -> None:
        """A province with some warnings of every level."""
        counties = [region.code for region in self.console.deps.regions.counties]
        levels = ("red", "orange", "orange", "yellow", "yellow", "blue", "blue", "blue")
        many = (
            warning(n, region=counties[(n * 37) % len(counties)], level=levels[n % 8], subject=f"33{n:04d}A")
            for n in range(1000, 1060)
        )
        self.hear(list(many))

    def case(self, episode: str) -> int:
        """The number of the case of an episode."""
        with self.console.deps.database.reading() as session:
            return session.scalars(sa.select(Case.id).where(Case.episode == episode)).one()

    def stored(self, case: int) -> Case:
        """A case as the database has it."""
        with self.console.deps.database.reading() as session:
            return session.get_one(Case, case)

    def assign(self, case: int, login: str) -> None:
        """Give a case to an officer, without a word of it anywhere."""
        with self.console.deps.database.writing() as session:
            officer = find(session, login)
            session.execute(sa.update(Case).where(Case.id == case).values(assignee_id=officer.id))

    @contextmanager
    def visitor(self, login: str = "", password: str = PASSWORD) -> Iterator[httpx.Client]:
        """An HTTP client, signed in where a login is given."""
        with httpx.Client(base_url=self.address, trust_env=False, timeout=60) as client:
            if login:
                token = self.console.deps.accounts.sign_in(login, password, self.clock())
                client.cookies.set(self.console.deps.cookie, token)
            yield client


def sign_in(
    client: httpx.Client, login: str, password: str = PASSWORD, next_path: str = "/"
) -> httpx.Response:
    """Fill in the form."""
    form = client.get("/sign-in").text
    return client.post(
        "/sign-in",
        data={"csrf": field_of(form, "csrf"), "login": login, "password": password, "next": next_path},
    )


def field_of(page: str, name: str) -> str:
    """The value of a hidden field."""
    return page.split(f'name="{name}" value="', 1)[1].split('"', 1)[0]


def warning(number: int, **how: str) -> Any:
    """A transition as an event of `duty.warning`, decoded as the reader does it."""
    at = datetime.fromisoformat(how.get("at", "2026-03-01T08:00:00+08:00"))
    data = {
        "rule": how.get("rule", "ecology.pm25-high"),
        "rule_version": 1,
        "subject": how.get("subject", f"station-{number}"),
        "region": how.get("region", "330110"),
        "kind": how.get("kind", "opened"),
        "level": how.get("level", "yellow"),
        "previous": None,
        "episode": f"episode-{number}",
        "ordinal": int(how.get("ordinal", "0")),
        "at": at.isoformat(),
        "value": 160.5,
        "threshold": 150.0,
        "evidence": how.get("evidence", '{"topic":"feed.ecology.air-quality","partition":0,"offset":17}'),
        "title": how.get("title", "站点细颗粒物小时浓度超限"),
        "runbook": "核对站点仪器状态与周边站点；排查施工、焚烧与工业排放。",
        "duty_role": how.get("role", "ecology-duty"),
    }
    raw = encode_event(
        id=f"episode-{number}#{how.get('ordinal', '0')}",
        source="/liaowang/watch",
        type="duty.warning.v1",
        time=at,
        data=data,
        timeline=how.get("timeline", ""),
    )
    return decoder().decode(raw)


@cache
def decoder() -> Decoder:
    """The decoder of warnings; the contracts are read once, not for each of ten thousand."""
    return Decoder(load_contracts()["duty.warning"])


def settings_for(home: Path, **more: str) -> Settings:
    """The settings of a fresh home with free ports; nothing else runs there."""
    ensure_secrets(home)
    names = ("CONSOLE", "WAREHOUSE", "WAREHOUSE_HTTP", "KAFKA", "METRICS")
    ports = {f"LIAOWANG_{name}_PORT": str(free_port()) for name in names}
    return settings_from({"LIAOWANG_HOME": str(home), **ports, **more})


@contextmanager
def house_open(settings: Settings, clock: Clock | None = None, requests: Limit = GENEROUS) -> Iterator[House]:
    """A console behind a real server for as long as the block lasts."""
    clock = clock or Clock()
    console = open_console(settings, clock, requests)
    server = make_server(console, settings.trusted_proxy)
    with listen(settings.console_port) as place:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [place]}, daemon=True)
        thread.start()
        try:
            until(lambda: server.started)
            yield House(settings.console, settings, console, clock)
        finally:
            console.deps.hub.stop()
            server.should_exit = True
            thread.join(PATIENCE)
            console.close()


def until(fulfilled: Callable[[], bool]) -> None:
    """Wait for a condition."""
    end = time.monotonic() + PATIENCE
    while not fulfilled():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
