"""Processes as Linux shows them under /proc: who a home's are, who holds a port, how much they work.

Elsewhere nothing is known, and whoever asks goes on without.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
_LISTENING = "0A"


@dataclass(frozen=True)
class Found:
    """A process and what it is called: a service of the stack, or its program."""

    pid: int
    name: str

    def __str__(self) -> str:
        return f"{self.name} (process {self.pid})"


def orphans(supervisor: str) -> list[Found]:
    """What a supervisor at this address (`unix://…`) has started and still runs."""
    found = []
    for pid in _pids():
        told = _environment(pid)
        if told.get("SUPERVISOR_SERVER_URL") == supervisor and pid != os.getpid() and not _ended(pid):
            found.append(Found(pid, told.get("SUPERVISOR_PROCESS_NAME", program(pid))))
    return sorted(found, key=lambda each: each.pid)


def supervisors(config: Path) -> list[Found]:
    """The supervisors that run with this configuration."""
    return [
        Found(pid, "supervisor")
        for pid in _pids()
        if str(config) in (words := _words(pid))
        and any("supervisord" in word for word in words if word != str(config))
    ]


def holder(port: int) -> Found | None:
    """The process that listens on a port of this machine; None where it cannot be told."""
    sockets = _sockets(port)
    for pid in _pids() if sockets else ():
        try:
            handles = list((PROC / str(pid) / "fd").iterdir())
        except OSError:
            continue
        for handle in handles:
            try:
                target = os.readlink(handle)
            except OSError:
                continue
            if target in sockets:
                return Found(pid, program(pid))
    return None


def program(pid: int) -> str:
    """What a process runs, in one word; its number where it has ended."""
    try:
        return (PROC / str(pid) / "comm").read_text().strip()
    except OSError:
        return str(pid)


def worked(pids: Collection[int]) -> dict[int, float]:
    """Seconds of processor time by process, with whatever it has started; 0 where it cannot be told.

    Who waits for a child that works is not idle: Dagster's page loads the project in one.
    """
    used, parents = {}, {}
    for pid in _pids():
        try:
            words = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[pid], used[pid] = int(words[1]), sum(map(int, words[11:15]))
    found = dict.fromkeys(pids, 0)
    for pid, ticks in used.items():
        while pid and pid not in found:
            pid = parents.get(pid, 0)
        if pid:
            found[pid] += ticks
    return {pid: ticks / os.sysconf("SC_CLK_TCK") for pid, ticks in found.items()}


def _pids() -> Iterator[int]:
    if PROC.is_dir():
        yield from (int(each.name) for each in PROC.iterdir() if each.name.isdigit())


def _environment(pid: int) -> dict[str, str]:
    try:
        raw = (PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return {}
    pairs = (entry.partition(b"=") for entry in raw.split(b"\0"))
    return {name.decode(errors="replace"): value.decode(errors="replace") for name, _, value in pairs}


def _words(pid: int) -> list[str]:
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


def _ended(pid: int) -> bool:
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (OSError, IndexError):
        return True


def _sockets(port: int) -> set[str]:
    """The sockets that listen on the port, as they stand among a process's open files."""
    found = set()
    for table in ("tcp", "tcp6"):
        try:
            lines = (PROC / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for words in map(str.split, lines):
            if words[3] == _LISTENING and int(words[1].rpartition(":")[2], 16) == port:
                found.add(f"socket:[{words[9]}]")
    return found
