"""The notifier: what the duty service has left to be told goes to officers by their channels.

It looks into the database many times a second, decides (`dispatch`), writes down which message each notification
belongs to, and only then sends. Channels do not wait for each other; one that is away is tried by one message
at a time. What was sent and not written down (kill -9) is sent again under the same key. A notification that
cannot be read, written or sent through its own fault is dead and set aside; the others go on.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from random import Random

from sqlalchemy.orm import Session

from schemas.errors import Unavailable
from schemas.levels import LEVELS
from schemas.regions import Regions
from streams.duty.database.changes import Changes
from streams.duty.database.database import Database
from streams.duty.faults import Doubt, Fault, SetAside, fault_of, told
from streams.duty.lifecycle import rank
from streams.duty.notify.channels.config import GROUPS, Channel, Channels
from streams.duty.notify.channels.quota import reserved, room
from streams.duty.notify.channels.sender import Sender
from streams.duty.notify.dispatch import (
    MOST_AGE,
    RED,
    Batch,
    DispatchContext,
    PendingNotification,
    Plan,
    gone,
    message_of,
    plan,
)
from streams.duty.notify.notifications import (
    CONSOLE,
    ConsoleLinks,
    begin,
    bury,
    delivered,
    lay_aside,
    newest,
    open_cases,
    other_channel,
    recently_sent,
    record_outcome,
    silences,
    suppress,
    too_late,
    waiting,
)
from streams.duty.retry_policy import (
    FIRST_WAIT,
    GATHER_SECONDS,
    Answer,
    Circuit,
    Dead,
    Delivered,
    Late,
    Outcome,
    Retry,
    outcome,
)
from streams.retrying import Backoff, Outage
from streams.waits import Held, unheld

log = logging.getLogger("liaowang.push")

LOOK_SECONDS = 0.05
LOOK_AGAIN_SECONDS = 0.5
"""How long what could not go now is left alone, while nothing new comes."""
CONCURRENCY = 32
LONGEST_PAUSE = 5.0


Step = Callable[[Session], None]
"""One change of a transaction."""


@dataclass
class ChannelState:
    """The state of one channel: its circuit, what is under way, and when the last messages went.

    `reason` is what it answered last, `looked` when it was last looked for what waits too long.
    """

    circuit: Circuit = field(default_factory=Circuit)
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
        links: ConsoleLinks,
        clock: Callable[[], float],
        rng: Random,
        *,
        aside: SetAside,
        beat: Callable[[], None],
        held: Held = unheld,
    ) -> None:
        self._aside, self._beat, self._doubt = aside, beat, Doubt()
        self._outage = Outage(
            log,
            waits="notifications wait",
            over="the duty database is back",
            rng=rng,
            backoff=Backoff(2 * LOOK_SECONDS, LONGEST_PAUSE),
            held=held,
        )
        self._unread: set[int] = set()
        self._database, self._regions, self._channels = database, regions, channels
        self._sender, self._links, self._clock, self._rng = sender, links, clock, rng
        self._states: defaultdict[str, ChannelState] = defaultdict(ChannelState)
        self._answers: dict[asyncio.Task[Answer], Answer] = {}
        self._remembered = False
        self._latest, self._idle_until = -1, 0.0
        self._changes = Changes(database.url)

    async def run(self, stop: asyncio.Event) -> None:
        """Tell until `stop`; what is under way then is finished and recorded first."""
        try:
            while not stop.is_set() or self._under_way():
                self._beat()
                seconds = LOOK_SECONDS
                try:
                    await self._round(admit=not stop.is_set())
                    self._outage.ended()
                except Unavailable as error:
                    seconds = self._outage.failed(error)
                await self._pause(seconds, stop)
        finally:
            self._changes.close()

    def _under_way(self) -> dict[asyncio.Task[Answer], Batch]:
        return {task: batch for state in self._states.values() for task, batch in state.under_way.items()}

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
        await self._collect_answers()
        if not admit or (self._clock() < self._idle_until and not self._changes()):
            return
        for batch in await asyncio.to_thread(self._admit, self._clock()):
            channel = self._channels.channels[batch.channel]
            self._start(batch, channel)

    def _start(self, batch: Batch, channel: Channel) -> None:
        now, state = self._clock(), self._states[batch.channel]
        state.sent.append(now)
        state.under_way[asyncio.create_task(self._send(batch, channel, now))] = batch

    async def _send(self, batch: Batch, channel: Channel, now: float) -> Answer:
        return await self._sender.send(channel, message_of(batch, self._link(batch, channel, now)), now)

    def _link(self, batch: Batch, channel: Channel, now: float) -> str:
        """To the one case, by which its officer takes it; to the list of cases where there are several.

        Where many read, the link acts in nobody's name.
        """
        if len(batch.notifications) > 1:
            return self._links.list
        first = batch.notifications[0]
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
            late, broken = self._too_late(session, now)
            gone_elsewhere = {notification.id for batch, _ in late for notification in batch.notifications}
            due = waiting(session, self._regions, moment, self._room(now), self._channels.channels)
            notifications = [
                notification for notification in due.notifications if notification.id not in gone_elsewhere
            ]
            context = self._context(session, notifications, now, moment)
        broken |= due.broken
        decided = self._plan(notifications, context, now, broken)
        if not (late or decided.batches or decided.dropped or broken):
            self._latest, self._idle_until = latest, now + LOOK_AGAIN_SECONDS
            return []
        for id, error in broken.items():
            self._lay_aside([id], error)
        steps = self._steps(late, decided, moment)
        failed = self._written([(ids, do) for _, ids, do in steps])
        return [
            batch
            for batch, ids, _ in steps
            if batch is not None and batch.channel in self._channels.channels and not failed & set(ids)
        ]

    def _plan(
        self,
        notifications: Sequence[PendingNotification],
        context: DispatchContext,
        now: float,
        broken: dict[int, Exception],
    ) -> Plan:
        """What goes now; a notification by which nothing can be decided is put with the broken ones."""
        try:
            return plan(notifications, context, now)
        except Exception as error:
            if fault_of(error) not in (Fault.value, Fault.item):
                raise
        for notification in notifications:
            try:
                plan([notification], context, now)
                message_of(Batch("", notification.channel, (notification,)))
            except Exception as error:
                broken[notification.id] = error
        return plan(
            [notification for notification in notifications if notification.id not in broken], context, now
        )

    def _steps(
        self, late: Sequence[tuple[Batch, str]], decided: Plan, now: datetime
    ) -> list[tuple[Batch | None, list[int], Step]]:
        """What is to be written down before anything is sent: the batch that then goes, its notifications, how."""
        steps: list[tuple[Batch | None, list[int], Step]] = []
        for batch, why in late:
            steps.append((None, _ids(batch), partial(self._bury, batch=batch, why=why, now=now)))
        for notification, reason in decided.dropped:
            steps.append(
                (
                    None,
                    [notification.id],
                    partial(_suppress, part=replace(decided, batches=(), dropped=((notification, reason),))),
                )
            )
        for batch in decided.batches:
            known = batch.channel in self._channels.channels
            step = (
                partial(_begin, batch=batch, now=now)
                if known
                else partial(self._nowhere, batch=batch, now=now)
            )
            steps.append((batch, _ids(batch), step))
        return steps

    def _written(self, steps: Sequence[tuple[list[int], Step]]) -> set[int]:
        """Write all down in one transaction; where that cannot be, each in its own: ids of those that failed."""
        try:
            with self._database.writing() as session:
                for _, step in steps:
                    step(session)
            return set()
        except Exception as error:
            if fault_of(error) not in (Fault.value, Fault.item):
                raise
        failed: set[int] = set()
        for ids, step in steps:
            try:
                with self._database.writing() as session:
                    step(session)
                self._doubt.good()
            except Exception as error:
                self._lay_aside(ids, error)
                failed.update(ids)
        return failed

    def _lay_aside(self, ids: Sequence[int], error: Exception) -> None:
        """These are dead by their own fault, and say so; any other fault is raised again."""
        reason = self._doubt.blame(error)
        with self._database.writing() as session:
            lay_aside(session, ids, reason)
        self._aside(f"notification {', '.join(map(str, ids[:5]))}{', …' if len(ids) > 5 else ''}", reason)

    def _bury(self, session: Session, *, batch: Batch, why: str, now: datetime) -> None:
        _tell(batch, bury(session, batch.notifications, why, self._channels, now, tried=False), why)

    def _silence_unread(self, id: int, error: Exception) -> None:
        if id not in self._unread:
            self._unread.add(id)
            self._aside(f"silence {id}", f"it holds nothing back: {told(error)}")

    def _remember(self, session: Session, now: datetime) -> None:
        """After a start: what went before it counts against the quotas, too."""
        if not self._remembered:
            for name, times in recently_sent(session, self._channels.channels, now).items():
                self._states[name].sent.extend(sorted(times))
            self._remembered = True

    def _context(
        self, session: Session, notifications: Sequence[PendingNotification], now: float, moment: datetime
    ) -> DispatchContext:
        levels = {level for rule in self._channels.inhibitions for level in rule.source}
        return DispatchContext(
            channels=self._channels,
            open=open_cases(session, levels) if notifications and levels else (),
            silences=silences(session, moment, self._silence_unread) if notifications else (),
            sent={name: state.sent for name, state in self._states.items()},
            busy={batch.key for batch in self._under_way().values()},
            slots=self._slots(now, {notification.channel for notification in notifications}),
        )

    def _room(self, now: float) -> dict[str, int]:
        """Channels that take something now, and the highest rank they take: red alone may use what is kept."""
        found: dict[str, int] = {}
        slots = self._slots(now, set(self._channels.channels))
        for name, channel in self._channels.channels.items():
            left = room(self._states[name].sent, channel.quota, channel.per, now)
            if slots[name] > 0 and left > 0:
                found[name] = len(LEVELS) if left > reserved(channel.quota) else rank(RED)
        return found

    def _too_late(self, session: Session, now: float) -> tuple[list[tuple[Batch, str]], dict[int, Exception]]:
        """What waits behind a channel that takes nothing, too long, and why; and what cannot be read."""
        found: list[tuple[Batch, str]] = []
        broken: dict[int, Exception] = {}
        for name, state in self._states.items():
            opens = state.circuit.blocked_until
            if (opens <= now and not state.circuit.broken) or now < state.looked + LOOK_AGAIN_SECONDS:
                continue
            state.looked = now
            until = max(now, opens) + FIRST_WAIT
            oldest = {level: datetime.fromtimestamp(until - age, UTC) for level, age in MOST_AGE.items()}
            busy = {
                notification.id for batch in state.under_way.values() for notification in batch.notifications
            }
            looked = too_late(session, self._regions, name, oldest)
            broken |= looked.broken
            notifications = tuple(
                notification
                for notification in looked.notifications
                if notification.id not in busy and other_channel(notification, self._channels.channels)
            )
            if notifications:
                found.append((Batch("", name, notifications), f"the channel takes nothing: {state.reason}"))
        return found, broken

    def _slots(self, now: float, names: set[str]) -> Mapping[str, int]:
        """Room by channel; one that is not declared has room for all, since nothing is sent there."""
        return {
            name: self._states[name].circuit.slots(now, CONCURRENCY) - len(self._states[name].under_way)
            if name in self._channels.channels
            else 1 << 30
            for name in names
        }

    def _nowhere(self, session: Session, *, batch: Batch, now: datetime) -> None:
        """The console shows it anyway; any other name must be declared."""
        result: Outcome = Delivered()
        if batch.channel != CONSOLE:
            result = Dead(f"no channel {batch.channel} is declared in channels.yaml")
        self._write(session, batch=batch, result=result, now=now)

    def _write(self, session: Session, *, batch: Batch, result: Outcome | Late, now: datetime) -> None:
        ways = record_outcome(session, batch, result, self._channels, now)
        _tell(batch, ways, "" if isinstance(result, Delivered) else result.reason)

    async def _collect_answers(self) -> None:
        """Write down in one transaction what became of the messages that were answered."""
        done = [
            (name, task, batch)
            for name, state in self._states.items()
            for task, batch in state.under_way.items()
            if task.done()
        ]
        if not done:
            return
        now = self._clock()
        for name, task, batch in done:
            if task not in self._answers:
                self._answers[task] = answer = self._answer(task, batch)
                self._learn(name, answer, now)
        results = [(batch, self._outcome(batch, self._answers[task], now)) for _, task, batch in done]
        await asyncio.to_thread(self._write_all, results, datetime.fromtimestamp(now, UTC))
        for name, task, _ in done:
            del self._states[name].under_way[task], self._answers[task]
        self._idle_until = 0.0

    def _write_all(self, results: list[tuple[Batch, Outcome | Late]], now: datetime) -> None:
        arrived = [batch for batch, result in results if isinstance(result, Delivered)]
        ids = [id for batch in arrived for id in _ids(batch)]
        steps: list[tuple[list[int], Step]] = [(ids, partial(_delivered, batches=arrived, now=now))]
        steps += [
            (_ids(batch), partial(self._write, batch=batch, result=result, now=now))
            for batch, result in results
            if not isinstance(result, Delivered)
        ]
        self._written(steps)

    def _answer(self, task: asyncio.Task[Answer], batch: Batch) -> Answer:
        """What a message came to; one that cannot even be sent is refused, and stops no other."""
        try:
            answer = task.result()
        except Exception as error:
            if fault_of(error) is Fault.peer:
                return Answer(None, reason=told(error))
            reason = self._doubt.blame(error)
            self._aside(f"message {batch.key} by {batch.channel}", reason)
            return Answer(400, "", f"it cannot be sent: {reason}", True)
        self._doubt.good()
        return answer

    def _outcome(self, batch: Batch, answer: Answer, now: float) -> Outcome | Late:
        """What the answer means for these notifications; nobody waits longer than its level allows."""
        attempts = max(notification.attempts for notification in batch.notifications) + 1
        found = outcome(answer, attempts, now, self._rng)
        if isinstance(found, Retry) and gone(batch.notifications, found.at):
            return Late(found.at, f"given up after {attempts} tries: {found.reason}")
        return found

    def _learn(self, name: str, answer: Answer, now: float) -> None:
        """Keep in mind whether somebody is there; one log line at each change."""
        state = self._states[name]
        before, state.circuit = state.circuit, state.circuit.after(answer, now, self._rng)
        state.reason = answer.reason
        if state.circuit.broken and not before.broken:
            log.warning("channel %s is away: %s", name, answer.reason)
        elif before.broken and not state.circuit.broken:
            log.warning("channel %s is back", name)


def _tell(batch: Batch, ways: Mapping[str | None, int], why: str) -> None:
    """One line in the log for what was not delivered."""
    for way, number in ways.items():
        said = (batch.channel, number, batch.notifications[0].key, why)
        if way is None:
            log.error("channel %s: %d dead without another way (%s): %s", *said)
        else:
            log.warning("channel %s: %d not delivered (%s): %s; by %s instead", *said, way)


def _ids(batch: Batch) -> list[int]:
    return [notification.id for notification in batch.notifications]


def _suppress(session: Session, *, part: Plan) -> None:
    suppress(session, part)


def _begin(session: Session, *, batch: Batch, now: datetime) -> None:
    begin(session, [batch], now)


def _delivered(session: Session, *, batches: Sequence[Batch], now: datetime) -> None:
    delivered(session, batches, now)
