"""The outbox: every push is on disk before its warning counts as read, and stays until the receiver has it.

SQLite in WAL mode with synchronous FULL: what a method has written survives the process and the machine. Rows
are kept after delivery, so a warning that is read again is known. How far the topic was read stands beside them.
Times are seconds since 1970. A file that is away or full is Unavailable, a broken one BrokenFile.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DatabaseError

from schemas.levels import LEVELS
from streams.duty.database.wal import to_wal
from streams.duty.faults import BrokenFile, Fault, away, fault_of
from streams.duty.inbox.read_position import ReadPosition, rows_of, write_down
from streams.duty.retry_policy import Dead, Delivered, Outcome, Retry
from streams.duty.systems.push import Push

PENDING, DELIVERED, DEAD = "pending", "delivered", "dead"

_metadata = sa.MetaData()
_push = sa.Table(
    "push",
    _metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String, nullable=False, unique=True),
    sa.Column("level", sa.String, nullable=False),
    sa.Column("rank", sa.Integer, nullable=False),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_attempt", sa.Float, nullable=False),
    sa.Column("last_error", sa.String, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("delivered_at", sa.Float),
    sa.CheckConstraint("state IN ('pending', 'delivered', 'dead')"),
    sqlite_autoincrement=True,
)
sa.Index("push_pending", _push.c.rank, _push.c.seq, sqlite_where=_push.c.state == PENDING)
_reached = sa.Table(
    "reached",
    _metadata,
    sa.Column("log", sa.String, primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True),
    sa.Column("next", sa.Integer, nullable=False),
    sa.Column("filling", sa.Integer),
)
_mark = sa.Table("mark", _metadata, sa.Column("at", sa.Float, nullable=False))
"""One row that is written when nothing else is, to see whether the file takes anything."""
_ROWS = 250
"""Rows in one statement: their ids are given to it one by one."""


@dataclass(frozen=True)
class Due:
    """A push whose turn it is; `attempts` have been made before."""

    id: str
    level: str
    payload: bytes
    attempts: int


@dataclass(frozen=True)
class Refused:
    """A warning that can be no push: its id, and why."""

    id: str
    reason: str


class Outbox:
    """The pushes of one home. Thread-safe; one process delivers, others may read."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._engine = open_sqlite(path, synchronous="FULL")
        try:
            with self._away():
                make_tables(self._engine, _push, _reached, _mark)
            self._file = os.stat(path).st_ino
        except BaseException:
            self._engine.dispose()
            raise

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()

    @property
    def gone(self) -> bool:
        """Whether the file was removed or replaced since it was opened: what is written now is lost."""
        try:
            return os.stat(self.path).st_ino != self._file
        except FileNotFoundError:
            return True

    def check(self) -> None:
        """Look through the whole file; BrokenFile says what is wrong with it."""
        with self._reading() as connection:
            said = str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one())
        if said != "ok":
            raise BrokenFile(f"the outbox {self.path}: {' '.join(said.split())}")

    def probe(self, now: float) -> None:
        """Write something, so that nothing is sent that could not be marked as sent."""
        with self._writing() as connection:
            if not connection.execute(sa.update(_mark).values(at=now)).rowcount:
                connection.execute(sa.insert(_mark).values(at=now))

    def add(
        self,
        pushes: Sequence[Push],
        now: float,
        refused: Sequence[Refused] = (),
        reached: ReadPosition | None = None,
    ) -> int:
        """Write pushes down in one transaction, those with new ids; returns how many these were.

        With them go those that can be no push, dead from the beginning, and how far the topic was read.
        """
        rows = [
            *(_row(push.id, push.level, push.rank, push.payload, now) for push in pushes),
            *(_row(each.id, "", len(LEVELS), b"{}", now, DEAD, each.reason) for each in refused),
        ]
        if not rows and reached is None:
            return 0
        with self._writing() as connection:
            if reached is not None:
                write_down(connection, _reached, reached)
            if not rows:
                return 0
            result = connection.execute(insert(_push).on_conflict_do_nothing(index_elements=["id"]), rows)
            return int(result.rowcount)

    def reached(self) -> dict[str, ReadPosition]:
        """How far each log was read, by its id."""
        with self._reading() as connection:
            return rows_of(connection, _reached)

    def empty(self) -> bool:
        """Whether there never was a push."""
        with self._reading() as connection:
            return connection.execute(sa.select(_push.c.seq).limit(1)).first() is None

    def missing(self, ids: Collection[str]) -> set[str]:
        """Those of these ids that no push has."""
        found, asked = set(ids), sorted(ids)
        with self._reading() as connection:
            for at in range(0, len(asked), _ROWS):
                known = sa.select(_push.c.id).where(_push.c.id.in_(asked[at : at + _ROWS]))
                found.difference_update(connection.scalars(known))
        return found

    def ids(self, since: datetime | None = None) -> set[str]:
        """The ids of all pushes, or of those whose warnings were made, and they written, since a moment."""
        query = sa.select(_push.c.id)
        if since is not None:
            made = sa.func.json_extract(sa.cast(_push.c.payload, sa.Text), "$.at")
            seconds = sa.cast(sa.func.strftime("%s", made), sa.Integer)
            query = query.where(_push.c.created >= since.timestamp(), seconds >= since.timestamp())
        with self._reading() as connection:
            return set(connection.scalars(query))

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with self._away(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        with self._away(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _away(self) -> Iterator[None]:
        """What the file does not give or take is Unavailable."""
        try:
            yield
        except (DatabaseError, sqlite3.DatabaseError) as error:
            if fault_of(error) is not Fault.peer:
                raise
            raise away(f"the outbox {self.path}", error) from error

    def due(self, now: float, limit: int, without: Collection[str] = ()) -> list[Due]:
        """Up to `limit` pushes whose time has come: red first, blue last, of one level the oldest first."""
        query = (
            sa.select(_push.c.id, _push.c.level, _push.c.payload, _push.c.attempts)
            .where(_push.c.state == PENDING, _push.c.next_attempt <= now)
            .order_by(_push.c.rank, _push.c.seq)
            .limit(limit + len(without))
        )
        with self._reading() as connection:
            found = [Due(*row) for row in connection.execute(query)]
        return [push for push in found if push.id not in without][:limit]

    def next_due(self) -> float | None:
        """When the next push may be tried; None where nothing is pending."""
        query = sa.select(sa.func.min(_push.c.next_attempt)).where(_push.c.state == PENDING)
        with self._reading() as connection:
            value = connection.execute(query).scalar_one()
        return None if value is None else float(value)

    def record_outcomes(self, outcomes: Mapping[str, Outcome], now: float) -> None:
        """Write down in one transaction what became of pushes, each after one more attempt."""
        if not outcomes:
            return
        rows = [{"key": id, **_change(outcome, now)} for id, outcome in outcomes.items()]
        change = (
            sa.update(_push)
            .where(_push.c.id == sa.bindparam("key"))
            .values(
                state=sa.bindparam("state_"),
                attempts=_push.c.attempts + 1,
                next_attempt=sa.func.coalesce(sa.bindparam("next_"), _push.c.next_attempt),
                last_error=sa.bindparam("error_"),
                delivered_at=sa.bindparam("delivered_"),
            )
        )
        with self._writing() as connection:
            connection.execute(change, rows)

    def revive(self, now: float) -> int:
        """Make dead pushes pending again, after the receiver was mended; what never was one stays as it is."""
        change = (
            sa.update(_push)
            .where(_push.c.state == DEAD, _push.c.level.in_(LEVELS))
            .values(state=PENDING, next_attempt=now)
        )
        with self._writing() as connection:
            return int(connection.execute(change).rowcount)

    def counts(self) -> dict[str, int]:
        """Number of pushes in each state."""
        query = sa.select(_push.c.state, sa.func.count()).group_by(_push.c.state)
        with self._reading() as connection:
            found = {state: int(number) for state, number in connection.execute(query)}
        return {state: found.get(state, 0) for state in (PENDING, DELIVERED, DEAD)}

    def last(self, limit: int) -> list[dict[str, Any]]:
        """The newest pushes, newest first, with all that is known of each."""
        with self._reading() as connection:
            rows = connection.execute(sa.select(_push).order_by(_push.c.seq.desc()).limit(limit))
            return [dict(row) for row in rows.mappings()]


def _row(
    id: str, level: str, rank: int, payload: bytes, now: float, state: str = PENDING, error: str = ""
) -> dict[str, Any]:
    return {
        "id": id,
        "level": level,
        "rank": rank,
        "payload": payload,
        "state": state,
        "attempts": 0,
        "next_attempt": now,
        "last_error": error,
        "created": now,
    }


def _change(outcome: Outcome, now: float) -> dict[str, Any]:
    match outcome:
        case Delivered():
            return {"state_": DELIVERED, "next_": None, "error_": "", "delivered_": now}
        case Retry(at, reason):
            return {"state_": PENDING, "next_": at, "error_": reason, "delivered_": None}
        case Dead(reason):
            return {"state_": DEAD, "next_": None, "error_": reason, "delivered_": None}


def open_outbox(path: Path, clock: Callable[[], float], say: Callable[[str], None]) -> Outbox:
    """The outbox, looked through; a broken one is put beside under another name, said, and a new one made."""
    outbox = None
    try:
        outbox = Outbox(path)
        outbox.check()
        return outbox
    except BrokenFile as error:
        if outbox is not None:
            outbox.close()
        aside = f"{path.name}.broken-{datetime.fromtimestamp(clock(), UTC):%Y%m%dT%H%M%SZ}"
        for ending in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                path.with_name(path.name + ending).replace(path.with_name(aside + ending))
        say(f"{error}: it was moved to {aside}, and a new one is filled from the topic warnings")
        return Outbox(path)


def make_tables(engine: sa.Engine, *tables: sa.Table) -> None:
    """Make tables and indices that are not there yet, while others may be doing the same."""
    with engine.begin() as connection:
        for table in tables:
            connection.execute(sa.schema.CreateTable(table, if_not_exists=True))
            for index in table.indexes:
                connection.execute(sa.schema.CreateIndex(index, if_not_exists=True))


def open_sqlite(path: Path, synchronous: str) -> sa.Engine:
    """An engine on a SQLite file in WAL mode; a writer waits up to half a minute for another one."""
    engine = sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": 30})

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        with closing(connection.cursor()) as cursor:
            to_wal(cursor)
            cursor.execute(f"PRAGMA synchronous={synchronous}")

    return engine
