"""The health program: probes each service, restarts what hangs and what supervisord has given up."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from deploy.local.control import Control, Process
from deploy.local.ends import with_one
from deploy.local.probe import Finding, Health, probe
from deploy.local.proc import worked
from deploy.local.progress import GRACE_SECONDS, LONGEST_GRACE, Noted, write
from deploy.local.progress import read as read_noted
from deploy.local.services import SERVERS, SERVICES
from schemas.settings import Settings
from streams.retrying import until

log = logging.getLogger("liaowang.health")

INTERVAL_SECONDS = 10.0
LIMIT = 6
STOP_SECONDS = 60.0
"""supervisord ends by force what does not listen, long before."""
FIRST_PAUSE = 30.0
LONGEST_PAUSE = 600.0
UNWELL = 5
"""What says itself that it is not well (five minutes of it) is restarted, as it may never come to itself."""
BUSY_SECONDS = 0.1
"""So much of the processor between two looks is a sign of life; on a busy machine it is all one gets."""
_SERVERS = {service.name for service in SERVERS}


@dataclass(frozen=True)
class RestartState:
    """What is remembered of one service.

    Failed and unwell probes in a row; when it may be started again; how often it was restarted without being well
    in between; which process of it (by its start) was well once, and how much it had worked at the last look.
    """

    failures: int = 0
    unwell: int = 0
    pause: float = FIRST_PAUSE
    next_start: float = 0.0
    restarts: int = 0
    well_since: float = -1.0
    worked: float = 0.0


@dataclass(frozen=True)
class Round:
    """What one look at the services leads to."""

    memory: Mapping[str, RestartState]
    restart: dict[str, str] = field(default_factory=dict)
    start: dict[str, str] = field(default_factory=dict)
    starting: set[str] = field(default_factory=set)


def decide(
    memory: Mapping[str, RestartState],
    processes: Mapping[str, Process],
    findings: Mapping[str, Finding],
    now: float,
    limit: int = LIMIT,
    grace: float = GRACE_SECONDS,
    worked: Mapping[str, float] = MappingProxyType({}),
) -> Round:
    """Decide what to restart (hung `limit` times in a row, or unwell UNWELL times as often) and to start again.

    A process younger than `grace` seconds may still be starting and does not hang; the grace doubles with each
    restart until it is well. Nor does one hang that has not been well yet and works (`worked`: seconds of
    processor time, its children's too): it starts slowly. What supervisord has given up is started after a pause.
    While a server itself is hung or down, workers are left alone: they wait for it by themselves.
    """
    servers_well = all(findings.get(name, Finding(Health.ok)).health is Health.ok for name in _SERVERS)
    servers_well = servers_well and all(processes[name].up for name in _SERVERS if name in processes)
    outcome = Round({})
    remembered: dict[str, RestartState] = {}
    for name, process in processes.items():
        state = memory.get(name, RestartState())
        if process.failed:
            remembered[name] = _start_again(outcome, name, state, now)
            continue
        finding = findings.get(name, Finding(Health.unknown))
        used = worked.get(name, 0.0)
        state, busy = replace(state, worked=used), used - state.worked >= BUSY_SECONDS
        if finding.health in (Health.ok, Health.unknown):
            state = _well(state, process, finding)
        elif _starting(state, process, grace, busy):
            state = replace(state, failures=0, unwell=0)
            outcome.starting.add(name)
        elif name in _SERVERS or servers_well:
            state = _worse(state, finding)
            if state.failures >= limit or state.unwell >= UNWELL * limit:
                outcome.restart[name] = finding.detail
                state = replace(state, failures=0, unwell=0, restarts=state.restarts + 1)
        remembered[name] = state
    return replace(outcome, memory=remembered)


def _well(state: RestartState, process: Process, finding: Finding) -> RestartState:
    pause = FIRST_PAUSE if process.up else state.pause
    state = replace(state, failures=0, unwell=0, pause=pause)
    if finding.health is Health.ok:
        state = replace(state, restarts=0, well_since=process.started)
    return state


def _starting(state: RestartState, process: Process, grace: float, busy: bool) -> bool:
    """Whether a process may still be on its way: it is young, or has not been well yet and works."""
    if process.uptime < min(grace * 2 ** min(state.restarts, 10), max(grace, LONGEST_GRACE)):
        return True
    return busy and state.well_since != process.started and process.uptime < LONGEST_GRACE


def _worse(state: RestartState, finding: Finding) -> RestartState:
    if finding.health is Health.hung:
        return replace(state, failures=state.failures + 1, unwell=state.unwell + 1)
    return replace(state, failures=0, unwell=state.unwell + 1)


def _start_again(outcome: Round, name: str, state: RestartState, now: float) -> RestartState:
    if now < state.next_start:
        return state
    outcome.start[name] = f"supervisord had given it up; next try in {state.pause:.0f} s at the earliest"
    pause = min(state.pause * 2, LONGEST_PAUSE)
    return replace(state, failures=0, unwell=0, pause=pause, next_start=now + state.pause)


def watch_over(
    settings: Settings,
    interval: float = INTERVAL_SECONDS,
    limit: int = LIMIT,
    grace: float = GRACE_SECONDS,
    go_on: Callable[[], bool] = lambda: True,
) -> None:
    """Look after the services of this home for as long as `go_on` says."""
    control, memory, restarted = (
        Control(settings.home),
        dict[str, RestartState](),
        read_noted(settings.home).restarted,
    )
    beat = settings.home / "run" / "health.heartbeat"
    while go_on():
        beat.touch()
        processes = control.processes() or {}
        findings = look(settings, processes)
        pids = {name: each.pid for name, each in processes.items() if each.up and each.pid}
        by_pid = worked(set(pids.values()))
        used = {name: by_pid[pid] for name, pid in pids.items()}
        outcome = decide(memory, processes, findings, time.monotonic(), limit, grace, used)
        memory = dict(outcome.memory)
        for name in outcome.restart:
            restarted = with_one(restarted, name, time.time())
        _note(settings, outcome, processes, restarted)
        for name, why in outcome.restart.items():
            log.warning("%s does not come to itself (%s): it is restarted", name, why)
            restart(control, name)
        for name, why in outcome.start.items():
            log.warning("%s is started again: %s", name, why)
            control.start([name])
        time.sleep(interval)


def _note(
    settings: Settings,
    outcome: Round,
    processes: Mapping[str, Process],
    restarted: Mapping[str, tuple[float, ...]],
) -> None:
    """Leave for `status` which processes are on their way, were well, or restarted, if that can be written."""
    starting = {name: processes[name].started for name in outcome.starting}
    well = {name: each.well_since for name, each in outcome.memory.items() if each.well_since >= 0}
    try:
        write(settings.home, Noted(starting, well, restarted))
    except OSError as error:
        log.warning("which services are starting cannot be written: %s", error.strerror or error)


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
    if not until(lambda: _ended(control, name), STOP_SECONDS):
        log.error("%s has not ended %.0f s after it was told to", name, STOP_SECONDS)
        return
    control.start([name])


def _ended(control: Control, name: str) -> bool:
    process = (control.processes() or {}).get(name)
    return process is None or process.ended


def main(settings: Settings) -> None:
    """Look after this home's services until this process is ended."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    logging.getLogger("clickhouse_driver").setLevel(logging.CRITICAL)
    watch_over(settings)
