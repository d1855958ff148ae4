"""Escalation in time: cases that are due are advanced together; one that cannot be holds up no other."""

from __future__ import annotations

from datetime import datetime, timedelta

from streams.duty.cases.waiting import advance, advance_due, any_due, due_cases, shift_of
from streams.duty.database.models import Case
from streams.duty.dependencies import DutyDependencies
from streams.duty.faults import Doubt, Fault, SetAside, fault_of

AGAIN = timedelta(hours=1)
"""When a case that could not be advanced is tried again."""


class Advancing:
    """Advances the cases of a running duty."""

    def __init__(self, deps: DutyDependencies, aside: SetAside) -> None:
        self._deps, self._aside, self._doubt = deps, aside, Doubt()
        self._later: dict[int, datetime] = {}

    def once(self) -> int:
        """One batch of cases that are due; how many there were."""
        now = self._deps.clock()
        without = frozenset(id for id, moment in self._later.items() if moment > now)
        with self._deps.database.reading() as session:
            if not any_due(session, now, without):
                return 0
        try:
            with self._deps.database.writing() as session:
                number = advance_due(session, self._deps.desks.now(), now, without)
            self._doubt.good()
            return number
        except Exception as error:
            if fault_of(error) not in (Fault.value, Fault.item):
                raise
        return self._one_by_one(now, without)

    def _one_by_one(self, now: datetime, without: frozenset[int]) -> int:
        with self._deps.database.reading() as session:
            ids = due_cases(session, now, without)
        for id in ids:
            try:
                with self._deps.database.writing() as session:
                    shift = shift_of(session, self._deps.desks.now(), now)
                    advance(session, shift, session.get_one(Case, id, with_for_update={"of": Case}), now)
                self._doubt.good()
            except Exception as error:
                self._aside(f"case {id}", f"its escalation waits an hour: {self._doubt.blame(error)}")
                self._later[id] = now + AGAIN
        return len(ids)
