"""The webhook: one signed POST a push. It never raises for what a receiver does; the answer says it."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import aiohttp

from schemas.errors import Misdeclared
from streams.duty.notify.signature import KEY_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from streams.duty.retry_policy import Answer
from streams.duty.systems.outbox import Due
from streams.duty.words import header_value

TIMEOUT_SECONDS = 10.0
REASON_BYTES = 200


class Webhook:
    """Posts pushes to one address; to be used as an async context manager."""

    def __init__(self, url: str, key: str, concurrency: int, timeout: float = TIMEOUT_SECONDS) -> None:
        if not key:
            raise Misdeclared("settings", "LIAOWANG_WEBHOOK_KEY", "must be set: pushes are signed with it")
        self.url = url
        self._key = key
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=concurrency),
            timeout=aiohttp.ClientTimeout(total=timeout),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._session.close()

    async def post(self, push: Due, now: float) -> Answer:
        """Send one push, signed for the moment `now`; redirects are not followed."""
        timestamp = int(now)
        headers = {
            "Content-Type": "application/json",
            KEY_HEADER: header_value(push.id),
            TIMESTAMP_HEADER: str(timestamp),
            SIGNATURE_HEADER: sign(self._key, timestamp, push.payload),
        }
        try:
            async with self._session.post(
                self.url, data=push.payload, headers=headers, allow_redirects=False
            ) as response:
                said = b"" if response.ok else await response.content.read(REASON_BYTES)
                reason = " ".join(said.decode("utf-8", "replace").split())
                return Answer(response.status, response.headers.get("Retry-After", ""), reason)
        except (TimeoutError, aiohttp.ClientError) as error:
            return Answer(None, reason=str(error) or type(error).__name__)
