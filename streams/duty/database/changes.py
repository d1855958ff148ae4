"""Whether anyone has committed to the duty database since it was last asked: microseconds where it is SQLite."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path

import sqlalchemy as sa


class Changes:
    """Asked again and again by one thread, so that it need not look into tables in which nothing has changed."""

    def __init__(self, url: sa.URL) -> None:
        file = url.database if url.get_backend_name() == "sqlite" else None
        self._file = Path(file) if file and file != ":memory:" else None
        self._connection: sqlite3.Connection | None = None
        self._version = -1

    def __call__(self) -> bool:
        """True the first time, after a commit of any other connection, and wherever it cannot be known."""
        if self._file is None:
            return True
        try:
            if self._connection is None:
                self._connection = sqlite3.connect(f"{self._file.absolute().as_uri()}?mode=ro", uri=True)
            version: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        except sqlite3.Error:  # whoever looks into the tables then says what is wrong
            self.close()
            return True
        before, self._version = self._version, version
        return before != version

    def close(self) -> None:
        """Let go of the file."""
        connection, self._connection, self._version = self._connection, None, -1
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()
