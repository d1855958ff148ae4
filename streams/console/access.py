"""Access to the console: sessions, CSRF, language, limits on requests, and how refusals are shown.

Nobody sees a page without a session, and nobody changes anything without the session's own CSRF token coming
back from this origin. A handler is a plain function of a `Visit`; it runs in a thread, since it asks a database.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlsplit

from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from schemas.errors import LiaowangError, Unavailable
from streams.bounded import Crowded
from streams.console.accounts import Visitor
from streams.console.dependencies import ConsoleDependencies
from streams.console.forms import MOST_FIELDS, check_length, form_of, is_large
from streams.console.i18n import LANGUAGES, Words, negotiate
from streams.console.lanes import lane_of
from streams.duty.accounts.officers import held_by
from streams.duty.accounts.rights import Actor
from streams.duty.refusals import Conflict, Refused

log = logging.getLogger("liaowang.console")

LIVE = "X-Live"
"""The header by which a page that is open fetches itself (`live.js`)."""
LANGUAGE_COOKIE = "liaowang_language"
NOBODY = Actor("", "")
CROWDED = 5.0
"""Seconds after which to come again where too many send at once."""
TYPED = ("done", "text", "question", "to", "into")
"""Fields of forms that people write in."""
Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Guest:
    """A request of whoever it is: the console's dependencies, the words of his language, the time."""

    deps: ConsoleDependencies
    request: Request
    words: Words
    now: datetime
    visitor: Visitor | None = None

    def render(self, template: str, status: int = 200, **context: Any) -> Response:
        """A page of a template."""
        other = next(name for name in LANGUAGES if name != self.words.language)
        path = self.request.url.path
        here = f"{path}?{self.request.url.query}" if self.request.url.query else path
        given = {
            "t": self.words,
            "me": self.visitor,
            "other": other,
            "other_lang": LANGUAGES[other],
            "here": here if self.request.method == "GET" else "/",
            "now": self.now,
            "active": "",
            "wall": False,
        }
        return HTMLResponse(self.deps.templates.get_template(template).render(given | context), status)

    def message(self, heading: str, text: str, status: int, **context: Any) -> Response:
        """A page that says one thing."""
        return self.render(
            "message.html", status, heading=heading, text=text, **{"signable": False} | context
        )


@dataclass(frozen=True)
class Visit(Guest):
    """A request of somebody who is signed in, with what he may do."""

    actor: Actor = NOBODY

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A transaction that changes something, as long as he is signed in and may what he might a moment ago."""
        with self.deps.database.writing() as session:
            officer = self.actor.officer_id
            if officer is None or not self.deps.accounts.holds(
                session, self.request.cookies.get(self.deps.cookie, "")
            ):
                raise _SignInFirst
            if held_by(session, officer) != self.actor.grants:
                raise Conflict(f"the roles of {self.actor.who} have changed; try again")
            yield session


def origin_of(request: Request) -> str:
    """Where a request comes from, for the audit."""
    return f"console:{request.client.host if request.client else '?'}"


def language_of(request: Request) -> str:
    """The language of a request."""
    cookie = request.cookies.get(LANGUAGE_COOKIE, "")
    return negotiate(cookie, request.headers.get("accept-language", ""))


def guest_of(deps: ConsoleDependencies, request: Request, *, used: bool = True) -> Guest:
    """The request with whose it is; `used`: whether it comes from somebody, not from a page by itself."""
    now = deps.clock()
    visitor = deps.accounts.visitor(request.cookies.get(deps.cookie, ""), now, used=used)
    return Guest(deps, request, deps.words[language_of(request)], now, visitor)


def public_endpoint(deps: ConsoleDependencies, handler: Callable[[Guest], Response]) -> Endpoint:
    """An endpoint for anybody, signed in or not."""

    async def endpoint(request: Request) -> Response:
        return await run_in_threadpool(answer, deps, request, lambda guest: handler(guest))

    return endpoint


def page(
    deps: ConsoleDependencies,
    handler: Callable[[Visit], Response],
    places: asyncio.Semaphore | None = None,
    *,
    on_a_wall: bool = False,
) -> Endpoint:
    """An endpoint that only shows, to those who are signed in; others are sent to sign in first.

    `places`: how many of these pages may refresh themselves at once; `deps.refresh_slots` where none are given.
    `on_a_wall`: whether it is used by being looked at, since nobody touches it there.
    """
    places = places or deps.refresh_slots

    def show(guest: Guest) -> Response:
        return handler(_known(guest))

    async def endpoint(request: Request) -> Response:
        if LIVE not in request.headers:
            return await run_in_threadpool(answer, deps, request, show)
        found = await run_in_threadpool(admit, deps, request, used=on_a_wall)
        if isinstance(found, Response):
            return found
        async with places if found.visitor else nullcontext():
            return await run_in_threadpool(tell, found, show)

    return endpoint


def action(
    deps: ConsoleDependencies, handler: Callable[[Visit, FormData], Response], most: int = 0
) -> Endpoint:
    """An endpoint that changes something; `most` is the size of a file that may come with it, in bytes."""

    async def endpoint(request: Request) -> Response:
        check_length(request, most)
        if not is_large(request):
            return await taken(request)
        sender = await run_in_threadpool(sender_of, deps, request)
        if sender is None:
            raise HTTPException(403)
        try:
            async with deps.files.one(sender):
                return await taken(request)
        except Crowded:
            return await run_in_threadpool(answer, deps, request, lambda guest: too_many(guest, CROWDED))

    async def taken(request: Request) -> Response:
        async with form_of(request, max_files=1, max_fields=MOST_FIELDS) as form:

            def handle(guest: Guest) -> Response:
                visit = _known(guest)
                given, wanted = str(form.get("csrf", "")), visit.visitor.csrf if visit.visitor else ""
                if is_own(request) and not _same(given, wanted):
                    return kept(visit, form, "stale", 403)
                check_csrf(request, given, wanted)
                return handler(visit, form)

            return await run_in_threadpool(answer, deps, request, handle, form)

    return endpoint


def sender_of(deps: ConsoleDependencies, request: Request) -> str | None:
    """Who sends it; None where nobody is signed in. While the database is away what was typed is worth keeping."""
    try:
        visitor = guest_of(deps, request).visitor
    except Unavailable:
        return origin_of(request)
    return visitor.login if visitor else None


def check_csrf(request: Request, given: str, wanted: str) -> None:
    """Refuse what does not come from a page of this console that was made for this session."""
    foreign = "origin" in request.headers and not is_own(request)
    if foreign or not wanted or not _same(given, wanted):
        raise HTTPException(403, "csrf")


def is_own(request: Request) -> bool:
    """Whether the browser says that the request comes from a page of this console."""
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc == request.headers.get("host", "")


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())


def kept(guest: Guest, form: FormData, why: str, status: int) -> Response:
    """A page with what was typed into a form that could not be taken, to be sent once more: nothing is lost.

    `why`: `ended` (nobody is signed in any more), `stale` (somebody is, anew), `away` (the database is).
    A file cannot be kept; it has to be chosen again.
    """
    fields = [(key, value) for key, value in form.multi_items() if isinstance(value, str) and key != "csrf"]
    csrf = guest.visitor.csrf if guest.visitor else str(form.get("csrf", ""))
    path = guest.request.url.path
    return guest.render(
        "kept.html",
        status,
        why=why,
        action=path,
        back=path.rpartition("/")[0] or "/",
        fields=[("csrf", csrf), *fields],
        typed=[(key, value) for key, value in fields if key in TYPED and value.strip()],
        file=any(not isinstance(value, str) for value in form.values()),
    )


def local_path(given: str, otherwise: str = "/") -> str:
    """A path on this console to go to; anything else would lead elsewhere and is not followed."""
    parts = urlsplit(given)
    safe = given.startswith("/") and not given.startswith(("//", "/\\")) and "\\" not in given
    return given if safe and not parts.netloc and given.isprintable() else otherwise


def go(path: str) -> Response:
    """Go to a page after a change."""
    return RedirectResponse(path, 303)


class _SignInFirst(Exception):
    """Nobody is signed in."""


def _known(guest: Guest) -> Visit:
    visitor = guest.visitor
    if visitor is None:
        raise _SignInFirst
    actor = Actor(visitor.login, origin_of(guest.request), visitor.officer_id, visitor.grants)
    return Visit(guest.deps, guest.request, guest.words, guest.now, visitor, actor)


def answer(
    deps: ConsoleDependencies,
    request: Request,
    handler: Callable[[Guest], Response],
    form: FormData | None = None,
) -> Response:
    """The handler's answer, or a page that says why there is none and keeps what was typed into the form."""
    found = admit(deps, request, form)
    return found if isinstance(found, Response) else tell(found, handler, form)


