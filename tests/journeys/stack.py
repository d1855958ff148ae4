"""A local stack as its user has it: a home of its own, the `liaowang` command, and nothing else."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

with warnings.catch_warnings():  # kafka-python reads its message schemas in a way that Python has deprecated
    warnings.filterwarnings("ignore", "(read|open)_text is deprecated", DeprecationWarning)
    import kafka.admin  # noqa: F401

from clickhouse_driver import Client

from deploy.cli.stack.caught_up import behind, catch_up, ends
from deploy.environment import load_settings, settings_from
from deploy.local.control import Control
from deploy.local.services import SERVICES
from deploy.ports import free_port
from schemas.contract import load_contracts
from schemas.settings import PREFIX, Settings
from schemas.topics import WARNINGS
from streams.duty.push_worker import outbox_path
from streams.duty.systems.outbox import Outbox
from streams.duty.systems.receiver import store_path
from streams.duty.systems.store import Store

LIAOWANG = [str(Path(sys.executable).parent / "liaowang")]
PATIENCE = 180.0
CONTRACTS = load_contracts()
FEEDS = ("ecology.air-quality", "health.infectious-disease", "governance.citizen-request")


class Stack:
    """One home on free ports; the command runs in subprocesses, as a person would run it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        ports = {f"{PREFIX}{port.upper()}": str(free_port()) for s in SERVICES for port in s.ports}
        jars = {f"{PREFIX}KAFKA_LIBS": str(load_settings().kafka_jars)}
        self.given = {f"{PREFIX}HOME": str(home), **ports, **jars}
        rest = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
        self.environment = {**rest, **self.given, "COLUMNS": "200"}

    @property
    def settings(self) -> Settings:
        """The settings of this home, with its secrets once it has been up."""
        return settings_from(self.given)

    def liaowang(
        self, *arguments: object, code: int = 0, seconds: float = 300, **changes: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the command to its end; it must end with this code and never with a traceback."""
        done = subprocess.run(
            [*LIAOWANG, *map(str, arguments)],
            env=self.environment | changes,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )
        said = f"{' '.join(map(str, arguments))}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        assert "Traceback" not in done.stderr + done.stdout, said
        assert done.returncode == code, f"ended with {done.returncode}, not {code}: {said}"
        return done

    def begin(self, at_end: ExitStack, *arguments: object) -> subprocess.Popen[bytes]:
        """Start the command and go on; it is ended at the end, should it still run."""
        log = at_end.enter_context((self.home.parent / f"{self.home.name}.out").open("ab"))
        process = subprocess.Popen(
            [*LIAOWANG, *map(str, arguments)],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        at_end.callback(_end, process)
        return process

    def services(self) -> dict[str, dict[str, Any]]:
        """Every service by name, as `liaowang status --json` tells it."""
        done = subprocess.run(
            [*LIAOWANG, "status", "--json"], env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode in (0, 3), done.stderr
        return {service["name"]: service for service in json.loads(done.stdout)["services"]}

    def kill(self, name: str) -> None:
        """`kill -9` one service and wait until the supervisor has started it again."""
        eventually(lambda: self._pid(name) != 0, f"{name} to run")
        before = self._pid(name)
        os.kill(before, signal.SIGKILL)
        eventually(lambda: self._pid(name) not in (0, before), f"{name} to be started again")

    def _pid(self, name: str) -> int:
        """What `liaowang status` tells, but without the seconds that a command takes to start."""
        processes = Control(self.home).processes()
        assert processes is not None, "the supervisor does not answer"
        return processes[name].pid

    def well(self, killed: Collection[str] = ()) -> None:
        """Wait until the services on the way of the data run and are healthy.

        Of those that were killed again and again `status` says so for ten minutes, which is right.
        """
        awaited = {service.name for service in SERVICES if service.awaited}

        def unwell() -> dict[str, Any]:
            found = self.services()
            return {
                name: found[name]
                for name in sorted(awaited)
                if found[name]["state"] != "running"
                or not (
                    found[name]["health"] in ("ok", "unknown")
                    or (name in killed and found[name]["detail"].startswith("restarted "))
                )
            }

        eventually(lambda: not unwell(), "all services to be well", told=unwell)

    def settle(self) -> None:
        """Wait until everything sent is watched, landed and pushed."""
        settings = self.settings
        sent = ends(settings, [CONTRACTS[feed].topic for feed in FEEDS])
        _follow(lambda: behind(settings, "liaowang-watch", sent), "watch")
        warned = ends(settings, [WARNINGS])
        _follow(lambda: behind(settings, "liaowang-land", sent | warned), "land")
        _follow(lambda: behind(settings, "push", warned), "push")
        _follow(self._pending, "pushes")

    def rows(self, sql: str, user: str = "service") -> list[tuple[Any, ...]]:
        """What the warehouse answers."""
        client = Client(**self.settings.warehouse(user))
        try:
            return list(client.execute(sql))
        finally:
            client.disconnect()

    def received(self) -> list[dict[str, Any]]:
        """What the receiver has got: key, copies, push."""
        store = Store(store_path(self.settings))
        try:
            return store.newest(1_000_000)
        finally:
            store.close()

    def close(self) -> None:
        """Stop the stack, whatever state it is in, and remove what it stored."""
        self.liaowang("down")
        shutil.rmtree(self.home, ignore_errors=True)

    def _pending(self) -> int:
        outbox = Outbox(outbox_path(self.settings))
        try:
            return outbox.counts()["pending"]
        finally:
            outbox.close()


def eventually(
    true: Callable[[], bool], what: str, seconds: float = PATIENCE, told: Callable[[], object] = lambda: ""
) -> None:
    """Wait until it is true; `told` says how it stands when the time is over."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what} {told()}"
        time.sleep(0.5)


def generated(stack: Stack, folder: Path, days: int, seed: int) -> dict[str, Any]:
    """Generate feeds into a folder; what was planted in them."""
    stack.liaowang("generate", "--days", days, "--seed", seed, "--until", "2025-06-30", "--out", folder)
    planted: dict[str, Any] = json.loads((folder / "planted.json").read_text())
    return planted


def moment(text: str) -> datetime:
    """A time with its offset."""
    found = datetime.fromisoformat(text)
    assert found.tzinfo is not None
    return found


def different(one: Sequence[Any], other: Sequence[Any], shown: int = 5) -> str:
    """In what two tables differ, in a few words; empty where they are the same."""
    if list(one) == list(other):
        return ""
    mine, its = set(one), set(other)
    first, second = sorted(map(str, mine - its))[:shown], sorted(map(str, its - mine))[:shown]
    only = f"{len(mine - its)} only here {first}, {len(its - mine)} only there {second}"
    return f"{len(one)} and {len(other)} rows; {only}"


def _follow(remaining: Callable[[], int], what: str) -> None:
    catch_up(remaining, lambda done, total: None, PATIENCE, what)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
    process.wait()


@contextmanager
def fresh_stack() -> Iterator[Stack]:
    """A stack that has never been up; closed afterwards, whatever happened."""
    with TemporaryDirectory(prefix="liaowang-journey-") as folder:
        stack = Stack(Path(folder) / "home")
        try:
            yield stack
        finally:
            stack.close()
