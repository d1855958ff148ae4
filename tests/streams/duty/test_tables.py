"""The tables as migrations make them, and that lists of cases are read from their indices."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from streams.duty.cases.opening import hear
from streams.duty.cases.queries import Filters, find_cases
from streams.duty.database.database import MIGRATIONS, Database, newest_revision
from streams.duty.database.models import Case, Officer
from streams.duty.database.sessions import BrowserSession
from streams.duty.rosters.desk import Desk
from tests.streams.duty.moments import NOW, officer, warning


def test_the_migrated_tables_are_the_declared_ones(database: Database) -> None:
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), BrowserSession.metadata) == []


def test_an_officers_list_is_counted_and_ordered_by_an_index(sqlite_url: str, desk: Desk) -> None:
    """Beside thousands of cases: none is read that is not shown, and none sorted."""
    asked: list[tuple[str, Any]] = []
    with closing(Database(sqlite_url)) as database:
        with database.writing() as session:
            hear(session, desk, NOW, [warning(f"e{number}") for number in range(60)])
        sa.event.listen(database.engine, "before_cursor_execute", lambda *of: asked.append((of[2], of[3])))
        plans = _plans(database, desk, asked)
    assert len(plans) == 4
    for plan in plans:
        assert "ix_cases_mine" in plan[0] and not any("TEMP B-TREE" in step for step in plan), plan


def _plans(database: Database, desk: Desk, asked: list[tuple[str, Any]]) -> list[list[str]]:
    with database.reading() as session:
        actor = officer(session, session.scalars(sa.select(Officer.login).join(Case)).first() or "")
        asked.clear()
        for filters in (Filters(open=True, assignee=actor.who), Filters(states=("new",), assignee=actor.who)):
            found = find_cases(session, actor, desk.regions, filters)
            assert (len(found.items), found.total) == (50, 60)
        connection = session.connection()
        return [
            [str(row[3]) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", given)]
            for sql, given in list(asked)
        ]


def test_what_is_current_is_left_alone_and_what_is_older_is_migrated(tmp_path: Path) -> None:
    script = ScriptDirectory(str(MIGRATIONS))
    head = script.get_current_head()
    assert head == newest_revision()
    before = script.get_revision(head).down_revision
    config, shown = Config(), sa.text("SELECT version_num FROM alembic_version")
    config.set_main_option("script_location", str(MIGRATIONS))
    with closing(Database(f"sqlite:///{tmp_path / 'duty.sqlite'}")) as database:
        with database.engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, str(before))
        database.migrate()
        with database.reading() as session:
            assert session.execute(shown).scalar() == head
        with database.writing():  # a second writer would wait for it, and in the end fail
            database.migrate()
