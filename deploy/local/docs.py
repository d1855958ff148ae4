"""A small file server for the Data Docs that builds write to `<home>/docs`."""

from __future__ import annotations

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

from deploy.local.process import demand_port
from schemas.settings import HOST, Settings

POLICY = "default-src 'self' 'unsafe-inline' data:"
"""What a page may load: only what is served here. The pages name style sheets elsewhere and do without."""


class Handler(SimpleHTTPRequestHandler):
    """Serves files and lets the reader's browser talk to nobody else."""

    def end_headers(self) -> None:
        """Send the policy with every answer."""
        self.send_header("Content-Security-Policy", POLICY)
        super().end_headers()


def server(settings: Settings) -> ThreadingHTTPServer:
    """The server, bound to its port and not yet serving."""
    folder = settings.home / "docs"
    folder.mkdir(parents=True, exist_ok=True)
    demand_port(settings.docs_port, "docs_port", "docs")
    handler = partial(Handler, directory=str(folder))
    return ThreadingHTTPServer((HOST, settings.docs_port), handler)


def main(settings: Settings) -> None:
    """Serve until this process ends."""
    with server(settings) as serving:
        serving.serve_forever()
