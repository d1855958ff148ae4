"""SQLite files in WAL mode, also when several programs open a new one at the same moment."""

from __future__ import annotations

import sqlite3
import time
from typing import Any

TRIES, PAUSE_SECONDS = 300, 0.1


def to_wal(cursor: Any) -> None:
    """Bring a file to WAL, within half a minute.

    While another connection does the same SQLite refuses at once, whatever the timeout for locks is.
    """
    for left in range(TRIES - 1, -1, -1):
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if not left:
                raise
            time.sleep(PAUSE_SECONDS)
