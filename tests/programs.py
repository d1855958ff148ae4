"""The platform's programs as processes of their own: for tests that kill them, and for benchmarks."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.environment import as_environment
from schemas.settings import Settings


def program(module: str) -> str:
    """Code that runs the `main` of a module with the settings of its environment."""
    return f"from deploy.environment import load_settings\nfrom {module} import main\nmain(load_settings())\n"


def service(name: str) -> str:
    """Code that runs a service as the stack does."""
    told = f"run_worker({name!r}, load_settings())"
    return (
        f"from deploy.environment import load_settings\nfrom deploy.local.workers import run_worker\n{told}\n"
    )


@contextmanager
def process(
    settings: Settings, code: str, log: Path, ending: signal.Signals = signal.SIGKILL, **environment: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Python code in a process of its own; if it still runs after the block, it is ended by this signal."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        running = subprocess.Popen(
            [sys.executable, "-c", code],
            env={**as_environment(settings), **environment},
            stdout=out,
            stderr=out,
        )
    try:
        yield running
    finally:
        if running.poll() is None:
            running.send_signal(ending)
        running.wait(60)


def until(true: Callable[[], bool], what: str, seconds: float = 90.0) -> None:
    """Wait for a condition; fails after so long, saying for what it waited."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.05)
