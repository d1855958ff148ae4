"""Dagster's webserver behind our guard: for `admin` only, and nothing changes but by a POST from its own pages.

Dagster itself asks nobody who he is, and runs mutations by GET from any page. `python -m deploy.local.dagster_web`
is its command `dagster-webserver` with a door.
"""

from __future__ import annotations

import logging

import uvicorn
from dagster import DagsterInstance
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster_webserver.app import create_app_from_workspace_process_context
from dagster_webserver.version import __version__
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from deploy.environment import load_settings
from deploy.local.dagster import target
from schemas.settings import HOST, Settings
from streams.http_guard import HEALTH, OK, Refusal, guard_of
from streams.http_middleware import Guarded, answer
from streams.patient_http import PatientProtocol

GRAPHQL = "/graphql"
POLL_MILLISECONDS = 2000
STATEMENT_MILLISECONDS, RECYCLE_SECONDS, OVERFLOW = 15_000, 3600, 20
"""As the command sets them: how long a statement may take, how long a connection is kept, how many there are."""


class Posted:
    """Lets GraphQL through only as Dagster's own pages send it: as JSON by POST, or over their WebSocket."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer why not."""
        refusal = posted(scope) if scope["type"] == "http" else None
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await answer(refusal, send)


def posted(scope: Scope) -> Refusal | None:
    """Why a request of HTTP must not reach GraphQL; None where it may, or is for something else."""
    if scope["path"].rstrip("/") != GRAPHQL:
        return None
    headers = Headers(scope=scope)
    if scope["method"] == "POST":
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        return None if kind == "application/json" else Refusal(415, "send GraphQL as application/json")
    if scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
        return None  # the page to try queries in: it is answered whatever the address says, and runs nothing
    return Refusal(405, "send GraphQL by POST", (("Allow", "POST"),))


class Healthy:
    """Says that the server is up, to everybody; Dagster's own answer to that tells its versions."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass the request on."""
        app = JSONResponse(OK) if scope["type"] == "http" and scope["path"] == HEALTH else self._app
        await app(scope, receive, send)


def guarded(app: ASGIApp, settings: Settings) -> ASGIApp:
    """Dagster's application behind the guard; whether it is up may be asked by everybody."""
    return Guarded(Healthy(Posted(app)), guard_of(settings, password=True))


def main(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    with DagsterInstance.get() as instance:
        instance.optimize_for_webserver(STATEMENT_MILLISECONDS, RECYCLE_SECONDS, OVERFLOW)
        with WorkspaceProcessContext(instance, target(settings), version=__version__) as context:
            app = create_app_from_workspace_process_context(context, "", POLL_MILLISECONDS)
            uvicorn.run(
                guarded(app, settings),
                host=HOST,
                port=settings.dagster_port,
                http=PatientProtocol,
                log_level=logging.WARNING,
                proxy_headers=False,
                server_header=False,
            )


if __name__ == "__main__":
    main(load_settings())
