"""The warehouse as the console reads it: short queries, short timeouts, and none at all while it is away."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any

from clickhouse_driver import Client
from clickhouse_driver.errors import Error

from schemas.errors import Unavailable

LIMITS = {"max_execution_time": 8, "max_memory_usage": 1_000_000_000}
PAUSE = 5.0
CONNECT_SECONDS = 1.0
IDLE = 4


class Reading:
    """Questions as one user of the warehouse. Thread-safe; Unavailable where it does not answer.

    After a failure nothing is asked for a few seconds: a page must not wait for what is known to be away.
    """

    def __init__(self, connect: Mapping[str, Any], clock: Callable[[], float]) -> None:
        timeouts = {"connect_timeout": 1, "send_receive_timeout": 10, "sync_request_timeout": 1}
        self._connect = dict(connect) | timeouts | {"settings": LIMITS}
        self._clock = clock
        self._lock = threading.Lock()
        self._idle: list[Client] = []
        self._away_until = 0.0
        self._reason = ""

    def rows(self, sql: str, **given: Any) -> list[tuple[Any, ...]]:
        """The rows of a question."""
        if self._clock() < self._away_until:
            raise Unavailable(self._reason)
        client: Client | None = None
        try:
            client = self._take()
            found = list(client.execute(sql, given))
        except (OSError, EOFError, Error) as error:
            if client is not None:
                client.disconnect()
            said = str(getattr(error, "message", "") or error).strip() or type(error).__name__
            reason = f"warehouse: {said.splitlines()[0][:300]}"
            if not getattr(error, "code", 0) or isinstance(error, OSError):
                self._away_until, self._reason = self._clock() + PAUSE, reason
            raise Unavailable(reason) from error
        with self._lock:
            if len(self._idle) < IDLE:
                self._idle.append(client)
                return found
        client.disconnect()
        return found

    def close(self) -> None:
        """End the connections that are not in use."""
        with self._lock:
            idle, self._idle = self._idle, []
        for client in idle:
            client.disconnect()

    def _take(self) -> Client:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        probe_port(str(self._connect["host"]), int(self._connect["port"]))
        return Client(**self._connect)


def probe_port(host: str, port: int) -> None:
    """Return when somebody listens there, raise OSError at once otherwise: clients of libraries wait for long."""
    socket.create_connection((host, port), CONNECT_SECONDS).close()
