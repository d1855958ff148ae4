"""What a gateway serves: feeds, tokens and rights of one moment, replaced as a whole."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from schemas.contract import Contract
from schemas.decoder import Decoder
from streams.bounded import Places
from streams.intake.rights import Rights

RETRY_SECONDS = 5
AT_ONCE, WAITING = 4, 60
"""Batches of one department that are in memory at once, and that wait for it without having been read."""
BODY_SECONDS = 60.0
BEARER = "Bearer "


class Refused(Exception):
    """A request that is not taken: the HTTP status and what the answer says."""

    def __init__(self, status: int, error: str, **more: Any) -> None:
        super().__init__(error)
        self.status, self.answer = status, {"error": error, **more}

    def response(self) -> web.Response:
        """Write it as the answer."""
        headers = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": str(RETRY_SECONDS)}}
        return web.json_response(self.answer, status=self.status, headers=headers.get(self.status))


@dataclass(frozen=True)
class Feed:
    """A contract ready to check events."""

    contract: Contract
    decoder: Decoder


@dataclass(frozen=True)
class Served:
    """Feeds, tokens, places and rights that belong together: a request sees all of one set."""

    feeds: Mapping[str, Feed]
    tokens: Mapping[str, bytes]
    places: Mapping[str, Places]
    rights: Rights
    stamp: str

    def department(self, authorization: str) -> str:
        """Tell whose token this is; 401 where it is nobody's."""
        owners = self.owners(authorization)
        if not owners:
            raise Refused(401, "send the department's token as `Authorization: Bearer <token>`")
        return owners[0]

    def owners(self, authorization: str) -> list[str]:
        """Whose token this is. All are compared, each in constant time, so timing tells nothing."""
        given = authorization.removeprefix(BEARER).encode(errors="surrogateescape")
        owners = [owner for owner, token in self.tokens.items() if hmac.compare_digest(token, given)]
        return owners if authorization.startswith(BEARER) else []

    def feed(self, name: str, department: str) -> Feed:
        """The feed, where it is one that this department may send; 404 and 403 where not."""
        feed = self.feeds.get(name)
        if feed is None:
            raise Refused(404, "no such feed", feeds=sorted(self.feeds))
        if reason := self.rights.refusal(department, feed.contract):
            raise Refused(403, reason)
        return feed


def serve(
    contracts: Mapping[str, Contract],
    tokens: Mapping[str, str],
    stamp: str,
    rights: Rights | None,
    before: Mapping[str, Places] | None = None,
) -> Served:
    """What is served of these; a department keeps its places of before, with the batches that are in them."""
    known = {department: token.encode() for department, token in tokens.items() if token}
    places = {
        department: (before or {}).get(department) or Places(AT_ONCE, WAITING, BODY_SECONDS)
        for department in known
    }
    feeds = {name: Feed(contract, Decoder(contract)) for name, contract in contracts.items()}
    return Served(feeds, known, places, rights or Rights(), stamp)
