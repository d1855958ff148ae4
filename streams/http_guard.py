"""Which requests no port takes, whatever is behind it: one pure function, asked by every HTTP server.

Any page in a browser on this machine may send requests to 127.0.0.1. What the browser adds tells them from our
own: `Host` is the name that it thinks it talks to (one that was pointed at this machine is not ours), `Origin` and
the `Sec-Fetch-…` headers say whose page asks: another site may lead here by a link, in a window of its own, and
nothing else. `http_middleware.py` puts the guard in front of each kind of server.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from schemas.settings import HOST, Settings

USER = "admin"
"""Who signs in by HTTP Basic where a port has no accounts of its own; the password is that of the secrets file."""
HEALTH = "/healthz"
OK, UNWELL = {"status": "ok"}, {"status": "unwell"}
"""What `/healthz` says to everybody, with 200 or 503; the reason is for those who give a password or token."""
READING = frozenset(("GET", "HEAD"))
METHODS = READING | {"POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
"""The others (TRACE, CONNECT, invented ones) are refused everywhere."""
_NAME = re.compile(r"([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
_LOCAL = (HOST, "localhost", "[::1]")
READ = ("host", "origin", "sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest", "authorization")
"""The headers that are looked at."""


@dataclass(frozen=True)
class Asked:
    """What is read of a request; `headers` by lower-case name, one that came twice joined by a comma."""

    method: str
    path: str
    headers: Mapping[str, str]
    websocket: bool = False


@dataclass(frozen=True)
class Refusal:
    """Why a request is not taken, as status, one line of text, and headers."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Guard:
    """What one port takes: the names it answers to, and the password of `admin` where it demands one.

    `password` None: the program behind knows by itself who asks. `open`: paths that are read without password;
    `signed`: paths that are posted to without it, since what is posted carries a signature.
    """

    hosts: frozenset[str]
    password: str | None = field(default=None, repr=False)
    open: frozenset[str] = frozenset((HEALTH,))
    signed: frozenset[str] = frozenset()

    def refusal(self, asked: Asked) -> Refusal | None:
        """Why this request is not taken; None where it is."""
        said = refused(self.hosts, asked)
        if said is not None or self.password is None or self._is_open(asked):
            return said
        return _stranger(self.password, asked.headers.get("authorization", ""))

    def knows(self, authorization: str) -> bool:
        """Whether somebody gives the password, where one is demanded."""
        return self.password is not None and _stranger(self.password, authorization) is None

    def _is_open(self, asked: Asked) -> bool:
        paths = self.open if asked.method in READING else self.signed
        return asked.path in paths and not asked.websocket


def guard_of(
    settings: Settings,
    *,
    password: bool = False,
    open: Iterable[str] = (HEALTH,),
    signed: Iterable[str] = (),
) -> Guard:
    """The guard of a port of this home; with `password` it is for `admin` only."""
    demanded = settings.console_admin_password if password else None
    return Guard(hosts_of(settings.console), demanded, frozenset(open), frozenset(signed))


def hosts_of(url: str = "") -> frozenset[str]:
    """The names that are answered to: this machine's own, and the one in the console's address."""
    return frozenset((*_LOCAL, *filter(None, [(urlsplit(url).hostname or "").lower()])))


def refused(hosts: frozenset[str], asked: Asked) -> Refusal | None:
    """Why a request is not taken from where it comes, whoever sends it; None where it is."""
    if asked.method not in METHODS:
        return Refusal(405, "this method is not taken", (("Allow", ", ".join(sorted(METHODS))),))
    host = asked.headers.get("host", "").lower()
    named = _NAME.fullmatch(host)
    if named is None or named[1] not in hosts:
        return Refusal(421, "this server does not answer to the name in Host")
    origin = asked.headers.get("origin")
    if origin is not None and not _same_origin(origin, host):
        return Refusal(403, "a page of another origin may not send this")
    site = asked.headers.get("sec-fetch-site", "none").lower()
    if site not in ("none", "same-origin") and not _led_here(asked):
        return Refusal(403, "a page of another site may lead here by a link, not send this")
    return None


def _same_origin(origin: str, host: str) -> bool:
    scheme, _, name = origin.lower().partition("://")
    return scheme in ("http", "https") and name == host


def _led_here(asked: Asked) -> bool:
    """Whether somebody followed a link, in a window of its own."""
    mode, place = (asked.headers.get(f"sec-fetch-{name}", "").lower() for name in ("mode", "dest"))
    return not asked.websocket and asked.method in READING and mode == "navigate" and place == "document"


def basic(password: str, user: str = USER) -> str:
    """The header `Authorization` of a program that reads a page which demands the password."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _stranger(password: str, authorization: str) -> Refusal | None:
    """Refuse who does not give the password; an empty one lets nobody in."""
    scheme, _, rest = authorization.partition(" ")
    try:
        given = base64.b64decode(rest.strip(), validate=True) if scheme.lower() == "basic" else b""
    except (binascii.Error, ValueError):
        given = b""
    if hmac.compare_digest(given, f"{USER}:{password}".encode()) and password:
        return None
    said = f"sign in as {USER} with LIAOWANG_CONSOLE_ADMIN_PASSWORD of secrets.json"
    return Refusal(401, said, (("WWW-Authenticate", 'Basic realm="Liaowang", charset="UTF-8"'),))
