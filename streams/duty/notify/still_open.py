"""What was held back by a silence or a graver case: once that is over, who should have heard hears what is open.

Once a case, officer and channel, and only what still holds: a case that waits asks for somebody (`still_open`),
one that rose while its officer could not hear of it says so. What was taken or is over meanwhile says nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from schemas.regions import Regions
from streams.duty.accounts.officers import unfit
from streams.duty.cases.records import notify
from streams.duty.cases.told import of_round, told
from streams.duty.database.models import Case, Notification, Officer, Silence
from streams.duty.lifecycle import CLOSED
from streams.duty.notify.dispatch import ASKING, STILL_OPEN

BATCH = 200


def any_let_go(session: Session, now: datetime) -> bool:
    """Whether something that was held back is not any more; asked before a transaction that writes is begun."""
    return session.execute(_let_go(now).limit(1)).first() is not None


def let_go(session: Session, now: datetime) -> list[int]:
    """The numbers of up to a batch of what was held back and is not any more."""
    return list(session.scalars(_let_go(now).order_by(Notification.id).limit(BATCH)))


def tell_still_open(session: Session, regions: Regions, now: datetime, ids: Collection[int]) -> None:
    """Look again at what was held back: these hold nothing any more, and who should have heard is told."""
    rows = list(
        session.scalars(sa.select(Notification).where(Notification.id.in_(ids)).order_by(Notification.id))
    )
    again: dict[tuple[int, int | None, str], Notification] = {}
    for row in rows:
        row.held_by_silence = row.held_by_case = row.held_by_level = None
        again.setdefault((row.case_id, row.officer_id, row.channel), row)
        if row.kind in ASKING:  # that somebody is asked says more than that a level rose
            again[row.case_id, row.officer_id, row.channel] = row
    session.flush()
    for row in again.values():
        _tell_again(session, regions, row, now)


def give_up(session: Session, id: int, reason: str) -> None:
    """Hold this one back no more, as it cannot be told; it says why."""
    change = sa.update(Notification).where(Notification.id == id)
    held = dict.fromkeys(("held_by_silence", "held_by_case", "held_by_level", "reason"))
    session.execute(change.values(last_error=reason, **held))


def _tell_again(session: Session, regions: Regions, row: Notification, now: datetime) -> None:
    case = session.get_one(Case, row.case_id)
    if not _holds(session, case, row) or _gone(session, regions, case, row) or _told_since(session, row):
        return
    asks = row.kind in ASKING
    notify(
        session,
        case,
        now,
        kind=STILL_OPEN if asks else row.kind,
        step=row.step,
        officer_id=row.officer_id,
        channels=(row.channel,),
        part=f"{case.round}/still/{row.id}" if asks else f"still/{row.id}",
    )


def _holds(session: Session, case: Case, row: Notification) -> bool:
    """Whether what it says is still so: the case asks for somebody still, and he was asked since it does."""
    if row.kind in ASKING:
        asked = sa.select(Notification.id).where(Notification.id == row.id, of_round(case))
        return case.waiting_since is not None and session.scalars(asked).first() is not None
    if row.kind == "raised":
        return case.state != CLOSED and case.recovered is None and case.level == row.level
    return case.state != CLOSED and row.kind in ("overdue", "handed")


def _gone(session: Session, regions: Regions, case: Case, row: Notification) -> bool:
    officer = session.get(Officer, row.officer_id) if row.officer_id is not None else None
    return officer is not None and unfit(officer, case.role, case.region, regions) is not None


def _told_since(session: Session, row: Notification) -> bool:
    """Whether he was asked by this channel meanwhile, or will be."""
    query = sa.select(Notification.id).where(
        Notification.case_id == row.case_id,
        Notification.officer_id.is_not_distinct_from(row.officer_id),
        Notification.channel == row.channel,
        Notification.kind.in_(_alike(row.kind)),
        Notification.id > row.id,
        sa.or_(
            told(),
            Notification.held_by_silence.is_not(None),
            Notification.held_by_case.is_not(None),
        ),
    )
    return session.scalars(query.limit(1)).first() is not None


def _alike(kind: str) -> Sequence[str]:
    return sorted(ASKING) if kind in ASKING else [kind]


def _let_go(now: datetime) -> sa.Select[Any]:
    """Notifications whose silence has ended, or whose graver case is over or has another level.

    What the new level holds back as well is held back again when it is about to go.
    """
    graver = aliased(Case)
    silent = sa.and_(
        Silence.id == Notification.held_by_silence, sa.or_(Silence.ends <= now, Silence.ended.is_not(None))
    )
    over = sa.and_(
        graver.id == Notification.held_by_case,
        sa.or_(
            graver.state == CLOSED,
            graver.recovered.is_not(None),
            graver.level.is_distinct_from(Notification.held_by_level),
        ),
    )
    return sa.select(Notification.id).where(
        sa.or_(Notification.held_by_silence.is_not(None), Notification.held_by_case.is_not(None)),
        sa.or_(sa.exists().where(silent), sa.exists().where(over)),
    )
