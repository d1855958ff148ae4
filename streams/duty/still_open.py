"""What was held back by a silence or a graver case: once that is over, who should have heard hears what is open.

Once a case, officer and channel, and only what still holds: a case that waits asks for somebody (`still_open`),
one that rose while its officer could not hear of it says so. What was taken or is over meanwhile says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from streams.duty.dispatch import ASKING, STILL_OPEN
from streams.duty.lifecycle import CLOSED
from streams.duty.models import Case, Notification, Officer, Silence
from streams.duty.records import notify

BATCH = 200
DEAD, SUPPRESSED = "dead", "suppressed"


def any_let_go(session: Session, now: datetime) -> bool:
    """Whether something that was held back is not any more; asked before a transaction that writes is begun."""
    return session.execute(_let_go(now).limit(1)).first() is not None


def tell_still_open(session: Session, now: datetime) -> int:
    """Look again at up to a batch of what was held back; returns how many notifications these were."""
    ids = list(session.scalars(_let_go(now).order_by(Notification.id).limit(BATCH)))
    rows = list(
        session.scalars(sa.select(Notification).where(Notification.id.in_(ids)).order_by(Notification.id))
    )
    again: dict[tuple[int, int | None, str], Notification] = {}
    for row in rows:
        row.held_by_silence = row.held_by_case = None
        again.setdefault((row.case_id, row.officer_id, row.channel), row)
        if row.kind in ASKING:  # that somebody is asked says more than that a level rose
            again[row.case_id, row.officer_id, row.channel] = row
    session.flush()
    for row in again.values():
        _tell_again(session, row, now)
    return len(rows)


def _tell_again(session: Session, row: Notification, now: datetime) -> None:
    case = session.get_one(Case, row.case_id)
    if not _holds(case, row) or _gone(session, row) or _told_since(session, row):
        return
    notify(
        session,
        case,
        now,
        kind=STILL_OPEN if row.kind in ASKING else row.kind,
        step=row.step,
        officer_id=row.officer_id,
        channels=(row.channel,),
        part=f"still/{row.id}",
    )


def _holds(case: Case, row: Notification) -> bool:
    """Whether what it says is still so."""
    if row.kind in ASKING:
        return case.waiting_since is not None
    if row.kind == "raised":
        return case.state != CLOSED and case.recovered is None and case.level == row.level
    return case.state != CLOSED and row.kind in ("overdue", "handed")


def _gone(session: Session, row: Notification) -> bool:
    officer = session.get(Officer, row.officer_id) if row.officer_id is not None else None
    return officer is not None and not officer.active


def _told_since(session: Session, row: Notification) -> bool:
    """Whether he was asked by this channel meanwhile, or will be."""
    query = sa.select(Notification.id).where(
        Notification.case_id == row.case_id,
        Notification.officer_id.is_not_distinct_from(row.officer_id),
        Notification.channel == row.channel,
        Notification.kind.in_(_alike(row.kind)),
        Notification.id > row.id,
        sa.or_(
            Notification.state.not_in((DEAD, SUPPRESSED)),
            Notification.held_by_silence.is_not(None),
            Notification.held_by_case.is_not(None),
        ),
    )
    return session.scalars(query.limit(1)).first() is not None


def _alike(kind: str) -> Sequence[str]:
    return sorted(ASKING) if kind in ASKING else [kind]


def _let_go(now: datetime) -> sa.Select[Any]:
    """Notifications whose silence has ended, or whose graver case is over or no longer so grave."""
    graver = aliased(Case)
    silent = sa.and_(
        Silence.id == Notification.held_by_silence, sa.or_(Silence.ends <= now, Silence.ended.is_not(None))
    )
    over = sa.and_(
        graver.id == Notification.held_by_case,
        sa.or_(graver.state == CLOSED, graver.recovered.is_not(None)),
    )
    return sa.select(Notification.id).where(
        sa.or_(Notification.held_by_silence.is_not(None), Notification.held_by_case.is_not(None)),
        sa.or_(sa.exists().where(silent), sa.exists().where(over)),
    )
