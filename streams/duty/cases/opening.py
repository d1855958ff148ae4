"""Warnings become cases: every transition of an episode counts once, whatever is read again."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import sqlalchemy as sa
from sqlalchemy.orm import Session

from streams.duty.accounts.rights import PLATFORM, Actor, Origin
from streams.duty.cases.escalation import steps_of
from streams.duty.cases.rebuilt import unasked
from streams.duty.cases.records import notify, record
from streams.duty.cases.told import ENDED, told
from streams.duty.cases.waiting import Shift, schedule, shift_of, taken, wait
from streams.duty.database.models import Case, Heard, Notification, Replayed
from streams.duty.lifecycle import CLOSED, CONFIRMED, DISPOSED, NEW, worse
from streams.duty.reasons import Reason, Why
from streams.duty.refusals import Invalid
from streams.duty.rosters.desk import Desk

log = logging.getLogger("liaowang.duty")

TOPIC = Actor(PLATFORM, Origin.WARNINGS.value)
ENDS = ("recovered", "cancelled")
_CHUNK = 500


def hear(
    session: Session,
    desk: Desk,
    now: datetime,
    warnings: Sequence[Any],
    actor: Actor = TOPIC,
    shift: Shift | None = None,
    dry: Collection[str] = (),
    quiet: bool = False,
) -> int:
    """Take decoded events of `duty.warning`, in order; those heard before are passed over. How many were new.

    `shift`: what is decided by, where it is known already; it is read where there is a new one and it is not.
    `dry`: timelines of replays that are not live. Their warnings open no case and nobody is told; a case that is
    there already goes on. `quiet`: what was lost is taken again, and nobody is told of a case that is rebuilt.
    """
    fresh = _fresh(session, warnings)
    if fresh:
        shift = shift or shift_of(session, desk, now)
        for warning, case, new in _with_cases(session, shift.desk, fresh, now, dry):
            if case is None and warning.timeline in dry:
                session.add(_replayed(warning, now))
            elif case is not None and new:
                begin(session, shift, case, now, actor, detail=_opening(warning, case), quiet=quiet)
            elif case is not None:
                _apply(session, shift, case, warning, now, actor, quiet)
            case_id = case.id if case else None
            session.add(Heard(id=warning.id, case_id=case_id, kind=warning.data.kind, at=now))
    return len(fresh)


def _fresh(session: Session, warnings: Sequence[Any]) -> list[Any]:
    """Those that were not heard before, each once."""
    first: dict[str, Any] = {}
    for warning in warnings:
        first.setdefault(warning.id, warning)
    known = _known(session, list(first))
    return [warning for id, warning in first.items() if id not in known]


def _with_cases(
    session: Session, desk: Desk, warnings: Sequence[Any], now: datetime, dry: Collection[str]
) -> list[tuple[Any, Case | None, bool]]:
    """Each warning with its case, and whether the case begins with it.

    The end of what was never a case has none, nor has a replay that is not live. No warning touches the case of
    another timeline, whatever its episode is called: one of a replay is listed, any other is refused.

    The cases are read in one query and the new ones stored in one go, else a burst costs twice as much.
    """
    cases = _cases(session, [warning.data.episode for warning in warnings])
    found: list[tuple[Any, Case | None, bool]] = []
    _say_unknown_roles(desk, warnings)
    for warning in warnings:
        episode = warning.data.episode
        there = cases.get(episode)
        if there is not None and there.timeline != warning.timeline:
            if warning.timeline in dry:
                found.append((warning, None, False))
                continue
            raise Invalid(
                f"its episode is one of {there.timeline or 'now'}, not of {warning.timeline or 'now'}"
            )
        new = there is None and warning.data.kind not in ENDS and warning.timeline not in dry
        if new:
            cases[episode] = _case_of(desk, warning, now)
            session.add(cases[episode])
        found.append((warning, cases.get(episode), new))
    session.flush()
    return found


def _cases(session: Session, episodes: Sequence[str]) -> dict[str, Case]:
    """The cases there are of these episodes, to be changed."""
    found: dict[str, Case] = {}
    for chunk in _chunks(episodes):
        query = sa.select(Case).where(Case.episode.in_(chunk)).order_by(Case.id).with_for_update(of=Case)
        found.update((str(case.episode), case) for case in session.scalars(query).unique())
    return found


def _known(session: Session, ids: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for chunk in _chunks(ids):
        found.update(session.scalars(sa.select(Heard.id).where(Heard.id.in_(chunk))))
    return found


def _chunks(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[at : at + _CHUNK] for at in range(0, len(ids), _CHUNK))


def _apply(
    session: Session, shift: Shift, case: Case, warning: Any, now: datetime, actor: Actor, quiet: bool
) -> None:
    """The case after one more transition of its episode."""
    data, detail = warning.data, _detail(warning)
    if data.kind in ENDS:
        case.recovered = case.recovered or data.at
        record(session, case, data.kind, actor, now, detail=detail)
        taken(case, shift.desk)
        _tell_ended(session, case, now)
    elif data.kind in ("raised", "lowered", "opened") and data.level != case.level:
        _change_level(session, shift, case, warning, now, actor, detail, quiet and unasked(case))


def role_of(desk: Desk, asked: str) -> str:
    """Whose duty a warning is: the role its rule names, or the fallback where there is no such role."""
    return asked if asked in desk.roles else desk.roles.fallback


def _say_unknown_roles(desk: Desk, warnings: Sequence[Any]) -> None:
    """A rule may have been published with a role that is none (any more); its cases are somebody's anyway."""
    unknown = {(w.data.rule, w.data.duty_role) for w in warnings if w.data.duty_role not in desk.roles}
    for rule, role in sorted(unknown):
        fallback = desk.roles.fallback
        log.error("rule %s names duty_role %r, which is none; its cases are %s's", rule, role, fallback)


