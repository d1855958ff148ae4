"""SMS through a gateway over HTTP: a declared form, since every gateway has its own.

`form` maps the gateway's fields to templates over {phone} {text} {key} {user} {secret} {sign} {timestamp};
`sign` is the hex HMAC-SHA256 of "<timestamp>.<phone>.<text>" by the secret. One text has at most 500 characters.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from schemas.template import Template
from streams.duty.notify.channels.message import CUT, Message
from streams.duty.notify.channels.wire import Request, Response, coded, plain, post_json
from streams.duty.retry_policy import Answer

FIELDS = ("phone", "text", "key", "user", "secret", "sign", "timestamp")


@dataclass(frozen=True)
class Gateway:
    """How a gateway wants it: `sends` json or form; success is `code` being `good`, `again` codes pass."""

    url: str
    sends: str
    form: Mapping[str, Template]
    user: str = ""
    code: str = ""
    good: str = ""
    text: str = ""
    again: frozenset[str] = frozenset()
    limit: int = 210
    prefix: str = ""


def content(gateway: Gateway, message: Message) -> str:
    """The text: one line, at most `limit` characters, the link always whole."""
    tail = f" {message.url}" if message.url else ""
    said = (
        f"{gateway.prefix}{message.headline}：{'；'.join(message.lines)}"
        if message.lines
        else (f"{gateway.prefix}{message.headline}")
    )
    room = gateway.limit - len(tail)
    return (said if len(said) <= room else said[: max(0, room - len(CUT))] + CUT) + tail


def request(gateway: Gateway, secret: str, message: Message, now: float) -> Request:
    """The message to one phone."""
    timestamp, text, phone = str(int(now)), content(gateway, message), message.to.phone
    sign = hmac.new(secret.encode(), f"{timestamp}.{phone}.{text}".encode(), "sha256").hexdigest()
    values = (phone, text, message.key, gateway.user, secret, sign, timestamp)
    given = dict(zip(FIELDS, values, strict=True))
    fields = {name: template.render(given) for name, template in gateway.form.items()}
    if gateway.sends == "json":
        return post_json(gateway.url, fields)
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    return Request("POST", gateway.url, headers, urlencode(fields).encode())


def read(gateway: Gateway, response: Response) -> Answer:
    """What the gateway's answer means: by its code where it has one, else by HTTP."""
    if not gateway.code:
        return plain(response)
    return coded(
        response, code=gateway.code, good=gateway.good, text=gateway.text, again=gateway.again, wait="10"
    )
