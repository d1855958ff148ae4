"""File replay: the files of one timeline become one ordered stream, sent at a chosen speed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from schemas.contract import Contract
from schemas.contract_model import SKEW
from streams.intake.bulk import BulkProducer
from streams.intake.files import Source, mapped
from streams.intake.mapping import Decided, Outgoing, Skipped, Unreadable
from streams.intake.order import Tick
from streams.intake.retry_policy import Clock

SHOWN = 10
AHEAD_SECONDS = 0.05
TOLD_EVERY = 500


@dataclass
class Tally:
    """What became of the rows of a replay; it grows as the replay runs.

    `events` counts corrections too; `ahead` those that landing rejects, as they have not occurred yet.
    `decided` counts what falls of cumulative columns were taken for.
    """

    rows: Counter[str] = field(default_factory=Counter)
    events: int = 0
    corrections: int = 0
    ahead: int = 0
    ticks: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    unreadable: int = 0
    first_unreadable: list[tuple[str, Unreadable]] = field(default_factory=list)
    decided: Counter[str] = field(default_factory=Counter)
    first_decided: list[tuple[str, Decided]] = field(default_factory=list)
    horizon: datetime | None = None


@dataclass(frozen=True)
class Pace:
    """How fast a replay goes: `speed` seconds of data a second, 0 as fast as possible.

    Events later than `now` are not waited for.
    """

    clock: Clock
    now: datetime
    speed: float = 0.0
    skew: timedelta = SKEW

    def ahead(self, message: Outgoing) -> bool:
        """Whether an event has not occurred yet, and is going to be rejected."""
        return message.at is not None and message.at > self.now + self.skew


def read_events(contract: Contract, sources: Iterable[Source], tally: Tally) -> Iterator[Outgoing]:
    """Events of the files, as they stand; rows that give none are counted in the tally."""
    for source in sources:
        for item in mapped(contract, source, tally.rows):
            if isinstance(item, Outgoing):
                yield item
            elif isinstance(item, Skipped):
                tally.skipped[item.reason] += 1
            elif isinstance(item, Decided):
                tally.decided[item.what] += 1
                if len(tally.first_decided) < SHOWN:
                    tally.first_decided.append((source.path.name, item))
            else:
                tally.unreadable += 1
                if len(tally.first_unreadable) < SHOWN:
                    tally.first_unreadable.append((source.path.name, item))


async def send(
    messages: Iterable[Outgoing | Tick],
    timeline: str,
    producer: BulkProducer,
    pace: Pace,
    tally: Tally,
    sent: Callable[[int], None],
    epoch: int = 0,
) -> None:
    """Send a replay; returns when all of it is acknowledged. `sent` is told of every few hundred events.

    All its ticks carry the rule epoch `epoch`, so that one set of rules judges all of it.
    """
    waiting = _Waiting(pace)
    for message in messages:
        if (seconds := waiting.before(message)) > AHEAD_SECONDS:
            await producer.flush()
            await pace.clock.sleep(seconds)
        if isinstance(message, Tick):
            await _put_tick(message, timeline, producer, tally, epoch)
        else:
            await producer.put(message.key, message.raw)
            tally.events += 1
            tally.corrections += message.correction
            tally.ahead += pace.ahead(message)
            if tally.events % TOLD_EVERY == 0:
                sent(TOLD_EVERY)
    await producer.flush()
    sent(tally.events % TOLD_EVERY)


async def _put_tick(tick: Tick, timeline: str, producer: BulkProducer, tally: Tally, epoch: int) -> None:
    for partition in range(producer.partitions):
        await producer.put(None, tick.encode(timeline, partition, epoch), partition)
    tally.ticks += producer.partitions
    if tick.final:
        tally.horizon = tick.clock


class _Waiting:
    """How long each message has to wait for its moment."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._first: datetime | None = None
        self._begun = 0.0

    def before(self, message: Outgoing | Tick) -> float:
        """Seconds to wait before this message; ticks go with the event they stand before."""
        if (
            not self._pace.speed
            or isinstance(message, Tick)
            or message.at is None
            or message.at > self._pace.now
        ):
            return 0.0
        if self._first is None:
            self._first, self._begun = message.at, self._pace.clock.monotonic()
        due = self._begun + (message.at - self._first).total_seconds() / self._pace.speed
        return due - self._pace.clock.monotonic()
