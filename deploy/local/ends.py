"""Which services ended by themselves and when, as the supervisor itself writes it down where they end.

supervisord loads `Recorder` as one of its own parts (`rpcinterface` in its configuration): it hears of each change
of a program's state, and offers nothing to be called.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from supervisor import events

from schemas.atomic_write import UNREADABLE, write_atomically

NEWEST = 50
"""So many ends of each service are kept."""


@dataclass(frozen=True)
class Ends:
    """Since when the supervisor of now runs, and by service when it ended by itself; seconds since 1970."""

    since: float = 0.0
    times: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


def ends_path(home: Path) -> Path:
    """Where the ends of a home's services stand."""
    return home / "run" / "ends.json"


def read_ends(home: Path) -> Ends:
    """What the supervisor wrote down last; nothing where nothing can be read."""
    try:
        return msgspec.json.decode(ends_path(home).read_bytes(), type=Ends)
    except UNREADABLE:
        return Ends()


def with_one(times: Mapping[str, tuple[float, ...]], name: str, at: float) -> dict[str, tuple[float, ...]]:
    """These times by service, and one more."""
    return {**times, name: (*times.get(name, ()), at)[-NEWEST:]}


class Recorder:
    """Writes down each end that nobody asked for, also one so early that the program never was up."""

    def __init__(self, path: Path, clock: Callable[[], float], warn: Callable[[str], None]) -> None:
        self._path, self._clock, self._warn = path, clock, warn
        self._ends = Ends(clock())
        self._write()

    def _hear(self, event: Any) -> None:
        name = str(event.process.config.name)
        self._ends = Ends(self._ends.since, with_one(self._ends.times, name, self._clock()))
        self._write()

    def _write(self) -> None:
        try:
            write_atomically(self._path, msgspec.json.encode(self._ends))
        except OSError as error:  # the next end writes this one, too
            self._warn(f"{self._path} cannot be written: {error.strerror or error}")


def make_recorder(supervisord: Any, path: str) -> Recorder:
    """What supervisord calls as it starts."""
    recorder = Recorder(Path(path), time.time, supervisord.options.logger.warn)
    for ended in (events.ProcessStateExitedEvent, events.ProcessStateBackoffEvent):
        events.subscribe(ended, recorder._hear)
    return recorder
