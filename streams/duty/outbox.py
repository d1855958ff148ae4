"""The outbox: every push is on disk before its warning counts as read, and stays until the receiver has it.

SQLite in WAL mode with synchronous FULL: what a method has written survives the process and the machine. Rows
are kept after delivery, so a warning that is read again is known. Times are seconds since 1970.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from streams.duty.policy import Dead, Delivered, Outcome, Retry
from streams.duty.push import Push
from streams.duty.wal import to_wal

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


@dataclass(frozen=True)
class Due:
    """A push whose turn it is; `attempts` have been made before."""

    id: str
    level: str
    payload: bytes
    attempts: int


class Outbox:
    """The pushes of one home. Thread-safe; one process delivers, others may read."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._engine = open_sqlite(path, synchronous="FULL")
        make_tables(self._engine, _push)

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()

    def add(self, pushes: Sequence[Push], now: float) -> int:
        """Write pushes down in one transaction, those with new ids; returns how many these were."""
        if not pushes:
            return 0
        rows = [
            {
                "id": push.id,
                "level": push.level,
                "rank": push.rank,
                "payload": push.payload,
                "state": PENDING,
                "attempts": 0,
                "next_attempt": now,
                "last_error": "",
                "created": now,
            }
            for push in pushes
        ]
        with self._engine.begin() as connection:
            result = connection.execute(insert(_push).on_conflict_do_nothing(index_elements=["id"]), rows)
            return int(result.rowcount)

    def due(self, now: float, limit: int, without: Collection[str] = ()) -> list[Due]:
        """Up to `limit` pushes whose time has come: red first, blue last, of one level the oldest first."""
        query = (
            sa.select(_push.c.id, _push.c.level, _push.c.payload, _push.c.attempts)
            .where(_push.c.state == PENDING, _push.c.next_attempt <= now)
            .order_by(_push.c.rank, _push.c.seq)
            .limit(limit + len(without))
        )
        with self._engine.connect() as connection:
            found = [Due(*row) for row in connection.execute(query)]
        return [push for push in found if push.id not in without][:limit]

    def next_due(self) -> float | None:
        """When the next push may be tried; None where nothing is pending."""
        query = sa.select(sa.func.min(_push.c.next_attempt)).where(_push.c.state == PENDING)
        with self._engine.connect() as connection:
            value = connection.execute(query).scalar_one()
        return None if value is None else float(value)

    def settle(self, outcomes: Mapping[str, Outcome], now: float) -> None:
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
        with self._engine.begin() as connection:
            connection.execute(change, rows)

    def revive(self, now: float) -> int:
        """Make dead pushes pending again, after the receiver was mended; returns how many."""
        change = sa.update(_push).where(_push.c.state == DEAD).values(state=PENDING, next_attempt=now)
        with self._engine.begin() as connection:
            return int(connection.execute(change).rowcount)

    def counts(self) -> dict[str, int]:
        """Number of pushes in each state."""
        query = sa.select(_push.c.state, sa.func.count()).group_by(_push.c.state)
        with self._engine.connect() as connection:
            found = {state: int(number) for state, number in connection.execute(query)}
        return {state: found.get(state, 0) for state in (PENDING, DELIVERED, DEAD)}

    def last(self, limit: int) -> list[dict[str, Any]]:
        """The newest pushes, newest first, with all that is known of each."""
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(_push).order_by(_push.c.seq.desc()).limit(limit))
            return [dict(row) for row in rows.mappings()]


def _change(outcome: Outcome, now: float) -> dict[str, Any]:
    match outcome:
        case Delivered():
            return {"state_": DELIVERED, "next_": None, "error_": "", "delivered_": now}
        case Retry(at, reason):
            return {"state_": PENDING, "next_": at, "error_": reason, "delivered_": None}
        case Dead(reason):
            return {"state_": DEAD, "next_": None, "error_": reason, "delivered_": None}


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