def _replayed(warning: Any, now: datetime) -> Replayed:
    data = warning.data
    return Replayed(
        id=warning.id,
        timeline=warning.timeline,
        episode=data.episode,
        kind=data.kind,
        level=data.level,
        rule=data.rule,
        title=data.title,
        subject=data.subject,
        region=data.region or "",
        role=data.duty_role,
        value=data.value,
        threshold=data.threshold,
        occurred=data.at,
        heard=now,
    )


def _case_of(desk: Desk, warning: Any, now: datetime) -> Case:
    data = warning.data
    return new_case(
        desk,
        now,
        uid=str(uuid5(NAMESPACE_URL, f"liaowang:{data.episode}")),
        kind="warning",
        episode=data.episode,
        timeline=warning.timeline,
        rule=data.rule,
        rule_version=data.rule_version,
        title=data.title,
        runbook=data.runbook,
        subject=data.subject,
        region=data.region or "",
        role=role_of(desk, data.duty_role),
        level=data.level,
        value=data.value,
        threshold=data.threshold,
        evidence=data.evidence,
        occurred=data.at,
    )


def _detail(warning: Any) -> dict[str, Any]:
    """What the transition itself said; the case goes on to change."""
    data = warning.data
    return {
        "warning": warning.id,
        "title": data.title,
        "value": data.value,
        "threshold": data.threshold,
        "at": data.at.isoformat(),
    }


def _opening(warning: Any, case: Case) -> dict[str, Any]:
    """What a case began with; also the role its rule asked for, where there is none of that name."""
    asked = warning.data.duty_role
    return _detail(warning) | ({} if asked == case.role else {"unknown_role": asked})


def new_case(desk: Desk, now: datetime, **given: Any) -> Case:
    """A case that is not stored yet, with the limits of its level."""
    limits = desk.roster.limits[given["level"]]
    return Case(
        **{"state": NEW, "peak": given["level"], "opened": now, "changed": now},
        **{"acknowledge_by": now + limits.acknowledge, "close_by": now + limits.close},
        **{"step": 0, "round": 0, "reopened": 0, "entries": 0, "version": 0},
        **given,
    )


def begin(
    session: Session,
    shift: Shift,
    case: Case,
    now: datetime,
    actor: Actor,
    *,
    text: str = "",
    detail: Any = None,
    quiet: bool = False,
) -> None:
    """Say that a new case, stored just now, is there, and let it wait for its officer, unless quiet."""
    record(session, case, "opened", actor, now, text=text, detail=detail)
    if not quiet:
        wait(session, shift, case, now)


