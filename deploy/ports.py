"""Ports of this machine: whether one is open, and one that is free."""

from __future__ import annotations

import socket

from schemas.settings import HOST


def port_open(port: int) -> bool:
    """Whether something on 127.0.0.1 accepts connections on this port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def free_port() -> int:
    """A port on 127.0.0.1 that nothing listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
