"""Notifications reach officers: once per key, red first, another way when one is dead, whatever dies meanwhile."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa
from aiohttp import web

from schemas.levels import LEVELS
from schemas.regions import Regions
from streams.duty.cases.opening import hear
from streams.duty.database.database import Database
from streams.duty.database.models import AuditEntry, Case, Notification, Silence
from streams.duty.notify.channels.config import Channels, parse_channels
from streams.duty.notify.channels.sender import Sender
from streams.duty.notify.dispatch import MOST_AGE
from streams.duty.notify.notifications import MOST, ConsoleLinks, counts
from streams.duty.notify.notifier import Notifier
from streams.duty.notify.signature import KEY_HEADER
from streams.duty.retry_policy import FIRST_WAIT, LONGEST_WAIT
from streams.duty.rosters.desk import Desk
from tests.streams.duty.channels import services
from tests.streams.duty.channels.services import Services, serving
from tests.streams.duty.moments import warning
from tests.streams.duty.parts import SPEED, Aside, fast_clock, until

YAML = """
channels:
  webhook: {{kind: webhook, url: "{base}/first", instead: second{quota}}}
  second: {{kind: webhook, url: "{base}/second"}}
{more}
"""
SECRETS = {
    "webhook": {"key": "k"},
    "second": {"key": "k"},
    "away": {"key": "k"},
    "robot": {"token": services.TOKEN, "secret": services.SECRET},
}


@dataclass
class Place:
    """Two webhooks; `answer` says how the first one answers by number of the post."""

    answer: Callable[[int], int] = lambda _: 200
    first: list[str] = field(default_factory=list)
    taken: Counter[str] = field(default_factory=Counter)
    second: list[str] = field(default_factory=list)
    bodies: dict[str, Any] = field(default_factory=dict)

    async def _first(self, request: web.Request) -> web.Response:
        key = request.headers[KEY_HEADER]
        self.first.append(key)
        status = self.answer(len(self.first))
        if status == 200:
            self.taken[key] += 1
            self.bodies[key] = json.loads(await request.read())
        return web.Response(status=status)

    async def _second(self, request: web.Request) -> web.Response:
        self.second.append(request.headers[KEY_HEADER])
        return web.Response()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        app = web.Application()
        app.add_routes([web.post("/first", self._first), web.post("/second", self._second)])
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


@asynccontextmanager
async def telling(
    database: Database,
    regions: Regions,
    channels: Channels,
    clock: Callable[[], float],
    aside: Aside | None = None,
) -> AsyncIterator[None]:
    """A notifier at work for as long as the block lasts."""
    stop = asyncio.Event()
    async with Sender(SECRETS, lambda: "n") as sender:
        links = ConsoleLinks("http://127.0.0.1:18060", "a key for links")
        aside = [] if aside is None else aside
        notifier = Notifier(
            database,
            regions,
            channels,
            sender,
            links,
            clock,
            Random(1),
            aside=lambda what, why: aside.append((what, why)),
            beat=lambda: None,
        )
        running = asyncio.create_task(notifier.run(stop))
        try:
            yield
        finally:
            stop.set()
            await asyncio.wait_for(running, 60)


def told(
    place: Place,
    database: Database,
    regions: Regions,
    work: Callable[[], Awaitable[None]],
    *,
    quota: str = "",
    more: str = "",
    clock: Callable[[], float] = time.time,
    aside: Aside | None = None,
) -> None:
    """Run work while a notifier tells what there is to tell."""

    async def whole() -> None:
        async with place.open() as base:
            channels = parse_channels(YAML.format(base=base, quota=quota, more=more), "channels.yaml")
            async with telling(database, regions, channels, clock, aside):
                await work()

    asyncio.run(whole())


def hear_warnings(database: Database, desk: Desk, *found: Any) -> None:
    with database.writing() as session:
        hear(session, desk, datetime.now(UTC), list(found))


def states(database: Database) -> dict[str, int]:
    with database.reading() as session:
        return counts(session)


def drained(database: Database) -> Callable[[], bool]:
    return lambda: states(database)["pending"] == 0


def test_a_warning_reaches_its_officer_with_a_link_of_his_own(
    database: Database, desk: Desk, regions: Regions
) -> None:
    place = Place()
    hear_warnings(database, desk, warning("e1", level="red"))

    async def work() -> None:
        await until(lambda: bool(place.first))

    told(place, database, regions, work)
    body = next(iter(place.bodies.values()))
    assert body["level"] == "red"
    with database.reading() as session:
        assignee = session.scalars(sa.select(Case)).unique().one().assignee
        assert assignee is not None
        assert body["to"] == assignee.login
    assert body["url"].startswith("http://127.0.0.1:18060/a/")
    assert "evidence" not in json.dumps(body)
    assert states(database)["delivered"] == 1


def test_half_of_the_answers_are_500_and_every_key_arrives_once(
    database: Database, desk: Desk, regions: Regions
) -> None:
    place, rng = Place(), Random(3)
    place.answer = lambda _: 500 if rng.random() < 0.5 else 200
    hear_warnings(database, desk, *(warning(f"e{number}", level="blue") for number in range(40)))

    async def work() -> None:
        await until(drained(database))

    told(place, database, regions, work, clock=fast_clock())
    assert len(place.taken) == 40
    assert set(place.taken.values()) == {1}
    assert place.second == []


def test_what_is_refused_for_good_goes_another_way_and_the_case_says_so(
    database: Database, desk: Desk, regions: Regions
) -> None:
    place = Place(answer=lambda _: 403)
    hear_warnings(database, desk, warning("e1", level="orange"))

    async def work() -> None:
        await until(lambda: bool(place.second))
        await until(drained(database))

    told(place, database, regions, work, clock=fast_clock())
    assert len(place.first) == 1
    assert place.second == [f"{place.first[0]}~second"]
    with database.reading() as session:
        entry = session.scalars(sa.select(AuditEntry).where(AuditEntry.kind == "undelivered")).one()
        assert json.loads(entry.detail)["instead"] == "second"
    assert states(database) == {"pending": 0, "delivered": 1, "dead": 1, "suppressed": 0}


def test_a_receiver_that_stays_away_is_given_up_after_the_levels_time(
    database: Database, desk: Desk, regions: Regions
) -> None:
    """It is tried again with pauses, given up when the next try would be too late, and goes the other way."""
    tries, seconds = list[float](), count(step=10)
    start = time.time()

    def now() -> float:
        """Ten seconds more each time somebody asks: the machine may be as slow as it likes."""
        return start + next(seconds)

    def refused(_: int) -> int:
        tries.append(now())
        return 503

    place = Place(answer=refused)
    hear_warnings(database, desk, warning("e1", level="red"))

    elsewhere = list[float]()

    async def work() -> None:
        await until(lambda: bool(place.second))
        elsewhere.append(now())
        await until(drained(database))

    told(place, database, regions, work, clock=now)
    assert len(tries) > 1 and place.second == [f"{place.first[0]}~second"]
    assert set(place.first) == {place.first[0]}, "each try is the same message"
    pauses = [after - before for before, after in pairwise(tries)]
    assert all(pause >= FIRST_WAIT / 2 for pause in pauses), "with a pause before each"
    assert elsewhere[0] - start >= MOST_AGE["red"] - LONGEST_WAIT, "not before its time"
    with database.reading() as session:
        dead = session.scalars(sa.select(Notification).where(Notification.state == "dead")).one()
        assert (dead.channel, dead.attempts) == ("webhook", len(tries))
        assert dead.last_error == f"given up after {len(tries)} tries: HTTP 503"
        entry = session.scalars(sa.select(AuditEntry).where(AuditEntry.kind == "undelivered")).one()
        assert json.loads(entry.detail)["instead"] == "second"
    assert states(database) == {"pending": 0, "delivered": 1, "dead": 1, "suppressed": 0}


def test_red_goes_first_and_the_quota_holds(database: Database, desk: Desk, regions: Regions) -> None:
    place = Place()
    found = [warning(f"b{number}", level="blue") for number in range(6)]
    hear_warnings(database, desk, *found, *(warning(f"r{number}", level="red") for number in range(3)))
    clock = fast_clock()

    async def work() -> None:
        await until(lambda: len(place.first) >= 4)
        hear_warnings(database, desk, warning("late", level="red"))
        await until(lambda: len(place.first) >= 5)

    begun = clock() + 31
    quota = ", quota: {messages: 5, per: PT10M}"
    told(place, database, regions, work, quota=quota, clock=lambda: begun + (clock() - begun) / SPEED)
    order = [place.bodies[key]["level"] for key in place.first]
    assert order[:3] == ["red"] * 3
    assert (order[3], order[4]) == ("blue", "red")
    assert len(place.first) == 5


def test_silences_and_inhibition_keep_quiet_and_say_why(
    database: Database, desk: Desk, regions: Regions
) -> None:
    place, now = Place(), datetime.now(UTC)
    with database.writing() as session:
        session.add(
            Silence(
                rules='["ecology.pm25-high"]',
                regions='["330200"]',
                levels="[]",
                starts=now - timedelta(hours=1),
                ends=now + timedelta(hours=1),
                reason="sensors are calibrated",
                created=now,
                created_by="test",
                origin="test",
            )
        )
    hear_warnings(
        database,
        desk,
        warning("calibrated", level="orange", region="330203"),
        warning("flood", level="red"),
        warning("puddle", level="blue"),
    )

    async def work() -> None:
        await until(drained(database))

    more = "inhibit:\n  - {source: [red], target: [blue], equal: [rule, region]}"
    told(place, database, regions, work, more=more, clock=fast_clock())
    assert [place.bodies[key]["level"] for key in place.first] == ["red"]
    with database.reading() as session:
        query = sa.select(Notification.last_error).where(Notification.state == "suppressed")
        reasons = sorted(session.scalars(query))
        codes = session.scalars(sa.select(Notification.reason).where(Notification.state == "suppressed"))
        stored = sorted((json.loads(code or "{}") for code in codes), key=lambda each: str(each["why"]))
        red = session.scalars(sa.select(Case.id).where(Case.level == "red")).one()
    assert reasons == [f"case {red} is red", "silence 1: sensors are calibrated"]
    assert stored == [
        {"why": "graver_case", "given": {"id": red, "level": "red"}},
        {"why": "silence", "given": {"id": 1, "text": "sensors are calibrated"}},
    ]


def test_a_channel_nobody_declared_is_dead_with_its_name(
    database: Database, desk: Desk, regions: Regions
) -> None:
    place = Place()
    hear_warnings(database, desk, warning("e1", level="red"))
    with database.writing() as session:
        session.execute(sa.update(Notification).values(channel="pigeon"))

    async def work() -> None:
        await until(lambda: bool(place.second))

    told(place, database, regions, work)
    with database.reading() as session:
        row = session.scalars(sa.select(Notification).where(Notification.channel == "pigeon")).one()
        assert row.last_error == "no channel pigeon is declared in channels.yaml"


def test_who_heard_of_a_warning_hears_of_its_end(database: Database, desk: Desk, regions: Regions) -> None:
    place = Place()
    hear_warnings(database, desk, warning("e1", level="red"))

    async def work() -> None:
        await until(lambda: len(place.taken) == 1)
        await until(drained(database))
        hear_warnings(database, desk, warning("e1", 1, kind="recovered", level="red"))
        await until(lambda: len(place.taken) == 2)

    told(place, database, regions, work)
    assert [body["ended"] for body in place.bodies.values()] == [False, True]


def test_a_notifier_killed_between_sending_and_writing_sends_the_same_again(
    database: Database, desk: Desk, regions: Regions
) -> None:
    """As after kill -9: messages begun, some of them taken by the receiver, nothing settled."""
    place = Place()
    hear_warnings(database, desk, *(warning(f"e{number}", level="red") for number in range(5)))
    place.answer = lambda _: 200

    async def killed() -> None:
        await until(lambda: len(place.taken) == 5)

    told(place, database, regions, killed)
    first = dict(place.taken)
    with database.writing() as session:  # what was begun is known, what became of it is not
        session.execute(sa.update(Notification).values(state="pending", attempts=0, delivered_at=None))

    async def again() -> None:
        await until(drained(database))

    told(place, database, regions, again)
    assert set(place.taken) == set(first)
    assert set(place.taken.values()) == {2}


def test_a_channel_that_is_away_with_many_before_it_keeps_no_other_back(
    database: Database, desk: Desk, regions: Regions
) -> None:
    """The away one has more and redder ones than are looked at together."""
    place = Place(answer=lambda _: 503)
    hear_warnings(database, desk, *(warning(f"r{number}", level="red") for number in range(MOST + 20)))
    hear_warnings(database, desk, warning("b", level="blue"))
    with database.writing() as session:
        session.execute(sa.update(Notification).values(channel="away"))
        session.execute(sa.update(Notification).where(Notification.level == "blue").values(channel="second"))

    async def work() -> None:
        await until(lambda: len(place.second) == 1)

    told(place, database, regions, work, more='  away: {kind: webhook, url: "http://127.0.0.1:9/"}')
    assert states(database)["pending"] == MOST + 20


def test_what_waits_behind_a_channel_that_is_away_goes_another_way_untried(
    database: Database, desk: Desk, regions: Regions
) -> None:
    place = Place()
    hear_warnings(database, desk, *(warning(f"r{number}", level="red") for number in range(40)))
    with database.writing() as session:
        session.execute(sa.update(Notification).values(channel="away"))
    start = time.time()
    clock = lambda: start + 100 * (time.time() - start)  # noqa: E731

    async def work() -> None:
        await until(lambda: len(place.second) == 40)

    more = '  away: {kind: webhook, url: "http://127.0.0.1:9/", instead: second}'
    told(place, database, regions, work, more=more, clock=clock)
    with database.reading() as session:
        tries = session.scalars(sa.select(Notification.attempts).where(Notification.channel == "away")).all()
    assert len(tries) == 40
    assert min(tries) == 0


def test_where_there_is_no_other_way_it_waits_until_its_channel_is_back(
    database: Database, desk: Desk, regions: Regions
) -> None:
    place, back = Place(), False
    place.answer = lambda _: 200 if back else 503
    hear_warnings(database, desk, warning("e1", level="red"))
    with database.writing() as session:
        session.execute(
            sa.update(Notification).values(key=sa.func.replace(Notification.key, "webhook", "second~webhook"))
        )
    start = time.time()

    async def work() -> None:
        nonlocal back
        await until(lambda: time.time() - start > 1 and len(place.first) > 5)
        back = True
        await until(drained(database))

    told(place, database, regions, work, clock=lambda: start + 1000 * (time.time() - start))
    assert place.second == []
    ((key, times),) = place.taken.items()
    assert key.endswith("/second~webhook") and times == 1


def test_a_key_that_is_no_header_is_encoded_and_arrives(
    database: Database, desk: Desk, regions: Regions
) -> None:
    place = Place()
    hear_warnings(database, desk, warning("e1", level="red"), warning("e2", level="orange"))
    with database.writing() as session:
        red = sa.update(Notification).where(Notification.level == "red")
        session.execute(red.values(key=Notification.key + "\nbad"))

    async def work() -> None:
        await until(drained(database))

    told(place, database, regions, work, clock=fast_clock())
    assert states(database)["dead"] == 0
    assert place.first[0].startswith("UTF-8''") and place.first[0].endswith("%0Abad")
    assert len(place.taken) == 2


BROKEN = {
    "no JSON": {"payload": "{"},
    "no object": {"payload": "[1]"},
    "a text": {"payload": '"x"'},
    "a number as a time": {"payload": '{"at": 5, "title": "t"}'},
    "a time that is none": {"payload": '{"at": "yesterday", "title": "t"}'},
    "a level that is none": {"level": "purple"},
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_notification_that_cannot_be_told_is_dead_and_set_aside_and_stops_no_other(
    database: Database, desk: Desk, regions: Regions, broken: dict[str, str]
) -> None:
    """Such a one, the most urgent of all, must not end the worker again and again."""
    place = Place()
    aside: Aside = []
    hear_warnings(database, desk, *(warning(f"e{n}", level=level) for n, level in enumerate(LEVELS)))
    with database.writing() as session:
        first = session.scalars(sa.select(Notification.id).where(Notification.level == "red")).one()
        session.execute(sa.update(Notification).where(Notification.id == first).values(**broken))

    async def work() -> None:
        await until(drained(database))

    told(place, database, regions, work, clock=fast_clock(), aside=aside)
    with database.reading() as session:
        rows = session.scalars(sa.select(Notification)).all()
        dead = [row for row in rows if row.state == "dead"]
    assert first in [row.id for row in dead] and all(row.level not in LEVELS[1:] for row in dead)
    assert sum(row.state == "delivered" for row in rows) == len(LEVELS) - 1
    assert aside and {why for _, why in aside} == {
        row.last_error.rpartition("cannot be sent: ")[2] for row in dead
    }


def test_a_row_that_cannot_even_be_read_is_dead_and_stops_no_other(
    sqlite_url: str, desk: Desk, regions: Regions
) -> None:
    """SQLite keeps any text as a time."""
    place = Place()
    aside: Aside = []
    with closing(Database(sqlite_url)) as database:
        hear_warnings(database, desk, *(warning(f"e{n}", level=level) for n, level in enumerate(LEVELS)))
        with database.writing() as session:
            session.execute(sa.text("UPDATE notification SET created = 'never' WHERE level = 'red'"))

        async def work() -> None:
            await until(drained(database))

        told(place, database, regions, work, clock=fast_clock(), aside=aside)
        assert states(database) == {"pending": 0, "delivered": 3, "dead": 1, "suppressed": 0}
    assert len(aside) == 1 and "never" in aside[0][1]


def test_a_silence_that_cannot_be_read_holds_nothing_back(
    database: Database, desk: Desk, regions: Regions
) -> None:
    place = Place()
    aside: Aside = []
    hear_warnings(database, desk, warning("e1", level="red"))
    now = datetime.now(UTC)
    hours = timedelta(hours=1)
    with database.writing() as session:
        session.add(
            Silence(
                rules="[",
                reason="x",
                created=now,
                created_by="t",
                origin="t",
                starts=now - hours,
                ends=now + hours,
            )
        )

    async def work() -> None:
        await until(drained(database))

    told(place, database, regions, work, aside=aside)
    assert states(database)["delivered"] == 1
    assert [what for what, _ in aside] == ["silence 1"]


def test_a_link_for_a_group_acts_in_nobodys_name(database: Database, desk: Desk, regions: Regions) -> None:
    there = Services()
    hear_warnings(database, desk, warning("e1", level="red"))
    with database.writing() as session:
        session.execute(sa.update(Notification).values(channel="robot"))

    async def whole() -> None:
        async with serving(there) as base:
            text = f'channels: {{robot: {{kind: dingtalk-robot, url: "{base}/robot/send"}}}}'
            channels = parse_channels(text, "channels.yaml")
            async with telling(database, regions, channels, time.time):
                await until(drained(database))

    asyncio.run(whole())
    said = there.got["dingtalk-robot"][0]["markdown"]["text"]
    assert "http://127.0.0.1:18060/cases/1)" in said
