"""What no port takes: other names in Host, pages of other origins, methods nobody needs, strangers."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from wsgiref.types import StartResponse, WSGIEnvironment

import httpx
import pytest
import uvicorn
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.types import Receive, Scope, Send

from deploy.ports import free_port
from schemas.settings import Settings
from streams.duty.notify.links import make_link, without_links
from streams.http_guard import METHODS, READING, Asked, Guard, basic, guard_of, hosts_of, refused
from streams.http_middleware import Guarded, guarded_wsgi, guarding
from streams.metrics_port import serve

HOSTS = hosts_of("https://duty.example:8443/")
PASSWORD = "a password of tests"
HERE = {"host": "127.0.0.1:18060"}
LINK = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


def status(method: str = "GET", websocket: bool = False, **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    found = refused(HOSTS, Asked(method, "/", HERE | named, websocket))
    return found.status if found else 200


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1:18060",
        "localhost:1",
        "LOCALHOST",
        "[::1]:18060",
        "duty.example",
        "duty.example:443",
    ],
)
def test_the_names_of_this_machine_and_of_the_console_are_answered(host: str) -> None:
    assert status(host=host) == 200


@pytest.mark.parametrize(
    "host",
    [
        "",
        "rebound.example",
        "127.0.0.1.rebound.example",
        "127.0.0.1:80@rebound.example",
        "rebound.example#127.0.0.1",
        "127.0.0.1,rebound.example",
        "127.0.0.1 ",
        "127.0.0.1:port",
        "localhost.",
        "0.0.0.0",
        "127.1",
        "2130706433",
        "[::ffff:127.0.0.1]",
        "xn--lcalhost-n5a",
    ],
)
def test_any_other_name_is_not_ours(host: str) -> None:
    assert status(host=host) == 421


@pytest.mark.parametrize("method", sorted(METHODS))
@pytest.mark.parametrize(
    "origin",
    ["null", "", "http://other.example", "http://127.0.0.1", "http://127.0.0.1:18061", "file://127.0.0.1:18060",
     "http://127.0.0.1:18060.other.example", "http://127.0.0.1:18060,http://127.0.0.1:18060"],
)  # fmt: skip
def test_a_page_of_another_origin_sends_nothing(method: str, origin: str) -> None:
    assert status(method, origin=origin) == 403
    assert status(method, websocket=True, origin=origin) == 403


@pytest.mark.parametrize("method", sorted(METHODS))
def test_our_own_pages_and_programs_send_what_they_like(method: str) -> None:
    assert status(method) == 200
    assert status(method, origin="http://127.0.0.1:18060", sec_fetch_site="same-origin") == 200
    assert (
        status(method, host="duty.example", origin="https://duty.example", sec_fetch_site="same-origin")
        == 200
    )


def test_a_link_from_elsewhere_leads_here_and_no_further() -> None:
    led = {name.replace("-", "_"): value for name, value in LINK.items()}
    assert status("GET", **led) == status("HEAD", **led) == 200
    assert status("POST", **led) == status("DELETE", **led) == 403
    assert status("GET", websocket=True, **led) == 403
    for other in ("iframe", "object", "embed", "image", "script", "empty", ""):
        assert status("GET", **led | {"sec_fetch_dest": other}) == 403
    for other in ("no-cors", "cors", "websocket", "nested-navigate", ""):
        assert status("GET", **led | {"sec_fetch_mode": other}) == 403
    assert status("GET", sec_fetch_site="same-site") == 403


@pytest.mark.parametrize("method", ["TRACE", "TRACK", "CONNECT", "PROPFIND", "get", ""])
def test_other_methods_are_refused(method: str) -> None:
    assert status(method) == 405


@given(st.text(max_size=40))
def test_no_name_but_those_listed_is_ever_taken(host: str) -> None:
    taken = refused(HOSTS, Asked("GET", "/", {"host": host})) is None
    assert not taken or any(host.lower() in (name, f"{name}:{host.rpartition(':')[2]}") for name in HOSTS)


@given(st.text(max_size=60))
def test_no_other_credential_lets_anybody_in(authorization: str) -> None:
    for password in (PASSWORD, ""):
        found = Guard(HOSTS, password).refusal(Asked("GET", "/", HERE | {"authorization": authorization}))
        assert found is not None and found.status == 401


def test_the_password_lets_in_and_an_empty_one_nobody() -> None:
    known = HERE | {"authorization": basic(PASSWORD)}
    guard = Guard(HOSTS, PASSWORD, open=frozenset(("/healthz",)), signed=frozenset(("/take",)))
    assert guard.refusal(Asked("GET", "/", known)) is None
    assert guard.refusal(Asked("GET", "/healthz", HERE)) is None
    assert guard.refusal(Asked("POST", "/take", HERE)) is None
    for method, path in (("GET", "/take"), ("POST", "/healthz"), ("GET", "/healthz/"), ("GET", "/")):
        refusal = guard.refusal(Asked(method, path, HERE))
        assert refusal is not None and refusal.status == 401
    empty = Guard(HOSTS, "")
    assert empty.refusal(Asked("GET", "/", HERE | {"authorization": basic("")})) is not None
    assert "secret" not in repr(guard_of(Settings(console_admin_password="secret"), password=True))


def test_a_link_that_is_shown_acknowledges_nothing() -> None:
    link = make_link("http://127.0.0.1:18060", "key", "17", "zhang", 0)
    said = {"text": f"case 17 {link} now", "many": [link, 5, None], "level": "red"}
    shown = json.dumps(without_links(said), ensure_ascii=False)
    assert link.rpartition("/")[2] not in shown and "http://127.0.0.1:18060/a/… now" in shown
    assert without_links(said)["level"] == "red"


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """The smallest application there is."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"hello"})


