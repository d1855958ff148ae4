"""The guard before each kind of HTTP server: ASGI, aiohttp, WSGI, http.server. `http_guard.py` decides."""

from __future__ import annotations

from collections.abc import Iterable
from email.message import Message as Headers
from typing import Any, Protocol
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from streams.http_guard import READ, Asked, Guard, Refusal

PLAIN = "text/plain; charset=utf-8"
CLOSE = ("Connection", "close")
"""The rest of a refused request's body is not read, so its connection ends."""
FOREIGN = 1008
"""The code that closes a WebSocket against the rules (RFC 6455); before it opens, it is answered 403."""


class Guarded:
    """An ASGI application behind a guard."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self._app, self._guard = app, guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer why not."""
        refusal = None if scope["type"] == "lifespan" else self._guard.refusal(_of_scope(scope))
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": FOREIGN, "reason": refusal.reason})
        else:
            await answer(refusal, send)


async def answer(refusal: Refusal, send: Send) -> None:
    """Answer a request of ASGI with a refusal; what is left of its body is not read."""
    headers = [(name.lower().encode(), value.encode()) for name, value in (*_headers(refusal), CLOSE)]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": _body(refusal)})


def _of_scope(scope: Scope) -> Asked:
    found: dict[str, str] = {}
    for raw, value in scope["headers"]:
        name = raw.decode("latin-1").lower()
        if name in READ:
            found[name] = _joined(found.get(name), value.decode("latin-1"))
    return Asked(scope.get("method", "GET"), scope["path"], found, scope["type"] == "websocket")


def guarding(guard: Guard) -> Middleware:
    """The middleware of an aiohttp application behind a guard; to be its first one."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        headers = {name: ",".join(request.headers.getall(name)) for name in READ if name in request.headers}
        refusal = guard.refusal(Asked(request.method, request.path, headers))
        if refusal is None:
            return await handler(request)
        response = web.Response(body=_body(refusal), status=refusal.status, headers=dict(_headers(refusal)))
        response.force_close()
        return response

    return middleware


def guarded_wsgi(app: WSGIApplication, guard: Guard) -> WSGIApplication:
    """A WSGI application behind a guard."""

    def application(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        refusal = guard.refusal(_of_environ(environ))
        if refusal is None:
            return app(environ, start)
        start(f"{refusal.status} Refused", list(_headers(refusal)))
        return [_body(refusal)]

    return application


def _of_environ(environ: WSGIEnvironment) -> Asked:
    names = {name: f"HTTP_{name.upper().replace('-', '_')}" for name in READ}
    headers = {name: str(environ[key]) for name, key in names.items() if key in environ}
    return Asked(str(environ["REQUEST_METHOD"]), str(environ.get("PATH_INFO", "")), headers)


class Answering(Protocol):
    """What is needed of a request handler of http.server."""

    command: str
    path: str
    headers: Headers
    wfile: Any

    def send_response(self, code: int, message: str | None = None) -> None:
        """Begin the answer."""

    def send_header(self, keyword: str, value: str) -> None:
        """One header."""

    def end_headers(self) -> None:
        """The headers are done."""


def taken(handler: Answering, guard: Guard) -> bool:
    """Whether a handler of http.server may go on; where not, the answer is given already."""
    headers = {name: ",".join(handler.headers.get_all(name, [])) for name in READ if name in handler.headers}
    path = handler.path.partition("?")[0]
    refusal = guard.refusal(Asked(handler.command, path, headers))
    if refusal is None:
        return True
    handler.send_response(refusal.status)
    for name, value in (*_headers(refusal), CLOSE):
        handler.send_header(name, value)
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(_body(refusal))
    return False


def _joined(before: str | None, value: str) -> str:
    return value if before is None else f"{before},{value}"


def _body(refusal: Refusal) -> bytes:
    return f"{refusal.reason}\n".encode()


def _headers(refusal: Refusal) -> Iterable[tuple[str, str]]:
    """What every refusal says."""
    length = str(len(_body(refusal)))
    fixed = (("Content-Type", PLAIN), ("Content-Length", length), ("Cache-Control", "no-store"))
    return (*refusal.headers, *fixed, ("X-Content-Type-Options", "nosniff"))
