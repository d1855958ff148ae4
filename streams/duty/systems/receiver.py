"""A small receiver of pushes: verifies, stores each once, shows them. For trying, not for the duty desk.

What it shows is for `admin` only, and without the links by which officers acknowledge.
"""

from __future__ import annotations

import asyncio
import errno
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from aiohttp import web

from schemas.errors import Misdeclared, Unavailable
from schemas.settings import Settings
from streams import patient_aiohttp
from streams.duty.notify.channels.home import NOTICES
from streams.duty.notify.links import without_links
from streams.duty.notify.signature import KEY_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, complaint
from streams.duty.systems.page import page
from streams.duty.systems.store import Store
from streams.duty.words import header_text
from streams.http_guard import OK, Guard, guard_of, hosts_of
from streams.http_middleware import guarding
from streams.stopping import stop_on_signals
from streams.worker import start_logging

KEY_LENGTH = 512
WARNINGS = "/warnings"
SIGNED = (WARNINGS, NOTICES)
BODY_SECONDS = 20.0
MOST_SHOWN = 10_000
PAGE_ROWS = 200

OnPush = Callable[[dict[str, Any], bool], None]


@dataclass(frozen=True)
class Trouble:
    """How a receiver misbehaves, for trying what a sender does then.

    The first `fail_first` posts and a share of `fail_share` of the others are answered 500 (some after
    the push was stored); each post takes `delay` seconds.
    """

    fail_first: int = 0
    fail_share: float = 0.0
    delay: float = 0.0


class Receiver:
    """The HTTP side of one store."""

    def __init__(
        self,
        store: Store,
        key: str,
        clock: Callable[[], float],
        guard: Guard | None = None,
        *,
        on_push: OnPush | None = None,
        trouble: Trouble | None = None,
        rng: Random | None = None,
        notices: Store | None = None,
    ) -> None:
        """Without a `guard` pushes are taken and shown to nobody."""
        if not key:
            raise Misdeclared("settings", "LIAOWANG_WEBHOOK_KEY", "must be set: pushes are verified with it")
        self._store, self._key, self._clock = store, key, clock
        self._notices = notices or store
        self._guard = guard or Guard(hosts_of(), password="", signed=frozenset(SIGNED))
        self._on_push, self._trouble, self._rng = on_push, trouble or Trouble(), rng or Random(0)
        self.posts = 0

    def app(self) -> web.Application:
        """The application with its routes."""
        app = web.Application(client_max_size=64 * 1024, middlewares=[guarding(self._guard)])
        app.add_routes(
            [
                web.post(WARNINGS, self._take),
                web.post(NOTICES, self._take),
                web.get("/pushes", self._list),
                web.get(NOTICES, self._list),
                web.get("/healthz", self._health),
                web.get("/", self._page),
            ]
        )
        return app

    async def _take(self, request: web.Request) -> web.Response:
        self.posts += 1
        if self._trouble.delay:
            await asyncio.sleep(self._trouble.delay)
        if self.posts <= self._trouble.fail_first:
            return web.json_response({"error": "out of order, on purpose"}, status=500)
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await request.read()
        except TimeoutError:
            return web.json_response({"error": f"the body did not come in {BODY_SECONDS:.0f} s"}, status=408)
        status, error = self._refusal(request, body)
        if error:
            return web.json_response({"error": error}, status=status)
        unlucky = self._rng.random() < self._trouble.fail_share
        if unlucky and self._rng.random() < 0.5:
            return web.json_response({"error": "out of order, on purpose"}, status=500)
        new = self._of(request).put(header_text(request.headers[KEY_HEADER]), body, self._clock())
        if self._on_push:
            self._on_push(json.loads(body), new)
        if unlucky:
            return web.json_response({"error": "stored, but the answer is lost, on purpose"}, status=500)
        return web.json_response({"duplicate": not new})

    def _refusal(self, request: web.Request, body: bytes) -> tuple[int, str]:
        """Status and reason, the reason empty where the push is taken."""
        headers = request.headers
        key = headers.get(KEY_HEADER, "")
        if not 0 < len(key) <= KEY_LENGTH or not _is_text(key):
            return 400, f"{KEY_HEADER} must be given, in at most {KEY_LENGTH} characters"
        doubt = complaint(
            self._key,
            headers.get(TIMESTAMP_HEADER, ""),
            headers.get(SIGNATURE_HEADER, ""),
            body,
            self._clock(),
        )
        if doubt:
            return 401, doubt
        try:
            push = json.loads(body)
        except (ValueError, RecursionError):
            return 400, "the body is not JSON"
        return (0, "") if isinstance(push, dict) else (400, "the body is no JSON object")

    async def _list(self, request: web.Request) -> web.Response:
        text = request.query.get("limit", "100")
        if not (text.isascii() and text.isdigit()):
            return web.json_response({"error": "limit must be a whole number"}, status=400)
        found = self._of(request).newest(min(int(text[:9]), MOST_SHOWN))
        return web.json_response([{**each, "push": without_links(each["push"])} for each in found])

    def _of(self, request: web.Request) -> Store:
        """Messages to officers are kept apart from the pushes of all transitions."""
        return self._notices if request.path == NOTICES else self._store

    async def _health(self, request: web.Request) -> web.Response:
        if not self._guard.knows(request.headers.get("Authorization", "")):
            return web.json_response(OK)
        pushes, copies = self._store.count()
        return web.json_response({**OK, "pushes": pushes, "copies": copies})

    async def _page(self, request: web.Request) -> web.Response:
        pushes, copies = self._store.count()
        text = page(pushes, copies, self._store.newest(PAGE_ROWS))
        return web.Response(text=text, content_type="text/html")


def _is_text(key: str) -> bool:
    """Whether the bytes of a header were UTF-8."""
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True


@asynccontextmanager
async def serving(receiver: Receiver, port: int) -> AsyncIterator[int]:
    """Serve on 127.0.0.1 (port 0: a free one) and give the port; a taken port is Unavailable."""
    try:
        async with patient_aiohttp.serving(receiver.app(), port, shutdown=5.0) as found:
            yield found
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        message = f"port {port} is taken; stop what uses it or set LIAOWANG_RECEIVER_PORT"
        raise Unavailable(message) from None


def store_path(settings: Settings) -> Path:
    """What the receiver of this home has got."""
    return settings.home / "duty" / "receiver.sqlite"


def main(settings: Settings) -> None:
    """Receive pushes until SIGTERM or SIGINT."""
    start_logging()
    receive(settings)


def receive(settings: Settings, on_push: OnPush | None = None, trouble: Trouble | None = None) -> None:
    """Receive pushes in the foreground; `on_push` is told of each, with whether it is new."""
    asyncio.run(_receive(settings, on_push, trouble))


async def _receive(settings: Settings, on_push: OnPush | None, trouble: Trouble | None) -> None:
    stop = stop_on_signals()
    store, notices = Store(store_path(settings)), Store(store_path(settings).with_name("notices.sqlite"))
    try:
        receiver = Receiver(
            store,
            settings.webhook_key,
            time.time,
            guard_of(settings, password=True, signed=SIGNED),
            on_push=on_push,
            trouble=trouble,
            rng=Random(),
            notices=notices,
        )
        async with serving(receiver, settings.receiver_port):
            await stop.wait()
    finally:
        store.close()
        notices.close()
