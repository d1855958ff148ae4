"""Two who write at the same time, on a real PostgreSQL: on SQLite one waits for the other in any case."""

from __future__ import annotations

from threading import Thread

import pytest
import sqlalchemy as sa

from streams.console.service import changes
from streams.duty.cases import service
from streams.duty.cases.queries import changes_since, entries_of
from streams.duty.database.database import Database
from streams.duty.database.models import AuditEntry, Case
from streams.duty.rosters.desk import Desk
from tests.programs import until
from tests.streams.duty.moments import at, opened, root

WAITS = sa.text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


@pytest.fixture
def database_url(postgresql_url: str) -> str:
    return postgresql_url


def waiting(database: Database) -> int:
    """How many wait for a lock; asked anew each time, since a transaction is told always the same."""
    with database.reading() as session:
        return session.scalar(WAITS) or 0


def test_two_follow_ups_are_closed_at_once_and_the_origin_says_so_of_both(
    database: Database, desk: Desk
) -> None:
    actor = root(desk.regions)
    with database.writing() as session:
        origin = opened(session, desk).id
        service.acknowledge(session, desk, actor, at(1), origin)
        service.dispose(session, desk, actor, at(2), origin, done="mended")
        made = service.require_feedback(
            session, desk, actor, at(3), origin, question="?", regions=["330302", "330110"]
        )
        first, second = (each.id for each in made)
        for each in (first, second):
            service.acknowledge(session, desk, actor, at(4), each)
            service.dispose(session, desk, actor, at(5), each, done="looked")
            service.confirm(session, desk, actor, at(6), each, verdict="false")
    failed: list[Exception] = []

    def close_second() -> None:
        try:
            with database.writing() as session:
                service.close(session, desk, actor, at(8), second)
        except Exception as error:
            failed.append(error)

    other = Thread(target=close_second)
    with database.writing() as session:
        service.close(session, desk, actor, at(7), first)
        session.flush()
        other.start()
        until(lambda: waiting(database) == 1, "the second one waits")
    other.join()
    assert failed == []
    with database.reading() as session:
        entries = entries_of(session, session.get_one(Case, origin))
        assert [entry.ordinal for entry in entries] == list(range(len(entries)))
        assert [entry.kind for entry in entries][-2:] == ["answered", "answered"]


def test_a_change_that_is_committed_after_a_later_one_is_not_missed(database: Database, desk: Desk) -> None:
    actor = root(desk.regions)
    with database.writing() as session:
        slow, fast = opened(session, desk, episode="e1").id, opened(session, desk, episode="e2").id
    start, _ = changes(database, None)
    with database.writing() as session:
        service.comment(session, desk, actor, at(1), slow, text="written first, committed last")
        session.flush()
        with database.writing() as other:
            service.comment(other, desk, actor, at(1), fast, text="written last, committed first")
        with database.reading() as asking:
            assert (asking.scalar(sa.select(sa.func.max(AuditEntry.id))) or 0) > start
        meanwhile, told = changes(database, start)
        assert changes(database, None)[0] == start, "who begins to listen now misses it no more"
    latest, rest = changes(database, meanwhile)
    assert {each.case for each in (*told, *rest)} == {slow, fast}
    assert changes(database, latest) == (latest, ())


def test_a_transaction_that_is_given_up_holds_up_nothing(database: Database, desk: Desk) -> None:
    actor = root(desk.regions)
    with database.writing() as session:
        case = opened(session, desk).id
    start, _ = changes(database, None)
    with pytest.raises(RuntimeError), database.writing() as session:
        service.comment(session, desk, actor, at(1), case, text="never")
        session.flush()
        raise RuntimeError
    with database.writing() as session:
        service.comment(session, desk, actor, at(2), case, text="at last")
    with database.reading() as session:
        latest, cases = changes_since(session, start)
    assert latest == start + 2 and cases == [case]
