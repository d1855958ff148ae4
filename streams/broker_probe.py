"""Whether a broker serves requests, asked on a socket of its own: a client would try for many seconds."""

from __future__ import annotations

import socket
import struct

_API_VERSIONS, _CORRELATION, _NO_CLIENT = 18, 1, -1
_HEAD = 10


def probe_broker(bootstrap: str, seconds: float) -> None:
    """Return when the broker has answered ApiVersions (version 0); OSError where it has not in `seconds`.

    A process that is stopped, or too busy, has its connections taken by the kernel, and says nothing.
    """
    host, _, port = bootstrap.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=seconds) as asked:
        asked.sendall(struct.pack(">ihhih", _HEAD, _API_VERSIONS, 0, _CORRELATION, _NO_CLIENT))
        with asked.makefile("rb") as answer:
            head = answer.read(_HEAD)
    if len(head) != _HEAD or struct.unpack(">iih", head)[1:] != (_CORRELATION, 0):
        raise ConnectionError(f"{bootstrap} does not answer as a broker does")
