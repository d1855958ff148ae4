"""How the services of one home do, in one list."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from deploy.local.control import Control, Process
from deploy.local.crashes import restarts
from deploy.local.health import look
from deploy.local.last_words import why
from deploy.local.probe import Finding, Health
from deploy.local.progress import is_starting
from deploy.local.progress import read as read_noted
from deploy.local.services import SERVICES, Service
from schemas.settings import Settings
from streams import aside, waits

READY = (Health.ok, Health.unknown)
"""What is well, or cannot be asked."""


@dataclass(frozen=True)
class State:
    """One service as `liaowang status` tells it."""

    name: str
    port: int | None
    state: str
    pid: int | None
    since: str | None
    health: str
    detail: str


def status(settings: Settings) -> list[State]:
    """Every service: its port, state, process, since when, and how it does; also when the stack is down.

    One that does well but has set items aside is unwell until somebody has looked (`liaowang aside`), and so is
    one that has waited for a peer for a minute; neither is a reason to start it again. What does not answer
    yet and makes progress is starting, with since when.
    """
    processes = Control(settings.home).processes()
    findings = look(settings, processes or {})
    ended = _ended_at(settings.home) if processes is None else None
    logs = settings.home / "logs"
    for name, (times, seconds) in (restarts(settings.home, time.time()) if processes else {}).items():
        said = f"restarted {times} times in {seconds / 60:.0f} min: {why(logs / f'{name}.log')}"
        findings[name] = Finding(Health.unwell, said)
    return [
        _state(service, settings, (processes or {}).get(service.name), findings.get(service.name), ended)
        for service in SERVICES
    ]


def all_well(services: Sequence[State]) -> bool:
    """Whether every service runs and none that can be asked says otherwise."""
    return all(s.state == "running" and s.health in READY for s in services)


def _ended_at(home: Path) -> str | None:
    log = home / "logs" / "supervisor.log"
    return _moment(log.stat().st_mtime) if log.exists() else None


def _state(
    service: Service,
    settings: Settings,
    process: Process | None,
    finding: Finding | None,
    ended: str | None,
) -> State:
    found = finding or Finding(Health.unknown)
    if found.health in READY and (said := _own_word(service.name, settings.home, process)):
        found = Finding(Health.unwell, said)
    if process is None:
        return State(
            service.name, service.port(settings), "stopped", None, ended, found.health.value, found.detail
        )
    since = _moment(process.since) if process.since else ended
    detail = found.detail or process.said
    if found.health in (Health.hung, Health.starting):
        found = _on_its_way(found, process, settings.home)
        detail = found.detail
    pid = process.pid or None
    return State(service.name, service.port(settings), process.state, pid, since, found.health.value, detail)


def _on_its_way(found: Finding, process: Process, home: Path) -> Finding:
    """Starting since when, where it is that; else hung."""
    if found.health is Health.starting or is_starting(process, read_noted(home)):
        return Finding(Health.starting, f"since {_moment(process.started)}: {found.detail}")
    return found


def _own_word(name: str, home: Path, process: Process | None) -> str:
    """What a service itself says is not well: what it waits for while it runs, and what it has set aside."""
    waiting = waits.told(waits.read(home, name), time.time()) if process is not None and process.up else ""
    return "; ".join(said for said in (waiting, str(aside.read(home, name) or "")) if said)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
