"""What is sent and what an answer means, for all channels over HTTP."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from streams.duty.retry_policy import Answer

REASON_LENGTH = 200


@dataclass(frozen=True)
class Request:
    """One HTTP request as it goes out."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Response:
    """What came back: status, the Retry-After header, and the body (its beginning, where it is long)."""

    status: int
    retry_after: str = ""
    body: bytes = b""

    def json(self) -> Mapping[str, Any]:
        """The body as a JSON object; empty where it is none."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def text(self) -> str:
        """The body's beginning as one line."""
        return " ".join(self.body.decode("utf-8", "replace").split())[:REASON_LENGTH]


def post_json(url: str, data: Any, headers: Mapping[str, str] | None = None) -> Request:
    """A POST of JSON."""
    body = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
    return Request("POST", url, {"Content-Type": "application/json; charset=utf-8", **(headers or {})}, body)


def with_query(url: str, **query: str) -> str:
    """The address with more in its query."""
    return f"{url}{'&' if '?' in url else '?'}{urlencode(query)}" if query else url


def plain(response: Response) -> Answer:
    """What the HTTP status alone means."""
    good = 200 <= response.status < 300
    return Answer(response.status, response.retry_after, "" if good else response.text())


def coded(
    response: Response, *, code: str, good: str, text: str, again: frozenset[str], wait: str = ""
) -> Answer:
    """What an answer means whose JSON says it: services that answer 200 and refuse in the body.

    `good` is the code of success, `again` those that pass by themselves (busy, too often): they become 429 with
    `wait` seconds; any other one is a refusal for good (400).
    """
    if not 200 <= response.status < 300:
        return plain(response)
    said = response.json()
    found = str(said.get(code, ""))
    if found == good:
        return Answer(response.status)
    reason = f"{code} {found or '(none)'}: {said.get(text) or response.text()}"[:REASON_LENGTH]
    return Answer(429, wait, reason, True) if found in again else Answer(400, "", reason, True)
