"""What a gateway serves: feeds, tokens and rights of one moment, replaced as a whole."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiohttp import web

from schemas.contract import Contract
from schemas.contract_model import family_of
from schemas.decoder import Decoder
from schemas.event import type_of
from schemas.majors import majors, upgraders
from schemas.upgrade import Upgrader
from streams.bounded import Places
from streams.intake.rights import Rights

RETRY_SECONDS = 5
AT_ONCE, WAITING = 4, 60
"""Batches of one department that are in memory at once, and that wait for it without having been read."""
BODY_SECONDS = 60.0
BEARER = "Bearer "


class Refused(Exception):
    """A request that is not taken: the HTTP status and what the answer says."""

    def __init__(
        self, status: int, error: str, headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        super().__init__(error)
        self.status, self.answer, self.headers = status, {"error": error, **more}, headers or {}

    def response(self) -> web.Response:
        """Write it as the answer."""
        headers = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": str(RETRY_SECONDS)}}
        told = {**headers.get(self.status, {}), **self.headers}
        return web.json_response(self.answer, status=self.status, headers=told)


@dataclass(frozen=True)
class Feed:
    """A contract ready to check events, and what makes them events of newer major versions too.

    `newest` is the event type to send instead of an older one; `others` are the older ones by event type.
    """

    contract: Contract
    decoder: Decoder
    upgrades: tuple[Upgrader, ...]
    newest: str
    others: Mapping[str, Feed]

    def parts(self, items: Sequence[bytes]) -> list[tuple[Feed, Sequence[int]]]:
        """Which events are of which major version, by their type; what is of none is judged by the newest."""
        if not self.others:
            return [(self, range(len(items)))]
        found: dict[str, list[int]] = {}
        for index, raw in enumerate(items):
            found.setdefault(type_of(raw), []).append(index)
        older = [(self.others[name], at) for name, at in found.items() if name in self.others]
        rest = sorted(index for name, at in found.items() if name not in self.others for index in at)
        return [*older, *([(self, rest)] if rest or not older else [])]

    def require_in_time(self, now: datetime) -> None:
        """410 where this major version is no longer taken."""
        sunset, type = self.contract.sunset, self.contract.event_type
        if sunset is not None and sunset.over(now):
            told = f"{type} was taken until {sunset.last_day}; send {self.newest}"
            raise Refused(410, told, sunset.headers)


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
        feed = self.feeds.get(name) or self.feeds.get(family_of(name))
        if feed is None or name not in (feed.contract.feed, feed.contract.event_type):
            raise Refused(404, "no such feed", feeds=sorted(self.feeds))
        self.require_right(department, feed.contract)
        return feed

    def require_right(self, department: str, contract: Contract) -> None:
        """403 where this is no feed that the department may send."""
        if reason := self.rights.refusal(department, contract):
            raise Refused(403, reason)


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
    feeds: dict[str, Feed] = {}
    for name, contract in sorted(contracts.items(), key=lambda item: not item[1].older):
        mine = [] if contract.older else majors(contracts.values(), contract.family)[1:]
        feeds[name] = Feed(
            contract,
            Decoder(contract),
            upgraders(contracts, contract),
            contracts[contract.family].event_type,
            {each.event_type: feeds[each.feed] for each in mine},
        )
    return Served(feeds, known, places, rights or Rights(), stamp)
