"""Cases that are rebuilt after the database was lost: who should have them is asked once, when all are there.

While they are read again nobody is told, as everybody may know them; they are there to be seen and acknowledged.
They are in round 0, which no other case ever is, until they are asked for anew: so it needs no mark of its own,
and the keys of their messages are not those that were sent before the loss.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from streams.duty.database.models import Case
from streams.duty.lifecycle import NEW
from streams.duty.rosters.desk import Desk


def unasked(case: Case) -> bool:
    """Whether a case was rebuilt, and nobody has begun a round of asking since."""
    return case.round == 0


def ask_for_the_open(session: Session, desk: Desk, now: datetime) -> None:
    """From now on those wait that are new and not over; their first step is due, all their limits begin now."""
    session.flush()
    held = (Case.round == 0, Case.state == NEW, Case.recovered.is_(None), Case.waiting_since.is_(None))
    for level, limits in desk.roster.limits.items():
        change = sa.update(Case).where(*held, Case.level == level)
        session.execute(
            change.values(
                waiting_since=now,
                next_step=now,
                acknowledge_by=now + limits.acknowledge,
                close_by=now + limits.close,
            )
        )
