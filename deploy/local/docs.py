"""A small file server for the Data Docs that builds write to `<home>/docs`, for `admin` only."""

from __future__ import annotations

import json
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

from deploy.local.process import require_port
from schemas.settings import HOST, Settings
from streams.http_guard import HEALTH, OK, Guard, guard_of
from streams.http_middleware import taken
from streams.patient_threads import PatientThreads

POLICY = (
    "default-src 'self' 'unsafe-inline' data:; frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
)
"""What a page may load: only what is served here. The pages name style sheets elsewhere and do without."""
SECONDS = 20


class Handler(SimpleHTTPRequestHandler):
    """Serves files to whom the guard lets in, and lets the reader's browser talk to nobody else."""

    timeout = SECONDS
    """Seconds that a reader may be silent within a request."""

    def __init__(self, *arguments: Any, guard: Guard, directory: str) -> None:
        self._guard = guard
        super().__init__(*arguments, directory=directory)

    def do_GET(self) -> None:
        """A file, or that the server is up."""
        self._answer(super().do_GET)

    def do_HEAD(self) -> None:
        """The same without the file."""
        self._answer(super().do_HEAD)

    def end_headers(self) -> None:
        """Send the policy with every answer."""
        self.send_header("Content-Security-Policy", POLICY)
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: who looked at a page is no news."""

    def _answer(self, serve: Any) -> None:
        if not taken(self, self._guard):
            return
        if self.path.partition("?")[0] != HEALTH:
            serve()
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        said = json.dumps(OK).encode()
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said if self.command == "GET" else b"")


class Server(PatientThreads, HTTPServer):
    """A thread a connection, and only so many, each for only so long."""


def server(settings: Settings) -> Server:
    """The server, bound to its port and not yet serving."""
    folder: Path = settings.home / "docs"
    folder.mkdir(parents=True, exist_ok=True)
    require_port(settings.docs_port, "docs_port", "docs")
    handler = partial(Handler, directory=str(folder), guard=guard_of(settings, password=True))
    return Server((HOST, settings.docs_port), handler)


def main(settings: Settings) -> None:
    """Serve until this process ends."""
    with server(settings) as serving:
        serving.serve_forever()
