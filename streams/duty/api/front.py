"""What stands before the API's own reading of a request: whose token it is, and how much may be sent. Plain ASGI.

FastAPI reads a body, and puts its files on disk, before it asks who sends it. So whatever changes something is
identified here, by its head alone; only then is its body taken, no more of it than the route takes, and not slower
than in a minute.
"""

from __future__ import annotations

import asyncio
import re

from fastapi import HTTPException
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from schemas.errors import LiaowangError
from streams.bounded import Bound, Crowded, Shares
from streams.duty.api.problems import answer_to, problem
from streams.duty.cases.attachments import LARGEST
from streams.duty.dependencies import DutyDependencies, RequestContext, identify, token_of
from streams.duty.refusals import TooLarge, TooSlow
from streams.http_guard import READING

MOST = 1024 * 1024
FORM = 64 * 1024
"""What a form adds to its file: boundaries, names, headers."""
SECONDS = 60.0
BODIES = Bound(16, 32, SECONDS), Bound(256, 256, SECONDS)
FILES = Bound(2, 8, SECONDS), Bound(16, 64, SECONDS)
"""Bodies that come at once, of one account and of all; of files fewer: each is in memory once it is whole."""
AGAIN = "5"
_ATTACHING = re.compile(r"/api/v1/cases/[^/]+/attachments/?")


class Front:
    """The API behind it gets requests of those who are known, of a bounded length."""

    def __init__(self, app: ASGIApp, deps: DutyDependencies) -> None:
        self._app, self._deps = app, deps
        self._bodies, self._files = Shares(*BODIES), Shares(*FILES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer why not."""
        if scope["type"] != "http" or scope["method"] in READING:
            await self._app(scope, receive, send)
            return
        try:
            asked, most = await self._admit(scope)
            places = self._bodies if most == MOST else self._files
            async with places.one(asked.actor.who):
                await self._app(scope, _Bounded(receive, most), send)
        except Crowded as crowded:
            await _closing(_crowded(crowded))(scope, receive, send)
        except LiaowangError as error:
            await _closing(answer_to(error))(scope, receive, send)

    async def _admit(self, scope: Scope) -> tuple[RequestContext, int]:
        """Identify who asks, and say how many bytes he may send."""
        request = Request(scope)
        asked = await run_in_threadpool(identify, self._deps, request, token_of(request))
        scope.setdefault("state", {})["request_context"] = asked
        most = LARGEST + FORM if _ATTACHING.fullmatch(scope["path"]) else MOST
        length = request.headers.get("content-length", "0")
        if not length.isdecimal() or int(length[:20]) > most:
            raise TooLarge(f"a request has at most {most} bytes here")
        return asked, most


def _crowded(crowded: Crowded) -> Response:
    status, whose = (429, "you send") if crowded.own else (503, "all together send")
    again = {"Retry-After": AGAIN}
    return problem(status, "Busy", f"{whose} too much at once; try again in {AGAIN} s", again)


class _Bounded:
    """Receives a body up to a length and until a time."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive, self._left = receive, most
        self._end = asyncio.get_running_loop().time() + SECONDS
        self._whole = False

    async def __call__(self) -> Message:
        """The next part; what is beyond the bounds is refused where the body is read."""
        if self._whole:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._end):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(TooSlow.status, f"the body did not come within {SECONDS:.0f} s") from None
        self._left -= len(message.get("body", b""))
        self._whole = message["type"] == "http.disconnect" or not message.get("more_body", False)
        if self._left < 0:
            raise HTTPException(TooLarge.status, "the body has more bytes than are taken here")
        return message


def _closing(response: Response) -> Response:
    """An answer after which the connection ends: the rest of the body is not read."""
    response.headers["Connection"] = "close"
    return response
