"""Warnings as cases in the duty database: one that can be no case is set aside, with its neighbours written."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from streams.duty.cases.liveness import Liveness
from streams.duty.cases.opening import hear
from streams.duty.cases.rebuilt import ask_for_the_open
from streams.duty.cases.waiting import shift_of
from streams.duty.database import models
from streams.duty.database.database import ASK_EVERY
from streams.duty.dependencies import DutyDependencies
from streams.duty.faults import Doubt, Fault, SetAside, fault_of
from streams.duty.inbox.read import Read
from streams.duty.inbox.read_position import ReadPosition, rows_of, write_down
from streams.duty.words import one_line

AT_ONCE = 25
"""Warnings in one transaction, so few that an officer who acknowledges meanwhile does not notice the wait."""
GIVE_WAY = 2 * ASK_EVERY
_REACHED = cast(sa.Table, models.ReadPosition.__table__)


class CaseInbox:
    """What the reader of `duty` writes warnings down in."""

    def __init__(self, deps: DutyDependencies, aside: SetAside, liveness: Liveness | None = None) -> None:
        """With `liveness` warnings of replays that are not live become no case; without it all are of now."""
        self._deps, self._aside, self._doubt = deps, aside, Doubt()
        self._liveness = liveness

    def take(self, found: Sequence[Read], reached: ReadPosition) -> int:
        """Write warnings down as cases; how many were new.

        Some at a time, all by one plan of who is on duty: between two transactions officers have their turn. Where
        some cannot be written, these are written one by one, and the one at fault is named and passed over.

        While what was lost is filled again (`reached.filling`) nobody is told; with the end of that, written down
        in the same transaction, the cases that are open then begin to wait for somebody.
        """
        new, done, alone, told = 0, 0, 0, False
        shift, now = None, self._deps.clock()
        timelines = [each.warning.timeline for each in found]
        dry = self._liveness.dry(timelines) if self._liveness else frozenset[str]()
        while done < len(found):
            some = found[done : done + (1 if done < alone else AT_ONCE)]
            last = done + len(some) == len(found)
            try:
                with self._deps.database.writing() as session:
                    shift = shift or shift_of(session, self._deps.desks.now(), now)
                    events = [each.warning for each in some]
                    quiet = reached.filling is not None or _filling(session)
                    new += hear(session, shift.desk, now, events, shift=shift, dry=dry, quiet=quiet)
                    if last:
                        self._write_down(session, reached)
                done, told = done + len(some), last
                self._doubt.good()
                if not last:
                    time.sleep(GIVE_WAY)
            except Exception as error:
                if len(some) > 1 and fault_of(error) in (Fault.value, Fault.item):
                    alone = done + len(some)
                    continue
                self._pass_over(some[0], self._doubt.blame(error), reached.log)
                done += 1
        if not told:
            with self._deps.database.writing() as session:
                self._write_down(session, reached)
        return new

    def _write_down(self, session: Session, reached: ReadPosition) -> None:
        """How far was read; where a filling ends with it, whom it is told to begins now."""
        if reached.filling is None and _filling(session):
            ask_for_the_open(session, self._deps.desks.now(), self._deps.clock())
        write_down(session, _REACHED, reached)

    def _pass_over(self, read: Read, why: str, log: str) -> None:
        """Say which warning becomes no case; a name too long for the database is not one for the log either.

        Its place is kept, so that nobody takes it for one that was lost.
        """
        if read.at is not None:
            with self._deps.database.writing() as session:
                session.execute(sa.delete(models.Passed).where(models.Passed.log != log))
                session.merge(models.Passed(log=log, partition=read.at[0], offset=read.at[1]))
        episode = one_line(read.warning.data.episode)
        self._aside(f"{read.place}: the warning of episode {episode:.200}", f"it becomes no case: {why}")

    def reached(self) -> Mapping[str, ReadPosition]:
        """How far each log was read."""
        with self._deps.database.reading() as session:
            return rows_of(session, _REACHED)

    def empty(self) -> bool:
        """Whether no warning was ever heard."""
        with self._deps.database.reading() as session:
            return session.scalars(sa.select(models.Heard.id).limit(1)).first() is None


def _filling(session: Session) -> bool:
    """Whether what was lost is filled again, as it is written down: a start anew does not forget it."""
    return (
        session.scalars(sa.select(_REACHED.c.log).where(_REACHED.c.filling.is_not(None)).limit(1)).first()
        is not None
    )
