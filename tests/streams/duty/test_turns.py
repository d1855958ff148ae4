"""Who writes all the time leaves others their turn: a burst of warnings, and an officer who acknowledges."""

from __future__ import annotations

from pathlib import Path
from threading import Thread

import pytest
import sqlalchemy as sa

from schemas.errors import Unavailable
from schemas.settings import Settings
from streams.duty.background.case_inbox import AT_ONCE, CaseInbox
from streams.duty.cases import service
from streams.duty.database import database as databases
from streams.duty.database.database import Database
from streams.duty.database.models import Case
from streams.duty.dependencies import DutyDependencies
from streams.duty.inbox.read import Read
from streams.duty.inbox.read_position import ReadPosition
from streams.duty.rosters.desk import Desks
from streams.duty.systems.cap_index import Publisher
from tests.streams.duty.api import Clock
from tests.streams.duty.moments import NOW, opened, root, warning
from tests.streams.duty.parts import Aside

BURST = 20 * AT_ONCE


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """PostgreSQL locks rows, not all."""
    return sqlite_url


def cases(database: Database) -> int:
    with database.reading() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(Case)) or 0


def test_an_officer_acknowledges_in_the_middle_of_a_burst(database: Database, tmp_path: Path) -> None:
    desks = Desks(Settings(home=tmp_path))
    deps = DutyDependencies(database, desks, Clock(), Publisher())
    with database.writing() as session:
        case = opened(session, desks.now()).id
    burst = [Read(warning(f"b{number}"), "here") for number in range(BURST)]
    aside: Aside = []
    inbox = CaseInbox(deps, lambda what, why: aside.append((what, why)))
    writing = Thread(target=inbox.take, args=(burst, ReadPosition("log", {})))
    writing.start()
    try:
        while cases(database) == 1:
            pass
        with database.writing() as session:
            service.acknowledge(session, desks.now(), root(desks.now().regions), NOW, case)
            meanwhile = session.scalar(sa.select(sa.func.count()).select_from(Case)) or 0
    finally:
        writing.join()
    assert 1 < meanwhile < 1 + BURST, "his turn came before the burst was over"
    assert cases(database) == 1 + BURST, "and nothing of it is lost"


def test_a_lock_that_is_never_let_go_is_unavailable_not_forever(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "LOCK_TIMEOUT", 0)
    with database.writing() as session:
        session.connection()
        with pytest.raises(Unavailable, match="database is locked"), database.writing() as other:
            other.connection()
    with database.writing() as session:
        assert session.scalar(sa.text("PRAGMA synchronous")) == 2
