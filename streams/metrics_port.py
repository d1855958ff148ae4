"""The port of a program that has metrics for Prometheus, and answers nothing else."""

from __future__ import annotations

import logging
from threading import Thread
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.registry import Collector

from schemas.settings import HOST, PREFIX
from streams.http_guard import Guard
from streams.http_middleware import guarded_wsgi
from streams.patient_threads import PatientThreads

log = logging.getLogger("liaowang.metrics")

TIMEOUT = 10
"""Seconds that one who asks may be silent."""


class _Server(PatientThreads, WSGIServer):
    """A thread a connection, and only so many; none of them keeps the program from ending."""


class _Quiet(WSGIRequestHandler):
    """Says nothing of requests, and waits only so long for what a client has to say."""

    timeout = TIMEOUT

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


def serve(collector: Collector, port: int, guard: Guard, setting: str = "metrics_port") -> bool:
    """Serve the metrics on loopback; where the port is taken (a second process), say so and go on without.

    `setting` names what moves the port.
    """
    registry = CollectorRegistry()
    registry.register(collector)
    application = guarded_wsgi(make_wsgi_app(registry), guard)
    try:
        server = make_server(HOST, port, application, _Server, _Quiet)
    except OSError as error:
        where = f"port {port} ({PREFIX}{setting.upper()})"
        log.warning("no metrics from this process: %s: %s", where, error.strerror)
        return False
    Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return True
