"""The door of the engine's own user: it lets one in, the engine's own session at its start, and nobody after.

LocalServer signs its session in as `default` with an empty password, from 127.0.0.1, just as anybody could who
connects; users.xml can tell the two apart by nothing. So it asks this door (HTTP authentication): the first who
comes is the session, as no port is open before it is there. The port stays held, so that no other program can
answer in its place.
"""

from __future__ import annotations

import secrets
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from schemas.settings import HOST
from streams.patient_threads import PatientThreads


class Door:
    """Answers on a free port of loopback from `open` on, in a thread of its own, as long as the process lives."""

    def __init__(self) -> None:
        self._path = f"/{secrets.token_hex(16)}"
        self._server = _Server((HOST, 0), _Answer)
        self._server.path = self._path

    @property
    def address(self) -> str:
        """Where the engine asks."""
        return f"http://{HOST}:{self._server.server_address[1]}{self._path}"

    @property
    def used(self) -> bool:
        """Whether the one has come in."""
        return self._server.used

    def open(self) -> None:
        """Begin to answer."""
        threading.Thread(target=self._server.serve_forever, name="door", daemon=True).start()


class _Server(PatientThreads, HTTPServer):
    """Nobody holds the door: whoever is slow is ended, and who came first makes room."""

    allow_reuse_address = False
    connections, seconds = 32, 5.0
    path = ""
    used = False

    def __init__(self, *given: Any) -> None:
        self._one = threading.Lock()
        super().__init__(*given)

    def welcome(self, path: str) -> bool:
        """Whether this is the one who may come in: the first who asks by the path."""
        with self._one:
            first = path == self.path and not self.used
            self.used = self.used or first
            return first


class _Answer(BaseHTTPRequestHandler):
    timeout = 2.0

    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, _Server)
        welcome = server.welcome(self.path)
        self.send_response(HTTPStatus.OK if welcome else HTTPStatus.FORBIDDEN)
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the engine logs who is refused."""
