"""uvicorn's protocol with bounds that it has not: how long heads and bodies may be on their way, how many wait.

A request is awaited (its head), comes (its body), or is there. What is on its way has a time in all and one since
its last byte, and bytes that are no body (heads, trailers, what stands around chunks) a length. An answer has a
time until its reader takes more of it. Beyond so many connections the one that has been awaited longest makes
room, heads before bodies, so whoever only holds connections keeps nobody out.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 20.0
BODY_SECONDS = 180.0
SILENT_SECONDS = 30.0
"""How long a head or a body may take, and how long a body may rest between two bytes."""
READER_SECONDS = 60.0
"""How long the reader of an answer may take none of it."""
HEAD_BYTES = 64 * 1024
AROUND = 8
"""Bytes around each byte of a chunked body, at most: `1\\r\\nx\\r\\n` has five."""
CONNECTIONS = 736
"""Beyond so many connections of one server, what is on its way makes room for who comes."""
SPARE = 64
"""Where nothing is on its way: from so many more on requests are answered 503, and beyond twice as many who comes
is closed. All of them are fewer than a process has file handles."""
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@dataclass
class _Coming:
    """What is on its way: a head, or a body; `around`: bytes of it that are no body."""

    is_head: bool
    began: float
    last: float
    timer: asyncio.TimerHandle | None = None
    around: int = 0
    body: int = 0


class PatientProtocol(HttpToolsProtocol):
    """Patient, but not without end: what does not come in time, or does not end, closes its connection."""

    seconds, body_seconds, silent_seconds = HEAD_SECONDS, BODY_SECONDS, SILENT_SECONDS
    reader_seconds = READER_SECONDS
    most = CONNECTIONS
    _coming: _Coming | None = None
    _reader: asyncio.TimerHandle | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.limit_concurrency = self.most + SPARE  # uvicorn's 503: only after room was made

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The first head is awaited; where there are too many connections, one makes room."""
        super().connection_made(transport)
        if len(self.connections) > self.most:
            self._make_room()
        self._await(is_head=True)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is awaited any more."""
        self._has_come()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some of a head, or of a body."""
        if self.transport.is_closing():
            return
        coming, body = self._coming, self._coming.body if self._coming else 0
        super().data_received(data)
        if self.transport.is_closing() or self.transport.get_protocol() is not self:
            return
        if self._coming is None and (self.cycle is None or self.cycle.response_complete):
            self._await(is_head=True)  # empty lines before a head are no sign of life
        if coming is None or self._coming is not coming:
            return
        coming.last = self.loop.time()
        coming.around += len(data) - (coming.body - body)
        if coming.around > HEAD_BYTES + AROUND * coming.body:
            self.transport.write(TOO_LARGE)
            self._close()

    def on_message_begin(self) -> None:
        """Another head begins."""
        super().on_message_begin()
        if self._coming is None:
            self._await(is_head=True)

    def on_headers_complete(self) -> None:
        """The head is there, and a body may follow."""
        self._await(is_head=False)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Some of a body."""
        if self._coming is not None:
            self._coming.body += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """All of a request is there."""
        self._has_come()
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """A WebSocket has its own protocol from here on."""
        self._has_come()
        self.resume_writing()
        super().handle_websocket_upgrade()

    def pause_writing(self) -> None:
        """The reader of the answer takes none of it for now."""
        super().pause_writing()
        if self._reader is None:
            self._reader = self.loop.call_later(self.reader_seconds, self._abort)

    def resume_writing(self) -> None:
        """He does again."""
        if self._reader is not None:
            self._reader.cancel()
        self._reader = None
        super().resume_writing()

    def _await(self, *, is_head: bool) -> None:
        self._has_come()
        now = self.loop.time()
        self._coming = _Coming(is_head, now, now)
        self._coming.timer = self.loop.call_later(self._time_left(self._coming), self._look)

    def _time_left(self, coming: _Coming) -> float:
        """Seconds from now until it should have come, or something of it."""
        now = self.loop.time()
        if coming.is_head:
            return coming.began + self.seconds - now
        return min(coming.began + self.body_seconds, coming.last + self.silent_seconds) - now

    def _look(self) -> None:
        """Whether something came meanwhile; what we do not read ourselves for now is not late."""
        coming = self._coming
        if coming is None:
            return
        if not coming.is_head and self.flow.read_paused:
            coming.last = self.loop.time()
        left = self._time_left(coming)
        if left > 0:
            coming.timer = self.loop.call_later(left, self._look)
        else:
            self._close()

    def _has_come(self) -> None:
        if self._coming is not None and self._coming.timer is not None:
            self._coming.timer.cancel()
        self._coming = None

    def _make_room(self) -> None:
        """Close what has been on its way longest, heads before bodies; where nothing is, the last of too many."""
        patient = [each for each in self.connections if isinstance(each, PatientProtocol)]
        rooms = [(each._room, each) for each in patient if each is not self]
        waiting = [(room, each) for room, each in rooms if room is not None]
        if waiting:
            min(waiting, key=lambda each: each[0])[1]._abort()
        elif len(self.connections) > self.most + 2 * SPARE:
            self._abort()

    @property
    def _room(self) -> tuple[bool, float] | None:
        """Whether it is a body, and since when it is awaited; None where it is answered, or closes."""
        coming = self._coming
        if coming is None or self.transport.is_closing():
            return None
        if coming.is_head:
            at_rest = self.cycle is None or self.cycle.response_complete
        else:
            at_rest = not self.pipeline and not self.flow.read_paused
        return (not coming.is_head, coming.began) if at_rest else None

    def _close(self) -> None:
        self._has_come()
        if not self.transport.is_closing():
            self.transport.close()

    def _abort(self) -> None:
        """End it at once: what is to be sent still has no reader."""
        self._has_come()
        self.transport.abort()