@contextmanager
def by_uvicorn(guard: Guard) -> Iterator[str]:
    config = uvicorn.Config(Guarded(hello, guard), port=free_port(), log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            pass
        yield f"http://127.0.0.1:{config.port}"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def by_aiohttp(guard: Guard) -> Iterator[str]:
    async def handle(_: web.Request) -> web.Response:
        return web.Response(text="hello")

    loop, port = asyncio.new_event_loop(), free_port()
    app = web.Application(middlewares=[guarding(guard)])
    app.router.add_route("*", "/", handle)
    runner = web.AppRunner(app)
    loop.run_until_complete(runner.setup())
    loop.run_until_complete(web.TCPSite(runner, "127.0.0.1", port).start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class Hello(Collector):
    """One figure."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield GaugeMetricFamily("hello", "A figure", 1)


@contextmanager
def by_metrics(guard: Guard) -> Iterator[str]:
    port = free_port()
    assert serve(Hello(), port, guard)
    yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("served", [by_uvicorn, by_aiohttp, by_metrics])
def test_every_kind_of_server_refuses_the_same(served: object) -> None:
    guard = Guard(HOSTS, PASSWORD)
    with served(guard) as url, httpx.Client(trust_env=False) as client:  # type: ignore[operator]
        known = {"Authorization": basic(PASSWORD)}
        assert "hello" in client.get(url, headers=known).text
        assert client.get(url).status_code == 401
        assert client.get(url).headers["WWW-Authenticate"].startswith("Basic ")
        assert client.get(url, headers=known | {"Host": "rebound.example"}).status_code == 421
        assert client.get(url, headers=known | {"Origin": "http://other.example"}).status_code == 403
        twice = [*known.items(), ("Origin", url), ("Origin", "http://other.example")]
        assert client.post(url, headers=twice, content=b"x" * 100_000).status_code == 403
        assert client.request("TRACE", url, headers=known).status_code in (400, 405, 501)
        assert client.head(url).content == b""


def test_wsgi_hands_on_what_is_taken() -> None:
    def app(_: WSGIEnvironment, start: StartResponse) -> list[bytes]:
        start("200 OK", [])
        return [b"hello"]

    said: list[str] = []
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "HTTP_HOST": "localhost"}
    answered = guarded_wsgi(app, Guard(HOSTS))(environ, lambda line, _: said.append(line))  # type: ignore[arg-type,return-value]
    assert list(answered) == [b"hello"] and said == ["200 OK"]
    assert METHODS > READING