def _change_level(
    session: Session,
    shift: Shift,
    case: Case,
    warning: Any,
    now: datetime,
    actor: Actor,
    detail: dict[str, Any],
    quiet: bool,
) -> None:
    """A higher level asks for attention again, in whatever state the case is; a lower one is noted."""
    data, before = warning.data, case.level
    higher = worse(data.level, before) == data.level
    case.level, case.peak = data.level, worse(case.peak, data.level)
    if not higher:
        record(session, case, "lowered", actor, now, detail={**detail, "from": before})
        if not quiet:
            schedule(case, shift.desk)
        return
    case.title, case.value, case.threshold = data.title, data.value, data.threshold
    case.evidence = data.evidence
    case.close_by = min(case.close_by, now + shift.desk.roster.limits[case.level].close)
    record(session, case, "raised", actor, now, detail={**detail, "from": before})
    if quiet:
        _reopen_quietly(session, shift, case, now, actor)
    elif case.merged_into_id is not None:
        _raise_where_it_is_dealt_with(session, shift, case, now, actor)
    elif case.state in (DISPOSED, CONFIRMED, CLOSED):
        _reopen(session, shift, case, now, actor)
        wait(session, shift, case, now)
    elif case.state == NEW:
        wait(session, shift, case, now)
    else:
        _tell_raised(session, shift, case, now, case.assignee_id)
        schedule(case, shift.desk)


def _reopen_quietly(session: Session, shift: Shift, case: Case, now: datetime, actor: Actor) -> None:
    """Somebody was done with it while it was not yet known that it rose; he is asked with all others."""
    if case.merged_into_id is None and case.state in (DISPOSED, CONFIRMED, CLOSED):
        _reopen(session, shift, case, now, actor)


def _reopen(session: Session, shift: Shift, case: Case, now: datetime, actor: Actor) -> None:
    reopen(session, case, now, actor, Reason(Why.ROSE, {"level": case.level}), shift.desk)


def reopen(session: Session, case: Case, now: datetime, actor: Actor, why: str | Reason, desk: Desk) -> None:
    """The case is new again, with a new limit for closing; `why`: somebody's words, or the platform's reason."""
    case.reopened += 1
    case.verdict = None
    case.disposed = case.confirmed = case.closed = case.overdue = None
    case.close_by = now + desk.roster.limits[case.level].close
    said: dict[str, Any] = {"reason": why} if isinstance(why, Reason) else {"text": why}
    record(session, case, "reopened", actor, now, state=NEW, **said)


def _raise_where_it_is_dealt_with(
    session: Session, shift: Shift, case: Case, now: datetime, actor: Actor
) -> None:
    """A merged case rose: who has the case it was merged into is told, or that one is opened again."""
    other = case
    while other.merged_into_id is not None:
        query = sa.select(Case).where(Case.id == other.merged_into_id).with_for_update(of=Case)
        other = session.scalars(query).unique().one()
    if other.state in (DISPOSED, CONFIRMED, CLOSED):
        why = Reason(Why.MERGED_ROSE, {"id": case.id, "level": case.level})
        reopen(session, other, now, actor, why, shift.desk)
        wait(session, shift, other, now)
    else:
        _tell_raised(session, shift, case, now, other.assignee_id)


def _tell_raised(session: Session, shift: Shift, case: Case, now: datetime, officer_id: int | None) -> None:
    notify(
        session,
        case,
        now,
        kind="raised",
        step=case.step,
        officer_id=officer_id,
        channels=steps_of(shift.desk.roster, case.level)[0].channels,
        part=f"raised/{case.entries}",
    )


def _tell_ended(session: Session, case: Case, now: datetime) -> None:
    """Who was told of the warning by a channel hears there once that it is over; machines end their alert with it.

    What waits still to be sent is looked at again when the end is about to go: who was not told hears of no end.
    """
    of_case = sa.select(Notification.officer_id, Notification.channel).where(Notification.case_id == case.id)
    knows = set(session.execute(of_case.where(Notification.kind == ENDED)).tuples())
    query = of_case.where(Notification.kind != ENDED, told()).order_by(Notification.id)
    for officer_id, channel in dict.fromkeys(session.execute(query).tuples()):
        if (officer_id, channel) in knows:
            continue
        part = f"ended/{case.entries}/{officer_id}"
        notify(
            session,
            case,
            now,
            kind=ENDED,
            step=case.step,
            officer_id=officer_id,
            channels=(channel,),
            part=part,
        )
