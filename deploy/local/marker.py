"""The marker of a home that is up: what it says when it is still there at the next `up`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from schemas.atomic_write import UNREADABLE, write_atomically


class Marker(msgspec.Struct, frozen=True):
    """Where the home was when it came up, and since when; taken away by a clean `down`."""

    home: str
    since: str


def set_marker(home: Path, now: float) -> None:
    """The home is up from now on."""
    since = datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds")
    write_atomically(_path(home), msgspec.json.encode(Marker(str(home.absolute()), since)))


def clear_marker(home: Path) -> None:
    """The home was stopped cleanly."""
    _path(home).unlink(missing_ok=True)


def set_due(home: Path, why: str) -> None:
    """The parts of the home should have been compared and could not be: that stays due, whatever comes."""
    write_atomically(_due(home), why.encode(errors="replace"))


def clear_due(home: Path) -> None:
    """They were compared."""
    _due(home).unlink(missing_ok=True)


def left(home: Path) -> str:
    """Why the parts of a home must be compared before an `up`, in words; empty where they need not be.

    What an earlier `up` could not compare counts first: a marker that is there since says less.
    """
    due = _due(home)
    return (due.read_text(errors="replace").strip() if due.exists() else "") or _of_marker(home)


def _of_marker(home: Path) -> str:
    try:
        marker = msgspec.json.decode(_path(home).read_bytes(), type=Marker)
    except FileNotFoundError:
        return ""
    except UNREADABLE:
        return "this home was not stopped cleanly"
    if marker.home != str(home.absolute()):
        return (
            f"this home is a copy of {marker.home}, made while that one was up (since {marker.since}): "
            "its parts may be of different moments"
        )
    return f"this home was not stopped cleanly (it was up since {marker.since})"


def _due(home: Path) -> Path:
    return home / "run" / "compare.due"


def _path(home: Path) -> Path:
    return home / "run" / "up.json"
