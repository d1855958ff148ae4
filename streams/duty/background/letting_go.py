"""What was held back is told in time; one that cannot be told holds up no other."""

from __future__ import annotations

from datetime import datetime

from streams.duty.dependencies import DutyDependencies
from streams.duty.faults import Doubt, Fault, SetAside, fault_of
from streams.duty.notify.still_open import any_let_go, give_up, let_go, tell_still_open


class LettingGo:
    """Tells what silences and graver cases have let go, in a running duty."""

    def __init__(self, deps: DutyDependencies, aside: SetAside) -> None:
        self._deps, self._aside, self._doubt = deps, aside, Doubt()

    def once(self) -> int:
        """One batch of what was let go; how many notifications there were."""
        now = self._deps.clock()
        with self._deps.database.reading() as session:
            if not any_let_go(session, now):
                return 0
            ids = let_go(session, now)
        try:
            self._tell(ids, now)
        except Exception as error:
            if fault_of(error) not in (Fault.value, Fault.item):
                raise
            for id in ids:
                self._by_itself(id, now)
        return len(ids)

    def _by_itself(self, id: int, now: datetime) -> None:
        try:
            self._tell([id], now)
        except Exception as error:
            reason = self._doubt.blame(error)
            with self._deps.database.writing() as session:
                give_up(session, id, f"let go, and cannot be told: {reason}")
            self._aside(f"notification {id}", f"it was held back, and cannot be told now: {reason}")

    def _tell(self, ids: list[int], now: datetime) -> None:
        with self._deps.database.writing() as session:
            tell_still_open(session, self._deps.desks.now().regions, now, ids)
        self._doubt.good()
