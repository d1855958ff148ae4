"""Acknowledge links for pushes: signed, expiring, bound to one officer and one case. Pure: time and key come in.

What a link says can be read by whoever holds it (a case and an officer's id, nothing personal) but not
altered: the signature covers all of it (itsdangerous, HMAC-SHA1 with a derived key, URL-safe).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from itsdangerous import BadData, URLSafeSerializer

from schemas.errors import Misdeclared

PATH = "/a/"
SALT = "liaowang.acknowledge"
LIFETIME = 24 * 3600
"""Seconds a link is good for, unless its maker says otherwise."""


_TOKEN = re.compile(rf"({PATH})[\w.=-]+", re.ASCII)


class LinkRefused(Exception):
    """A link that must not be followed: `reason` is `forged` or `expired`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class AcknowledgeLink:
    """What a link is for: `officer` may acknowledge `case` until `expires` (seconds since 1970)."""

    case: str
    officer: str
    expires: int


def make_link(base: str, key: str, case: str, officer: str, now: float, lifetime: int = LIFETIME) -> str:
    """The address that lets this officer acknowledge this case; `base` is the console's, without a path."""
    expires = int(now) + lifetime
    return f"{base.rstrip('/')}{PATH}{_serializer(key).dumps([case, officer, expires])}"


def read_link(key: str, token: str, now: float) -> AcknowledgeLink:
    """What the token of a link says; LinkRefused where it is not ours or its time is over."""
    try:
        case, officer, expires = _serializer(key).loads(token)
    except (BadData, ValueError, TypeError):
        raise LinkRefused("forged") from None
    if now >= expires:
        raise LinkRefused("expired")
    return AcknowledgeLink(case, officer, expires)


def without_links(said: Any) -> Any:
    """JSON values as they may be shown: whoever reads them cannot acknowledge with a link that stands there."""
    if isinstance(said, str):
        return _TOKEN.sub(r"\1…", said)
    if isinstance(said, list):
        return [without_links(each) for each in said]
    if isinstance(said, dict):
        return {name: without_links(each) for name, each in said.items()}
    return said


def _serializer(key: str) -> URLSafeSerializer:
    if not key:
        raise Misdeclared("settings", "LIAOWANG_CONSOLE_KEY", "must be given, or links could be forged")
    return URLSafeSerializer(key, salt=SALT)
