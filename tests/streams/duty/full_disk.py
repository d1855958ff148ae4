"""A full disk, really: SQLite may have no page more than it has, and says `database or disk is full`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

UNLIMITED = 2**30


@contextmanager
def full_disk(engine: sa.Engine) -> Iterator[Callable[[], None]]:
    """Nothing that needs another page can be written, until what this gives is called: then there is room."""
    most = UNLIMITED

    def limit(connection: Any, *_: Any) -> None:
        connection.execute(f"PRAGMA max_page_count={most}").close()

    def room() -> None:
        nonlocal most
        most = UNLIMITED

    with engine.connect() as connection:
        most = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    sa.event.listen(engine, "checkout", limit)
    try:
        yield room
    finally:
        sa.event.remove(engine, "checkout", limit)
