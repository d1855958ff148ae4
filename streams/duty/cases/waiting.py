"""Cases that wait: the steps of their chain as time goes, and the limit for closing; nobody is forgotten."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from streams.duty.accounts.rights import ADMIN, PLATFORM, Actor, Origin
from streams.duty.cases.escalation import (
    ASSIGNED,
    HANDED,
    NOBODY_ELSE,
    REBUILT,
    NotificationRequest,
    ResolvedStep,
    next_steps,
    next_time,
    resolve,
    steps_of,
)
from streams.duty.cases.rebuilt import unasked
from streams.duty.cases.records import notify, record
from streams.duty.cases.told import of_round, told
from streams.duty.database.models import Case, Notification, Officer
from streams.duty.lifecycle import CLOSED, NEW
from streams.duty.reasons import Reason, Why
from streams.duty.rosters.desk import Desk, plan_of
from streams.duty.rosters.who import OnDuty, Plan, who

log = logging.getLogger("liaowang.duty")

CLOCK = Actor(PLATFORM, Origin.ESCALATION.value)
BATCH = 200
UNHELD = timedelta(minutes=1)
"""How often it is looked whether somebody is there now for a case nobody has."""


@dataclass(frozen=True)
class Shift:
    """What one transaction or reading of warnings decides by, as it is at its beginning.

    The desk, the plan, officers' ids by login.
    """

    desk: Desk
    plan: Plan
    ids: Mapping[str, int]
    answers: dict[tuple[str, str, datetime], OnDuty | None] = field(default_factory=dict, compare=False)

    def on_duty(self, role: str, region: str, now: datetime) -> OnDuty | None:
        """Who is on duty; worked out once for a role, region and moment, as a burst asks thousands of times."""
        asked = (role, region, now)
        if asked not in self.answers:
            self.answers[asked] = who(self.plan, role, region, now)
        return self.answers[asked]


def shift_of(session: Session, desk: Desk, now: datetime) -> Shift:
    """Everything needed to say who is on duty, read once for a transaction or a reading of warnings."""
    ids = {login: id for login, id in session.execute(sa.select(Officer.login, Officer.id))}
    return Shift(desk, plan_of(session, desk, now - timedelta(days=1)), ids)


def wait(session: Session, shift: Shift, case: Case, now: datetime, actor: Actor = CLOCK) -> None:
    """From now on the case waits for somebody to take it: the first step is taken at once."""
    case.waiting_since, case.step, case.round = now, 0, case.round + 1
    case.acknowledge_by = now + shift.desk.roster.limits[case.level].acknowledge
    advance(session, shift, case, now, actor)


def taken(case: Case, desk: Desk) -> None:
    """Somebody has the case, or its warning is over: its chain stops."""
    case.waiting_since = None
    schedule(case, desk)


def schedule(case: Case, desk: Desk) -> None:
    """Set when the case is to be looked at again: its next step, or the passing of its limit."""
    step = next_time(case, [step.after for step in steps_of(desk.roster, case.level)])
    limit = None if case.overdue or case.state == CLOSED else case.close_by
    times = [each for each in (step, limit) if each is not None]
    case.next_step = min(times) if times else None


def advance(
    session: Session, shift: Shift, case: Case, now: datetime, actor: Actor = CLOCK, text: str = ""
) -> None:
    """Take the steps of a case that are due, and note that its limit has passed."""
    if case.waiting_since is not None:
        chain = chain_of(session, shift, case, now)
        if case.assignee_id is None and case.step >= len(chain) and any(link.login for link in chain):
            case.waiting_since, case.step, case.round = now, 0, case.round + 1
        due = next_steps(case, chain, now, told_of(session, shift, case))
        for request in due.requests:
            _tell(session, shift, case, request, now, actor, text)
        if due.nobody_else:
            detail = {"step": due.step, "kind": NOBODY_ELSE, "to": None, "knew": list(due.nobody_else)}
            record(session, case, "escalated", actor, now, state=NEW, text=text, detail=detail)
        case.step = due.step
    if case.overdue is None and case.state != CLOSED and now >= case.close_by:
        case.overdue = now
        record(session, case, "overdue", CLOCK, now)
        _tell_overdue(session, shift, case, now)
    schedule(case, shift.desk)
    if case.waiting_since is not None and case.assignee_id is None:
        case.next_step = min(case.next_step or now + UNHELD, now + UNHELD)


def told_of(session: Session, shift: Shift, case: Case) -> frozenset[str]:
    """Who was told since the case began to wait, or is about to be: what is dead or kept back has told nobody."""
    if case.step == 0:
        return frozenset()
    query = sa.select(Notification.officer_id).where(
        Notification.case_id == case.id,
        of_round(case),
        told(),
    )
    ids = set(session.scalars(query))
    return frozenset(login for login, id in shift.ids.items() if id in ids)


def advance_due(session: Session, desk: Desk, now: datetime, without: Collection[int] = ()) -> int:
    """Advance up to a batch of cases whose time has come; returns how many these were."""
    due = (Case.next_step <= now, Case.id.not_in(without))
    query = sa.select(Case).where(*due).order_by(Case.next_step, Case.id).limit(BATCH)
    cases = session.scalars(query.with_for_update(of=Case, skip_locked=True)).unique().all()
    if cases:
        shift = shift_of(session, desk, now)
        for case in cases:
            advance(session, shift, case, now)
    return len(cases)


def any_due(session: Session, now: datetime, without: Collection[int] = ()) -> bool:
    """Whether there is a case whose time has come; asked before a transaction that writes is begun."""
    query = sa.select(Case.id).where(Case.next_step <= now, Case.id.not_in(without)).limit(1)
    return session.scalars(query).first() is not None


def due_cases(session: Session, now: datetime, without: Collection[int] = ()) -> list[int]:
    """The ids of a batch of cases whose time has come, the longest due first."""
    query = sa.select(Case.id).where(Case.next_step <= now, Case.id.not_in(without))
    return list(session.scalars(query.order_by(Case.next_step, Case.id).limit(BATCH)))


def chain_of(session: Session, shift: Shift, case: Case, now: datetime) -> tuple[ResolvedStep, ...]:
    """The chain of a case, with who is on duty now."""

    def on_duty(role: str, region: str) -> str | None:
        answer = shift.on_duty(role, region, now)
        return answer.login if answer else None

    steps = steps_of(shift.desk.roster, case.level)
    last = last_resort(session, shift, case.role, case.region)
    links = resolve(steps, case.role, case.region, on_duty, last, shift.desk.regions)
    return tuple(
        link
        if link.login is not None and shift.plan.answers(link.login, case.role, case.region)
        else ResolvedStep(link.after, link.to, None, link.channels)
        for link in links
    )


def last_resort(session: Session, shift: Shift, role: str, region: str) -> str | None:
    """Who gets what nobody takes: the first active one declared, else any active admin; None only without both.

    One whose role was taken away is passed over here, too.
    """
    for login in shift.desk.roster.last_resort.officers:
        if shift.plan.answers(login, role, region):
            return login
    query = (
        sa.select(Officer)
        .join(Officer.offices)
        .where(Officer.active, sa.text("office.role = :role AND office.revoked IS NULL"))
        .order_by(Officer.id)
    )
    admins = (admin.login for admin in session.scalars(query, {"role": ADMIN}))
    return next((login for login in admins if shift.plan.answers(login, role, region)), None)


def _tell(
    session: Session,
    shift: Shift,
    case: Case,
    request: NotificationRequest,
    now: datetime,
    actor: Actor,
    text: str,
) -> None:
    officer_id = shift.ids.get(request.login) if request.login else None
    if officer_id is None:
        log.error("case %s: nobody is there, not even a last resort with an active account", case.id)
    else:
        case.assignee_id = officer_id
    if request.kind == ASSIGNED:
        answer = shift.on_duty(case.role, case.region, now)
        case.team = answer.team if answer else None
    rebuilt = unasked(case) and case.step == 0
    kind = "assigned" if request.kind == ASSIGNED else "escalated"
    detail: dict[str, Any] = {
        **{"step": request.step, "kind": request.kind, "to": request.login, "by": request.to},
        **({"knew": list(request.passed)} if request.passed else {}),
    }
    reason = Reason(Why.RECORDS_LOST) if rebuilt else None
    record(session, case, kind, actor, now, state=NEW, text=text, reason=reason, detail=detail)
    notify(
        session,
        case,
        now,
        kind=REBUILT if rebuilt else request.kind,
        step=request.step,
        officer_id=officer_id,
        channels=request.channels,
        part=f"{case.round}/{request.step}",
    )


def tell_handed(session: Session, desk: Desk, case: Case, now: datetime) -> None:
    """Who has the case now hears that it is his; nobody is asked to take it at once."""
    notify(
        session,
        case,
        now,
        kind=HANDED,
        step=case.step,
        officer_id=case.assignee_id,
        channels=steps_of(desk.roster, case.level)[0].channels,
        part=f"{HANDED}/{case.entries}",
    )


def _tell_overdue(session: Session, shift: Shift, case: Case, now: datetime) -> None:
    """Both he who has the case and the officer of the province hear that its limit has passed.

    Of one whose warning is over only he who has it: what is left is to be written down and closed. Of one that
    was over when it was rebuilt nobody.
    """
    if case.recovered is not None and case.assignee_id is None and unasked(case):
        return
    channels = steps_of(shift.desk.roster, case.level)[0].channels
    province = shift.on_duty(case.role, shift.desk.regions.province.code, now)
    above = shift.ids.get(province.login) if province else None
    told = {case.assignee_id, above} - {None}
    if case.recovered is not None and case.assignee_id is not None:
        told = {case.assignee_id}
    for officer_id in sorted(told, key=str) or [None]:
        part = f"overdue/{case.entries}/{officer_id}"
        notify(
            session,
            case,
            now,
            kind="overdue",
            step=case.step,
            officer_id=officer_id,
            channels=channels,
            part=part,
        )
