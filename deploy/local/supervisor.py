"""The stack of one home as a whole: up and down."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from deploy.environment import inherited, load_settings
from deploy.local.clear import clear_away
from deploy.local.control import Control, Process
from deploy.local.crashes import crash_loops
from deploy.local.form import bring_to_form, publish_rules
from deploy.local.health import BUSY_SECONDS, look
from deploy.local.home_folder import OWN, close_home
from deploy.local.jars import fetch_jars, find_java
from deploy.local.last_words import why
from deploy.local.marker import clear_due, clear_marker, left, set_due, set_marker
from deploy.local.probe import Finding
from deploy.local.proc import worked
from deploy.local.process import CannotStart, require_port
from deploy.local.reconcile import offsets_beyond, reconcile, tell
from deploy.local.secrets import ensure_secrets
from deploy.local.services import SERVERS, SERVICES, WORKERS, Service
from deploy.local.status import READY
from deploy.local.status import State as State
from deploy.local.status import all_well as all_well
from deploy.local.status import status as status
from deploy.local.supervisor_conf import socket_path, supervisor_config
from schemas.errors import LiaowangError
from schemas.in_use import files_of
from schemas.settings import PREFIX, Settings
from streams import aside
from streams.retrying import until

SOCKET_LENGTH = 100
START_SECONDS, LONGEST_START = 180.0, 900.0
"""So long may a start take without any work being done, and in all."""
STOP_SECONDS = 180.0
Say = Callable[[str], None]


def up(settings: Settings, say: Say) -> bool:
    """Bring the stack up, migrated and healthy; False when it ran already.

    Where a server or its form fails nothing stays up. A worker that does not start stops no other: CannotStart
    names it in the end, and the rest goes on.
    """
    home = settings.home
    _demand_place(home, say)
    control = Control(home)
    with alone(home):
        running, before = control.processes(), ""
        if running is None:
            clear_away(home, say)
            _demand_machine(settings, say)
            ensure_secrets(home, files=files_of(settings))
            before = left(home)
            _launch(settings, control)
        elif all(process.up for process in running.values()):
            formed = bring_to_form(load_settings(), say)
            if formed.behind:
                names = ", ".join(formed.behind)
                say(f"{names} have what they read before; `liaowang apply` gives them the new ones")
            publish_rules(load_settings(), say, formed, formed.behind)
            return False
        try:
            _start_servers(load_settings(), control, say)
        except BaseException:
            if running is None:
                say("it did not come up; stopping what was started")
                _stop_all(control, say)
            raise
        _start_workers(load_settings(), control, say, before)
    return True


def down(settings: Settings, say: Say) -> bool:
    """Stop workers, then servers, then the supervisor, each cleanly; False when nothing was up."""
    control = Control(settings.home)
    if control.processes() is None:
        return False
    with alone(settings.home):
        _stop_all(control, say)
        clear_marker(settings.home)
    return True


def _start_servers(settings: Settings, control: Control, say: Say) -> None:
    say("starting kafka and warehouse")
    control.start([service.name for service in SERVERS])
    failed = await_services(settings, control, SERVERS)
    if failed:
        raise CannotStart(failed[0])
    formed = bring_to_form(settings, say)
    publish_rules(settings, say, formed, formed.behind)


def _start_workers(settings: Settings, control: Control, say: Say, before: str) -> None:
    """Start all workers; CannotStart names those that do not come up, while the others run.

    `before`: what the marker of an earlier `up` said.
    """
    if _all_ended(control, [service.name for service in WORKERS]):
        _reconcile(settings, before, say)
    set_marker(settings.home, time.time())
    say("starting the workers")
    awaited = [service for service in WORKERS if service.awaited]
    others = [service.name for service in WORKERS if not service.awaited]
    control.start([service.name for service in awaited])
    failed = await_services(settings, control, awaited)
    control.start(others)  # only now: they take no processor from those on the way of the data
    say(f"may still be starting: {', '.join(others)}")
    if failed:
        raise CannotStart("\n".join([*failed, "everything else is up; see `liaowang status`"]))


def _reconcile(settings: Settings, before: str, say: Say) -> None:
    """Compare the parts of the home; ids only where something says that they may be of different moments."""
    if before:
        say(before)
    try:
        found = offsets_beyond(settings)
        if found or before:
            say("comparing log, outbox, duty database and warehouse")
            found = reconcile(settings, mend=True)
            say("they are torn:" if found else "they agree")
        tell(settings, found, before, say)
        clear_due(settings.home)
    except Exception as error:  # that it could not be compared keeps no stack down
        said = str(error) if isinstance(error, LiaowangError) else f"{type(error).__name__}: {error}"
        say(f"not compared: {said}; the next `liaowang up` does it, `liaowang reconcile` at any time")
        aside.Aside(settings.home, "duty", time.time).add(
            f"the home was not compared: {before or 'at up'}", said
        )
        try:
            set_due(settings.home, before or "whether the parts of this home are of one moment is not known")
        except OSError as full:
            say(f"that it is due cannot be written down either: {full.strerror}; run `liaowang reconcile`")


def await_services(settings: Settings, control: Control, services: Sequence[Service]) -> list[str]:
    """Wait until each is up and well, or does not start; gives a line with the reason for each that does not.

    Whoever ends so often that it is a crash loop does not start, though the supervisor may go on trying.
    """
    names, failed = [service.name for service in services], dict[str, str]()
    waiting = names
    begun, alive = time.time(), {name: (0.0, time.monotonic()) for name in names}
    while True:
        processes = control.processes()
        if processes is None:
            raise CannotStart(f"the supervisor ended; see {settings.home / 'logs' / 'supervisor.log'}")
        missing = [name for name in names if name not in processes]
        if missing:
            raise CannotStart(
                f"the supervisor that runs does not know {', '.join(missing)}; `liaowang down`, then `up` again"
            )
        for asked in (waiting, names):  # all once more, where none is waited for any longer
            found = look(settings, {name: processes[name] for name in asked})
            waiting = [name for name in asked if name not in found or found[name].health not in READY]
            if waiting:
                break
        loops = crash_loops(settings.home, time.time(), time.time() - begun)
        used = worked({processes[name].pid for name in waiting})
        alive |= {name: _alive(alive[name], used[processes[name].pid]) for name in waiting}
        for name in waiting:
            late = time.monotonic() - alive[name][1] > START_SECONDS or time.time() - begun > LONGEST_START
            ended = processes[name].failed or name in loops
            if name not in failed and (ended or late):
                failed[name] = _failure(settings, name, processes[name], found.get(name), ended)
        if not any(name not in failed for name in waiting):
            return [failed[name] for name in waiting]
        time.sleep(0.3)


def _alive(before: tuple[float, float], used: float) -> tuple[float, float]:
    """(processor time used, when that last grew): what works is on its way, however slow the machine is."""
    return before if abs(used - before[0]) < BUSY_SECONDS else (used, time.monotonic())


def _failure(settings: Settings, name: str, process: Process, finding: Finding | None, ended: bool) -> str:
    """Why a service does not start: one that ends by itself says so in its log, of others the probe knows more."""
    log = settings.home / "logs" / f"{name}.log"
    told = finding.detail if finding is not None and process.state == "running" else process.said
    reason = told if told and not ended else why(log) or told or "it gave no reason"
    return f"{name} does not start: {reason} (more in {log})"


def _stop_all(control: Control, say: Say) -> None:
    for what, services in (("workers", WORKERS), ("kafka and warehouse", SERVERS)):
        say(f"stopping {what}")
        known = control.processes() or {}  # the supervisor may be of another version, with other services
        names = [service.name for service in services if service.name in known]
        control.stop(["health"] if services is WORKERS else [])
        control.stop([name for name in names if name != "health"])
        _until(lambda names=names: _all_ended(control, names), f"{what} to end")  # type: ignore[misc]
    pid = control.pid()
    control.shutdown()
    _until(lambda: not Path(f"/proc/{pid}").exists() and control.processes() is None, "the supervisor to end")


def _all_ended(control: Control, names: Sequence[str]) -> bool:
    processes = control.processes() or {}
    return all(processes[name].ended for name in names if name in processes)


def _until(done: Callable[[], bool], what: str) -> None:
    if not until(done, STOP_SECONDS):
        raise CannotStart(f"waited {STOP_SECONDS:.0f} s for {what}; see `liaowang status`")


def _launch(settings: Settings, control: Control) -> None:
    home = settings.home
    for folder in ("run", "logs"):
        (home / folder).mkdir(mode=OWN, parents=True, exist_ok=True)
    config = home / "supervisord.conf"
    config.unlink(missing_ok=True)
    with os.fdopen(os.open(config, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(supervisor_config(home, sys.executable))
    started = subprocess.run(
        [sys.executable, "-P", "-m", "supervisor.supervisord", "-c", str(config)],
        env=inherited(settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if started.returncode != 0:
        said = (started.stderr or started.stdout).strip().splitlines()
        raise CannotStart(f"the supervisor does not start: {said[-1] if said else 'it gave no reason'}")
    _until(lambda: control.processes() is not None, "the supervisor to answer")


def _demand_place(home: Path, say: Say) -> None:
    socket = str(socket_path(home))
    if len(socket.encode()) > SOCKET_LENGTH:
        raise CannotStart(
            f"the path of the home is too long for a socket ({home}); set {PREFIX}HOME to a shorter one"
        )
    close_home(home, say)
    (home / "run").mkdir(mode=OWN, exist_ok=True)


def _demand_machine(settings: Settings, say: Say) -> None:
    for service in SERVICES:
        for name in service.ports:
            require_port(getattr(settings, name), name, service.name)
    find_java()
    if not settings.kafka_jars.exists():
        say("fetching Kafka's jars (once)")
    fetch_jars(settings.kafka_jars)


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """One `up`, `down` or `apply` at a time; a second one waits."""
    with (home / "run" / "stack.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
