"""The console as one ASGI application: routes, security headers, refusals, and the API beside the pages."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from schemas.errors import Unavailable
from streams.console import acknowledge, cases, duties, pipeline, replays, ruling, screen, signing
from streams.console.access import Guest, Visit, go, guest_of, language_of, page
from streams.console.dependencies import ConsoleDependencies
from streams.console.headers import SecurityHeaders
from streams.console.live import Sees
from streams.console.rendering import STATIC
from streams.duty.accounts.rights import Actor, sees
from streams.http_guard import OK, UNWELL, Guard
from streams.http_middleware import Guarded

log = logging.getLogger("liaowang.console")

YEAR = 31_536_000


class Stamped(StaticFiles):
    """Static files; their addresses change with their content, so browsers may keep them."""

    def file_response(self, *args: object, **how: object) -> Response:
        """The file, to be kept for a year."""
        reply = super().file_response(*args, **how)  # type: ignore[arg-type]
        reply.headers["Cache-Control"] = f"public, max-age={YEAR}, immutable"
        return reply


def make_console(deps: ConsoleDependencies, guard: Guard, api: ASGIApp | None = None) -> Starlette:
    """The application behind its guard; `api` answers below /api/v1."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        watching = asyncio.create_task(deps.hub.run())
        try:
            yield
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching

    identity = deps.provider.origin if deps.provider is not None else ""
    return Starlette(
        routes=_routes(deps, api),
        middleware=[
            Middleware(SecurityHeaders, identity=identity),
            Middleware(Guarded, guard=guard),
        ],
        exception_handlers={HTTPException: _refusal(deps), Exception: _fault(deps)},
        lifespan=lifespan,
    )


def _routes(deps: ConsoleDependencies, api: ASGIApp | None) -> list[BaseRoute]:
    pages = (signing, cases, replays, screen, duties, ruling, pipeline, acknowledge)
    made: list[BaseRoute] = [
        Route("/", page(deps, _home)),
        Route("/healthz", _health(deps)),
        Route("/events", _events(deps)),
        Mount("/static", Stamped(directory=STATIC)),
        *(route for module in pages for route in module.routes(deps)),
    ]
    return made if api is None else [*made, Route("/api/v1/{path:path}", _Whole(api))]


class _Whole:
    """Hands a request over to another application as it is, path and all."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


def _home(_: Visit) -> Response:
    return go("/cases")


def _events(deps: ConsoleDependencies):  # type: ignore[no-untyped-def]
    """The stream of changes, for those who are signed in."""

    async def events(request: Request) -> Response:
        try:
            guest = await run_in_threadpool(guest_of, deps, request, used=False)
        except Unavailable:
            return JSONResponse({"error": "the duty database is away"}, 503, {"Retry-After": "2"})
        if guest.visitor is None:
            return JSONResponse({"error": "sign in first"}, 401)
        headers = {"X-Accel-Buffering": "no"}
        stream = deps.hub.listen(partial(_sees, deps, request))
        return StreamingResponse(stream, media_type="text/event-stream", headers=headers)

    return events


async def _sees(deps: ConsoleDependencies, request: Request) -> Sees | None:
    """Which cases a browser may hear of, as its officer's roles are now; None where he is signed in no more."""
    try:
        visitor = (await run_in_threadpool(guest_of, deps, request, used=False)).visitor
    except Unavailable:
        return None
    if visitor is None:
        return None
    actor = Actor(visitor.login, "events", visitor.officer_id, visitor.grants)
    return lambda it: sees(actor, it.role, it.region, it.assignee, deps.regions)


def _health(deps: ConsoleDependencies):  # type: ignore[no-untyped-def]
    """Well as long as the duty database answers; the warehouse may be away."""

    def health(_: Request) -> Response:
        try:
            with deps.database.reading() as session:
                session.connection()
        except Unavailable as error:
            log.warning("the duty database is away: %s", error)
            return JSONResponse(UNWELL, 503)
        return JSONResponse(OK)

    return health


def _refusal(deps: ConsoleDependencies):  # type: ignore[no-untyped-def]
    """A page for what is not there or not taken; a foreign or stale form is one of them."""

    def handle(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        words = deps.words[language_of(request)]
        heading, text = words("bad_request"), words("forbidden_text")
        if error.status_code in (404, 405):
            heading, text = words("not_found"), words("not_found_text")
        if error.status_code == 413:
            heading, text = words("refused_413"), words("refused_413")
        reply = Guest(deps, request, words, deps.clock()).message(heading, text, error.status_code)
        reply.headers.update(error.headers or {})
        return reply

    return handle


def _fault(deps: ConsoleDependencies):  # type: ignore[no-untyped-def]
    """A page for our own mistakes; the log has the rest."""

    def handle(request: Request, error: Exception) -> Response:
        log.error("%s %s", request.method, request.url.path, exc_info=error)
        words = deps.words[language_of(request)]
        return Guest(deps, request, words, deps.clock()).message(words("fault"), words("fault_text"), 500)

    return handle
