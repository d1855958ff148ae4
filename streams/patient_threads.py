"""Servers of one thread a connection (http.server, wsgiref) with bounds: how many, and how long each may last.

A timeout of a socket begins anew with every byte, so it ends nobody who is slow on purpose. Here each connection
has a time in all; and where all places are taken, the one that began first makes room.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from socketserver import TCPServer, ThreadingMixIn
from threading import Lock
from typing import TYPE_CHECKING, Any

CONNECTIONS = 64
SECONDS = 60.0


if TYPE_CHECKING:
    _Base = TCPServer
else:
    _Base = object


class PatientThreads(ThreadingMixIn, _Base):
    """To stand before the class of the server; none of its threads keeps the program from ending."""

    daemon_threads = True
    connections, seconds = CONNECTIONS, SECONDS

    def __init__(self, *given: Any, **more: Any) -> None:
        self._open: dict[socket.socket, float] = {}
        self._lock = Lock()
        super().__init__(*given, **more)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Begin to answer; the connection that began first ends where there are too many."""
        with self._lock:
            if len(self._open) >= self.connections:
                self._end(next(iter(self._open)))
            self._open[request] = time.monotonic()
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """It is over."""
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """End the connections whose time is over; the server asks every half second."""
        super().service_actions()
        with self._lock:
            ended = [each for each, began in self._open.items() if time.monotonic() - began > self.seconds]
            for each in ended:
                self._end(each)

    def _end(self, request: socket.socket) -> None:
        """Its thread finds the connection closed, wherever it waits."""
        del self._open[request]
        with suppress(OSError):
            request.shutdown(socket.SHUT_RDWR)
