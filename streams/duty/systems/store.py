"""What a receiver has got: one row a key, copies counted. SQLite, safe against kill -9 of the process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from streams.duty.systems.outbox import make_tables, open_sqlite

_metadata = sa.MetaData()
_received = sa.Table(
    "received",
    _metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("key", sa.String, nullable=False, unique=True),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    sa.Column("received_at", sa.Float, nullable=False),
    sa.Column("copies", sa.Integer, nullable=False),
    sqlite_autoincrement=True,
)
_PUT = sa.text(
    "INSERT INTO received (key, payload, received_at, copies) VALUES (:key, :payload, :now, 0)"
    " ON CONFLICT (key) DO UPDATE SET copies = copies + 1 RETURNING copies"
)
"""As text: an upsert is built anew each time it is executed, which took longer than the rest of taking a push."""


class Store:
    """Received pushes by idempotency key."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._engine = open_sqlite(path, synchronous="NORMAL")
        make_tables(self._engine, _received)

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()

    def put(self, key: str, payload: bytes, now: float) -> bool:
        """Store a push; True where its key is new, False where only its copies were counted."""
        with self._engine.begin() as connection:
            row = {"key": key, "payload": payload, "now": now}
            return int(connection.execute(_PUT, row).scalar_one()) == 0

    def newest(self, limit: int) -> list[dict[str, Any]]:
        """The newest pushes, newest first: key, received_at (seconds since 1970), copies, push."""
        query = sa.select(_received).order_by(_received.c.seq.desc()).limit(limit)
        with self._engine.connect() as connection:
            return [
                {
                    "key": row["key"],
                    "received_at": row["received_at"],
                    "copies": row["copies"],
                    "push": json.loads(row["payload"]),
                }
                for row in connection.execute(query).mappings()
            ]

    def count(self) -> tuple[int, int]:
        """Number of different pushes, and of copies beyond the first of each."""
        query = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(_received.c.copies), 0))
        with self._engine.connect() as connection:
            pushes, copies = connection.execute(query).one()
        return int(pushes), int(copies)
