"""Escalation: nobody is forgotten, whatever the roster and the clock do; and warnings that become cases."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from streams.duty.cases import service
from streams.duty.cases.escalation import ResolvedStep, next_steps, next_time
from streams.duty.cases.opening import hear
from streams.duty.cases.queries import entries_of
from streams.duty.cases.waiting import advance_due
from streams.duty.database.database import Database
from streams.duty.database.models import Case, Hole, Message, Notification, Officer
from streams.duty.reasons import Reason, Why
from streams.duty.refusals import Conflict
from streams.duty.rosters.desk import Desk
from streams.duty.rosters.who import Gap
from streams.duty.shifts.holes import Holes, level_of
from tests.streams.duty.moments import NOW, at, officer, opened, root, warning


@dataclass
class Waits:
    """A case as the engine sees it."""

    waiting_since: datetime | None = NOW
    step: int = 0


@st.composite
def chains(draw: st.DrawFn) -> tuple[ResolvedStep, ...]:
    """Chains of one to five steps, some with nobody there; the last resort is."""
    afters = sorted(draw(st.sets(st.integers(1, 600), min_size=0, max_size=4)))
    logins = [draw(st.sampled_from(["a", "b", None])) for _ in afters]
    first = ResolvedStep(timedelta(), "duty", draw(st.sampled_from(["a", None])), ("webhook",))
    rest = [
        ResolvedStep(timedelta(minutes=after), "city", login, ("sms",))
        for after, login in zip(afters, logins, strict=True)
    ]
    last = ResolvedStep(timedelta(minutes=700), "last_resort", "head", ("webhook",))
    return (first, *rest, last)


@given(chains(), st.lists(st.integers(0, 800), min_size=1, max_size=6).map(sorted))
def test_whenever_it_is_looked_at_each_officer_is_told_once_and_the_last_resort_last(
    chain: tuple[ResolvedStep, ...], looks: list[int]
) -> None:
    case, told = Waits(), []
    for minutes in (*looks, 10_000):
        due = next_steps(
            case, chain, at(minutes), [notification.login for notification in told if notification.login]
        )
        told += due.requests
        case.step = due.step
        assert next_steps(case, chain, at(minutes)).requests == ()
        if case.step < len(chain):
            assert told, "somebody hears of it at once, whoever is missing"
    logins = [link.login for link in chain if link.login]
    assert [notification.login for notification in told] == list(dict.fromkeys(logins))
    assert told[-1].kind == "last_resort" and told[-1].login == "head"
    assert next_time(case, [link.after for link in chain]) is None


@given(chains(), st.integers(0, 800))
def test_a_case_somebody_has_escalates_no_more(chain: tuple[ResolvedStep, ...], minutes: int) -> None:
    case = Waits(waiting_since=None)
    assert next_steps(case, chain, at(minutes)).requests == ()
    assert next_time(case, [link.after for link in chain]) is None


def test_a_case_nobody_acknowledges_goes_up_to_the_last_resort(database: Database, desk: Desk) -> None:
    with database.writing() as session:
        opened(session, desk, level="red")
    assignees = []
    for minutes in (0, 4.9, 5, 10, 15, 29, 30):
        with database.writing() as session:
            advance_due(session, desk, at(minutes))
        with database.reading() as session:
            case = session.get_one(Case, 1)
            assignees.append(case.assignee.login if case.assignee else None)
    assert assignees == [
        *("hangzhou-ecology-2", "hangzhou-ecology-2"),
        *("ecology-2", "ecology-2", "head-1", "head-1", "head-1"),
    ]
    with database.reading() as session:
        told = session.execute(sa.select(Notification.kind, Notification.step, Notification.level)).all()
        assert [tuple(each) for each in told] == [
            ("assigned", 0, "red"),
            ("escalated", 2, "red"),
            ("escalated", 3, "red"),
        ], "the city's officer and the last resort knew already"
        case = session.get_one(Case, 1)
        assert case.next_step == case.close_by, "nothing is left but its limit"
        assert not any(
            word in n.payload for n in session.scalars(sa.select(Notification)) for word in ("值班员", "head")
        )


def test_steps_that_fell_due_while_the_service_was_down_are_taken_when_it_is_back(
    database: Database, desk: Desk
) -> None:
    with database.writing() as session:
        opened(session, desk, level="red")
    with database.writing() as session:
        assert advance_due(session, desk, at(600)) == 1
        case = session.get_one(Case, 1)
        assert case.step == 5 and case.overdue == at(600)
        kinds = [entry.kind for entry in entries_of(session, case)]
        assert kinds == ["opened", "assigned", *["escalated"] * 3, "overdue"]
    with database.writing() as session:
        assert advance_due(session, desk, at(601)) == 0


def test_an_acknowledged_case_stops_its_chain_but_not_its_limit(database: Database, desk: Desk) -> None:
    with database.writing() as session:
        case = opened(session, desk, level="red")
        service.acknowledge(session, desk, officer(session, "ecology-1"), at(1), case.id)
        assert case.next_step == case.close_by == at(240)
        assert advance_due(session, desk, at(200)) == 0
        assert advance_due(session, desk, at(240)) == 1
        assert case.overdue == at(240) and case.next_step is None


def test_a_reopened_case_can_be_overdue_again_and_is_told_again(database: Database, desk: Desk) -> None:
    actor = root(desk.regions)
    with database.writing() as session:
        case = opened(session, desk, level="red")
        for start in (0, 1000):
            advance_due(session, desk, at(start + 600))
            service.acknowledge(session, desk, actor, at(start + 601), case.id)
            service.dispose(session, desk, actor, at(start + 602), case.id, done="filter changed")
            service.reopen(session, desk, actor, at(start + 603), case.id, text="it is back")
        query = sa.select(Notification.key).where(Notification.kind == "overdue")
        told = session.scalars(query).all()
    assert len(told) == 4, "its officer and the province's, twice"


def test_without_a_last_resort_who_is_active_an_administrator_gets_it(database: Database, desk: Desk) -> None:
    with database.writing() as session:
        session.execute(sa.update(Officer).where(Officer.login != "health-1").values(active=False))
        helper = session.scalars(sa.select(Officer).where(Officer.login == "health-1")).one()
        helper.offices[0].role = "admin"
        session.flush()
        case = opened(session, desk)
        assert case.assignee_id == helper.id and case.step == 4, "no step before it is manned: all at once"


def test_reassigning_gives_the_case_to_another_who_has_to_take_it(database: Database, desk: Desk) -> None:
    with database.writing() as session:
        case = opened(session, desk)
        service.acknowledge(session, desk, officer(session, "ecology-1"), at(1), case.id)
        service.reassign(
            session, desk, officer(session, "ecology-1"), at(2), case.id, to="hangzhou-ecology-1"
        )
        assert (case.state, case.waiting_since, case.acknowledged) == ("new", at(2), at(1))
        assert case.assignee is not None and case.assignee.login == "hangzhou-ecology-1"
        advance_due(session, desk, at(63))
        assert case.step == 2, "and it escalates again where he does not"


def test_a_case_is_escalated_by_hand(database: Database, desk: Desk) -> None:
    with database.writing() as session:
        case = opened(session, desk)
        actor = officer(session, "ecology-1")
        service.acknowledge(session, desk, actor, at(1), case.id)
        service.escalate(session, desk, actor, at(2), case.id, text="beyond me")
        last = entries_of(session, case)[-1]
        assert (last.kind, last.who, last.text, last.state) == ("escalated", "ecology-1", "beyond me", "new")


def test_escalating_by_hand_passes_over_steps_that_lead_to_who_has_it(database: Database, desk: Desk) -> None:
    """In the evening duty, city and province are all the officer of the province."""
    evening = NOW + timedelta(hours=8)
    with database.writing() as session:
        case = opened(session, desk, now=evening, level="red")
        has_it = case.assignee_id
        service.escalate(session, desk, root(desk.regions), evening + timedelta(minutes=1), case.id)
        assert case.assignee_id != has_it
        with pytest.raises(Conflict, match="nobody above"):
            service.escalate(session, desk, root(desk.regions), evening + timedelta(minutes=2), case.id)


def test_a_higher_level_asks_for_attention_again_in_every_state(database: Database, desk: Desk) -> None:
    with database.writing() as session:
        actor = root(desk.regions)
        case = opened(session, desk, level="blue")
        hear(session, desk, at(1), [warning("e1", 1, "raised", "yellow")])
        assert (case.level, case.waiting_since, case.round) == ("yellow", at(1), 2)
        service.acknowledge(session, desk, actor, at(2), case.id)
        hear(session, desk, at(3), [warning("e1", 2, "raised", "orange")])
        assert (case.level, case.state, case.close_by) == ("orange", "acknowledged", at(3 + 12 * 60))
        service.dispose(session, desk, actor, at(4), case.id, done="x")
        service.confirm(session, desk, actor, at(5), case.id, verdict="false")
        service.close(session, desk, actor, at(6), case.id)
        hear(session, desk, at(7), [warning("e1", 3, "raised", "red")])
        assert (case.level, case.state, case.reopened, case.verdict) == ("red", "new", 1, None)
        hear(
            session, desk, at(8), [warning("e1", 4, "lowered", "blue"), warning("e1", 5, "recovered", "blue")]
        )
        assert (case.level, case.peak, case.state, case.recovered) == ("blue", "red", "new", NOW)


def test_a_transition_counts_once_however_often_it_is_heard(database: Database, desk: Desk) -> None:
    events = [
        warning("e1"),
        warning("e1", 1, "raised", "red"),
        warning("e2"),
        warning("e1", 2, "recovered", "red"),
    ]
    with database.writing() as session:
        assert hear(session, desk, NOW, events[:2]) == 2
    for _ in range(2):
        with database.writing() as session:
            hear(session, desk, at(1), [*events, *events])
    with database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Case)) == 2
        assert [e.kind for e in entries_of(session, session.get_one(Case, 1))] == [
            *("opened", "assigned", "raised", "assigned", "recovered")
        ]
        assert hear_end_of_nothing(database, desk) == 1


def test_what_comes_together_is_taken_in_its_order(database: Database, desk: Desk) -> None:
    """An end before the beginning ends nothing; what follows in the same reading finds its case."""
    together = [
        warning("e1", 9, "recovered", "blue"),
        warning("e2", 0, "opened", "blue"),
        warning("e1", 0, "opened", "blue"),
        warning("e1", 1, "raised", "red"),
        warning("e2", 1, "recovered", "blue"),
    ]
    with database.writing() as session:
        assert hear(session, desk, NOW, [*together, together[1]]) == 5
    with database.reading() as session:
        second, first = session.scalars(sa.select(Case).order_by(Case.id)).unique()
        assert [second.episode, first.episode] == ["e2", "e1"]
        assert (first.level, first.recovered, second.recovered) == ("red", None, NOW)
        assert [e.kind for e in entries_of(session, first)] == ["opened", "assigned", "raised", "assigned"]
        assert [e.kind for e in entries_of(session, second)] == ["opened", "assigned", "recovered"]
        ended = sa.select(Notification.kind).where(Notification.case_id == second.id)
        assert set(session.scalars(ended)) == {"assigned", "ended"}


def hear_end_of_nothing(database: Database, desk: Desk) -> int:
    """The end of an episode that never was a case is taken and opens none."""
    with database.writing() as session:
        new = hear(session, desk, NOW, [warning("never", 3, "recovered")])
    with database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).where(Case.episode == "never")) == 0
    return new


def test_a_hole_in_the_roster_is_a_warning_in_advance_and_ends_when_it_is_filled(
    database: Database, desk: Desk
) -> None:
    holes = Holes()
    with database.writing() as session:
        assert holes.warn(session, desk, ["another-role"], NOW) == 0
        absent = sa.update(Officer).where(Officer.login == "hangzhou-ecology-1")
        session.execute(absent.values(active=False))
    for minutes in (0, 60):
        with database.writing() as session:
            assert holes.warn(session, desk, [], at(minutes)) == 5, "his week's workdays within a fortnight"
    with database.reading() as session:
        cases = session.scalars(sa.select(Case)).unique().all()
        assert {(case.rule, case.level, case.region, case.state) for case in cases} == {
            ("duty.roster-hole", "yellow", "330100", "new")
        }
        assert all(case.assignee and case.assignee.login.startswith("head-") for case in cases)
        warnings = session.scalars(sa.select(Message).where(Message.topic == "warnings")).all()
        assert len(warnings) == len(cases) == 5
    with database.writing() as session:
        session.execute(absent.values(active=True))
        assert holes.warn(session, desk, [], at(120)) == 0
        assert all(hole.filled for hole in session.scalars(sa.select(Hole)))
        assert all(case.recovered for case in session.scalars(sa.select(Case)).unique())


def test_a_role_nobody_answers_for_is_orange_and_red_when_it_is_near() -> None:
    def level(kind: str, days: float) -> str:
        starts = NOW + timedelta(days=days)
        return level_of(
            Gap(kind, "x", "330000", starts, starts + timedelta(hours=1), Reason(Why.NO_TEAM)), NOW
        )

    assert [level("uncovered", days) for days in (-1, 0.5, 1, 3)] == ["red", "red", "red", "orange"]
    assert level("unmanned", 0) == level("stand_in", 0) == "yellow"
