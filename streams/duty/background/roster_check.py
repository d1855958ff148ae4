"""The check of the roster in time: what ended accounts and lost roles left goes on, holes are warned of.

Each in a transaction of its own: one that cannot be written down is set aside, and holds up no other.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

from sqlalchemy.orm import Session

from streams.duty.cases.leaving import hand_on_left_behind, left_behind
from streams.duty.dependencies import DutyDependencies, forget_replies
from streams.duty.faults import Doubt, SetAside
from streams.duty.rosters.desk import plan_of
from streams.duty.shifts.holes import Holes

EACH = timedelta(hours=1)
T = TypeVar("T")
log = logging.getLogger("liaowang.duty")


class RosterCheck:
    """Checks when the roster, its changes, accounts or roles have changed; each hour in any case, as time goes.

    `roles` are those of the rules in force, asked for at each look.
    """

    def __init__(
        self, deps: DutyDependencies, roles: Collection[str], aside: SetAside, holes: Holes | None = None
    ) -> None:
        self._deps, self._roles, self._aside = deps, roles, aside
        self._holes, self._doubt = holes or Holes(), Doubt()
        self._checked, self._seen = datetime.min.replace(tzinfo=UTC), object()

    def once(self) -> None:
        """Check where it is time to."""
        now = self._deps.clock()
        here = self._plan(now)
        if now - self._checked >= EACH or here != self._seen:
            self.check(now)
            self._checked, self._seen = now, here

    def check(self, now: datetime) -> None:
        """Hand on what was left behind; warn of holes as they are now; forget old answers to repeated posts."""
        desk = self._deps.desks.now()
        self._do("old answers to repeated posts", partial(forget_replies, now=now))
        left = self._read("cases that were left behind", partial(left_behind, desk=desk)) or {}
        moved = [
            id
            for id in left
            if self._do(f"case {id}", partial(hand_on_left_behind, desk=desk, now=now, case_id=id))
        ]
        if moved:
            log.warning("%d open cases went on to others: %s", len(moved), left[moved[0]])
        if unknown := sorted(role for role in self._roles if role not in desk.roles):
            said = "rules in force name duty roles that are none here: %s; their cases are %s's"
            log.warning(said, ", ".join(unknown), desk.roles.fallback)
        holes = partial(self._holes.changes, desk=desk, roles=self._roles, now=now)
        found, changes = self._read("holes of the roster", holes) or (0, ())
        for what, change in changes:
            self._do(what, change)
        if found:
            log.warning("the roster has %d holes ahead; see liaowang duty holes", found)

    def _do(self, what: str, work: Callable[[Session], T]) -> T | None:
        """What the work gives; nothing where it cannot be done by its own fault, which is set aside."""
        return self._within(self._deps.database.writing, what, work)

    def _read(self, what: str, work: Callable[[Session], T]) -> T | None:
        """The same of what changes nothing."""
        return self._within(self._deps.database.reading, what, work)

    def _within(
        self, opened: Callable[[], AbstractContextManager[Session]], what: str, work: Callable[[Session], T]
    ) -> T | None:
        try:
            with opened() as session:
                done = work(session)
        except Exception as error:
            self._aside(what, f"the check of the roster passed over it: {self._doubt.blame(error)}")
            return None
        self._doubt.good()
        return done

    def _plan(self, now: datetime) -> object:
        """What decides who is on duty and who may have a case; equal while nothing changed."""
        with self._deps.database.reading() as session:
            plan = plan_of(session, self._deps.desks.now(), now)
        return plan.roster, frozenset(plan.substitutions), plan.able, plan.lost, frozenset(self._roles)
