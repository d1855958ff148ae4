"""What the programs of a running stack use: processor seconds and memory, by program."""

from __future__ import annotations

from pathlib import Path

from deploy.local.control import Control
from deploy.local.proc import PROC, worked


def _pids(home: Path) -> dict[str, int]:
    """The programs of the stack by name; the supervisor is what they all have been started by."""
    processes = Control(home).processes() or {}
    return {name: each.pid for name, each in processes.items() if each.up and each.pid}


def used(home: Path) -> dict[str, float]:
    """Processor seconds so far, by program."""
    pids = _pids(home) | {"supervisor": Control(home).pid()}
    seconds = worked(set(pids.values()))
    return {name: seconds[pid] for name, pid in pids.items()}


def pss(home: Path) -> dict[str, int]:
    """Proportional set size in bytes by program, with whatever it has started."""
    names = {pid: name for name, pid in _pids(home).items()} | {Control(home).pid(): "supervisor"}
    found = dict.fromkeys(names.values(), 0)
    for each in PROC.iterdir():
        name = _program(each, names) if each.name.isdigit() else None
        if name is not None:
            found[name] += _pss(each)
    return found


def _program(process: Path, names: dict[int, str]) -> str | None:
    """The program a process belongs to: its own, or that of the nearest who started it."""
    pid = int(process.name)
    while pid and pid not in names:
        try:
            pid = int((PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return None
    return names.get(pid)


def _pss(process: Path) -> int:
    try:
        lines = (process / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) << 10
