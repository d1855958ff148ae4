"""The dependencies of the API's routes: the parts of a running duty service, and the context of one request."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import Depends, Header, Path, Request
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.orm import Session

from streams.duty.accounts.limits import Limit, Limiter
from streams.duty.accounts.officers import bearer
from streams.duty.accounts.rights import Actor
from streams.duty.cases.known_rules import Published
from streams.duty.database.database import Database
from streams.duty.database.models import Reply
from streams.duty.refusals import Conflict, Refused, TooMany
from streams.duty.rosters.desk import Desk, Desks
from streams.duty.systems.cap_index import Publisher
from streams.watch.declare.rule import Rule

BEARER = HTTPBearer(auto_error=False, description="A token from `liaowang duty token LOGIN`.")
KEY_LENGTH = 255
REQUESTS, WRONG_TOKENS = Limit(600, 2400), Limit(20, 20)
"""Requests of one account, and requests without a valid token from one address."""


@dataclass(frozen=True)
class DutyDependencies:
    """The parts of a running duty; `still` names loops of it that stand still, `rules` are those in use."""

    database: Database
    desks: Desks
    clock: Callable[[], datetime]
    cap: Publisher = field(default_factory=Publisher)
    published: Published = tuple[str]
    requests: Limiter = field(default_factory=lambda: Limiter(REQUESTS))
    wrong_tokens: Limiter = field(default_factory=lambda: Limiter(WRONG_TOKENS))
    still: Callable[[], Sequence[str]] = tuple
    rules: Mapping[str, Rule] = field(default_factory=dict)


class Unauthorised(Refused):
    """No token, or one that is unknown or over."""

    status, title = 401, "Who are you?"


def dependencies_of(request: Request) -> DutyDependencies:
    """What this application was made with."""
    deps: DutyDependencies = request.app.state.deps
    return deps


@dataclass(frozen=True)
class RequestContext:
    """One request: who asks, when, and what is known then; `token` is what he was known by, `scope` what for."""

    deps: DutyDependencies
    actor: Actor
    now: datetime
    desk: Desk
    token: str = field(default="", repr=False)
    scope: str = "api"


def request_context(
    request: Request, _: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]
) -> RequestContext:
    """Who asks, by the bearer token; `front.py` knows it already of whatever changes something."""
    known: RequestContext | None = getattr(request.state, "request_context", None)
    return known or identify(dependencies_of(request), request, token_of(request))


def token_of(request: Request) -> str:
    """The bearer token in the header of a request; empty where there is none."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def reader(request: Request, scope: str, token: str) -> RequestContext:
    """Who reads a feed that programs read which send no header: by the header, else by `token` of the address.

    An address is kept by proxies, histories and logs, so only a token of the feed's own narrow scope counts there.
    """
    header = token_of(request)
    return identify(dependencies_of(request), request, header or token, scope, narrow=not header)


def identify(
    deps: DutyDependencies, request: Request, token: str, scope: str = "api", *, narrow: bool = False
) -> RequestContext:
    """Who bears this token; Unauthorised where nobody does, TooMany where somebody asks without end."""
    now = deps.clock()
    where = f"api {request.client.host}" if request.client else "api"
    with deps.database.reading() as session:
        actor = bearer(session, token, now, where, scope, narrow=narrow) if token else None
    if actor is None:
        _limit(deps.wrong_tokens, where, now)
        raise Unauthorised("a bearer token that is known and not over must be given")
    _limit(deps.requests, actor.who, now)
    return RequestContext(deps, actor, now, deps.desks.now(), token, scope)


def _limit(limiter: Limiter, key: str, now: datetime) -> None:
    seconds = limiter.wait(key, now.timestamp())
    if seconds:
        raise TooMany(math.ceil(seconds))


Who = Annotated[RequestContext, Depends(request_context)]
Id = Annotated[int, Path(ge=1, le=2**53 - 1)]
"""The number of something in a path: no more than JSON's numbers hold."""

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=KEY_LENGTH,
        description="The same key and request again give the same answer, and change nothing again.",
    ),
]


def once(
    asked: RequestContext,
    key: str | None,
    request: Request,
    body: Any,
    act: Callable[[Session], Any],
    status: int = 200,
) -> JSONResponse:
    """Change something in one transaction; with a key, a repeated request gets the answer of the first.

    The same transaction looks again whether the token holds: it may have ended while the body came.
    """
    asks = hashlib.sha256(
        json.dumps([request.url.path, body], sort_keys=True, default=str).encode()
    ).hexdigest()
    with asked.deps.database.writing() as session:
        still(asked.actor, bearer(session, asked.token, asked.now, asked.actor.where, asked.scope))
        known = _known(session, asked, key, asks)
        if known is not None:
            return JSONResponse(json.loads(known.body), known.status, {"Idempotency-Replayed": "true"})
        said = act(session)
        if key is not None and asked.actor.officer_id is not None:
            session.add(
                Reply(
                    officer_id=asked.actor.officer_id,
                    key=key,
                    request=asks,
                    status=status,
                    body=json.dumps(said, ensure_ascii=False),
                    created=asked.now,
                )
            )
    return JSONResponse(said, status)


def still(before: Actor, now: Actor | None) -> None:
    """Refuse what is asked by somebody who is nobody any more, or who may other things than when he asked."""
    if now is None:
        raise Unauthorised("the token has ended")
    if now.grants != before.grants:
        raise Conflict(f"the roles of {before.who} have changed; ask again")


def _known(session: Session, asked: RequestContext, key: str | None, asks: str) -> Reply | None:
    if key is None:
        return None
    query = sa.select(Reply).where(Reply.officer_id == asked.actor.officer_id, Reply.key == key)
    known = session.scalars(query).one_or_none()
    if known is not None and known.request != asks:
        raise Conflict("this key was used for another request", "Idempotency-Key")
    return known


def forget_replies(session: Session, now: datetime, kept: timedelta = timedelta(days=7)) -> None:
    """Answers are kept for a week; they are no part of the record."""
    session.execute(sa.delete(Reply).where(Reply.created < now - kept))


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)
