"""What duty does each second: one item that cannot be worked on is set aside, and holds up no other."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from schemas.settings import Settings
from streams.duty.background.letting_go import LettingGo
from streams.duty.background.roster_check import RosterCheck
from streams.duty.database.database import Database
from streams.duty.database.models import Case, Hole, Message, Notification, Officer
from streams.duty.dependencies import DutyDependencies
from streams.duty.notify.still_open import any_let_go
from streams.duty.rosters.desk import Desk, Desks, ensure_roster
from streams.duty.shifts.holes import Holes
from streams.duty.systems.cap_index import Publisher
from streams.watch.publish.active_rules import LiveNames
from tests.streams.duty.api import Clock
from tests.streams.duty.moments import NOW, at
from tests.streams.duty.parts import Aside
from tests.streams.duty.test_who_is_told import E1, E2, H1, H2, Room, everybody


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What is set aside depends on no kind of database."""
    return sqlite_url


@pytest.fixture
def deps(database: Database, tmp_path: Path) -> DutyDependencies:
    """A running duty at minute 0."""
    return DutyDependencies(database, Desks(Settings(home=tmp_path)), Clock(), Publisher())


def kept_back(room: Room, *episodes: str) -> None:
    """A silence from minute 0 to 5 in which these are raised."""
    room.silence(5)
    for episode in episodes:
        room.warn(level="yellow", episode=episode)
    room.look()


def test_what_was_kept_back_and_cannot_be_told_is_set_aside_and_the_next_is_told(
    deps: DutyDependencies, database: Database, desk: Desk
) -> None:
    room = Room(database, desk)
    kept_back(room, "e1", "e2", "e3")
    with room.session() as session:
        case, row = session.get_one(Case, 2), session.get_one(Notification, 2)
        session.add(  # its key is taken, whoever took it
            Notification(
                key=f"{case.uid}/1/still/{row.id}/webhook",
                channel="webhook",
                case_id=1,
                kind="overdue",
                step=0,
                level="yellow",
                rank=2,
                payload="{}",
                state="dead",
                created=NOW,
                next_attempt=NOW,
            )
        )
    deps.clock.now = at(6)  # type: ignore[attr-defined]
    aside: Aside = []
    letting_go = LettingGo(deps, lambda what, why: aside.append((what, why)))
    assert letting_go.once() == 3
    assert [what for what, _ in aside] == ["notification 2"]
    assert letting_go.once() == 0, "it is not tried each second for ever"
    room.minute = 6
    room.look()
    assert room.told == [(6, H2, "still_open")] * 2
    with database.reading() as session:
        assert "cannot be told" in session.get_one(Notification, 2).last_error


def test_what_was_kept_back_from_nobody_is_told_to_nobody_and_holds_nothing_up(
    deps: DutyDependencies, database: Database, desk: Desk
) -> None:
    room = Room(database, desk)
    room.deactivate(*everybody(room))
    kept_back(room, "e1")
    deps.clock.now = at(6)  # type: ignore[attr-defined]
    aside: Aside = []
    assert LettingGo(deps, lambda what, why: aside.append((what, why))).once() == 1
    assert aside == []
    with database.reading() as session:
        assert not any_let_go(session, at(6))


def test_a_silence_that_ended_while_duty_was_down_is_told_of_at_its_start(
    deps: DutyDependencies, database: Database, desk: Desk
) -> None:
    room = Room(database, desk)
    kept_back(room, "e1")
    room.minute = 50
    room.look()
    room.look()
    assert room.told == [(50, H2, "still_open")]


def test_a_case_that_cannot_be_handed_on_keeps_no_other_with_an_ended_account(
    deps: DutyDependencies, database: Database, desk: Desk
) -> None:
    room = Room(database, desk)
    for episode in ("e1", "e2", "e3"):
        room.warn(level="yellow", episode=episode)
    with room.session() as session:
        session.execute(sa.update(Officer).where(Officer.login == H2).values(active=False))
        session.execute(sa.update(Case).where(Case.id == 2).values(entries=0))  # its audit is torn
    aside: Aside = []
    RosterCheck(deps, (), lambda what, why: aside.append((what, why))).once()
    assert [what for what, _ in aside] == ["case 2"]
    assert "the check of the roster passed over it" in aside[0][1]
    with database.reading() as session:
        cases = session.scalars(
            sa.select(Case).where(Case.kind == "warning", Case.rule != "duty.roster-hole")
        )
        assert [case.assignee.login for case in cases.unique() if case.assignee] == [E2, H2, E2]


def test_a_hole_that_cannot_be_warned_of_hides_no_other(
    deps: DutyDependencies, database: Database, desk: Desk
) -> None:
    holes = Holes()
    with database.writing() as session:
        session.execute(sa.update(Officer).where(Officer.login == H1).values(active=False))
    with database.writing() as session:
        number, changes = holes.changes(session, desk, (), NOW)
        assert number == len(changes) == 5
        changes[0][1](session)
        uid = session.scalars(sa.select(Message.uid).where(Message.topic == "warnings")).one()
        session.rollback()
    with database.writing() as session:
        session.add(Message(uid=uid, topic="x", key="x", payload=b"", created=NOW))
    aside: Aside = []
    RosterCheck(deps, (), lambda what, why: aside.append((what, why))).once()
    assert len(aside) == 1 and aside[0][0].startswith("hole unmanned, ecology-duty in 330100")
    with database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Hole)) == 4


def test_the_roster_is_checked_when_a_role_was_taken_away(
    deps: DutyDependencies, database: Database, desk: Desk
) -> None:
    aside: Aside = []
    check = RosterCheck(deps, (), lambda what, why: aside.append((what, why)))
    check.once()
    room = Room(database, desk)
    room.warn(level="yellow", region="330203")
    with room.session() as session:
        case = session.get_one(Case, 1)
        assert case.assignee is not None and case.assignee.login == E2
        change = "UPDATE office SET revoked = granted, revoked_by = 'sql' WHERE officer_id = :id"
        session.execute(sa.text(change), {"id": case.assignee_id})
    check.once()
    with database.reading() as session:
        case = session.get_one(Case, 1)
        assert case.assignee is not None and case.assignee.login not in (E1, E2)
        assert aside == []
        why = {json for json in session.scalars(sa.select(Case.title).where(Case.rule == "duty.roster-hole"))}
        assert why, "and the turns of who lost his role are holes"


def test_a_role_of_a_rule_that_was_published_meanwhile_is_a_hole_at_the_next_look(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """From any checkout: `night-desk` stands in no file of this home, and nobody answers for every role."""
    path = ensure_roster(Settings(home=tmp_path))
    text = path.read_text(encoding="utf-8")
    begin, end = text.index("  - team: duty-province"), text.index("# Who hears of a case")
    path.write_text(text[:begin] + text[end:], encoding="utf-8")
    deps = DutyDependencies(database, Desks(Settings(home=tmp_path)), Clock(), Publisher())
    aside: Aside = []
    roles = {"ecology-duty"}
    check = RosterCheck(deps, LiveNames(lambda: roles), lambda what, why: aside.append((what, why)))

    def holes() -> set[str]:
        check.once()
        with database.reading() as session:
            return set(session.scalars(sa.select(Hole.role).where(Hole.filled.is_(None))))

    before = holes()
    assert "night-desk" not in before
    roles = {"ecology-duty", "night-desk"}
    assert holes() == before | {"night-desk"}
    assert "name duty roles that are none here: night-desk; their cases are duty-desk's" in caplog.text
    roles = {"ecology-duty"}
    assert holes() == before, "the rule was retired, and nobody is missing"
    assert aside == []
