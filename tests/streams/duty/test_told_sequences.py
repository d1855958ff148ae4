"""Who is told, whatever happens in whatever order: what must hold of every sequence of events at a duty desk.

Warnings that open, rise, fall and end; officers who take, hand on, leave and lose roles; silences; a channel that
is away for a while. The real database, the real decisions; only the channel is a list.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from schemas.levels import LEVELS
from streams.duty.database.database import Database
from streams.duty.database.models import AuditEntry, Case, Notification, Office, Officer
from streams.duty.lifecycle import CLOSED
from streams.duty.notify.channels.config import Channels
from streams.duty.notify.dispatch import ASKING, Batch, PendingNotification
from streams.duty.refusals import Refused
from streams.duty.rosters.desk import Desk
from tests.streams.duty.test_who_is_told import D1, E1, E2, H1, H2, Room

EPISODES = 3
Reader = tuple[int, int | None]
"""A case, and who reads of it."""


@dataclass
class Watched(Room):
    """A room in which every message that arrives is looked at."""

    asked: Counter[tuple[int, str, str, int | None]] = field(default_factory=Counter)
    knows: set[Reader] = field(default_factory=set)
    may_know: set[Reader] = field(default_factory=set)
    ended: Counter[Reader] = field(default_factory=Counter)

    def arrived(self, session: Session, notification: PendingNotification) -> None:
        case, reader = (
            session.get_one(Case, notification.case_id),
            (notification.case_id, notification.officer_id),
        )
        to = notification.to.login or "nobody"
        said = f"minute {self.minute}: {notification.kind} of case {case.id} to {to}"
        if notification.officer_id is not None:
            assert fit(session, notification.officer_id, case), f"{said}, who is not to be told any more"
        if notification.kind == "ended":
            assert reader in self.may_know, f"{said}, who was not told of the warning"
            self.ended[reader] += 1
            return
        if notification.kind in ASKING:
            occasion = notification.key.split("/")[1]
            self.asked[case.id, notification.level, occasion, notification.officer_id] += 1
            assert case.waiting_since is not None, f"{said}, and it waits for nobody"
        assert case.recovered is None or notification.kind in ("handed", "overdue"), f"{said}, after its end"
        if case.recovered is None:
            self.knows.add(reader)
            self.may_know.add(reader)

    def tried(self, session: Session, batches: Sequence[Batch], channels: Channels) -> None:
        super().tried(session, batches, channels)
        self.may_know |= {
            (each.case_id, each.officer_id)
            for batch in batches
            for each in batch.notifications
            if each.kind != "ended"
        }


def fit(session: Session, officer_id: int, case: Case) -> bool:
    """Whether he has an account, and not lost the one role he had."""
    officer = session.get_one(Officer, officer_id)
    held = sa.select(Office.role).where(Office.officer_id == officer_id, Office.revoked.is_(None))
    lost = sa.select(Office.role).where(Office.officer_id == officer_id, Office.revoked.is_not(None))
    return officer.active and (bool(session.scalars(held).all()) or not session.scalars(lost).all())


Event = tuple[Any, ...]
"""What happens, and with what."""


def happen(room: Watched, event: Event) -> None:
    """Let something happen; what the desk refuses does not."""
    what, *given = event
    try:
        HAPPENS[what](room, *given)
    except Refused:
        return


def warn(room: Watched, number: int, kind: str, level: str) -> None:
    """A transition of an episode; one that never opened only opens, one that is over is over."""
    episode = f"e{number}"
    with room.database.reading() as session:
        case = session.scalars(sa.select(Case).where(Case.episode == episode)).unique().one_or_none()
    if case is None:
        room.warn(level=level, episode=episode)
    elif case.recovered is None:
        higher = LEVELS.index(level) < LEVELS.index(case.level)
        change = "raised" if higher else "lowered"
        room.warn(change if kind == "moved" else kind, level, episode=episode)


ROLES = {
    **dict.fromkeys((H1, H2), ("ecology-duty", "330100")),
    **dict.fromkeys((E1, E2), ("ecology-duty", "330000")),
    D1: ("supervisor", "330000"),
}
HAPPENS: dict[str, Callable[..., None]] = {
    "warn": warn,
    "acknowledge": lambda room, case, who: room.by(who, "acknowledge", case),
    "reassign": lambda room, case, who: room.by(E1, "reassign", case, to=who),
    "silence": lambda room, minutes: room.silence(minutes),
    "end silence": lambda room, number: room.end_silence(number),
    "leave": lambda room, who: room.deactivate(who),
    "return": lambda room, who: room.activate(who),
    "revoke": lambda room, who: room.revoke(who, *ROLES[who]),
    "channel away": lambda room, away: room.channel(away=away),
}
logins = st.sampled_from([H1, H2, E1, E2, D1])
cases = st.integers(1, EPISODES)
kinds = st.sampled_from(["moved", "moved", "moved", "recovered", "cancelled"])
levels = st.sampled_from(["red", "red", "orange", "yellow", "blue"])
events: st.SearchStrategy[Event] = st.one_of(
    st.tuples(st.just("warn"), cases, kinds, levels),
    st.tuples(st.just("warn"), cases, kinds, levels),
    st.tuples(st.sampled_from(["acknowledge", "reassign"]), cases, logins),
    st.tuples(st.just("silence"), st.integers(1, 40)),
    st.tuples(st.just("end silence"), st.integers(1, 3)),
    st.tuples(st.sampled_from(["leave", "return", "revoke"]), logins),
    st.tuples(st.just("channel away"), st.booleans()),
)
steps = st.lists(st.tuples(st.sampled_from([0, 0.5, 1, 3, 6, 16, 61]), events), min_size=2, max_size=14)


def settle(room: Watched) -> None:
    """Everything that was begun comes to its end: silences are over, the channel is there."""
    room.channel(away=False)
    for minutes in (1, 41, 1, 130, 1):
        room.minute += minutes
        room.look()


def check(room: Watched) -> None:
    """What must hold when all is quiet."""
    assert [each for each, times in room.asked.items() if times > 1] == [], "told twice of the same"
    with room.database.reading() as session:
        for case in session.scalars(sa.select(Case)).unique():
            told = {reader for reader in room.knows if reader[0] == case.id}
            if case.recovered is not None:
                deaf = {who for _, who in told if who is not None and not fit(session, who, case)}
                missed = {who for _, who in told if not room.ended[case.id, who]} - deaf
                assert not missed, f"case {case.id}: {missed} were told of it, and not of its end"
            assert all(room.ended[reader] <= 1 for reader in room.ended), "an end was told twice"
            if case.state != CLOSED and case.waiting_since is not None:
                assert somebody(session, case), f"case {case.id} waits, and nobody knows"


def somebody(session: Session, case: Case) -> bool:
    """Whether somebody was asked for the case since it waits, a graver one keeps it quiet, or nobody is there."""
    asked = sa.select(Notification.officer_id).where(
        Notification.case_id == case.id,
        sa.or_(Notification.state == "delivered", Notification.held_by_case.is_not(None)),
        Notification.key.startswith(f"{case.uid}/{case.round}/"),
    )
    if any(id is None or session.get_one(Officer, id).active for id in session.scalars(asked)):
        return True
    nobody = sa.select(AuditEntry.id).where(
        AuditEntry.case_id == case.id, AuditEntry.detail.contains('"to": null')
    )
    return session.scalars(nobody.limit(1)).first() is not None


@settings(max_examples=8, deadline=None, derandomize=True, phases=[Phase.generate])
@given(steps)
def test_whatever_happens_who_is_told_holds(
    sqlite_template: Path, desk: Desk, happens: list[tuple[float, Event]]
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "duty.sqlite"
        shutil.copy(sqlite_template, path)
        database = Database(f"sqlite:///{path}")
        try:
            room = Watched(database, desk)
            for minutes, event in happens:
                happen(room, event)
                room.look()
                room.minute += minutes
                room.look()
            settle(room)
            check(room)
        finally:
            database.close()
