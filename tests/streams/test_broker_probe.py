"""A broker is asked whether it answers; one that is frozen, or is none, is told from one that does."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from deploy.ports import free_port
from streams.broker_probe import probe_broker


@pytest.mark.stack
def test_a_broker_answers(kafka: str) -> None:
    probe_broker(kafka, 5)


def test_nobody_listens() -> None:
    with pytest.raises(OSError):
        probe_broker(f"127.0.0.1:{free_port()}", 5)


def test_who_takes_the_connection_and_says_nothing_is_given_up() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            probe_broker(f"127.0.0.1:{silent.getsockname()[1]}", 0.2)
        assert time.monotonic() - begun < 10


def test_what_answers_otherwise_is_no_broker() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()

        def greet() -> None:
            connection, _ = other.accept()
            with connection:
                connection.recv(100)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        greeter = threading.Thread(target=greet)
        greeter.start()
        with pytest.raises(ConnectionError, match="not answer as a broker"):
            probe_broker(f"127.0.0.1:{other.getsockname()[1]}", 5)
        greeter.join()
