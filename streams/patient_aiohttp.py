"""An aiohttp application on loopback with bounds that aiohttp has not: slow heads, slow readers, many connections.

How long a body may take is the application's to say, once it knows whose it is. Beyond so many connections the one
that has asked nothing for the longest time makes room, so whoever only holds connections keeps nobody out.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.web_request import BaseRequest

from schemas.settings import HOST

HEAD_SECONDS = 30.0
"""How long a connection may take for the head of its next request, from the end of the one before."""
READER_SECONDS = 60.0
"""How long the reader of an answer may take none of it."""
CONNECTIONS = 500
SPARE = 200
"""So many more may be about to close. All of them are fewer than a process has file handles."""


class PatientHandler(web.RequestHandler):
    """A connection that makes room where there are more than `most`, and leaves who does not read."""

    def __init__(self, server: web.Server, most: int, reader_seconds: float, **how: Any) -> None:
        super().__init__(server, **how)
        self._server, self._most, self._reader_seconds = server, most, reader_seconds
        self._held: asyncio.Transport | None = None
        self._reader: asyncio.TimerHandle | None = None
        self._answered, self._since = 0, 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """One more; where there are too many, the one that has asked nothing for longest is closed."""
        assert isinstance(transport, asyncio.Transport)
        transport.set_write_buffer_limits(high=0)  # whatever waits for its reader has his time
        self._held, self._since = transport, self._loop.time()
        super().connection_made(transport)
        everybody = [each for each in self._server.connections if isinstance(each, PatientHandler)]
        here = [each for each in everybody if not each._closes]
        if len(here) > self._most or len(everybody) > self._most + SPARE:
            idle = [each for each in here if each._asks_nothing and each is not self]
            min(idle, key=lambda each: each._since, default=self)._leave()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Nobody reads any more."""
        self._takes()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The reader of the answer takes none of it for now."""
        super().pause_writing()
        self._reader = self._loop.call_later(self._reader_seconds, self._leave)

    def resume_writing(self) -> None:
        """He does again."""
        self._takes()
        super().resume_writing()

    async def finish_response(
        self, request: BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send the answer; from its end on the next head is awaited."""
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            self._answered, self._since = self._answered + 1, self._loop.time()

    @property
    def _asks_nothing(self) -> bool:
        """Whether all it asked was answered: a head is awaited, or the rest of a body that nobody reads."""
        return self._answered == self._request_count

    @property
    def _closes(self) -> bool:
        return self._held is None or self._held.is_closing()

    def _takes(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
        self._reader = None

    def _leave(self) -> None:
        """End it at once: what is to be sent still has no reader."""
        if self._held is not None:
            self._held.abort()


@asynccontextmanager
async def serving(
    app: web.Application,
    port: int,
    *,
    shutdown: float,
    head_seconds: float = HEAD_SECONDS,
    reader_seconds: float = READER_SECONDS,
    most: int = CONNECTIONS,
) -> AsyncIterator[int]:
    """Serve on 127.0.0.1 (port 0: a free one) and give the port; OSError where it is taken.

    In the end what is being answered has `shutdown` seconds.
    """
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=shutdown, keepalive_timeout=head_seconds)
    await runner.setup()
    try:
        served = runner.server
        assert served is not None
        loop = asyncio.get_running_loop()

        def protocol() -> PatientHandler:
            return PatientHandler(served, most, reader_seconds, loop=loop, **served._kwargs)

        listening = await loop.create_server(protocol, HOST, port, reuse_address=True)
        try:
            yield listening.sockets[0].getsockname()[1]
        finally:
            listening.close()
    finally:
        await runner.cleanup()
