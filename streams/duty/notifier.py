"""The notifier: what the duty service has left to be told goes to officers by their channels.

It looks into the database many times a second, decides (`dispatch`), writes down which message each notification
belongs to, and only then sends. Channels do not wait for each other; one that is away is knocked at by one message
at a time. What was sent and not written down (kill -9) is sent again under the same key.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

from sqlalchemy.orm import Session

from schemas.errors import Unavailable
from schemas.regions import Regions
from streams.duty.channels.config import GROUPS, Channel, Channels
from streams.duty.channels.quota import reserved, room
from streams.duty.channels.sender import Sender
from streams.duty.database import Database
from streams.duty.dispatch import MOST_AGE, RED, Batch, Notice, World, gone, message_of, plan
from streams.duty.lifecycle import LEVELS, rank
from streams.duty.notices import (
    CONSOLE,
    Links,
    begin,
    bury,
    delivered,
    newest,
    open_cases,
    other_channel,
    recently_sent,
    settle,
    silences,
    suppress,
    too_late,
    waiting,
)
from streams.duty.policy import (
    FIRST_WAIT,
    GATHER_SECONDS,
    Answer,
    Dead,
    Delivered,
    Late,
    Line,
    Outcome,
    Retry,
    outcome,
)

log = logging.getLogger("liaowang.push")

LOOK_SECONDS = 0.05
LOOK_AGAIN_SECONDS = 0.5
"""How long what could not go now is left alone, while nothing new comes."""
CONCURRENCY = 32
LONGEST_PAUSE = 5.0


@dataclass
class Post:
    """The state of one channel: its line, what is under way, and when the last messages went.

    `reason` is what it answered last, `looked` when it was last looked for what waits too long.
    """

    line: Line = field(default_factory=Line)
    reason: str = ""
    looked: float = 0.0
    under_way: dict[asyncio.Task[Answer], Batch] = field(default_factory=dict)
    sent: deque[float] = field(default_factory=lambda: deque(maxlen=10_000))


class Notifier:
    """Tells officers what they have to be told, until it is stopped."""

    def __init__(
        self,
        database: Database,
        regions: Regions,
        channels: Channels,
        sender: Sender,
        links: Links,
        clock: Callable[[], float],
        rng: Random,
    ) -> None:
        self._database, self._regions, self._channels = database, regions, channels
        self._sender, self._links, self._clock, self._rng = sender, links, clock, rng
        self._posts: defaultdict[str, Post] = defaultdict(Post)
        self._remembered = False
        self._latest, self._idle_until = -1, 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Tell until `stop`; what is under way then is finished and settled first."""
        failures = 0
        while not stop.is_set() or self._under_way():
            try:
                await self._round(admit=not stop.is_set())
                if failures:
                    log.warning("the duty database is back")
                failures = 0
            except Unavailable as error:
                failures += 1
                if failures == 1:
                    log.warning("%s; notifications wait", error)
            await self._pause(min(LONGEST_PAUSE, LOOK_SECONDS * 2.0**failures), stop)

    def _under_way(self) -> dict[asyncio.Task[Answer], Batch]:
        return {task: batch for post in self._posts.values() for task, batch in post.under_way.items()}

    async def _pause(self, seconds: float, stop: asyncio.Event) -> None:
        """Wait for an answer, for the stop, or until it is time to look again."""
        stopping = asyncio.create_task(stop.wait())
        try:
            watched = {*self._under_way(), *(() if stop.is_set() else (stopping,))}
            await asyncio.wait(watched or {stopping}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(GATHER_SECONDS if self._under_way() else 0)
        finally:
            stopping.cancel()

    async def _round(self, *, admit: bool) -> None:
        """Write down what was answered, then start what may go."""
        await self._settle()
        if not admit:
            return
        for batch in await asyncio.to_thread(self._admit, self._clock()):
            channel = self._channels.channels[batch.channel]
            self._start(batch, channel)

    def _start(self, batch: Batch, channel: Channel) -> None:
        now, post = self._clock(), self._posts[batch.channel]
        post.sent.append(now)
        message = message_of(batch, self._link(batch, channel, now))
        task = asyncio.create_task(self._sender.send(channel, message, now))
        post.under_way[task] = batch

    def _link(self, batch: Batch, channel: Channel, now: float) -> str:
        """To the one case, by which its officer takes it; to the list of cases where there are several.

        Where many read, the link acts in nobody's name.
        """
        if len(batch.notices) > 1:
            return self._links.list
        first = batch.notices[0]
        officer = None if channel.kind in GROUPS else first.officer_id
        return self._links.of(first.case_id, officer, datetime.fromtimestamp(now, UTC))

    def _admit(self, now: float) -> list[Batch]:
        """Decide what goes now, and write it down."""
        moment = datetime.fromtimestamp(now, UTC)
        with self._database.reading() as session:
            latest = newest(session)
            if latest == self._latest and now < self._idle_until:
                return []
            self._remember(session, moment)
            late = self._too_late(session, now)
            gone_elsewhere = {notice.id for batch, _ in late for notice in batch.notices}
            due = waiting(session, self._regions, moment, self._room(now), self._channels.channels)
            notices = [notice for notice in due if notice.id not in gone_elsewhere]
            world = self._world(session, notices, now, moment)
        decided = plan(notices, world, now)
        known = [batch for batch in decided.batches if batch.channel in self._channels.channels]
        if not (late or decided.batches or decided.dropped):
            self._latest, self._idle_until = latest, now + LOOK_AGAIN_SECONDS
            return []
        with self._database.writing() as session:
            for batch, why in late:
                ways = bury(session, batch.notices, why, self._channels, moment, tried=False)
                _tell(batch, ways, why)
            suppress(session, decided)
            begin(session, known, moment)
            for batch in decided.batches:
                if batch.channel not in self._channels.channels:
                    self._nowhere(session, batch, moment)
        return known

    def _remember(self, session: Session, now: datetime) -> None:
        """After a start: what went before it counts against the quotas, too."""
        if not self._remembered:
            for name, times in recently_sent(session, self._channels.channels, now).items():
                self._posts[name].sent.extend(sorted(times))
            self._remembered = True

    def _world(self, session: Session, notices: Sequence[Notice], now: float, moment: datetime) -> World:
        levels = {level for rule in self._channels.inhibitions for level in rule.source}
        return World(
            channels=self._channels,
            open=open_cases(session, levels) if notices and levels else (),
            silences=silences(session, moment) if notices else (),
            sent={name: post.sent for name, post in self._posts.items()},
            busy={batch.key for batch in self._under_way().values()},
            slots=self._slots(now, {notice.channel for notice in notices}),
        )

    def _room(self, now: float) -> dict[str, int]:
        """Channels that take something now, and the highest rank they take: red alone may use what is kept."""
        found: dict[str, int] = {}
        slots = self._slots(now, set(self._channels.channels))
        for name, channel in self._channels.channels.items():
            left = room(self._posts[name].sent, channel.quota, channel.per, now)
            if slots[name] > 0 and left > 0:
                found[name] = len(LEVELS) if left > reserved(channel.quota) else rank(RED)
        return found

    def _too_late(self, session: Session, now: float) -> list[tuple[Batch, str]]:
        """What waits behind a channel that takes nothing, too long: it need not be tried first; and why."""
        found: list[tuple[Batch, str]] = []
        for name, post in self._posts.items():
            opens = post.line.closed_until
            if (opens <= now and not post.line.broken) or now < post.looked + LOOK_AGAIN_SECONDS:
                continue
            post.looked = now
            until = max(now, opens) + FIRST_WAIT
            oldest = {level: datetime.fromtimestamp(until - age, UTC) for level, age in MOST_AGE.items()}
            busy = {notice.id for batch in post.under_way.values() for notice in batch.notices}
            notices = tuple(
                notice
                for notice in too_late(session, self._regions, name, oldest)
                if notice.id not in busy and other_channel(notice, self._channels.channels)
            )
            if notices:
                found.append((Batch("", name, notices), f"the channel takes nothing: {post.reason}"))
        return found

    def _slots(self, now: float, names: set[str]) -> Mapping[str, int]:
        """Room by channel; one that is not declared has room for all, since nothing is sent there."""
        return {
            name: self._posts[name].line.slots(now, CONCURRENCY) - len(self._posts[name].under_way)
            if name in self._channels.channels
            else 1 << 30
            for name in names
        }

    def _nowhere(self, session: Session, batch: Batch, now: datetime) -> None:
        """The console shows it anyway; any other name must be declared."""
        result: Outcome = Delivered()
        if batch.channel != CONSOLE:
            result = Dead(f"no channel {batch.channel} is declared in channels.yaml")
        self._write(session, batch, result, now)

    def _write(self, session: Session, batch: Batch, result: Outcome | Late, now: datetime) -> None:
        ways = settle(session, batch, result, self._channels, now)
        _tell(batch, ways, "" if isinstance(result, Delivered) else result.reason)

    async def _settle(self) -> None:
        """Write down in one transaction what became of the messages that were answered."""
        done = [
            (name, task, batch)
            for name, post in self._posts.items()
            for task, batch in post.under_way.items()
            if task.done()
        ]
        if not done:
            return
        now = self._clock()
        results = [(batch, self._outcome(batch, answer_of(task, batch), now)) for _, task, batch in done]
        await asyncio.to_thread(self._write_all, results, datetime.fromtimestamp(now, UTC))
        for name, task, batch in done:
            self._learn(name, answer_of(task, batch), now)
            del self._posts[name].under_way[task]
        self._idle_until = 0.0

    def _write_all(self, results: list[tuple[Batch, Outcome | Late]], now: datetime) -> None:
        arrived = [batch for batch, result in results if isinstance(result, Delivered)]
        with self._database.writing() as session:
            delivered(session, arrived, now)
            for batch, result in results:
                if not isinstance(result, Delivered):
                    self._write(session, batch, result, now)

    def _outcome(self, batch: Batch, answer: Answer, now: float) -> Outcome | Late:
        """What the answer means for these notices; nobody waits longer than its level allows."""
        attempts = max(notice.attempts for notice in batch.notices) + 1
        found = outcome(answer, attempts, now, self._rng)
        if isinstance(found, Retry) and gone(batch.notices, found.at):
            return Late(found.at, f"given up after {attempts} tries: {found.reason}")
        return found

    def _learn(self, name: str, answer: Answer, now: float) -> None:
        """Keep in mind whether somebody is there; one log line at each change."""
        post = self._posts[name]
        before, post.line = post.line, post.line.after(answer, now, self._rng)
        post.reason = answer.reason
        if post.line.broken and not before.broken:
            log.warning("channel %s is away: %s", name, answer.reason)
        elif before.broken and not post.line.broken:
            log.warning("channel %s is back", name)


def _tell(batch: Batch, ways: Mapping[str | None, int], why: str) -> None:
    """One line in the log for what was not delivered."""
    for way, number in ways.items():
        said = (batch.channel, number, batch.notices[0].key, why)
        if way is None:
            log.error("channel %s: %d dead without another way (%s): %s", *said)
        else:
            log.warning("channel %s: %d not delivered (%s): %s; by %s instead", *said, way)


def answer_of(task: asyncio.Task[Answer], batch: Batch) -> Answer:
    """What a message came to; one that cannot even be sent is refused, and stops no other."""
    error = task.exception()
    if error is None:
        return task.result()
    log.error("message %s cannot be sent by %s", batch.key, batch.channel, exc_info=error)
    return Answer(400, "", f"it cannot be sent: {type(error).__name__}: {error}", True)
