"""Who leaves keeps nothing: an account that is ended, or a role taken away, hands its open cases on.

Each goes to whoever is on duty for it now, else up its chain, and is new to him; the audit says from whom and why.
Where nobody at all is there the case is nobody's, which is looked at again every minute.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from streams.duty.accounts import officers
from streams.duty.accounts.officers import unfit
from streams.duty.accounts.rights import PLATFORM, Actor, Grant, Origin, may
from streams.duty.cases.records import record
from streams.duty.cases.waiting import Shift, chain_of, schedule, shift_of, tell_handed, wait
from streams.duty.database.models import Case, Office, Officer
from streams.duty.lifecycle import CLOSED, NEW, after_reassigning
from streams.duty.reasons import Reason, Why
from streams.duty.rosters.desk import Desk

log = logging.getLogger("liaowang.duty")

CHECK = Actor(PLATFORM, Origin.ROSTER_CHECK.value)


def set_active(
    session: Session, desk: Desk, actor: Actor, now: datetime, officer: Officer, active: bool
) -> list[int]:
    """Whether he may sign in and be on duty. One who may not keeps no case, no token and no session."""
    officers.set_active(session, officer, actor, now, desk.regions, active)
    session.flush()
    if active:
        return []
    return hand_on(session, desk, actor, now, officer, Reason(Why.ACCOUNT_ENDED, {"login": officer.login}))


def take(
    session: Session, desk: Desk, actor: Actor, now: datetime, officer: Officer, grant: Grant
) -> list[int]:
    """He holds this role no more, and keeps none of the cases that only this role gave him."""
    officers.take(session, actor, now, desk.regions, officer, grant)
    session.flush()
    left = tuple(each for each in officers.grants_of(officer) if each != grant)

    def lost(case: Case) -> bool:
        def allowed(grants: tuple[Grant, ...]) -> bool:
            return may(grants, "handle", case.role, case.region, desk.regions)

        return allowed((grant,)) and not allowed(left)

    given = {"login": officer.login, "role": grant.role, "region": grant.region}
    why = Reason(Why.OFFICE_TAKEN, given)
    return hand_on(session, desk, actor, now, officer, why, lost)


def left_behind(session: Session, desk: Desk) -> dict[int, Reason]:
    """Open cases of officers who are to have them no more, however that came about, and why, by number."""
    lost = sa.select(Office.officer_id).where(Office.revoked.is_not(None))
    query = (
        sa.select(Case.id, Case.role, Case.region, Officer)
        .join(Officer, Officer.id == Case.assignee_id)
        .where(Case.state != CLOSED, sa.or_(Officer.active.is_(False), Officer.id.in_(lost)))
        .order_by(Case.id)
    )
    found = {
        id: unfit(officer, role, region, desk.regions) for id, role, region, officer in session.execute(query)
    }
    return {id: why for id, why in found.items() if why}


def hand_on_left_behind(session: Session, desk: Desk, now: datetime, case_id: int) -> list[int]:
    """Hand this case on where its officer is to have it no more; its number, or nothing."""
    case = session.get(Case, case_id)
    officer = case.assignee if case is not None else None
    if case is None or officer is None:
        return []
    why = unfit(officer, case.role, case.region, desk.regions)
    return hand_on(session, desk, CHECK, now, officer, why, lambda each: each.id == case_id) if why else []


def hand_on(
    session: Session,
    desk: Desk,
    actor: Actor,
    now: datetime,
    officer: Officer,
    why: Reason,
    which: Callable[[Case], bool] = lambda _: True,
) -> list[int]:
    """The open cases of an officer, those of `which`, go to others; returns their numbers."""
    query = sa.select(Case).where(Case.assignee_id == officer.id, Case.state != CLOSED).order_by(Case.id)
    cases = [case for case in session.scalars(query.with_for_update(of=Case)).unique() if which(case)]
    if cases:
        shift = _without(shift_of(session, desk, now), officer.login)
        for case in cases:
            _hand_on(session, shift, case, actor, now, officer.login, why)
    return [case.id for case in cases]


def _without(shift: Shift, login: str) -> Shift:
    return replace(shift, plan=replace(shift.plan, able=shift.plan.able - {login}), answers={})


def _hand_on(
    session: Session, shift: Shift, case: Case, actor: Actor, now: datetime, login: str, why: Reason
) -> None:
    chain = chain_of(session, shift, case, now)
    to = next((link.login for link in chain if link.login is not None and link.login != login), None)
    state = after_reassigning(case.state)
    case.assignee_id = shift.ids[to] if to is not None else None
    detail = {"from": login, "to": to, "why": str(why)}
    record(session, case, "reassigned", actor, now, state=state, reason=why, detail=detail)
    if to is None:
        log.error("case %s: %s was its officer, %s, and nobody else is there", case.id, login, why)
    if state == NEW and case.recovered is None:
        wait(session, shift, case, now, actor)
    else:
        schedule(case, shift.desk)
        if to is not None:
            tell_handed(session, shift.desk, case, now)
    session.flush()
    session.refresh(case, ["assignee"])
