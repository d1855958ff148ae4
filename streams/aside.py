"""What was set aside: items a program could not work on through their own fault, while it went on with the rest.

Each program has one file, `<home>/aside/<service>.json`: how many, since when, and the newest of them. `liaowang
status` shows the service as unwell until a person has looked and cleared it. The items themselves stay where they
are (dead pushes in the outbox, refused rows in `landing.rejected`, messages on their topic).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

import msgspec

from schemas.atomic_write import UNREADABLE, write_atomically

NEWEST = 20
SHOWN = 300
"""Items told of each service, and characters of a text: a flood of broken messages fills no disk."""
TOLD_EACH, TOLD_SECONDS = 20, 1.0
"""So many items get a line in the log each; beyond, one line a second."""

log = logging.getLogger("liaowang.aside")


class Item(msgspec.Struct, frozen=True):
    """One item set aside: when (ISO 8601, UTC), what it is or where it stands, and why, each in one line."""

    at: str
    what: str
    reason: str


class Record(msgspec.Struct, frozen=True):
    """What one service has set aside since it was last cleared; `newest` is the newest first."""

    count: int
    since: str
    newest: tuple[Item, ...]

    def __str__(self) -> str:
        item = self.newest[0]
        return f"{self.count} set aside since {self.since}, the newest {item.what}: {item.reason}"


class Aside:
    """Records what one program sets aside. `clock` gives seconds since 1970.

    One program a service writes; what is in the file when it starts is counted on. Thread-safe.
    """

    def __init__(self, home: Path, service: str, clock: Callable[[], float]) -> None:
        self._path, self._clock = _path(home, service), clock
        self._told, self._lock = 0.0, Lock()

    def add(self, what: str, reason: str) -> None:
        """Record one item and say it in the log; where it cannot be written down, the log says that, too."""
        with self._lock:
            self._add(what, reason)

    def _add(self, what: str, reason: str) -> None:
        now = self._clock()
        item = Item(
            datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds"), one_line(what), one_line(reason)
        )
        before = _read(self._path)
        kept = before.newest if before else ()
        record = Record(
            count=(before.count if before else 0) + 1,
            since=before.since if before else item.at,
            newest=(item, *kept)[:NEWEST],
        )
        if record.count <= TOLD_EACH or now - self._told >= TOLD_SECONDS:
            self._told = now
            log.error("set aside %s: %s (%d so far)", item.what, item.reason, record.count)
        try:
            _write(self._path, record)
        except OSError as error:
            log.error("%s cannot be written: %s", self._path, error.strerror)


def read(home: Path, service: str) -> Record | None:
    """What a service has set aside; None where nothing."""
    return _read(_path(home, service))


def services(home: Path) -> list[str]:
    """The services that have set something aside, by name."""
    return sorted(path.stem for path in (home / "aside").glob("*.json"))


def clear(home: Path, service: str) -> Record | None:
    """Forget what a service has set aside, after somebody looked; returns what it was."""
    record = read(home, service)
    _path(home, service).unlink(missing_ok=True)
    return record


def _path(home: Path, service: str) -> Path:
    return home / "aside" / f"{service}.json"


def _read(path: Path) -> Record | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Record)
    except FileNotFoundError:
        return None
    except UNREADABLE as error:
        log.error("%s cannot be read, counted anew: %s", path, error)
        return None


def _write(path: Path, record: Record) -> None:
    write_atomically(path, msgspec.json.encode(record))


def one_line(text: str) -> str:
    """A text as one printable line of bounded length."""
    cut = " ".join(text[: SHOWN * 4].split())
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in cut)[:SHOWN]
