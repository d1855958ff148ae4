"""An aiohttp application on loopback with bounds that aiohttp has not: how slow heads may be, how many connect."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from schemas.settings import HOST

HEAD_SECONDS = 30.0
"""How long a connection may take for the head of its next request, from the end of the one before."""
CONNECTIONS = 500
"""Fewer than a process has file handles."""


class Capped:
    """Makes protocols of a server; whoever connects beyond `most` finds the connection closed."""

    def __init__(self, server: web.Server, most: int = CONNECTIONS) -> None:
        self._server, self._most = server, most

    def __call__(self) -> asyncio.Protocol:
        """The protocol of another connection."""
        return self._server() if len(self._server.connections) < self._most else _Full()


class _Full(asyncio.Protocol):
    """Closes at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


@asynccontextmanager
async def serving(
    app: web.Application,
    port: int,
    *,
    shutdown: float,
    head_seconds: float = HEAD_SECONDS,
    most: int = CONNECTIONS,
) -> AsyncIterator[int]:
    """Serve on 127.0.0.1 (port 0: a free one) and give the port; OSError where it is taken.

    In the end what is being answered has `shutdown` seconds.
    """
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=shutdown, keepalive_timeout=head_seconds)
    await runner.setup()
    try:
        assert runner.server is not None
        loop = asyncio.get_running_loop()
        listening = await loop.create_server(Capped(runner.server, most), HOST, port, reuse_address=True)
        try:
            yield listening.sockets[0].getsockname()[1]
        finally:
            listening.close()
    finally:
        await runner.cleanup()