def admit(
    deps: ConsoleDependencies, request: Request, form: FormData | None = None, *, used: bool = True
) -> Guest | Response:
    """The request with whose it is (`used` as there), or a page that says why it has to come again later."""
    try:
        guest = guest_of(deps, request, used=used)
    except Unavailable as error:
        return _away(Guest(deps, request, deps.words[language_of(request)], deps.clock()), error, form)
    moment = guest.now.timestamp()
    lane = guest.visitor.login if guest.visitor else lane_of(deps.key, request, origin_of(request), moment)
    wait = deps.requests.wait(lane, moment)
    return too_many(guest, wait) if wait else guest


def tell(guest: Guest, handler: Callable[[Guest], Response], form: FormData | None = None) -> Response:
    """As `answer`, of a request that is admitted."""
    request = guest.request
    try:
        return handler(guest)
    except _SignInFirst:
        if form is not None and _worth_keeping(request, form):
            return kept(guest, form, "ended", 403)
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        here = path if request.method == "GET" else request.url.path.rpartition("/")[0]
        return RedirectResponse(f"/sign-in?next={quote(here or '/')}", 303)
    except Refused as refused:
        text = guest.words.texts.get(f"refused_{refused.status}", refused.reason)
        return guest.message(text, refused.reason, refused.status)
    except LiaowangError as error:
        return _away(guest, error, form)


def _away(guest: Guest, error: LiaowangError, form: FormData | None) -> Response:
    """A page that says that the database does not answer, or that something declared is broken."""
    log.warning("%s %s: %s", guest.request.method, guest.request.url.path, error)
    if form is not None and _worth_keeping(guest.request, form):
        return kept(guest, form, "away", 503)
    return guest.message(guest.words("unavailable"), guest.words("unavailable_text"), 503)


def _worth_keeping(request: Request, form: FormData) -> bool:
    """Whether something was typed, on a page of this console: what others send is not shown back."""
    return is_own(request) and any(str(form.get(key, "")).strip() for key in (*TYPED, "file"))


def too_many(guest: Guest, wait: float) -> Response:
    """A page that says when to come again."""
    seconds = int(wait) + 1
    reply = guest.message(guest.words("too_many"), guest.words("too_many_text", seconds=seconds), 429)
    reply.headers["Retry-After"] = str(seconds)
    return reply
