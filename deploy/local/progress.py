"""Which services are still starting: what the health program has seen, for who asks how they do.

A probe that is not answered says the same of a service that hangs and of one that is on its way. The health
program knows more: which process was well once, and which works although it does not answer yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from deploy.local.control import Process
from schemas.atomic_write import UNREADABLE, write_atomically

GRACE_SECONDS = 120.0
"""A process this young may be starting, whoever has seen it or not."""
LONGEST_GRACE = 1800.0


@dataclass(frozen=True)
class Noted:
    """Processes, known by their start, that were `starting` at the last look, and that were `well` once.

    `restarted`: by service when the health program ended it and started it again; seconds since 1970.
    """

    starting: Mapping[str, float] = field(default_factory=dict)
    well: Mapping[str, float] = field(default_factory=dict)
    restarted: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


def write(home: Path, noted: Noted) -> None:
    """Leave what was seen; OSError where it cannot be written."""
    write_atomically(_path(home), msgspec.json.encode(noted))


def read(home: Path) -> Noted:
    """What was seen last; nothing where nothing can be read."""
    try:
        return msgspec.json.decode(_path(home).read_bytes(), type=Noted)
    except UNREADABLE:
        return Noted()


def is_starting(process: Process, noted: Noted) -> bool:
    """Whether a process that does not answer is on its way: not well yet, and young or seen at work."""
    if not process.up or noted.well.get(process.name) == process.started:
        return False
    limit = LONGEST_GRACE if noted.starting.get(process.name) == process.started else GRACE_SECONDS
    return process.uptime < limit


def _path(home: Path) -> Path:
    return home / "run" / "health.json"
