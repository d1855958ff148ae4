"""A database that is there and is none is named with its remedy, whatever is asked of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from streams.duty.database.database import Database, Malformed


def _read(database: Database) -> None:
    with database.reading() as session:
        session.execute(sa.text("SELECT count(*) FROM officer")).all()


def _write(database: Database) -> None:
    with database.writing() as session:
        session.execute(sa.text("DELETE FROM officer"))


def _overwritten(whole: bytes) -> bytes:
    return b"no database at all, but a text " * 400


def _torn(whole: bytes) -> bytes:
    return whole[:4096] + b"\xff" * (len(whole) - 4096)


def _truncated(whole: bytes) -> bytes:
    return whole[: len(whole) // 2]


def _emptied(whole: bytes) -> bytes:
    return b""


@pytest.mark.parametrize("damage", [_overwritten, _torn, _truncated, _emptied])
@pytest.mark.parametrize("ask", [Database.migrate, _read, _write])
def test_a_malformed_database_is_told_with_its_remedy(
    tmp_path: Path, damage: Callable[[bytes], bytes], ask: Callable[[Database], None]
) -> None:
    path = tmp_path / "duty.sqlite"
    whole = Database(f"sqlite:///{path}")
    whole.migrate()
    whole.close()
    path.write_bytes(damage(path.read_bytes()))
    for name in ("duty.sqlite-wal", "duty.sqlite-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    database = Database(f"sqlite:///{path}")
    try:
        with pytest.raises(Malformed, match=r"duty\.sqlite is malformed .*restore a backup, or move it away"):
            ask(database)
    finally:
        database.close()
