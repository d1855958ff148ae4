"""A text of one region in everything that officers write or are told, so that walks find where else it shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from streams.duty.accounts.officers import add_officer, find
from streams.duty.accounts.rights import Grant
from streams.duty.cases import attachments, service
from streams.duty.cases.opening import hear
from streams.duty.database.models import Case
from streams.duty.notify import silencing
from streams.duty.rosters.desk import Desk
from streams.duty.shifts import substitutes
from tests.streams.duty.moments import root, warning

MARK = "zq7marked"
TEAM, GIVER, TAKER = "ecology-hangzhou", "hangzhou-ecology-1", "hangzhou-ecology-2"
REPLAY = f"replay-{MARK}"


@dataclass(frozen=True)
class Marked:
    """What there is: a case of Hangzhou with a file."""

    case: int
    file: int


def mark(session: Session, desk: Desk, now: datetime) -> Marked:
    """Leave the mark in Hangzhou: a case with its file, a replay, the roster's notes, a silence, a person."""
    actor = root(desk.regions)
    told = {"subject": f"s-{MARK}", "title": f"站点 {MARK}", "runbook": MARK, "region": "330110"}
    hear(session, desk, now, [warning(f"e-{MARK}", **told)])
    hear(session, desk, now, [warning(f"r-{MARK}", timeline=REPLAY, **told)], dry={REPLAY})
    case = session.scalars(sa.select(Case.id).where(Case.episode == f"e-{MARK}")).one()
    service.comment(session, desk, actor, now, case, text=f"comment {MARK}")
    words = MARK.encode()
    file = attachments.attach(
        session, desk, actor, now, case, name=f"{MARK}.txt", media_type="text/plain", content=words
    )
    later = now + timedelta(days=2)
    turn = {"starts": now + timedelta(days=1), "ends": later, "reason": f"override {MARK}"}
    substitutes.override(session, desk, actor, now, team=TEAM, officer=TAKER, **turn)  # type: ignore[arg-type]
    substitutes.handover(session, desk, actor, now, team=TEAM, to=TAKER, giver=GIVER, note=f"note {MARK}")
    silencing.add_silence(
        session,
        desk.regions,
        actor,
        now,
        rules=[],
        where=["330110"],
        levels=["blue"],
        starts=now,
        ends=later,
        reason=f"silence {MARK}",
        known=(),
    )
    reached = {"phone": "139 0000 0000", "email": f"{MARK}@x.example"}
    grants = [Grant("ecology-duty", "330110")]
    add_officer(session, actor, now, desk.regions, login="reached", name="某", grants=grants, **reached)
    find(session, "reached")
    return Marked(case, file.id)
