"""The duty database was lost and is filled again: who is told of what, minute by minute, in every situation.

The people and times are those of `test_who_is_told.py`. What the topic holds is read from minute 0 on.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from kafka import KafkaProducer

from schemas.regions import Regions
from schemas.settings import Settings
from schemas.topics import WARNINGS
from streams.duty.background.case_inbox import AT_ONCE, CaseInbox
from streams.duty.cases.escalation import REBUILT
from streams.duty.database.database import Database
from streams.duty.database.models import AuditEntry, Case, Heard, Notification
from streams.duty.dependencies import DutyDependencies
from streams.duty.home import open_database
from streams.duty.inbox.read import Read
from streams.duty.inbox.read_position import ReadPosition
from streams.duty.inbox.redelivery import ENDS
from streams.duty.inbox.warning_log import log_of
from streams.duty.notify.dispatch import message_of, plan
from streams.duty.rosters.desk import Desk, Desks
from streams.duty.systems.cap_index import Publisher
from tests.programs import until
from tests.streams.duty.api import Clock
from tests.streams.duty.moments import NOW, warning, warning_bytes
from tests.streams.duty.parts import Aside
from tests.streams.duty.test_dispatch import NOW as MOMENT
from tests.streams.duty.test_dispatch import notification, world
from tests.streams.duty.test_service import home, number, service
from tests.streams.duty.test_who_is_told import D1, E2, H1, H2, Room, Told

__all__ = ["home"]

SINCE = int((NOW - timedelta(days=7)).timestamp() * 1000)


@dataclass
class Rebuilding(Room):
    """A duty desk whose database was lost: `topic` is read into it, as by a service that may be killed."""

    ordinals: Counter[str] = field(default_factory=Counter)
    aside: Aside = field(default_factory=list)

    def read(self, *transitions: tuple[str, str, str], filling: bool = True, log: str = "a") -> None:
        """Transitions (episode, kind, level) are read by a service that has just started."""
        found = []
        for episode, kind, level in transitions:
            found.append(Read(warning(episode, self.ordinals[episode], kind, level), "here"))
            self.ordinals[episode] += 1
        self.take(found, ReadPosition(log, {0: 9}, SINCE if filling else None))

    def take(self, found: list[Read], reached: ReadPosition) -> None:
        """Each time by an inbox that knows nothing but what is written down."""
        deps = DutyDependencies(
            self.database, Desks(Settings(home=Path("/nowhere"))), Clock(self.now), Publisher()
        )
        CaseInbox(deps, lambda what, why: self.aside.append((what, why))).take(found, reached)
        assert self.aside == []

    def end(self) -> None:
        """The end of the topic is reached."""
        self.read(filling=False)


def opened(*episodes: str, level: str = "red") -> tuple[tuple[str, str, str], ...]:
    return tuple((episode, "opened", level) for episode in episodes)


Act = Callable[[Any], None]
RED, YELLOW = opened("e1"), opened("e1", level="yellow")
RISES, FALLS, ENDED = ("e1", "raised", "red"), ("e1", "lowered", "blue"), ("e1", "recovered", "red")

SITUATIONS: dict[str, tuple[list[tuple[float, Act]], float, list[Told]]] = {
    "nobody is told while it is filled, however long that takes": (
        [(0, lambda r: r.read(*RED))],
        300,
        [],
    ),
    "open still: who is on duty once, and the clock of the chain begins at the end of the filling": (
        [(0, lambda r: r.read(*RED)), (50, lambda r: r.end())],
        70,
        [(50, H2, REBUILT), (55, E2, "escalated"), (65, D1, "escalated")],
    ),
    "the limit for closing begins at the end of the filling as well": (
        [(0, lambda r: r.read(*RED)), (50, lambda r: r.end()), (51, lambda r: r.by(H2, "acknowledge"))],
        295,
        [(50, H2, REBUILT), (290, E2, "overdue"), (290, H2, "overdue")],
    ),
    "what had ended tells nobody, neither then nor when its limit has passed": (
        [(0, lambda r: r.read(*RED, ENDED)), (1, lambda r: r.end())],
        300,
        [],
    ),
    "the end may be read a restart later": (
        [(0, lambda r: r.read(*RED)), (3, lambda r: r.read(ENDED)), (9, lambda r: r.end())],
        300,
        [],
    ),
    "what rose and fell while it was read tells one thing: it is open": (
        [(0, lambda r: r.read(*YELLOW, RISES, FALLS, RISES)), (1, lambda r: r.end())],
        5,
        [(1, H2, REBUILT)],
    ),
    "a level that fell has its own times": (
        [(0, lambda r: r.read(*YELLOW, FALLS)), (1, lambda r: r.end())],
        59,
        [(1, H2, REBUILT)],
    ),
    "acknowledged on the console meanwhile: nobody": (
        [(0, lambda r: r.read(*RED)), (1, lambda r: r.by(H2, "acknowledge")), (5, lambda r: r.end())],
        120,
        [],
    ),
    "acknowledged before its rise was read: nobody": (
        [
            (0, lambda r: r.read(*YELLOW)),
            (1, lambda r: r.by(H2, "acknowledge")),
            (2, lambda r: r.read(RISES)),
            (5, lambda r: r.end()),
        ],
        120,
        [],
    ),
    "done with before its rise was read: it is open again, and asks at the end": (
        [
            (0, lambda r: r.read(*YELLOW)),
            (1, lambda r: r.by(H2, "acknowledge")),
            (1, lambda r: r.by(H2, "dispose", done="x")),
            (2, lambda r: r.read(RISES)),
            (5, lambda r: r.end()),
        ],
        9,
        [(5, H2, REBUILT)],
    ),
    "given to somebody by hand meanwhile: he is told at once, and at the end nobody again": (
        [
            (0, lambda r: r.read(*YELLOW)),
            (1, lambda r: r.by(H2, "reassign", to=H1)),
            (5, lambda r: r.end()),
        ],
        50,
        [(1, H1, "assigned")],
    ),
    "killed in the middle: the hold is kept, and what is read again is known": (
        [
            (0, lambda r: r.read(*RED)),
            (3, lambda r: r.take([Read(warning("e1", 0, "opened", "red"), "here")], filling())),
            (9, lambda r: r.end()),
        ],
        13,
        [(9, H2, REBUILT)],
    ),
    "killed after the end: nobody twice": (
        [(0, lambda r: r.read(*YELLOW)), (1, lambda r: r.end()), (2, lambda r: r.end())],
        59,
        [(1, H2, REBUILT)],
    ),
    "the older transitions of an open episode come with the end of the topic": (
        [(0, lambda r: r.read()), (1, lambda r: r.read(*YELLOW, RISES, filling=False))],
        5,
        [(1, H2, REBUILT)],
    ),
    "the topic was made anew in the middle: what was read is asked for, what comes is told as always": (
        [
            (0, lambda r: r.read(*YELLOW)),
            (1, lambda r: r.read(filling=False, log="b")),
            (2, lambda r: r.read(*opened("e2"), filling=False, log="b")),
        ],
        4,
        [(1, H2, REBUILT), (2, H2, "assigned")],
    ),
    "what comes after the end is told as always": (
        [
            (0, lambda r: r.read(*YELLOW)),
            (1, lambda r: r.end()),
            (2, lambda r: r.read(RISES, filling=False)),
            (4, lambda r: r.read(ENDED, filling=False)),
        ],
        300,
        [(1, H2, REBUILT), (2, H2, "assigned"), (4, H2, "ended"), (242, H2, "overdue")],
    ),
    "reopened by a person: it asks as always": (
        [
            (0, lambda r: r.read(*YELLOW, ENDED)),
            (1, lambda r: r.end()),
            (2, lambda r: r.by(H2, "acknowledge")),
            (3, lambda r: r.by(H2, "dispose", done="x")),
            (9, lambda r: r.by(D1, "reopen", text="it smells still")),
        ],
        60,
        [(9, H2, "assigned")],
    ),
    "nobody of the role: whoever the chain leads to is told the same": (
        [
            (0, lambda r: r.deactivate(H1, H2, E2, "ecology-1")),
            (1, lambda r: r.read(*RED)),
            (2, lambda r: r.end()),
        ],
        60,
        [(2, D1, REBUILT)],
    ),
    "in a silence: at the end of that, once": (
        [
            (0, lambda r: r.read(*YELLOW)),
            (1, lambda r: r.silence(30)),
            (2, lambda r: r.end()),
        ],
        59,
        [(31, H2, "still_open")],
    ),
    "a new home: its first warnings are told at once": (
        [(0, lambda r: r.read(*RED, filling=False)), (2, lambda r: r.read(ENDED, filling=False))],
        4,
        [(0, H2, "assigned"), (2, H2, "ended")],
    ),
}


def filling() -> ReadPosition:
    return ReadPosition("a", {0: 9}, SINCE)


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda name: name.replace(" ", "-"))
def test_who_is_told_after_the_records_were_lost(situation: str, database: Database, desk: Desk) -> None:
    script, last, expected = SITUATIONS[situation]
    room = Rebuilding(database, desk)
    first_hour, later = range(min(int(last), 75) + 1), range(75, int(last) + 1, 5)
    for minute in sorted({*first_hour, *later, *(when for when, _, _ in expected)}):
        room.minute = minute
        room.look()
        for when, act in script:
            if when == minute:
                act(room)
        room.look()
    assert sorted(room.told) == sorted(expected)


def test_of_whatever_was_read_exactly_the_open_episodes_ask_once(database: Database, desk: Desk) -> None:
    room = Rebuilding(database, desk)
    kinds = ("raised", "lowered", *ENDS)
    stories = [story for length in range(4) for story in product(kinds, repeat=length)]
    levels = {"raised": "red", "lowered": "blue"}
    room.read(
        *(
            (f"e{n}", kind, levels.get(kind, "yellow"))
            for n, story in enumerate(stories)
            for kind in ("opened", *story)
        )
    )
    with database.reading() as session:
        assert number(database, Case) == len(stories) > AT_ONCE
        assert session.scalars(sa.select(Notification.id)).first() is None
    room.end()
    room.look()
    still = {f"e{n}" for n, story in enumerate(stories) if not set(story) & set(ENDS)}
    with database.reading() as session:
        rows = session.execute(sa.select(Case.episode, Notification.kind).join_from(Notification, Case))
        assert sorted(tuple(row) for row in rows) == sorted((each, REBUILT) for each in still)
        texts = session.scalars(sa.select(AuditEntry.text).where(AuditEntry.kind == "assigned")).all()
    assert texts == ["still open after the records of duty were lost"] * len(still)


def test_the_keys_of_their_messages_are_not_those_from_before_the_loss(
    database: Database, desk: Desk
) -> None:
    room = Rebuilding(database, desk)
    room.read(*RED, *opened("e2"))
    room.end()
    room.look()
    with database.reading() as session:
        uids = session.scalars(sa.select(Case.uid)).all()
        keys = set(session.scalars(sa.select(Notification.key)))
    assert keys == {f"{uid}/0/0/webhook" for uid in uids}, "where rounds begin with 1"


def test_a_message_says_that_the_records_were_rebuilt() -> None:
    (batch,) = plan([notification(1, kind=REBUILT)], world(), MOMENT).batches
    assert message_of(batch).title == "（记录重建，仍未结束）台风预警"


@pytest.mark.stack
@pytest.mark.parametrize("killed", [False, True])
def test_a_service_whose_database_is_gone_asks_for_what_is_open_and_for_nothing_else(
    home: Settings, regions: Regions, tmp_path: Path, killed: bool
) -> None:
    """The file is gone, `up` makes a new one; where it is killed while that is filled, it goes on."""
    fresh = Path(str(home.duty_database).removeprefix("sqlite:///"))
    kept = tmp_path / "without-cases.sqlite"
    shutil.copy(fresh, kept)
    producer = KafkaProducer(bootstrap_servers=home.kafka, acks="all")

    def send(episode: str, ordinal: int, kind: str) -> None:
        producer.send(WARNINGS, key=episode.encode(), value=warning_bytes(episode, ordinal, kind, "yellow"))

    for n in range(400):
        send(f"e{n}", 0, "opened")
        if n % 4:
            send(f"e{n}", 1, "recovered")
    producer.flush()
    with service(home) as running:
        until(lambda: sum(log_of(home.kafka, "duty").committed.values()) == 700, "all is read and committed")
        running.terminate()
        assert running.wait(30) == 0
    for ending in ("-wal", "-shm"):
        fresh.with_name(fresh.name + ending).unlink(missing_ok=True)
    shutil.copy(kept, fresh)
    database = open_database(home, datetime.now(UTC), regions)
    if killed:
        with service(home) as running:
            until(lambda: number(database, Case) > 0, "it is filled")
            os.kill(running.pid, signal.SIGKILL)
            running.wait(30)
    with service(home):
        until(lambda: number(database, Heard) == 700, "all is there again")
        until(lambda: number(database, Notification) > 0, "the open ones ask")
        send("new", 0, "opened")
        producer.flush()
        until(
            lambda: number(database, Case, Case.episode == "new", Case.waiting_since.is_not(None)) == 1,
            "a new one",
        )
        until(lambda: number(database, Case, Case.next_step <= datetime.now(UTC)) == 0, "nothing is due")
    with database.reading() as session:
        rows = session.execute(sa.select(Case.episode, Notification.kind).join_from(Notification, Case))
        told = Counter(tuple(row) for row in rows)
    database.close()
    producer.close()
    assert told == {("new", "assigned"): 1, **{(f"e{n}", REBUILT): 1 for n in range(0, 400, 4)}}
    assert "Traceback" not in (home.home / "duty.log").read_text()
