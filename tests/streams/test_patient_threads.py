"""Servers of threads end who is slow on purpose, and make room for who comes after him."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from wsgiref.simple_server import WSGIServer

import pytest

from streams.patient_threads import PatientThreads

ASK = b"GET / HTTP/1.0\r\n\r\n"


class Answer(BaseHTTPRequestHandler):
    """Says much to who asks `/much`, and hello to others."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"x" * 50_000_000 if self.path == "/much" else b"hello")

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


class Server(PatientThreads, HTTPServer):
    """Three connections, of a second each."""

    connections, seconds = 3, 1.0

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that was ended by the server is no news."""


@contextmanager
def serving(**bounds: float) -> Iterator[tuple[str, int]]:
    with type("Bounded", (Server,), bounds)(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server.server_address
        server.shutdown()
        thread.join(60)


def connected(place: tuple[str, int], said: bytes = b"") -> socket.socket:
    made = socket.create_connection(place, timeout=60)
    made.sendall(said)
    return made


def heard(from_: socket.socket) -> bytes:
    parts = []
    try:
        while part := from_.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    from_.close()
    return b"".join(parts)


def test_a_head_that_comes_byte_by_byte_and_a_reader_who_does_not_read_are_ended() -> None:
    with serving() as place:
        dripping, deaf = connected(place), connected(place, b"GET /much HTTP/1.0\r\n\r\n")
        end = time.monotonic() + 60
        with pytest.raises(OSError):
            while time.monotonic() < end:
                dripping.sendall(b"X")
                time.sleep(0.05)
        dripping.close()
        assert len(heard(deaf)) < 50_000_000
        assert heard(connected(place, ASK)).endswith(b"hello")


def test_where_all_places_are_taken_the_first_makes_room() -> None:
    with serving(seconds=3600.0) as place:
        held = [connected(place) for _ in range(7)]
        assert heard(connected(place, ASK)).endswith(b"hello")
        assert [heard(each) for each in held[:5]] == [b""] * 5
        for each in held[5:]:
            each.close()


def test_it_stands_before_servers_of_pages_and_of_wsgi() -> None:
    for kind in (HTTPServer, WSGIServer):
        made = type("Either", (PatientThreads, kind), {})(("127.0.0.1", 0), Answer)
        assert made.daemon_threads
        made.server_close()
