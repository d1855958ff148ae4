"""The stack of one home as a person meets it: up, status, what dies and hangs, down."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploy.environment import as_environment, load_settings
from deploy.local.control import Control
from deploy.local.health import watch_over
from deploy.local.process import CannotStart
from deploy.local.services import SERVICES
from deploy.local.supervisor import all_well, down, status, up
from deploy.ports import free_port
from schemas.errors import Misdeclared
from schemas.settings import Settings

PORTS = [port for service in SERVICES for port in service.ports]


@pytest.fixture
def fresh(settings: Settings) -> Iterator[Settings]:
    """Settings of a home that has never been up, as the environment gives them: without secrets.

    Its path is short, as that of a socket must be; pytest's own grow with the name of the test.
    """
    ports = {name: free_port() for name in PORTS}
    with tempfile.TemporaryDirectory(prefix="lw-") as home:
        bare = Settings(home=Path(home), kafka_libs=settings.kafka_jars, tick_seconds=1.0)
        yield replace(bare, **ports)


@contextmanager
def environment(settings: Settings) -> Iterator[None]:
    """The environment of this process, for a while, as a person would have set it."""
    before = dict(os.environ)
    given = {key: value for key, value in as_environment(settings).items() if value}
    os.environ.update(given)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def quiet(_: str) -> None:
    """Say nothing."""


def state(settings: Settings, name: str) -> Any:
    return next(service for service in status(settings) if service.name == name)


def eventually(true: Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.3)


def eventually_well(settings: Settings, seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not all_well(services := status(settings)):
        assert time.monotonic() < deadline, [s for s in services if s.health != "ok"]
        time.sleep(0.5)


def test_status_of_a_home_that_was_never_up(fresh: Settings) -> None:
    services = status(fresh)
    assert [service.name for service in services] == [service.name for service in SERVICES]
    assert {service.state for service in services} == {"stopped"}
    assert not all_well(services)


def test_down_of_a_home_that_was_never_up(fresh: Settings) -> None:
    assert down(fresh, quiet) is False


def test_path_too_long_for_a_socket(fresh: Settings) -> None:
    with pytest.raises(CannotStart, match="set LIAOWANG_HOME to a shorter one"):
        up(replace(fresh, home=fresh.home / ("x" * 100)), quiet)


def test_home_that_cannot_be_written(fresh: Settings) -> None:
    (fresh.home / "file").touch()
    with pytest.raises(CannotStart, match=r"cannot be written .*LIAOWANG_HOME"):
        up(replace(fresh, home=fresh.home / "file" / "home"), quiet)


def test_taken_port_is_named_and_nothing_is_started(fresh: Settings, kafka: str, settings: Settings) -> None:
    taken = replace(fresh, gateway_port=settings.kafka_port)
    with pytest.raises(CannotStart, match=rf"gateway: port {settings.kafka_port} .*LIAOWANG_GATEWAY_PORT"):
        up(taken, quiet)
    assert not (fresh.home / "supervisord.conf").exists()


def test_worker_on_the_command_line_tells_an_error_in_one_line(fresh: Settings) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "deploy.local.workers", "nope"],
        env=as_environment(fresh),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("worker: nope: ") and done.stderr.count("\n") == 1


@pytest.mark.stack
@pytest.mark.journey
@pytest.mark.timeout(900)
def test_a_day_in_the_life_of_a_stack(fresh: Settings) -> None:
    with ExitStack() as at_end:
        at_end.enter_context(environment(fresh))
        at_end.callback(down, fresh, quiet)
        assert up(fresh, quiet) is True
        assert up(fresh, quiet) is False
        told = load_settings()
        eventually_well(told)
        _nothing_private_shows(told)
        _what_dies_is_started_again(told)
        _what_hangs_is_restarted(told)
        assert down(told, quiet) is True
        assert down(told, quiet) is False
        assert all(service.since for service in status(told))
        _wrong_topic_leaves_nothing_up(told)
        _a_malformed_database_of_duty_stops_duty_alone(told)
        _a_crash_loop_is_not_well(told)
        _up_waits_for_what_a_dead_supervisor_has_left(told)
        _nothing_outlives_the_supervisor(told)


def _nothing_private_shows(fresh: Settings) -> None:
    secrets = json.loads((fresh.home / "secrets.json").read_text())
    config = fresh.home / "supervisord.conf"
    assert config.stat().st_mode & 0o777 == 0o600
    pids = [service.pid for service in status(fresh) if service.pid]
    shown = config.read_text() + "".join(Path(f"/proc/{pid}/cmdline").read_text() for pid in pids)
    assert not any(secret in shown for secret in secrets.values())


def _what_dies_is_started_again(fresh: Settings) -> None:
    before = {name: state(fresh, name) for name in ("kafka", "warehouse", "land")}
    for service in before.values():
        os.kill(service.pid, signal.SIGKILL)
    eventually(lambda: all(state(fresh, name).pid not in (None, before[name].pid) for name in before))
    eventually_well(fresh)


def _what_hangs_is_restarted(fresh: Settings) -> None:
    before = state(fresh, "docs").pid
    os.kill(before, signal.SIGSTOP)
    processes = Control(fresh.home).processes
    watch_over(fresh, 0.2, limit=2, grace=0, go_on=lambda: (processes() or {})["docs"].pid in (before, 0))
    eventually(lambda: state(fresh, "docs").health == "ok")


def _wrong_topic_leaves_nothing_up(fresh: Settings) -> None:
    other = replace(fresh, partitions=fresh.partitions + 1)
    with environment(other), pytest.raises(Misdeclared, match="partitions: are 4, the settings say 5"):
        up(other, quiet)
    assert Control(fresh.home).processes() is None


def _a_malformed_database_of_duty_stops_duty_alone(fresh: Settings) -> None:
    path = fresh.home / "duty" / "duty.sqlite"
    whole = path.read_bytes()
    path.write_bytes(b"SQLite" + whole[: len(whole) // 2])
    for name in ("duty.sqlite-wal", "duty.sqlite-shm"):
        (fresh.home / "duty" / name).unlink(missing_ok=True)
    with pytest.raises(CannotStart) as told:
        up(fresh, quiet)
    assert "duty.sqlite is malformed" in str(told.value) and "restore a backup" in str(told.value)
    services = {service.name: service for service in status(fresh)}
    for name in ("kafka", "warehouse", "gateway", "land", "watch", "docs", "receiver"):
        assert (services[name].state, services[name].health) == ("running", "ok"), services[name]
    push = services["push"]  # it pushes; for notifications it waits, which is told after a minute
    assert push.state == "running" and (push.health == "ok" or "malformed" in push.detail), push
    for name in ("duty", "console"):
        assert services[name].health != "ok" and "malformed" in services[name].detail, services[name]
    assert not all_well(list(services.values()))
    path.write_bytes(whole)
    up(fresh, quiet)  # the supervisor may have tried again before
    eventually(lambda: all(state(fresh, name).state == "running" for name in ("duty", "console")))


def _a_crash_loop_is_not_well(fresh: Settings) -> None:
    for _ in range(3):
        eventually(lambda: state(fresh, "docs").health in ("ok", "unwell") and state(fresh, "docs").pid)
        pid = state(fresh, "docs").pid
        os.kill(pid, signal.SIGKILL)
        eventually(lambda pid=pid: state(fresh, "docs").pid not in (None, pid))
    eventually(lambda: state(fresh, "docs").state == "running")
    found = state(fresh, "docs")
    assert found.health == "unwell" and found.detail.startswith("restarted 3 times in 10 min: ")


def _up_waits_for_what_a_dead_supervisor_has_left(fresh: Settings) -> None:
    os.kill(Control(fresh.home).pid(), signal.SIGKILL)
    said: list[str] = []
    assert up(fresh, said.append) is True
    assert said[0].startswith("waiting for what an earlier run has left to end: kafka (process ")


def _nothing_outlives_the_supervisor(fresh: Settings) -> None:
    pids = [service.pid for service in status(fresh) if service.pid]
    os.kill(Control(fresh.home).pid(), signal.SIGKILL)
    eventually(lambda: not any(_runs(pid) for pid in pids))


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(")")[-1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
