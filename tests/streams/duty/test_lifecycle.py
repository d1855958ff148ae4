"""The life of a case: what may be done when, and what is written down of it."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from schemas.contract import load_contracts
from schemas.errors import Unavailable
from streams.duty.cases import service
from streams.duty.cases.opening import hear
from streams.duty.cases.queries import entries_of
from streams.duty.cases.records import record
from streams.duty.database.database import Database
from streams.duty.database.models import AuditEntry, Case, Message
from streams.duty.lifecycle import CHANGES, CLOSED, ENTRIES, STATES, change, possible
from streams.duty.refusals import Conflict, Invalid
from streams.duty.rosters.desk import Desk
from tests.streams.duty.moments import NOW, at, opened, root, warning


def test_a_case_goes_from_new_to_closed_and_every_change_is_audited(database: Database, desk: Desk) -> None:
    actor = root(desk.regions)
    with database.writing() as session:
        case = opened(session, desk)
        service.acknowledge(session, desk, actor, at(1), case.id)
        service.start(session, desk, actor, at(2), case.id)
        service.dispose(session, desk, actor, at(3), case.id, done="filters changed")
        service.confirm(session, desk, actor, at(4), case.id, verdict="true")
        service.close(session, desk, actor, at(5), case.id)
    with database.reading() as session:
        entries = entries_of(session, session.get_one(Case, 1))
        kinds = ["opened", "assigned", "acknowledged", "started", "disposed", "confirmed", "closed"]
        assert [entry.kind for entry in entries] == kinds
        assert [entry.ordinal for entry in entries] == list(range(7))
        assert {entry.who for entry in entries[2:]} == {"operator:test"}
        assert entries[4].text == "filters changed" and entries[4].at == at(3) and entries[4].origin == "test"
        case = session.get_one(Case, 1)
        assert (case.state, case.verdict, case.closed, case.next_step) == (CLOSED, "true", at(5), None)
        assert session.scalar(sa.select(sa.func.count()).select_from(Message)) == 7


def test_disposing_right_after_acknowledging_passes_through_disposal(database: Database, desk: Desk) -> None:
    actor = root(desk.regions)
    with database.writing() as session:
        case = opened(session, desk)
        service.acknowledge(session, desk, actor, at(1), case.id)
        service.dispose(session, desk, actor, at(3), case.id, done="done")
        assert [e.state for e in entries_of(session, case)][-2:] == ["in_disposal", "disposed"]
        assert case.started == case.disposed == at(3)


def test_what_the_state_does_not_allow_is_a_conflict_that_says_who_was_first(
    database: Database, desk: Desk
) -> None:
    actor = root(desk.regions)
    with database.writing() as session:
        case = opened(session, desk)
        service.acknowledge(session, desk, actor, at(1), case.id)
        with pytest.raises(
            Conflict, match=r"acknowledged cannot be acknowledged.*acknowledged by operator:test"
        ):
            service.acknowledge(session, desk, actor, at(2), case.id)
        with pytest.raises(Conflict, match="version"):
            service.comment(session, desk, actor, at(2), case.id, text="late", version=1)
        with pytest.raises(Invalid, match="done: must say something"):
            service.dispose(session, desk, actor, at(2), case.id, done="  ")


@given(st.sampled_from(sorted(CHANGES)), st.sampled_from(STATES))
def test_a_change_is_possible_or_refused_and_never_leaves_the_states(verb: str, state: str) -> None:
    if verb in possible(state):
        assert change(verb, state).after(state) in STATES
    else:
        with pytest.raises(Conflict):
            change(verb, state)


@pytest.mark.parametrize("table", ["cases", "entry", "heard", "officer", "message", "notification", "office"])
def test_nothing_is_ever_deleted(database: Database, desk: Desk, table: str) -> None:
    with database.writing() as session:
        opened(session, desk)
    with pytest.raises(sa.exc.DBAPIError, match="nothing is ever deleted"), database.writing() as session:
        session.execute(sa.text(f"DELETE FROM {table}"))


def test_the_audit_is_never_changed(database: Database, desk: Desk) -> None:
    with database.writing() as session:
        opened(session, desk)
    with pytest.raises(sa.exc.DBAPIError, match="UPDATE refused"), database.writing() as session:
        session.execute(sa.update(AuditEntry).values(who="somebody else"))


def test_a_change_and_its_event_are_one_transaction(database: Database, desk: Desk) -> None:
    with pytest.raises(RuntimeError), database.writing() as session:
        opened(session, desk, NOW)
        raise RuntimeError("killed here")
    with database.reading() as session:
        for table in (Case, AuditEntry, Message):
            assert session.scalar(sa.select(sa.func.count()).select_from(table)) == 0


def test_every_kind_of_entry_is_one_the_feed_knows(database: Database, desk: Desk) -> None:
    contract = load_contracts()["duty.disposition"]
    change = next(field for field in contract.fields if field.name == "change")
    assert set(change.enum) == set(ENTRIES)
    with database.writing() as session, pytest.raises(ValueError, match="no kind of entry"):
        record(session, opened(session, desk), "forgotten", root(desk.regions), NOW)


def test_a_case_with_an_open_follow_up_is_not_merged_away(database: Database, desk: Desk) -> None:
    actor = root(desk.regions)
    with database.writing() as session:
        case, other = opened(session, desk, episode="e1"), opened(session, desk, episode="e2")
        service.acknowledge(session, desk, actor, at(1), case.id)
        service.dispose(session, desk, actor, at(2), case.id, done="mended")
        service.require_feedback(session, desk, actor, at(3), case.id, question="?", regions=["330302"])
        with pytest.raises(Conflict, match="follow-up cases are to be closed first: 3"):
            service.merge(session, desk, actor, at(4), case.id, into=other.id)


def test_a_full_disk_is_said_writes_nothing_by_halves_and_passes(sqlite_url: str, desk: Desk) -> None:
    database = Database(sqlite_url)
    limit = {"pages": 0}

    @sa.event.listens_for(database.engine, "begin")
    def hold(connection: sa.Connection) -> None:
        if limit["pages"]:
            connection.exec_driver_sql(f"PRAGMA max_page_count={limit['pages']}")

    with database.reading() as session:
        limit["pages"] = session.scalar(sa.text("PRAGMA page_count")) or 0
    many = [warning(f"e{number}") for number in range(200)]
    with pytest.raises(Unavailable, match="disk is full"), database.writing() as session:
        hear(session, desk, NOW, many)
    with database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Case)) == 0
    limit["pages"] = 2**30
    with database.writing() as session:
        assert hear(session, desk, NOW, many) == 200
    database.close()
