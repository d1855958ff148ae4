"""What every server of the local stack needs: ports, locks on folders, waiting for readiness, a clean end."""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from deploy.local.last_words import tail
from deploy.local.proc import holder
from schemas.errors import LiaowangError
from schemas.settings import HOST, PREFIX
from streams.retrying import until

SUPERVISED = "--supervised"
_PR_SET_PDEATHSIG = 1


class CannotStart(LiaowangError):
    """The stack cannot run on this machine as it is; says in one line what is wrong and how to mend it."""


def require_port(port: int, setting: str, what: str) -> None:
    """Nothing listens on the port; otherwise CannotStart, naming the setting that moves it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            who = holder(port)
            held = f"{error.strerror}, by {who}" if who else error.strerror
            raise CannotStart(
                f"{what}: port {port} on {HOST} cannot be used ({held}); "
                f"stop what listens there or set {PREFIX}{setting.upper()} to another port"
            ) from error


def hold(folder: Path, what: str) -> int:
    """Lock a data folder for this process and what it becomes by exec; CannotStart when another holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(handle, 20, 0).decode().strip() or "unknown"
        os.close(handle)
        raise CannotStart(
            f"{what}: the data folder {folder} is in use by process {holder}; "
            f"stop it (liaowang down) or set {PREFIX}HOME to another folder"
        ) from None
    os.ftruncate(handle, 0)
    os.pwrite(handle, str(os.getpid()).encode(), 0)
    os.set_inheritable(handle, True)
    return handle


def end_with_parent() -> None:
    """Have this process, also after exec, get SIGTERM when its parent ends (Linux; elsewhere nothing).

    Whoever ignores that signal hands it on so to his children, as a shell does with those in the background. A
    supervisor that has ended before this says so no more: then it is now.
    """
    if signal.getsignal(signal.SIGTERM) is signal.SIG_IGN:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if _orphaned():
            os.kill(os.getpid(), signal.SIGTERM)


def _orphaned() -> bool:
    """Whether the supervisor that started this process has ended already; False where there is none."""
    socket_of = os.environ.get("SUPERVISOR_SERVER_URL", "").removeprefix("unix://")
    try:
        supervisor = int(Path(socket_of).with_name("supervisor.pid").read_text())
    except (OSError, ValueError):
        return False
    return os.getppid() != supervisor


def worker_command(name: str, python: str = sys.executable) -> list[str]:
    """The command of one service's process, which ends when the one that starts it ends."""
    return [python, "-P", "-m", "deploy.local.workers", name, SUPERVISED]


def wait_for(ready: Callable[[], bool], process: subprocess.Popen[bytes], seconds: float, log: Path) -> None:
    """Return when `ready` says so; CannotStart with the log's last line when it ended, or time is up."""
    is_ready = False

    def ended_or_ready() -> bool:
        nonlocal is_ready
        is_ready = ready()
        return is_ready or process.poll() is not None

    if not until(ended_or_ready, seconds, 0.1):
        raise CannotStart(f"not ready after {seconds:.0f} s; see {log}")
    if not is_ready:
        raise CannotStart(last_line(log) or f"ended with code {process.returncode} before it was ready")


def last_line(log: Path) -> str:
    """The last line of a log that is not empty, or nothing."""
    return next((line for line in reversed(tail(log)) if line.strip()), "")


@contextmanager
def running(
    command: Sequence[str],
    environment: Mapping[str, str],
    log: Path,
    ready: Callable[[], bool],
    seconds: float = 180,
) -> Iterator[subprocess.Popen[bytes]]:
    """The command as a process that is ready inside the block and ended, politely first, after it."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        process = subprocess.Popen(
            command, env=dict(environment), stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
        )
    try:
        wait_for(ready, process, seconds, log)
        yield process
    finally:
        finish(process)


def finish(process: subprocess.Popen[bytes], seconds: float = 30) -> None:
    """End a process: SIGTERM, and SIGKILL when it has not ended in time. Does nothing when it has ended."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
