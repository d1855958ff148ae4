"""What an earlier run has left is waited for, ended where it does not end, and named where it is in the way."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.local.clear import clear_away
from deploy.local.proc import holder, orphans, worked
from deploy.local.process import CannotStart, require_port
from deploy.local.supervisor_conf import socket_path
from deploy.ports import free_port

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)"
)
BRIEF = "import time; print(flush=True); time.sleep(1)"


@contextmanager
def left(home: Path, name: str, code: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process as the supervisor of this home would have started it."""
    told = {"SUPERVISOR_SERVER_URL": f"unix://{socket_path(home)}", "SUPERVISOR_PROCESS_NAME": name}
    with subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, **told}, stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout is not None and process.stdout.readline()
            yield process
        finally:
            process.kill()


def test_nothing_left_is_nothing_said(tmp_path: Path) -> None:
    said: list[str] = []
    clear_away(tmp_path, said.append)
    assert said == []


def test_what_ends_by_itself_is_waited_for_by_name(tmp_path: Path) -> None:
    said: list[str] = []
    with left(tmp_path, "kafka", BRIEF) as process:
        clear_away(tmp_path, said.append)
        assert said == [f"waiting for what an earlier run has left to end: kafka (process {process.pid})"]
        assert process.wait(10) == 0


def test_what_does_not_end_is_ended(tmp_path: Path) -> None:
    said: list[str] = []
    with left(tmp_path, "land", STUBBORN) as process:
        clear_away(tmp_path, said.append, timeout=0.5)
        assert process.wait(10) == -9
    assert [line.partition(":")[0] for line in said[1:]] == [
        "still there, ended by SIGTERM",
        "still there, ended by SIGKILL",
    ]


def test_another_homes_processes_are_left_alone(tmp_path: Path) -> None:
    with left(tmp_path / "other", "land", STUBBORN) as process:
        clear_away(tmp_path, lambda _: None, timeout=0.5)
        assert process.poll() is None
        assert [each.name for each in orphans(f"unix://{socket_path(tmp_path / 'other')}")] == ["land"]


def test_a_supervisor_that_does_not_answer_is_named(tmp_path: Path) -> None:
    config = tmp_path / "supervisord.conf"
    words = [sys.executable, "-c", STUBBORN, "supervisor.supervisord", "-c", str(config)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None and process.stdout.readline()
            with pytest.raises(CannotStart, match=rf"supervisor \(process {process.pid}\).*does not answer"):
                clear_away(tmp_path, lambda _: None)
        finally:
            process.kill()


def test_who_holds_a_port_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = holder(port)
        assert found is not None and found.pid != 0
        with pytest.raises(
            CannotStart, match=rf"by {found.name} \(process {found.pid}\).*LIAOWANG_DOCS_PORT"
        ):
            require_port(port, "docs_port", "docs")
    assert holder(free_port()) is None


def test_work_is_a_sign_of_life_and_so_is_that_of_children() -> None:
    own = os.getpid()
    before = worked({own})[own]
    total = 0
    while worked({own})[own] < before + 0.05:
        total += sum(range(10_000))
    assert total and worked({0}) == {0: 0.0} and worked(set()) == {}
    spin = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'while True: pass'])"
    parent = subprocess.Popen([sys.executable, "-c", spin], start_new_session=True)
    try:
        apart, until = 0.0, time.monotonic() + 60
        while apart < 1.0 and time.monotonic() < until:
            found = worked({own, parent.pid})
            apart = found[parent.pid]
        assert apart >= 1.0, "who waits for a child that works is not idle"
        assert worked({own})[own] >= found[own] + apart, "each is counted with the nearest that is asked for"
    finally:
        os.killpg(parent.pid, signal.SIGKILL)
        parent.wait()
