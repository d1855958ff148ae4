"""The database of duty: SQLite in the home, or PostgreSQL where a setting says so; migrated by Alembic.

On SQLite: WAL, synchronous FULL (what is committed survives the machine), foreign keys on, and a writing
transaction takes its lock at once, so that two writers wait for each other instead of failing half way. Who waits
asks every few milliseconds: SQLite's own waiting asks ever more seldom, and who writes all the time starves it.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DataError, DBAPIError, OperationalError
from sqlalchemy.orm import Session

from schemas.errors import Misdeclared, Unavailable
from streams.duty.database.sequence import announce
from streams.duty.database.wal import to_wal
from streams.duty.refusals import Invalid
from streams.retrying import until, within

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK_TIMEOUT = 30
BEING_MADE = 2.0
ASK_EVERY = 0.004
"""Seconds between two askings for the lock; who writes much leaves it free for longer between its transactions."""
IMMEDIATE = "BEGIN IMMEDIATE"
TOO_LARGE = "54"
"""Class of PostgreSQL's codes for what goes beyond its limits, such as a name too long for an index. Its driver
counts them among the errors of operation, but they come again however often one tries."""
_VERSION = sa.table("alembic_version", sa.column("version_num"))
"""Where Alembic writes down what it has applied."""
_LOCK = 6_174_001
"""Number of the advisory lock in PostgreSQL that one migration at a time holds."""


class Malformed(Unavailable):
    """The file is there and cannot be read as a database; no repetition helps, a person must restore it."""


class Database:
    """Sessions on the state of duty. Thread-safe; a session is for one thread."""

    def __init__(self, url: str) -> None:
        self.url = sa.make_url(url)
        if self.url.get_backend_name() not in ("sqlite", "postgresql"):
            raise Misdeclared(
                "settings", "LIAOWANG_DUTY_DATABASE_URL", "must be sqlite:///… or postgresql://…"
            )
        if self.url.drivername == "postgresql":
            self.url = self.url.set(drivername="postgresql+psycopg")
        self.sqlite = self.url.get_backend_name() == "sqlite"
        self._emptied = self.sqlite and bool(self.url.database) and _emptied(Path(str(self.url.database)))
        self.engine = _sqlite(self.url) if self.sqlite else _postgresql(self.url)
        self._writer = self.engine.execution_options(begin=IMMEDIATE)

    def close(self) -> None:
        """Let go of all connections."""
        self.engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that changes nothing; Unavailable where the database is away."""
        with _away(self.url, self._emptied), Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session whose changes are committed together at the end, or none of them."""
        with (
            _away(self.url, self._emptied),
            Session(self._writer, expire_on_commit=False) as session,
            session.begin(),
        ):
            announce(session)
            yield session

    def migrate(self) -> None:
        """Bring the tables to their declared form; harmless when they are, and while others do the same.

        Where they are, nothing is locked, and Alembic, which is slow to import, is not asked.
        """
        if self._is_current():
            return
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        with _away(self.url, self._emptied), self._writer.begin() as connection:
            if not self.sqlite:
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def _is_current(self) -> bool:
        """Whether the newest revision is applied."""
        with _away(self.url, self._emptied), self.engine.connect() as connection:
            if not sa.inspect(connection).has_table(_VERSION.name):
                return False
            return connection.execute(sa.select(_VERSION.c.version_num)).scalars().all() == [
                newest_revision()
            ]


def newest_revision() -> str:
    """The last of the revisions, by the names of their files."""
    return max(path.name for path in (MIGRATIONS / "versions").glob("v*.py"))[1:5]


def _sqlite(url: sa.URL) -> sa.Engine:
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(url.database, os.O_CREAT | os.O_RDWR, 0o600))
    engine = sa.create_engine(url, connect_args={"timeout": LOCK_TIMEOUT, "isolation_level": None})

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        with closing(connection.cursor()) as cursor:
            to_wal(cursor)
            cursor.execute("PRAGMA synchronous=FULL")
            cursor.execute("PRAGMA foreign_keys=ON")

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        if connection.get_execution_options().get("begin") == IMMEDIATE:
            _begin_writing(connection.connection.dbapi_connection)
        else:
            connection.exec_driver_sql("BEGIN")

    return engine


def _begin_writing(connection: Any) -> None:
    """Take the lock of the file, asking for it until it is free; `database is locked` after LOCK_TIMEOUT."""
    with closing(connection.cursor()) as cursor:
        cursor.execute("PRAGMA busy_timeout=0")
        try:
            within(lambda: cursor.execute(IMMEDIATE), _busy, LOCK_TIMEOUT, ASK_EVERY)
        finally:
            cursor.execute(f"PRAGMA busy_timeout={LOCK_TIMEOUT * 1000}")


def _busy(error: Exception) -> bool:
    return (
        isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
    )


def _postgresql(url: sa.URL) -> sa.Engine:
    return sa.create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": 5})


@contextmanager
def _away(url: sa.URL, emptied: bool) -> Iterator[None]:
    """An absent database is Unavailable; its address is told without the password."""
    if emptied:
        raise _malformed_at(url, "a file of 0 bytes: what was in it is gone, or it was never filled")
    try:
        yield
    except (DBAPIError, sqlite3.DatabaseError) as error:
        if _malformed(error):
            said = str(getattr(error, "orig", error)).strip()
            raise _malformed_at(url, said) from error
        named = _named(url, error)
        if named is error:
            raise
        raise named from error


def _malformed_at(url: sa.URL, said: str) -> Malformed:
    return Malformed(
        f"the duty database {url.database} is malformed ({said}): restore a backup, or move it away "
        "to start anew without its cases, officers and audit; then `liaowang up`"
    )


def _emptied(path: Path) -> bool:
    """Whether the file is there without a byte, and stays so: one that is just made has none for a moment."""
    return not until(lambda: not path.exists() or path.stat().st_size > 0, BEING_MADE, ASK_EVERY)


def _malformed(error: Exception) -> bool:
    code = getattr(getattr(error, "orig", error), "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)


def _named(url: sa.URL, error: Exception) -> Exception:
    """An error of the database as what the caller does about it; any other as it is."""
    said = str(getattr(error, "orig", error)).strip()
    if isinstance(error, OperationalError | sqlite3.OperationalError):
        state = getattr(getattr(error, "orig", None), "sqlstate", None)
        if state and state.startswith(TOO_LARGE):
            return Invalid(f"a value that the database cannot hold: {said}")
        return Unavailable(f"the duty database {url.render_as_string()}: {said}")
    if isinstance(error, DataError):  # such as NUL in a text
        return Invalid(f"a value that the database cannot hold: {said}")
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return Unavailable(f"the duty database {url.render_as_string()} went away")
    return error
