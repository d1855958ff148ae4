"""A small file server for the Data Docs that builds write to `<home>/docs`."""

from __future__ import annotations

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

from deploy.local.process import demand_port
from schemas.settings import HOST, Settings


def server(settings: Settings) -> ThreadingHTTPServer:
    """The server, bound to its port and not yet serving."""
    folder = settings.home / "docs"
    folder.mkdir(parents=True, exist_ok=True)
    demand_port(settings.docs_port, "docs_port", "docs")
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    return ThreadingHTTPServer((HOST, settings.docs_port), handler)


def main(settings: Settings) -> None:
    """Serve until this process ends."""
    with server(settings) as serving:
        serving.serve_forever()
