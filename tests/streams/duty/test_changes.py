"""Whether anyone has committed to the duty database since it was last asked."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from streams.duty.database.changes import Changes
from streams.duty.database.database import Database


@pytest.fixture
def url(tmp_path: Path) -> sa.URL:
    return sa.make_url(f"sqlite:///{tmp_path}/a folder, 值班 %20/duty.sqlite")


def test_a_commit_is_seen_once_whoever_makes_it_and_a_reading_is_none(url: sa.URL) -> None:
    with closing(Database(str(url))) as database, closing(Changes(url)) as changes:
        database.migrate()
        assert changes(), "the first time"
        assert not changes()
        for _ in range(3):
            with database.writing() as session:
                session.execute(sa.text("UPDATE alembic_version SET version_num = version_num"))
                assert not changes(), "not committed yet"
            assert changes()
            with database.reading() as session:
                session.execute(sa.text("SELECT * FROM alembic_version")).all()
            assert not changes()


def test_where_it_cannot_be_known_something_may_have_changed(url: sa.URL) -> None:
    for unknown in (url, sa.make_url("sqlite://"), sa.make_url("postgresql://duty@/postgres")):
        with closing(Changes(unknown)) as changes:
            assert [changes() for _ in range(3)] == [True] * 3
    Path(str(url.database)).parent.mkdir()
    Path(str(url.database)).write_bytes(b"no database" * 1000)
    with closing(Changes(url)) as changes:
        assert [changes() for _ in range(3)] == [True] * 3


def test_it_is_asked_again_after_it_was_closed(url: sa.URL) -> None:
    with closing(Database(str(url))) as database:
        database.migrate()
        changes = Changes(url)

        async def ask() -> list[bool]:
            found = [changes(), changes()]
            changes.close()
            return found

        assert asyncio.run(ask()) == asyncio.run(ask()) == [True, False]
