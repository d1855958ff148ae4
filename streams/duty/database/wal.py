"""SQLite files in WAL mode, also when several programs open a new one at the same moment."""

from __future__ import annotations

import sqlite3
from typing import Any

from streams.retrying import within

MOST_SECONDS, PAUSE_SECONDS = 30.0, 0.1


def to_wal(cursor: Any) -> None:
    """Bring a file to WAL, within half a minute.

    While another connection does the same SQLite refuses at once, whatever the timeout for locks is.
    """
    within(
        lambda: cursor.execute("PRAGMA journal_mode=WAL"),
        lambda error: isinstance(error, sqlite3.OperationalError),
        MOST_SECONDS,
        PAUSE_SECONDS,
    )
