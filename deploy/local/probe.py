"""How a service does, asked from outside: by its own protocol, by HTTP, or by the age of its heartbeat."""

from __future__ import annotations

import sqlite3
import urllib.error
import urllib.request
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from socket import AF_UNIX
from socket import socket as Socket
from urllib.parse import quote

from deploy.local import admits, kafka
from deploy.local.services import Service
from deploy.local.supervisor_conf import code_socket
from schemas.settings import HOST, Settings

HTTP_SECONDS = 5.0
HEARTBEAT_SECONDS = 60.0
DAEMON_SECONDS, DAEMON_START_SECONDS = 180.0, 300.0
"""Dagster's daemon beats every half minute, and first of all when it has loaded the project."""


class Health(StrEnum):
    """What a probe found: `unwell` by its own word, `hung` and to be restarted, `unknown` as unasked.

    `starting`: it does not answer yet, and makes progress or is young.
    """

    ok = "ok"
    unwell = "unwell"
    hung = "hung"
    starting = "starting"
    unknown = "unknown"


@dataclass(frozen=True)
class Finding:
    """The health of one service at one moment, and in words what is wrong."""

    health: Health
    detail: str = ""


def probe(service: Service, settings: Settings, uptime: float, now: float) -> Finding:
    """Ask one running service. `uptime` in seconds, `now` in seconds since the epoch."""
    if service.probe == "kafka":
        return _answered(kafka.answers(settings), "the broker does not answer")
    if service.probe == "warehouse":
        return _answered(admits.answers(settings), "the warehouse does not answer")
    if service.probe == "http":
        return _ask(f"http://{HOST}:{service.port(settings)}{service.path}")
    if service.probe == "heartbeat":
        return judge_beat(last_beat(service.name, settings.home), uptime, now)
    if service.probe == "socket":
        return _answered(listens(code_socket(settings.home)), "nobody listens at its socket")
    if service.probe == "dagster":
        return judge_daemon(daemon_beat(settings.home), uptime, now)
    return Finding(Health.unknown)


def judge_daemon(beat: float | None, uptime: float, now: float) -> Finding:
    """Judge Dagster's daemon by the heartbeats in its storage; while it loads its code it cannot be asked."""
    age = uptime if beat is None else min(now - beat, uptime)
    if age >= uptime:
        starting = uptime < DAEMON_START_SECONDS
        return Finding(Health.unknown if starting else Health.hung, f"no heartbeat yet after {uptime:.0f} s")
    return (
        Finding(Health.hung, f"no heartbeat for {age:.0f} s") if age > DAEMON_SECONDS else Finding(Health.ok)
    )


def daemon_beat(home: Path) -> float | None:
    """When the daemon that spoke last beat with all its parts, in seconds since the epoch."""
    path = home / "dagster" / "history" / "runs.db"
    if not path.exists():
        return None
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=1)) as storage:
            rows = storage.execute(
                "SELECT min(timestamp) FROM daemon_heartbeats WHERE daemon_id ="
                " (SELECT daemon_id FROM daemon_heartbeats ORDER BY timestamp DESC LIMIT 1)"
            ).fetchall()
    except sqlite3.Error:
        return None
    return datetime.fromisoformat(rows[0][0]).replace(tzinfo=UTC).timestamp() if rows[0][0] else None


def judge_beat(beat: float | None, uptime: float, now: float) -> Finding:
    """Judge a heartbeat by its age; beats of an earlier run do not count against a fresh one."""
    age = uptime if beat is None else min(now - beat, uptime)
    if age > HEARTBEAT_SECONDS:
        return Finding(Health.hung, f"no heartbeat for {age:.0f} s")
    if age >= uptime:
        return Finding(Health.starting, "no heartbeat yet")
    return Finding(Health.ok)


def listens(socket: Path) -> bool:
    """Whether a program listens at a unix socket."""
    with closing(Socket(AF_UNIX)) as tried:
        tried.settimeout(HTTP_SECONDS)
        try:
            tried.connect(str(socket))
        except OSError:
            return False
    return True


def last_beat(name: str, home: Path) -> float | None:
    """When the heartbeat file of a worker was last touched, in seconds since the epoch."""
    try:
        return (home / "run" / f"{name}.heartbeat").stat().st_mtime
    except FileNotFoundError:
        return None


def _answered(answered: bool, otherwise: str) -> Finding:
    return Finding(Health.ok) if answered else Finding(Health.hung, otherwise)


def _ask(address: str) -> Finding:
    try:
        with urllib.request.urlopen(address, timeout=HTTP_SECONDS):
            return Finding(Health.ok)
    except urllib.error.HTTPError as error:
        with error:
            said = error.read(300).decode(errors="replace").strip()
        return Finding(Health.unwell, f"HTTP {error.code}: {said}")
    except OSError as error:
        return Finding(Health.hung, f"no answer: {getattr(error, 'reason', error)}")
