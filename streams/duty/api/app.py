"""The application: every route under /api/v1, tokens only, everything refused that is not allowed."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi

from streams.duty.api import attachments, cases, docs, officers, replays, rosters, silences, warnings
from streams.duty.api.front import Front
from streams.duty.api.problems import Problem, install
from streams.duty.dependencies import DutyDependencies, dependencies_of
from streams.http_guard import OK, UNWELL

log = logging.getLogger("liaowang.duty")

VERSION = "1.0.0"


def make_api(deps: DutyDependencies) -> FastAPI:
    """The API on these parts."""
    app = FastAPI(
        title="Liaowang duty",
        version=VERSION,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.deps = deps
    app.add_middleware(Front, deps=deps)
    for part in (cases, attachments, rosters, silences, officers, warnings, replays):
        app.include_router(part.router)
    install(app)
    app.add_api_route("/healthz", health, include_in_schema=False)
    app.add_api_route("/api/v1/healthz", health, summary="Whether it is up", tags=["service"])
    _describe(app)
    app.add_api_route("/api/v1/docs", lambda: docs.page(app.openapi()), include_in_schema=False)
    return app


def health(request: Request, response: Response) -> dict[str, str]:
    """It is up; 503 where a part of the service stands still, which the log names."""
    still = dependencies_of(request).still()
    if still:
        log.warning("no turn lately: %s", ", ".join(still))
        response.status_code = 503
    return UNWELL if still else OK


def _describe(app: FastAPI) -> None:
    """OpenAPI with the one schema of problems, which no route returns by itself."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(title=app.title, version=app.version, routes=app.routes)
            schemas = schema.setdefault("components", {}).setdefault("schemas", {})
            schemas["Problem"] = Problem.model_json_schema()
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
