"""How a service does, asked from outside: by its own protocol, by HTTP, or by the age of its heartbeat."""

from __future__ import annotations

import urllib.error
import urllib.request
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from deploy.local import kafka, warehouse
from deploy.local.services import Service
from schemas.settings import HOST, Settings

HTTP_SECONDS = 5.0
HEARTBEAT_SECONDS = 60.0


class Health(StrEnum):
    """What a probe found: `unwell` by its own word, `hung` and to be restarted, `unknown` as unasked."""

    ok = "ok"
    unwell = "unwell"
    hung = "hung"
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
        return _answered(warehouse.answers(settings), "the warehouse does not answer")
    if service.probe == "http":
        return _ask(f"http://{HOST}:{service.port(settings)}{service.path}")
    if service.probe == "heartbeat":
        return judge_beat(last_beat(service.name, settings.home), uptime, now)
    return Finding(Health.unknown)


def judge_beat(beat: float | None, uptime: float, now: float) -> Finding:
    """Judge a heartbeat by its age; beats of an earlier run do not count against a fresh one."""
    age = uptime if beat is None else min(now - beat, uptime)
    if age > HEARTBEAT_SECONDS:
        return Finding(Health.hung, f"no heartbeat for {age:.0f} s")
    if age >= uptime:
        return Finding(Health.unwell, "no heartbeat yet")
    return Finding(Health.ok)


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
