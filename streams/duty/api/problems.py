"""Errors as problem details (RFC 9457), `application/problem+json`: what was refused, and why."""

from __future__ import annotations

import logging
import re
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from schemas.errors import LiaowangError, Unavailable
from streams.duty.refusals import Refused, TooMany

MEDIA_TYPE = "application/problem+json"
AGAIN = {"Retry-After": "5"}
log = logging.getLogger("liaowang.duty")


class Problem(BaseModel):
    """A problem detail (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[dict[str, Any]] | None = None


def problem(
    status: int, title: str, detail: str, headers: dict[str, str] | None = None, **more: Any
) -> JSONResponse:
    """One problem as an answer."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    return JSONResponse(body, status, headers, media_type=MEDIA_TYPE)


def answer_to(error: LiaowangError) -> JSONResponse:
    """The answer to a request that is refused, or that finds the database away or a declaration broken."""
    if isinstance(error, Unavailable):
        log.error("%s", error)
        return problem(503, "Unavailable", "the duty database is away; try again", AGAIN)
    if not isinstance(error, Refused):
        log.error("%s", error)
        return problem(503, "Misdeclared", "a declaration of this service is broken; its log names it", AGAIN)
    headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else None
    if isinstance(error, TooMany):
        headers = {"Retry-After": str(error.seconds)}
    return problem(error.status, error.title, str(error), headers)


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of these statuses: a problem each."""
    schema = {"$ref": "#/components/schemas/Problem"}
    words = {
        400: "The request cannot be read",
        401: "No valid token",
        403: "Not allowed by role and region",
        404: "There is none, or none you may see",
        409: "The state does not allow it",
        413: "Too large",
        415: "Not a media type that is taken",
        422: "A value is wrong",
        429: "Asked too often; Retry-After says when it would be taken",
        503: "The database is away",
    }
    return {
        each: {"description": words[each], "content": {MEDIA_TYPE: {"schema": schema}}} for each in statuses
    }


def install(app: FastAPI) -> None:
    """Have every error of the application answered as a problem."""

    @app.exception_handler(Refused)
    def refused(_: Request, error: Refused) -> JSONResponse:
        return answer_to(error)

    @app.exception_handler(LiaowangError)
    def away(_: Request, error: LiaowangError) -> JSONResponse:
        return answer_to(error)

    @app.exception_handler(RequestValidationError)
    def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        found = [{"key": _key(each["loc"]), "problem": each["msg"]} for each in error.errors()]
        first = f"{found[0]['key']}: {found[0]['problem']}" if found else "the request cannot be read"
        return problem(422, "Invalid", first, errors=found)

    @app.exception_handler(HTTPException)
    def http(request: Request, error: HTTPException) -> JSONResponse:
        headers = dict(error.headers) if error.headers else {}
        if error.status_code == 405:
            headers["Allow"] = ", ".join(_methods(app, request.url.path))
        return problem(error.status_code, "Refused", str(error.detail), headers)

    @app.exception_handler(Exception)
    def failed(request: Request, error: Exception) -> JSONResponse:
        log.exception("%s %s failed", request.method, request.url.path, exc_info=error)
        return problem(500, "Failed", "an error of the service; its log says more")


def _methods(app: FastAPI, path: str) -> list[str]:
    """What may be done at a path; Starlette's own answer names the methods of its first route only."""
    paths = app.openapi()["paths"]
    found = (each for name, each in paths.items() if re.fullmatch(re.sub(r"{[^}]+}", "[^/]+", name), path))
    return sorted({method.upper() for each in found for method in each})


def _key(steps: Any) -> str:
    return ".".join(str(step) for step in steps)
