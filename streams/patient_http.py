"""uvicorn's protocol with bounds that it has not: how long a request's head may be, and how long it may take."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 20.0
HEAD_BYTES = 64 * 1024
CONNECTIONS = 800
"""Connections of one server, fewer than it has file handles; beyond that requests are answered 503."""
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class PatientProtocol(HttpToolsProtocol):
    """Patient, but not without end: a connection whose head does not come in time, or does not end, is closed."""

    seconds = HEAD_SECONDS
    _timer: asyncio.TimerHandle | None = None
    _length = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The first head is awaited."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is awaited any more."""
        self._head_is_there()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some of a head, or of a body."""
        if self.transport.is_closing():
            return
        awaited = self._timer
        super().data_received(data)
        if awaited is None or self._timer is not awaited:
            return
        self._length += len(data)
        if self._length > HEAD_BYTES:
            self.transport.write(TOO_LARGE)
            self._close()

    def on_message_begin(self) -> None:
        """Another head begins."""
        super().on_message_begin()
        if self._timer is None:
            self._await_head()

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._head_is_there()
        super().on_headers_complete()

    def _await_head(self) -> None:
        self._length = 0
        self._timer = self.loop.call_later(self.seconds, self._close)

    def _head_is_there(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None

    def _close(self) -> None:
        self._head_is_there()
        if not self.transport.is_closing():
            self.transport.close()
