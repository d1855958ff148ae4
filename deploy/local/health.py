"""The health program: probes each service, restarts what hangs and what supervisord has given up."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from deploy.local.control import Control, Process
from deploy.local.probe import Finding, Health, probe
from deploy.local.services import SERVERS, SERVICES
from schemas.settings import Settings

log = logging.getLogger("liaowang.health")

INTERVAL_SECONDS = 10.0
LIMIT = 6
GRACE_SECONDS = 120.0
FIRST_PAUSE = 30.0
LONGEST_PAUSE = 600.0
_SERVERS = {service.name for service in SERVERS}


@dataclass(frozen=True)
class Patience:
    """What is remembered of one service: failed probes in a row, and when it may be started again."""

    failures: int = 0
    pause: float = FIRST_PAUSE
    next_start: float = 0.0


@dataclass(frozen=True)
class Round:
    """What one look at the services leads to."""

    memory: Mapping[str, Patience]
    restart: dict[str, str] = field(default_factory=dict)
    start: dict[str, str] = field(default_factory=dict)


def decide(
    memory: Mapping[str, Patience],
    processes: Mapping[str, Process],
    findings: Mapping[str, Finding],
    now: float,
    limit: int = LIMIT,
    grace: float = GRACE_SECONDS,
) -> Round:
    """Decide what to restart (hung `limit` times in a row) and to start again (given up, after a pause).

    A process younger than `grace` seconds may still be starting and does not hang.
    While a server itself is hung or down, workers are left alone: they wait for it by themselves.
    """
    servers_well = all(findings.get(name, Finding(Health.ok)).health is Health.ok for name in _SERVERS)
    servers_well = servers_well and all(processes[name].up for name in _SERVERS if name in processes)
    outcome = Round({})
    remembered: dict[str, Patience] = {}
    for name, process in processes.items():
        patience = memory.get(name, Patience())
        finding = findings.get(name, Finding(Health.unknown))
        if process.failed:
            patience = _start_again(outcome, name, patience, now)
        elif finding.health is not Health.hung or process.uptime < grace:
            patience = replace(patience, failures=0, pause=FIRST_PAUSE if process.up else patience.pause)
        elif name in _SERVERS or servers_well:
            patience = replace(patience, failures=patience.failures + 1)
            if patience.failures >= limit:
                outcome.restart[name] = finding.detail
                patience = replace(patience, failures=0)
        remembered[name] = patience
    return replace(outcome, memory=remembered)


def _start_again(outcome: Round, name: str, patience: Patience, now: float) -> Patience:
    if now < patience.next_start:
        return patience
    outcome.start[name] = f"supervisord had given it up; next try in {patience.pause:.0f} s at the earliest"
    return Patience(0, min(patience.pause * 2, LONGEST_PAUSE), now + patience.pause)


def watch_over(
    settings: Settings,
    interval: float = INTERVAL_SECONDS,
    limit: int = LIMIT,
    grace: float = GRACE_SECONDS,
    go_on: Callable[[], bool] = lambda: True,
) -> None:
    """Look after the services of this home for as long as `go_on` says."""
    control, memory = Control(settings.home), dict[str, Patience]()
    beat = settings.home / "run" / "health.heartbeat"
    while go_on():
        beat.touch()
        processes = control.processes() or {}
        findings = look(settings, processes)
        outcome = decide(memory, processes, findings, time.monotonic(), limit, grace)
        memory = dict(outcome.memory)
        for name, why in outcome.restart.items():
            log.warning("%s hangs (%s): it is restarted", name, why)
            restart(control, name)
        for name, why in outcome.start.items():
            log.warning("%s is started again: %s", name, why)
            control.start([name])
        time.sleep(interval)


def look(settings: Settings, processes: Mapping[str, Process]) -> dict[str, Finding]:
    """Probe every service that runs."""
    return {
        service.name: probe(service, settings, processes[service.name].uptime, time.time())
        for service in SERVICES
        if service.name in processes and processes[service.name].up
    }


def restart(control: Control, name: str) -> None:
    """Stop one service, by force when it does not listen, and start it."""
    control.stop([name])
    while (process := (control.processes() or {}).get(name)) is not None and not process.ended:
        time.sleep(0.2)
    control.start([name])


def main(settings: Settings) -> None:
    """Look after this home's services until this process is ended."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    logging.getLogger("clickhouse_driver").setLevel(logging.CRITICAL)
    watch_over(settings)
