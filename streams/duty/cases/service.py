"""What officers do with a case. Each function takes a session that writes, and changes the case or refuses.

The rights of the actor and the state of the case are checked here, for the API, the console and the command
line alike. `version` may say which version of the case the actor has seen: another one is a Conflict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import sqlalchemy as sa
from sqlalchemy.orm import Session

from streams.duty.accounts.rights import Actor, may
from streams.duty.cases import opening
from streams.duty.cases.escalation import ASSIGNED, HANDED, steps_of
from streams.duty.cases.records import notify, record
from streams.duty.cases.waiting import (
    advance,
    chain_of,
    schedule,
    shift_of,
    taken,
    tell_handed,
    told_of,
    wait,
)
from streams.duty.database.models import AuditEntry, Case, Officer
from streams.duty.lifecycle import (
    ACKNOWLEDGED,
    CLOSED,
    CONFIRMED,
    IN_DISPOSAL,
    NEW,
    VERDICTS,
    after_reassigning,
    change,
)
from streams.duty.refusals import Conflict, Forbidden, Invalid, NotFound
from streams.duty.rosters.desk import Desk
from streams.duty.rosters.receiving import require_receiver
from streams.duty.wording import wording
from streams.duty.words import one_line


def acknowledge(
    session: Session, desk: Desk, actor: Actor, now: datetime, case_id: int, *, version: int | None = None
) -> Case:
    """The actor has the case: it is his, and its chain of escalation stops."""
    case = _take(session, desk, actor, case_id, "acknowledge", version)
    case.acknowledged = case.acknowledged or now
    if actor.officer_id is not None:
        case.assignee_id = actor.officer_id
    record(session, case, "acknowledged", actor, now, state=ACKNOWLEDGED)
    taken(case, desk)
    return _done(session, case)


def start(
    session: Session,
    desk: Desk,
    actor: Actor,
    now: datetime,
    case_id: int,
    *,
    text: str = "",
    version: int | None = None,
) -> Case:
    """Disposal begins."""
    case = _take(session, desk, actor, case_id, "start", version)
    _start(session, case, actor, now, wording(text, "text", optional=True))
    return _done(session, case)


def dispose(
    session: Session,
    desk: Desk,
    actor: Actor,
    now: datetime,
    case_id: int,
    *,
    done: str,
    version: int | None = None,
) -> Case:
    """What was done is written down; a case whose disposal was never said to begin begins and ends it at once."""
    case = _take(session, desk, actor, case_id, "dispose", version)
    text = wording(done, "done")
    if case.state == ACKNOWLEDGED:
        _start(session, case, actor, now, "")
    case.disposed = now
    record(session, case, "disposed", actor, now, state="disposed", text=text)
    return _done(session, case)


def confirm(
    session: Session,
    desk: Desk,
    actor: Actor,
    now: datetime,
    case_id: int,
    *,
    verdict: str,
    text: str = "",
    version: int | None = None,
) -> Case:
    """What the warning was: true, false, drill or duplicate."""
    case = _take(session, desk, actor, case_id, "confirm", version)
    if verdict not in VERDICTS:
        raise Invalid(f"{verdict!r} must be one of {', '.join(VERDICTS)}", "verdict")
    case.verdict, case.confirmed = verdict, now
    said = wording(text, "text", optional=True)
    record(session, case, "confirmed", actor, now, state=CONFIRMED, text=said, detail={"verdict": verdict})
    return _done(session, case)


def close(
    session: Session,
    desk: Desk,
    actor: Actor,
    now: datetime,
    case_id: int,
    *,
    text: str = "",
    version: int | None = None,
) -> Case:
    """Nothing is left to do. A case that required a feedback is closed after its follow-up cases."""
    case = _take(session, desk, actor, case_id, "close", version)
    _demand_answers(session, case)
    _close(session, desk, case, actor, now, "closed", wording(text, "text", optional=True))
    return _done(session, case)


def reopen(
    session: Session,
    desk: Desk,
    actor: Actor,
    now: datetime,
    case_id: int,
    *,
    text: str,
    version: int | None = None,
) -> Case:
    """It is to be dealt with again: new, waiting for whoever is on duty now."""
    case = _take(session, desk, actor, case_id, "reopen", version)
    if case.merged_into_id is not None:
        raise Conflict(f"it was merged into case {case.merged_into_id}; reopen that one")
    opening.reopen(session, case, now, actor, wording(text, "text"), desk)
    wait(session, shift_of(session, desk, now), case, now)
    return _done(session, case)


def reassign(
    session: Session,
    desk: Desk,
    actor: Actor,
    now: datetime,
    case_id: int,
    *,
    to: str,
    text: str = "",
    version: int | None = None,
) -> Case:
    """Another officer gets the case and has to acknowledge it; while he does not, it escalates as a new one."""
    case = _take(session, desk, actor, case_id, "reassign", version)
    officer = officer_named(session, to)
    if case.assignee_id == officer.id and case.state != NEW:
        raise Conflict(f"it is {to}'s already")
    require_receiver(session, desk, officer, case.role, case.region, now)
    before = case.assignee.login if case.assignee else None
    case.assignee = officer
    case.assignee_id = officer.id
    state = after_reassigning(case.state)
    said = wording(text, "text", optional=True)
    record(session, case, "reassigned", actor, now, state=state, text=said, detail={"from": before, "to": to})
    if state == NEW:
        _wait_for(session, desk, case, officer, now)
    else:
        tell_handed(session, desk, case, now)
    return _done(session, case)


def escalate(
    session: Session,
    desk: Desk,
    actor: Actor,
    now: datetime,
    case_id: int,
    *,
    text: str = "",
    version: int | None = None,
) -> Case:
    """The next step of the chain that leads to somebody else is taken now, by hand; to him the case is new."""
    case = _take(session, desk, actor, case_id, "escalate", version)
    shift = shift_of(session, desk, now)
    chain = chain_of(session, shift, case, now)
    has_it = case.assignee.login if case.assignee else None
    knows = {None, has_it, *told_of(session, shift, case)}
    above = [at for at in range(max(1, case.step), len(chain)) if chain[at].login not in knows]
    if not above:
        raise Conflict("it has reached the last resort; there is nobody above who was not told yet")
    said = wording(text, "text", optional=True)
    case.step = above[0]
    case.waiting_since = now - chain[above[0]].after
    advance(session, shift, case, now, actor, said)
    return _done(session, case)


def merge(
    session: Session,
    desk: Desk,
    actor: Actor,
    now: datetime,
    case_id: int,
    *,
    into: int,
    text: str = "",
    version: int | None = None,
) -> Case:
    """It is dealt with in another case: closed as its duplicate. Both say so."""
    if into == case_id:
        raise Conflict("a case cannot be merged into itself", "into")
    case = _take(session, desk, actor, case_id, "merge", version)
    other = visible(session, desk, actor, into, "handle", lock=True)
    if other.merged_into_id is not None or other.state == CLOSED:
        raise Conflict(f"case {into} is closed; merge into an open one")
    if case.timeline != other.timeline:
        raise Conflict(
            f"a case of a replay and another one are not the same: {_whence(case)}, {_whence(other)}"
        )
    _demand_answers(session, case)
    case.merged_into_id, case.verdict = other.id, "duplicate"
    case.confirmed = case.confirmed or now
    said = wording(text, "text", optional=True)
    _close(session, desk, case, actor, now, "merged", said, {"into": other.id})
    record(session, other, "absorbed", actor, now, detail={"case": case.id})
    return _done(session, case)


def comment(
    session: Session,
    desk: Desk,
    actor: Actor,
    now: datetime,
    case_id: int,
    *,
    text: str,
    version: int | None = None,
) -> Case:
    """A remark, in any state."""
    case = _take(session, desk, actor, case_id, "comment", version)
    record(session, case, "commented", actor, now, text=wording(text, "text"))
    return _done(session, case)


def require_feedback(
    session: Session,
    desk: Desk,
    actor: Actor,
    now: datetime,
    case_id: int,
    *,
    question: str,
    regions: Sequence[str],
    version: int | None = None,
) -> list[Case]:
    """举一反三: look for the same elsewhere. A follow-up case a region; the origin closes after them."""
    case = _take(session, desk, actor, case_id, "require_feedback", version)
    text, places = wording(question, "question"), list(dict.fromkeys(regions))
    if not places:
        raise Invalid("must name at least one region", "regions")
    for place in places:
        if desk.regions.get(place) is None:
            raise NotFound(f"{place!r} is no region code", "regions")
    shift = shift_of(session, desk, now)
    ordinal, made = case.entries, []
    for place in places:
        follow_up = opening.new_case(
            desk,
            now,
            uid=str(uuid5(NAMESPACE_URL, f"liaowang:{case.uid}/{ordinal}/{place}")),
            kind="follow_up",
            rule=case.rule,
            rule_version=case.rule_version,
            title=f"举一反三: {one_line(text)}"[:200],
            runbook=case.runbook,
            subject=case.subject,
            region=place,
            role=case.role,
            level=case.level,
            origin_id=case.id,
            evidence="{}",
            timeline=case.timeline,
            occurred=now,
        )
        made.append(follow_up)
    session.add_all(made)
    session.flush()
    for follow_up in made:
        opening.begin(session, shift, follow_up, now, actor, text=text, detail={"origin": case.id})
    detail = {"cases": [each.id for each in made], "regions": places}
    record(session, case, "feedback", actor, now, text=text, detail=detail)
    session.flush()
    return made


def visible(
    session: Session, desk: Desk, actor: Actor, case_id: int, verb: str = "see", *, lock: bool = False
) -> Case:
    """The case, where the actor may do this with it; NotFound where he may not even see it."""
    query = sa.select(Case).where(Case.id == case_id)
    if lock:
        query = query.with_for_update(of=Case)
    case = session.scalars(query).unique().one_or_none() if 0 < case_id < 2**63 else None
    if case is None or not _may(actor, "see", case, desk):
        raise NotFound(f"no case {case_id} that {actor.who} may see")
    if not _may(actor, verb, case, desk):
        raise Forbidden(f"{actor.who} may see case {case_id}, not change it")
    return case


def _locked(session: Session, case_id: int) -> Case:
    """The case as it is once nobody else changes it: two follow-ups may be closed at the same time."""
    query = sa.select(Case).where(Case.id == case_id).with_for_update(of=Case)
    return session.scalars(query.execution_options(populate_existing=True)).unique().one()


def officer_named(session: Session, login: str) -> Officer:
    """The active officer with this login."""
    officer = session.scalars(sa.select(Officer).where(Officer.login == login)).one_or_none()
    if officer is None or not officer.active:
        raise NotFound(f"no active officer {login!r}")
    return officer


def _may(actor: Actor, verb: str, case: Case, desk: Desk) -> bool:
    own = actor.officer_id is not None and actor.officer_id == case.assignee_id
    return (own and verb in ("see", "handle")) or may(
        actor.grants, verb, case.role, case.region, desk.regions
    )


def _take(session: Session, desk: Desk, actor: Actor, case_id: int, verb: str, version: int | None) -> Case:
    """The case, locked, where this actor may do this to it now."""
    case = visible(session, desk, actor, case_id, "handle", lock=True)
    if version is not None and version != case.version:
        raise Conflict(f"the case was changed meanwhile: version {case.version}, not {version}; look again")
    try:
        change(verb, case.state)
    except Conflict as error:
        raise Conflict(f"case {case_id}: {error.reason}{_last(session, case)}") from None
    return case


def _last(session: Session, case: Case) -> str:
    """Who brought it there, in words."""
    query = (
        sa.select(AuditEntry)
        .where(
            AuditEntry.case_id == case.id,
            AuditEntry.state == case.state,
            AuditEntry.previous != AuditEntry.state,
        )
        .order_by(AuditEntry.ordinal.desc())
        .limit(1)
    )
    entry = session.scalars(query).first()
    return f" ({entry.kind} by {entry.who})" if entry else ""


def _whence(case: Case) -> str:
    return f"case {case.id} is of {f'the replay {case.timeline}' if case.timeline else 'now'}"


def _start(session: Session, case: Case, actor: Actor, now: datetime, text: str) -> None:
    case.started = case.started or now
    record(session, case, "started", actor, now, state=IN_DISPOSAL, text=text)


def _demand_answers(session: Session, case: Case) -> None:
    """Conflict where a follow-up of the case is still open."""
    query = sa.select(Case.id).where(Case.origin_id == case.id, Case.state != CLOSED).order_by(Case.id)
    if waiting := session.scalars(query).all():
        raise Conflict(f"its follow-up cases are to be closed first: {', '.join(map(str, waiting))}")


def _close(
    session: Session,
    desk: Desk,
    case: Case,
    actor: Actor,
    now: datetime,
    kind: str,
    text: str,
    detail: Mapping[str, Any] | None = None,
) -> None:
    case.closed, case.waiting_since = now, None
    record(session, case, kind, actor, now, state=CLOSED, text=text, detail=detail)
    schedule(case, desk)
    if case.origin_id is not None:
        origin = _locked(session, case.origin_id)
        record(session, origin, "answered", actor, now, detail={"case": case.id, "verdict": case.verdict})


def _wait_for(session: Session, desk: Desk, case: Case, officer: Officer, now: datetime) -> None:
    """The case waits for this officer first; the chain goes on after him, unless the warning is over."""
    steps = steps_of(desk.roster, case.level)
    over = case.recovered is not None
    case.round, case.step, case.waiting_since = case.round + 1, 1, None if over else now
    case.acknowledge_by = now + desk.roster.limits[case.level].acknowledge
    notify(
        session,
        case,
        now,
        kind=HANDED if over else ASSIGNED,
        step=0,
        officer_id=officer.id,
        channels=steps[0].channels,
        part=f"{case.round}/0",
    )
    schedule(case, desk)


def _done(session: Session, case: Case) -> Case:
    session.flush()
    session.refresh(case, ["assignee"])
    return case
