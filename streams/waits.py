"""Since when a program waits, and for what: beside its heartbeat, so that `status` tells it.

A peer that answers and refuses (a table that is gone, a full disk, a topic that was deleted) leaves a program
alive and idle. That is no reason to start it again, and none to call it well.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from schemas.atomic_write import UNREADABLE
from streams.aside import one_line

TOLD_AFTER = 60.0
"""Seconds of waiting after which a program is not well."""
SIZE = 16 * 1024
"""Bytes of the file from the beginning on: it is overwritten in place, so a disk that is full takes it too."""

log = logging.getLogger("liaowang.waits")

Held = Callable[[str], None]
"""What a loop calls with what it waits for each time it must wait, and with nothing when it goes on."""


def unheld(why: str) -> None:
    """For loops of which nobody asks what they wait for."""


class Wait(msgspec.Struct, frozen=True):
    """One loop of a program waits: since when (seconds since 1970), and for what in one line."""

    since: float
    why: str


class Waits:
    """What one program waits for, by its loops. `clock` gives seconds since 1970. What was before is over."""

    def __init__(self, home: Path, service: str, clock: Callable[[], float]) -> None:
        self._path, self._clock = _path(home, service), clock
        self._waits: dict[str, Wait] = {}
        self._write()

    def of(self, loop: str) -> Held:
        """What one loop calls. The time counts from the first of several reasons in a row; the last is told."""

        def held(why: str) -> None:
            before = self._waits.get(loop)
            if before is None and not why:
                return
            if why:
                self._waits[loop] = Wait(before.since if before else self._clock(), one_line(why))
            else:
                del self._waits[loop]
            if self._waits.get(loop) != before:
                self._write()

        return held

    def _write(self) -> None:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.pwrite(file, msgspec.json.encode(self._waits).ljust(SIZE), 0)
            finally:
                os.close(file)
        except OSError as error:
            log.error("%s cannot be written: %s", self._path, error.strerror)


def read(home: Path, service: str) -> dict[str, Wait]:
    """What a service waits for, by its loops; nothing where it does not say."""
    try:
        return msgspec.json.decode(_path(home, service).read_bytes(), type=dict[str, Wait])
    except FileNotFoundError:
        return {}
    except UNREADABLE as error:
        log.error("%s cannot be read: %s", _path(home, service), error)
        return {}


def told(waits: Mapping[str, Wait], now: float) -> str:
    """What has lasted too long, in words, the longest wait first; empty where nothing has."""
    long = sorted(
        (wait.since, loop, wait.why) for loop, wait in waits.items() if now - wait.since >= TOLD_AFTER
    )
    return "; ".join(f"{loop} waits since {_moment(since)}: {why}" for since, loop, why in long)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _path(home: Path, service: str) -> Path:
    return home / "run" / f"{service}.waits"
