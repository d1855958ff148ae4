"""Ports, locks, waiting: what is in the way is said in one line with the way out."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from deploy.local.process import CannotStart, finish, hold, last_line, require_port, running
from deploy.ports import free_port, port_open
from schemas.settings import HOST

QUIET = [sys.executable, "-c", "import time; time.sleep(60)"]


def test_taken_port_names_port_and_setting() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CannotStart, match=rf"kafka: port {port} .* set LIAOWANG_KAFKA_PORT"):
            require_port(port, "kafka_port", "kafka")


def test_free_port_is_one_that_nothing_listens_on_and_a_server_can_take() -> None:
    with ExitStack() as servers:
        taken = set[int]()
        for _ in range(20):
            port = free_port()
            assert port not in taken, "a server listens there"
            require_port(port, "kafka_port", "kafka")
            server = servers.enter_context(socket.socket())
            server.bind((HOST, port))
            server.listen()
            assert port_open(port)
            taken.add(port)


def test_folder_in_use_names_its_holder(tmp_path: Path) -> None:
    handle = hold(tmp_path, "kafka")
    with pytest.raises(CannotStart, match=rf"in use by process {os.getpid()}; .*LIAOWANG_HOME"):
        hold(tmp_path, "kafka")
    os.close(handle)
    os.close(hold(tmp_path, "kafka"))


def test_lock_outlives_exec(tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from deploy.local.process import hold; "
        "hold(Path(sys.argv[1]), 'x'); os.execv(sys.executable, [sys.executable, '-c', "
        "'print(\"held\", flush=True); import time; time.sleep(60)'])"
    )
    holder = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(CannotStart, match="in use"):
        hold(tmp_path, "x")
    holder.kill()
    holder.wait()
    holder.stdout.close()
    os.close(hold(tmp_path, "x"))


def test_what_ends_before_it_is_ready_tells_why(tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = [sys.executable, "-c", "import sys; sys.exit('no disk left')"]
    with pytest.raises(CannotStart, match="no disk left"), running(command, {}, log, lambda: False):
        pass


def test_what_is_never_ready_is_ended(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with pytest.raises(CannotStart, match="not ready after 1 s"), running(QUIET, {}, log, lambda: False, 1):
        pass


def test_finish_kills_what_does_not_listen() -> None:
    ignore = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "print(1, flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", ignore], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    finish(process, seconds=0.5)
    process.stdout.close()
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("disposition", ["SIG_DFL", "SIG_IGN"])
def test_supervised_ends_with_its_parent_also_where_that_one_ignores_the_signal(disposition: str) -> None:
    child = (
        "import time; from deploy.local.process import end_with_parent; end_with_parent(); "
        "print('ready', flush=True); time.sleep(60)"
    )
    parent = (
        "import signal, subprocess, sys; signal.signal(signal.SIGTERM, getattr(signal, sys.argv[2])); "
        "child = subprocess.Popen([sys.executable, '-c', sys.argv[1]], "
        "stdout=subprocess.PIPE); child.stdout.readline(); print(child.pid, flush=True); "
        "import time; time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", parent, child, disposition], stdout=subprocess.PIPE)
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    handle = os.pidfd_open(pid)
    process.kill()
    process.wait()
    process.stdout.close()
    assert select.select([handle], [], [], 20)[0], "the child still runs"
    os.close(handle)


@pytest.mark.parametrize(("supervisor", "code"), [("this", 0), ("another", -signal.SIGTERM), ("none", 0)])
def test_supervised_ends_where_its_supervisor_had_ended_before_it_could_say_so(
    tmp_path: Path, supervisor: str, code: int
) -> None:
    if supervisor != "none":
        pid = os.getpid() if supervisor == "this" else os.getppid()
        (tmp_path / "supervisor.pid").write_text(f"{pid}\n")
    child = "from deploy.local.process import end_with_parent; end_with_parent()"
    there = {"SUPERVISOR_SERVER_URL": f"unix://{tmp_path}/supervisor.sock"}
    assert subprocess.run([sys.executable, "-c", child], env=os.environ | there).returncode == code


def test_last_line_skips_empty_ones(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert last_line(log) == ""
    log.write_text("first\nlast\n\n")
    assert last_line(log) == "last"
