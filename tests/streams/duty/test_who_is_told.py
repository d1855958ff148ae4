"""Who is told: situations with all that goes out in them, minute by minute, to whom and as what.

Wednesday 11:00: the county's ecology duty is the city's h2 until 17:30, the province's is e2, the head of duty d1.
A red case goes to duty at once, the city after 5 minutes, the province after 10, the duty desk after 15, the last
resort after 30; a yellow one to duty, the city after 60, the province after 120, the last resort after 135.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from schemas.regions import Regions
from streams.duty.accounts.officers import find
from streams.duty.accounts.rights import Actor, Grant
from streams.duty.cases import leaving, service
from streams.duty.cases.escalation import ResolvedStep, next_steps
from streams.duty.cases.opening import hear
from streams.duty.cases.waiting import advance_due, any_due
from streams.duty.database.database import Database
from streams.duty.database.models import AuditEntry, Case, Notification, Officer
from streams.duty.notify.channels.config import GATHER, Channel, Channels, Inhibition
from streams.duty.notify.dispatch import Batch, DispatchContext, PendingNotification, plan
from streams.duty.notify.notifications import (
    begin,
    delivered,
    open_cases,
    record_outcome,
    silences,
    suppress,
    waiting,
)
from streams.duty.notify.silencing import add_silence, end_silence
from streams.duty.notify.still_open import any_let_go, let_go, tell_still_open
from streams.duty.reasons import Reason, Why
from streams.duty.refusals import Invalid
from streams.duty.retry_policy import Retry
from streams.duty.rosters.desk import Desk
from streams.duty.shifts import substitutes
from tests.streams.duty.moments import NOW, actor_named, at, root, warning
from tests.streams.duty.test_escalation import Waits, chains

H1, H2, E1, E2 = "hangzhou-ecology-1", "hangzhou-ecology-2", "ecology-1", "ecology-2"
D1, D2 = "head-1", "head-2"
WEBHOOK = Channel("webhook", "webhook", {}, group=False)
RED_SILENCES_BLUE = Inhibition(("red",), ("blue",), ("region",))
EVENING = 8 * 60
Told = tuple[float, str, str]


@dataclass
class Room:
    """A duty desk with a clock that is moved; what goes out is written down."""

    database: Database
    desk: Desk
    minute: float = 0
    told: list[Told] = field(default_factory=list)
    away: bool = False

    @property
    def now(self) -> datetime:
        return at(self.minute)

    @contextmanager
    def session(self) -> Iterator[Session]:
        with self.database.writing() as session:
            yield session

    def look(self) -> None:
        """What the services do at any moment: steps that are due, what is let go, what goes out."""
        with self.database.reading() as session:
            pending = sa.select(Notification.id).where(Notification.state == "pending").limit(1)
            idle = session.scalars(pending).first() is None and not any_let_go(session, self.now)
            if idle and not any_due(session, self.now):
                return
        with self.session() as session:
            while any_due(session, self.now) and advance_due(session, self.desk, self.now):
                pass
            while any_let_go(session, self.now):
                tell_still_open(session, self.desk.regions, self.now, let_go(session, self.now))
            channels = Channels({"webhook": WEBHOOK}, (RED_SILENCES_BLUE,), GATHER)
            room = {"webhook": 9}
            looked = waiting(session, self.desk.regions, self.now, room, channels.channels)
            assert not looked.broken
            due = looked.notifications
            world = DispatchContext(
                channels=channels,
                open=open_cases(session, ["red"]),
                silences=silences(session, self.now, lambda number, error: pytest.fail(f"{number}: {error}")),
                slots={"webhook": 100},
            )
            decided = plan(due, world, self.now.timestamp())
            suppress(session, decided)
            if self.away:
                self.tried(session, decided.batches, channels)
                return
            delivered(session, decided.batches, self.now)
            for batch in sorted(decided.batches, key=lambda batch: batch.notifications[0].id):
                for notification in batch.notifications:
                    self.arrived(session, notification)

    def arrived(self, session: Session, notification: PendingNotification) -> None:
        """A message is there."""
        self.told.append((self.minute, notification.to.login, notification.kind))

    def tried(self, session: Session, batches: Sequence[Batch], channels: Channels) -> None:
        """The channel is away: what was tried is tried again a minute later."""
        begin(session, batches, self.now)
        for batch in batches:
            record_outcome(session, batch, Retry(at(self.minute + 1).timestamp(), "away"), channels, self.now)

    def channel(self, *, away: bool) -> None:
        self.away = away

    def warn(self, kind: str = "opened", level: str = "red", episode: str = "e1", **how: Any) -> None:
        with self.session() as session:
            ordinal = session.scalar(sa.select(sa.func.count()).select_from(AuditEntry)) or 0
            hear(session, self.desk, self.now, [warning(episode, ordinal, kind, level, **how)])

    def by(self, who: str, verb: str, case: int = 1, **how: Any) -> None:
        """An officer (or the operator) does something with a case."""
        with self.session() as session:
            actor = actor_named(session, who, self.desk.regions)
            getattr(service, verb)(session, self.desk, actor, self.now, case, **how)

    def silence(self, minutes: float, **how: Any) -> None:
        given = {"rules": [], "where": ["330000"], "levels": [], "reason": "calibration", "known": ()} | how
        with self.session() as session:
            span = {"starts": self.now, "ends": self.now + timedelta(minutes=minutes)}
            add_silence(session, self.desk.regions, self.root, self.now, **given, **span)

    def end_silence(self, number: int = 1) -> None:
        with self.session() as session:
            end_silence(session, self.desk.regions, self.root, self.now, number)

    def deactivate(self, *logins: str) -> None:
        with self.session() as session:
            for login in logins:
                leaving.set_active(session, self.desk, self.root, self.now, find(session, login), False)

    def activate(self, login: str) -> None:
        with self.session() as session:
            leaving.set_active(session, self.desk, self.root, self.now, find(session, login), True)

    def revoke(self, login: str, role: str, region: str) -> None:
        with self.session() as session:
            leaving.take(session, self.desk, self.root, self.now, find(session, login), Grant(role, region))

    def override(self, team: str, officer: str | None, minutes: float = 600) -> None:
        with self.session() as session:
            span = {"starts": self.now, "ends": self.now + timedelta(minutes=minutes)}
            substitutes.override(session, self.desk, self.root, self.now, team=team, officer=officer, **span)

    def handover(self, team: str, giver: str, to: str) -> None:
        with self.session() as session:
            substitutes.handover(
                session, self.desk, self.root, self.now, team=team, to=to, note="", giver=giver
            )

    def swap(self, team: str, one: float, other: float) -> None:
        with self.session() as session:
            substitutes.swap(session, self.desk, self.root, self.now, team=team, one=at(one), other=at(other))

    def dead(self) -> None:
        """Nothing of what was said has arrived, by any way."""
        with self.session() as session:
            session.execute(sa.update(Notification).values(state="dead"))

    @property
    def root(self) -> Actor:
        return root(self.desk.regions)


Script = list[tuple[float, Callable[[Room], None]]]

SITUATIONS: dict[str, tuple[Script, float, list[Told]]] = {
    "the officer on duty is told at once, and only he while his time lasts": (
        [(0, lambda r: r.warn())],
        4,
        [(0, H2, "assigned")],
    ),
    "steps that lead to who was told already are passed over, the next one is told at once": (
        [(0, lambda r: r.warn())],
        60,
        [(0, H2, "assigned"), (5, E2, "escalated"), (15, D1, "escalated")],
    ),
    "duty, city and province are one person: after his time the next who does not know yet": (
        [(EVENING, lambda r: r.warn())],
        EVENING + 60,
        [(EVENING, E2, "assigned"), (EVENING + 5, D1, "escalated")],
    ),
    "nobody on duty in the county: the city answers": (
        [(0, lambda r: r.warn(region="330112"))],
        4,
        [(0, H2, "assigned")],
    ),
    "a county without a team of its own in a city without one: the province": (
        [(0, lambda r: r.warn(region="330203"))],
        4,
        [(0, E2, "assigned")],
    ),
    "a region nobody knows is the province's": (
        [(0, lambda r: r.warn(region=None))],
        4,
        [(0, E2, "assigned")],
    ),
    "nobody of the role at all: who answers for any role": (
        [(0, lambda r: r.deactivate(H1, H2, E1, E2)), (1, lambda r: r.warn())],
        4,
        [(1, D1, "assigned")],
    ),
    "one person in several steps and the last resort as well is told once": (
        [(0, lambda r: r.deactivate(H1, H2, E1, E2)), (1, lambda r: r.warn())],
        90,
        [(1, D1, "assigned")],
    ),
    "an override answers": (
        [(0, lambda r: r.override("ecology-hangzhou", H1)), (1, lambda r: r.warn())],
        4,
        [(1, H1, "assigned")],
    ),
    "an override that takes the officer away: the region above": (
        [(0, lambda r: r.override("ecology-hangzhou", None)), (1, lambda r: r.warn())],
        4,
        [(1, E2, "assigned")],
    ),
    "a turn that was swapped": (
        [
            (0, lambda r: r.swap("ecology-province", 0, 24 * 60)),
            (EVENING // 8, lambda r: r.warn(region="330203")),
        ],
        62,
        [(60, E1, "assigned")],
    ),
    "acknowledged: the chain stops": (
        [(0, lambda r: r.warn()), (3, lambda r: r.by(H2, "acknowledge"))],
        120,
        [(0, H2, "assigned")],
    ),
    "recovered: the chain stops, and who was told hears of the end": (
        [(0, lambda r: r.warn()), (6, lambda r: r.warn("recovered"))],
        200,
        [(0, H2, "assigned"), (5, E2, "escalated"), (6, H2, "ended"), (6, E2, "ended")],
    ),
    "taken back: the same": (
        [(0, lambda r: r.warn()), (3, lambda r: r.warn("cancelled"))],
        200,
        [(0, H2, "assigned"), (3, H2, "ended")],
    ),
    "recovered and not closed in time: he who has it hears so, nobody above": (
        [(0, lambda r: r.warn()), (3, lambda r: r.warn("recovered"))],
        300,
        [(0, H2, "assigned"), (3, H2, "ended"), (240, H2, "overdue")],
    ),
    "not closed in time: he who has it and the province's officer": (
        [(0, lambda r: r.warn()), (3, lambda r: r.by(H2, "acknowledge"))],
        300,
        [(0, H2, "assigned"), (240, E2, "overdue"), (240, H2, "overdue")],
    ),
    "merged: the chain stops": (
        [
            (0, lambda r: r.warn()),
            (0.5, lambda r: r.warn(episode="e2")),
            (1, lambda r: r.by(H2, "acknowledge", 2)),
            (2, lambda r: r.by(H2, "merge", into=2)),
        ],
        120,
        [(0, H2, "assigned"), (0.5, H2, "assigned")],
    ),
    "a merged case rises: who has the one it was merged into": (
        [
            (0, lambda r: r.warn(level="blue")),
            (0.5, lambda r: r.warn(episode="e2", level="yellow")),
            (1, lambda r: r.by(E1, "acknowledge", 2)),
            (2, lambda r: r.by(H2, "merge", into=2)),
            (3, lambda r: r.warn("raised", "red")),
        ],
        30,
        [(0, H2, "assigned"), (0.5, H2, "assigned"), (3, E1, "raised")],
    ),
    "a rise while it waits: the chain of the new level from its beginning": (
        [(0, lambda r: r.warn(level="yellow")), (30, lambda r: r.warn("raised", "red"))],
        36,
        [(0, H2, "assigned"), (30, H2, "assigned"), (35, E2, "escalated")],
    ),
    "a rise of what somebody has is told to him": (
        [
            (0, lambda r: r.warn(level="yellow")),
            (1, lambda r: r.by(E1, "acknowledge")),
            (30, lambda r: r.warn("raised", "red")),
        ],
        100,
        [(0, H2, "assigned"), (30, E1, "raised")],
    ),
    "a fall is told to nobody": (
        [(0, lambda r: r.warn(level="yellow")), (1, lambda r: r.warn("lowered", "blue"))],
        59,
        [(0, H2, "assigned")],
    ),
    "a rise of what was closed opens it again": (
        [
            (0, lambda r: r.warn(level="yellow")),
            (1, lambda r: r.by(H2, "acknowledge")),
            (2, lambda r: r.by(H2, "dispose", done="x")),
            (3, lambda r: r.by(H2, "confirm", verdict="true")),
            (4, lambda r: r.by(H2, "close")),
            (10, lambda r: r.warn("raised", "red")),
        ],
        14,
        [(0, H2, "assigned"), (10, H2, "assigned")],
    ),
    "reopened by a person: it waits again, also where the warning is over": (
        [
            (0, lambda r: r.warn(level="yellow")),
            (1, lambda r: r.by(H2, "acknowledge")),
            (2, lambda r: r.by(H2, "dispose", done="x")),
            (3, lambda r: r.warn("recovered", "yellow")),
            (9, lambda r: r.by(D1, "reopen", text="it smells still")),
        ],
        70,
        [(0, H2, "assigned"), (3, H2, "ended"), (9, H2, "assigned"), (69, E2, "escalated")],
    ),
    "reassigned: the new officer, and the chain after him": (
        [(0, lambda r: r.warn(level="yellow")), (1, lambda r: r.by(H2, "reassign", to=E1))],
        125,
        [(0, H2, "assigned"), (1, E1, "assigned"), (61, H2, "escalated"), (121, E2, "escalated")],
    ),
    "reassigned after its end: the new officer hears that it is his, and nobody is asked after him": (
        [
            (0, lambda r: r.warn()),
            (1, lambda r: r.warn("recovered")),
            (2, lambda r: r.by(H2, "reassign", to=E1)),
        ],
        120,
        [(0, H2, "assigned"), (1, H2, "ended"), (2, E1, "handed")],
    ),
    "escalated by hand: the next who does not know yet": (
        [(0, lambda r: r.warn(level="yellow")), (1, lambda r: r.by(H2, "escalate"))],
        30,
        [(0, H2, "assigned"), (1, E2, "escalated"), (16, D1, "last_resort")],
    ),
    "escalated by hand after taking it: nobody who knew it is told again": (
        [
            (0, lambda r: r.warn(level="red")),
            (1, lambda r: r.by(H2, "acknowledge")),
            (2, lambda r: r.by(H2, "escalate")),
        ],
        120,
        [(0, H2, "assigned"), (2, E2, "escalated"), (7, D1, "escalated")],
    ),
    "a shift is handed over: the next officer has each of its cases": (
        [(0, lambda r: r.warn(level="yellow")), (5, lambda r: r.handover("ecology-hangzhou", H2, H1))],
        30,
        [(0, H2, "assigned"), (5, H1, "assigned")],
    ),
    "a silence: nobody": (
        [(0, lambda r: r.silence(30)), (1, lambda r: r.warn())],
        29,
        [],
    ),
    "a silence ends while the case waits: everybody who would have been told, once": (
        [(0, lambda r: r.silence(30)), (1, lambda r: r.warn())],
        120,
        [(30, H2, "still_open"), (30, E2, "still_open"), (30, D1, "still_open")],
    ),
    "a silence is ended by hand: the same, and the chain goes on": (
        [(0, lambda r: r.silence(300)), (1, lambda r: r.warn()), (3, lambda r: r.end_silence())],
        120,
        [(3, H2, "still_open"), (6, E2, "escalated"), (16, D1, "escalated")],
    ),
    "a silence ends after the recovery: nobody": (
        [(0, lambda r: r.silence(30)), (1, lambda r: r.warn()), (20, lambda r: r.warn("recovered"))],
        120,
        [],
    ),
    "a silence ends after somebody took it: nobody": (
        [(0, lambda r: r.silence(30)), (1, lambda r: r.warn()), (20, lambda r: r.by(E1, "acknowledge"))],
        120,
        [],
    ),
    "one silence ends in another: at the end of the last": (
        [(0, lambda r: r.silence(30)), (1, lambda r: r.warn(level="yellow")), (2, lambda r: r.silence(40))],
        59,
        [(42, H2, "still_open")],
    ),
    "a silence begins after he was told: the end of it tells him nothing again": (
        [(0, lambda r: r.warn(level="yellow")), (1, lambda r: r.silence(30))],
        59,
        [(0, H2, "assigned")],
    ),
    "a rise in a silence of what somebody has is told to him at its end": (
        [
            (0, lambda r: r.warn(level="yellow")),
            (1, lambda r: r.by(H2, "acknowledge")),
            (2, lambda r: r.silence(30)),
            (3, lambda r: r.warn("raised", "red")),
        ],
        120,
        [(0, H2, "assigned"), (32, H2, "raised")],
    ),
    "a rise in a silence that fell again before its end: nobody": (
        [
            (0, lambda r: r.warn(level="yellow")),
            (1, lambda r: r.by(H2, "acknowledge")),
            (2, lambda r: r.silence(30)),
            (3, lambda r: r.warn("raised", "red")),
            (4, lambda r: r.warn("lowered", "yellow")),
        ],
        120,
        [(0, H2, "assigned")],
    ),
    "a silence of other levels holds nothing back": (
        [(0, lambda r: r.silence(30, levels=["blue"])), (1, lambda r: r.warn())],
        4,
        [(1, H2, "assigned")],
    ),
    "a graver case beside it keeps it quiet until it is over": (
        [
            (0, lambda r: r.warn(episode="grave")),
            (1, lambda r: r.by(H2, "acknowledge")),
            (2, lambda r: r.warn(level="blue", episode="small")),
            (9, lambda r: r.warn("recovered", episode="grave")),
        ],
        30,
        [(0, H2, "assigned"), (9, H2, "ended"), (9, H2, "still_open")],
    ),
    "an account is ended: his case goes to who is on duty, and waits for him": (
        [(0, lambda r: r.warn(level="yellow")), (5, lambda r: r.deactivate(H2))],
        30,
        [(0, H2, "assigned"), (5, E2, "assigned")],
    ),
    "an account is ended: also a case he had taken is new to the next one": (
        [
            (0, lambda r: r.warn(level="yellow")),
            (1, lambda r: r.by(H2, "acknowledge")),
            (5, lambda r: r.deactivate(H2)),
        ],
        70,
        [(0, H2, "assigned"), (5, E2, "assigned"), (65, D1, "last_resort")],
    ),
    "an account is ended: what he disposed of goes on as it is, and its new officer hears so": (
        [
            (0, lambda r: r.warn(level="yellow")),
            (1, lambda r: r.by(H2, "acknowledge")),
            (2, lambda r: r.by(H2, "dispose", done="x")),
            (5, lambda r: r.deactivate(H2)),
        ],
        200,
        [(0, H2, "assigned"), (5, E2, "handed")],
    ),
    "an account is ended after the end of the warning: nobody is asked up the chain": (
        [(0, lambda r: r.warn()), (1, lambda r: r.warn("recovered")), (5, lambda r: r.deactivate(H2))],
        120,
        [(0, H2, "assigned"), (1, H2, "ended"), (5, E2, "handed")],
    ),
    "an account is ended before its message went: he is not told any more": (
        [(0, lambda r: (r.warn(level="yellow"), r.deactivate(H2))[0])],
        30,
        [(0, E2, "assigned")],
    ),
    "an account is ended in a silence: its end tells who has the case now": (
        [
            (0, lambda r: r.silence(30)),
            (1, lambda r: r.warn(level="yellow")),
            (5, lambda r: r.deactivate(H2)),
        ],
        60,
        [(30, E2, "still_open")],
    ),
    "a role is taken away: what it gave him goes on, though the roster names him still": (
        [(0, lambda r: r.warn(level="yellow")), (5, lambda r: r.revoke(H2, "ecology-duty", "330100"))],
        30,
        [(0, H2, "assigned"), (5, E2, "assigned")],
    ),
    "a role he still holds elsewhere above: nothing changes": (
        [
            (0, lambda r: r.warn(level="yellow", region="330203")),
            (5, lambda r: r.revoke(H2, "ecology-duty", "330100")),
        ],
        30,
        [(0, E2, "assigned")],
    ),
    "a graver case beside it is only lowered: told of what the new level holds back no more": (
        [
            (0, lambda r: r.warn(episode="grave")),
            (1, lambda r: r.by(H2, "acknowledge")),
            (2, lambda r: r.warn(level="blue", episode="small")),
            (9, lambda r: r.warn("lowered", level="orange", episode="grave")),
        ],
        30,
        [(0, H2, "assigned"), (9, H2, "still_open")],
    ),
    "a graver case is lowered and rises again: told once, and not again at its end": (
        [
            (0, lambda r: r.warn(episode="grave")),
            (1, lambda r: r.by(H2, "acknowledge")),
            (2, lambda r: r.warn(level="blue", episode="small")),
            (9, lambda r: r.warn("lowered", level="orange", episode="grave")),
            (12, lambda r: r.warn("raised", level="red", episode="grave")),
            (15, lambda r: r.warn("recovered", episode="grave")),
        ],
        30,
        [(0, H2, "assigned"), (9, H2, "still_open"), (12, H2, "raised"), (15, H2, "ended")],
    ),
    "a graver case is closed: the same as its end": (
        [
            (0, lambda r: r.warn(episode="grave")),
            (1, lambda r: r.by(H2, "acknowledge")),
            (2, lambda r: r.warn(level="blue", episode="small")),
            (3, lambda r: r.by(H2, "dispose", done="x")),
            (4, lambda r: r.by(H2, "confirm", verdict="true")),
            (9, lambda r: r.by(H2, "close")),
        ],
        30,
        [(0, H2, "assigned"), (9, H2, "still_open")],
    ),
    "told before a silence: the end is told in it": (
        [
            (0, lambda r: r.warn(level="yellow")),
            (1, lambda r: r.silence(60)),
            (9, lambda r: r.warn("recovered", "yellow")),
        ],
        90,
        [(0, H2, "assigned"), (9, H2, "ended")],
    ),
    "told before a graver case began: the end is told beside it": (
        [
            (0, lambda r: r.warn(level="blue", episode="small")),
            (1, lambda r: r.warn(episode="grave")),
            (2, lambda r: r.by(H2, "acknowledge", 2)),
            (9, lambda r: r.warn("recovered", level="blue", episode="small")),
        ],
        30,
        [(0, H2, "assigned"), (1, H2, "assigned"), (9, H2, "ended")],
    ),
    "the end of what was kept back from everybody is told to nobody": (
        [
            (0, lambda r: r.silence(5)),
            (1, lambda r: r.warn(level="yellow")),
            (3, lambda r: r.warn("recovered", "yellow")),
        ],
        60,
        [],
    ),
    "told of one and not of the next: the end goes to who was told": (
        [
            (0, lambda r: r.warn()),
            (4, lambda r: r.silence(30)),
            (12, lambda r: r.warn("recovered")),
        ],
        60,
        [(0, H2, "assigned"), (12, H2, "ended")],
    ),
    "the end before the message about the beginning went: nobody": (
        [(0, lambda r: (r.warn(level="yellow"), r.warn("recovered", "yellow"))[0])],
        30,
        [],
    ),
    "an end that comes twice is told once": (
        [
            (0, lambda r: r.warn()),
            (2, lambda r: r.warn("recovered")),
            (4, lambda r: r.warn("cancelled")),
        ],
        30,
        [(0, H2, "assigned"), (2, H2, "ended")],
    ),
    "what is kept back from him has told nobody: his next step counts when the silence is over": (
        [(EVENING, lambda r: (r.silence(3), r.warn())[0])],
        EVENING + 30,
        [(EVENING + 3, E2, "still_open"), (EVENING + 5, D1, "escalated")],
    ),
    "reassigned in a silence: its end tells who has it now": (
        [
            (0, lambda r: r.silence(30)),
            (1, lambda r: r.warn(level="yellow")),
            (5, lambda r: r.by(H2, "reassign", to=E1)),
        ],
        60,
        [(30, E1, "still_open")],
    ),
    "two silences that overlap and end together: once": (
        [
            (0, lambda r: r.silence(30)),
            (1, lambda r: r.warn(level="yellow")),
            (2, lambda r: r.silence(28)),
        ],
        59,
        [(30, H2, "still_open")],
    ),
    "two silences of which the first is ended by hand: at the end of the other, once": (
        [
            (0, lambda r: r.silence(50)),
            (1, lambda r: r.warn(level="yellow")),
            (2, lambda r: r.silence(28)),
            (5, lambda r: r.end_silence(1)),
        ],
        59,
        [(30, H2, "still_open")],
    ),
    "a message on its way while the channel was away arrives once": (
        [
            (0, lambda r: (r.channel(away=True), r.warn(level="yellow"))[0]),
            (3, lambda r: r.channel(away=False)),
        ],
        30,
        [(4, H2, "assigned")],
    ),
    "an account is ended between two tries: who has the case now, not he": (
        [
            (0, lambda r: (r.channel(away=True), r.warn(level="yellow"))[0]),
            (2, lambda r: r.deactivate(H2)),
            (5, lambda r: r.channel(away=False)),
        ],
        30,
        [(6, E2, "assigned")],
    ),
    "a role is taken away between two tries: who holds it, not he": (
        [
            (0, lambda r: (r.channel(away=True), r.warn(level="yellow"))[0]),
            (2, lambda r: r.revoke(H2, "ecology-duty", "330100")),
            (5, lambda r: r.channel(away=False)),
        ],
        30,
        [(6, E2, "assigned")],
    ),
    "a role is taken away: the next case is told to who holds it, whatever the roster says": (
        [
            (0, lambda r: r.revoke(H2, "ecology-duty", "330100")),
            (1, lambda r: r.warn(level="yellow")),
        ],
        30,
        [(1, E2, "assigned")],
    ),
    "reassigned between two tries: the new officer, not he": (
        [
            (0, lambda r: (r.channel(away=True), r.warn(level="yellow"))[0]),
            (2, lambda r: r.by(H2, "reassign", to=E1)),
            (5, lambda r: r.channel(away=False)),
        ],
        30,
        [(6, E1, "assigned")],
    ),
    "raised between two tries: asked once, at the level it has now": (
        [
            (0, lambda r: (r.channel(away=True), r.warn(level="yellow"))[0]),
            (2, lambda r: r.warn("raised", "red")),
            (4, lambda r: r.channel(away=False)),
        ],
        6,
        [(5, H2, "assigned")],
    ),
    "taken between two tries: he is not woken any more": (
        [
            (0, lambda r: (r.channel(away=True), r.warn(level="yellow"))[0]),
            (2, lambda r: r.by(E1, "acknowledge")),
            (5, lambda r: r.channel(away=False)),
        ],
        30,
        [],
    ),
    "over between two tries, of which one may have arrived: he hears of the end": (
        [
            (0, lambda r: (r.channel(away=True), r.warn(level="yellow"))[0]),
            (2, lambda r: r.warn("recovered", "yellow")),
            (5, lambda r: r.channel(away=False)),
        ],
        30,
        [(6, H2, "ended")],
    ),
    "nobody at all: told as soon as somebody is there": (
        [
            (0, lambda r: r.deactivate(*everybody(r))),
            (1, lambda r: r.warn(level="yellow")),
            (20, lambda r: r.activate(E1)),
            (21, lambda r: r.override("ecology-province", E1)),
        ],
        30,
        [(1, "", "last_resort"), (22, E1, "assigned")],
    ),
    "what did not arrive by any way has told nobody: his next step counts": (
        [(EVENING, lambda r: r.warn()), (EVENING + 1, lambda r: r.dead())],
        EVENING + 12,
        [(EVENING, E2, "assigned"), (EVENING + 5, E2, "escalated"), (EVENING + 10, D1, "escalated")],
    ),
}


def everybody(room: Room) -> list[str]:
    with room.database.reading() as session:
        return list(session.scalars(sa.select(Officer.login).where(Officer.active)))


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """Fifty situations: one database is enough, others test both."""
    return sqlite_url


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda name: name.replace(" ", "-"))
def test_who_is_told(situation: str, database: Database, desk: Desk) -> None:
    script, until, expected = SITUATIONS[situation]
    room = Room(database, desk)
    begins = min(minute for minute, _ in script)
    times = sorted({*(minute for minute, _ in script), *range(int(begins), int(until) + 1)})
    for minute in times:
        room.minute = minute
        room.look()
        for when, act in script:
            if when == minute:
                act(room)
        room.look()
    assert sorted(room.told) == sorted(expected)


def test_an_address_that_changed_between_two_tries_is_the_one_that_counts(
    database: Database, desk: Desk
) -> None:
    room = Room(database, desk, away=True)
    room.warn(level="yellow")
    room.look()
    with room.session() as session:
        find(session, H2).phone = "13900000000"
    with database.reading() as session:
        looked = waiting(session, desk.regions, at(5), {"webhook": 9}, {"webhook": WEBHOOK})
        assert [(each.to.phone, each.attempts) for each in looked.notifications] == [("13900000000", 1)]


def test_who_lost_the_role_is_given_no_case_and_no_turn_of_it(database: Database, desk: Desk) -> None:
    room = Room(database, desk)
    room.warn(level="yellow")
    room.revoke(H1, "ecology-duty", "330100")
    said = f"{H1} holds no role of ecology-duty in 330110 any more"
    with pytest.raises(Invalid, match=said):
        room.by(H2, "reassign", to=H1)
    with pytest.raises(Invalid, match=f"{H1} holds no role"):
        room.override("ecology-hangzhou", H1)
    with pytest.raises(Invalid, match=f"{H1} holds no role"):
        room.handover("ecology-hangzhou", H2, H1)
    with database.reading() as session:
        assert session.get_one(Case, 1).assignee_id == find(session, H2).id


def test_that_nobody_is_left_stands_in_the_audit(database: Database, desk: Desk) -> None:
    room = Room(database, desk)
    room.warn()
    for room.minute in (0, 5, 15, 30, 31):
        room.look()
    with database.reading() as session:
        told = [entry.detail for entry in session.scalars(sa.select(AuditEntry).order_by(AuditEntry.ordinal))]
    assert '"knew": ["hangzhou-ecology-2"]' in told[2], "the city's step was passed over"
    assert '"kind": "nobody_else"' in told[-1] and '"knew": ["head-1"]' in told[-1]
    assert sum("nobody_else" in each for each in told) == 1


def test_an_account_that_was_ended_keeps_no_case_and_no_token(database: Database, desk: Desk) -> None:
    room = Room(database, desk)
    room.warn(level="yellow")
    room.warn(level="yellow", episode="e2")
    room.deactivate(H2)
    with database.reading() as session:
        assert {
            case.assignee.login for case in session.scalars(sa.select(Case)).unique() if case.assignee
        } == {E2}
        reassigned = session.scalars(sa.select(AuditEntry).where(AuditEntry.kind == "reassigned")).all()
        assert [(each.who, each.text) for each in reassigned] == [
            ("operator:test", f"the account of {H2} was ended")
        ] * 2
        assert all('"from": "hangzhou-ecology-2"' in each.detail for each in reassigned)


def test_what_an_older_release_left_with_an_ended_account_goes_on(database: Database, desk: Desk) -> None:
    room = Room(database, desk)
    room.warn(level="yellow")
    with room.session() as session:
        session.execute(sa.update(Officer).where(Officer.login == H2).values(active=False))
    with room.session() as session:
        assert leaving.left_behind(session, desk) == {1: Reason(Why.ACCOUNT_ENDED, {"login": H2})}
        assert leaving.hand_on_left_behind(session, desk, room.now, 1) == [1]
        assert leaving.hand_on_left_behind(session, desk, room.now, 1) == []
        assert leaving.left_behind(session, desk) == {}


@given(chains(), st.lists(st.integers(0, 800), min_size=1, max_size=6).map(sorted))
def test_whenever_it_is_looked_at_nobody_is_told_twice_and_everybody_is(
    chain: tuple[ResolvedStep, ...], looks: list[int]
) -> None:
    case, told = Waits(), list[str]()
    for minutes in (*looks, 10_000):
        due = next_steps(case, chain, at(minutes), told)
        told += [notification.login for notification in due.requests if notification.login]
        case.step = due.step
    assert told == list(dict.fromkeys(link.login for link in chain if link.login))


def test_the_clock_of_the_tests_is_a_workday(regions: Regions) -> None:
    assert NOW.weekday() == 2 and regions.get("330110") is not None


def test_a_rule_of_an_unknown_role_opens_a_case_of_the_fallback(
    database: Database, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """Published before there was a list of roles: it must break nothing, and be said."""
    room = Room(database, desk)
    room.warn(duty_role="no-such-duty")
    room.warn(duty_role="no-such-duty", episode="e2")
    room.look()
    assert {(login, kind) for _, login, kind in room.told} == {(D1, "assigned")}
    with database.reading() as session:
        assert {case.role for case in session.scalars(sa.select(Case)).unique()} == {desk.roles.fallback}
        opened = session.scalars(sa.select(AuditEntry.detail).where(AuditEntry.kind == "opened")).all()
        assert all('"unknown_role": "no-such-duty"' in each for each in opened)
    assert "rule ecology.pm25-high names duty_role 'no-such-duty', which is none" in caplog.text
