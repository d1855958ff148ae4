"""A real PostgreSQL for the tests, started by them: Debian's package, a cluster in a temporary folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))


def missing() -> str:
    """Why there can be no PostgreSQL here; empty where there can."""
    if not BINARIES:
        return "no PostgreSQL under /usr/lib/postgresql (Debian: apt install postgresql)"
    if os.geteuid() == 0 and not shutil.which("runuser"):
        return "PostgreSQL refuses to run as root, and there is no runuser"
    return ""


@contextmanager
def postgresql() -> Iterator[str]:
    """The URL of a fresh cluster's maintenance database, on a Unix socket that only its owner reaches."""
    home = Path(tempfile.mkdtemp(prefix="liaowang-pg-", dir="/tmp"))
    if os.geteuid() == 0:
        shutil.chown(home, "postgres", "postgres")
    data, binaries = home / "data", BINARIES[-1].parent
    try:
        _run(binaries / "initdb", "-D", data, "-A", "trust", "-U", "duty", "-E", "UTF8", "--locale=C", "-N")
        options = (
            f"-c listen_addresses='' -c unix_socket_directories={home} -c fsync=off -c max_connections=50"
        )
        _run(binaries / "pg_ctl", "-D", data, "-w", "-l", home / "log", "-o", options, "start")
        try:
            yield f"postgresql://duty@/postgres?host={home}"
        finally:
            _run(binaries / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(home)


def _run(*command: object) -> None:
    """Run as the user postgres where this is root."""
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [*user, *map(str, command)], cwd="/tmp", stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
