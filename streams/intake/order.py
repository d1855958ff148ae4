"""The order of a replay and its clock: events by time, ticks in between, one last tick at the horizon. Pure.

A tick says that everything known up to its clock has been sent. In order of time its clock is the latest
event's; after a silence it stands one step before the next event, so that silence is told too. In the order
of the file events may come late, so ticks stay behind by the contract's lateness, as live ones do. Events
later than `now` do not move the clock: one wrong year must not make honest events late.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from schemas.event import encode_tick
from streams.intake.mapping import Outgoing

STEP = timedelta(hours=1)
TICKS_PER_STEP = 2_000
_BEGINNING = datetime.min.replace(tzinfo=UTC)


class Tick(NamedTuple):
    """A moment at which every partition gets a tick."""

    clock: datetime
    final: bool = False

    def encode(self, timeline: str, partition: int, epoch: int = 0) -> bytes:
        """Its bytes in one partition; the same replay always gives the same ids."""
        end = "/final" if self.final else ""
        id = f"{timeline}/{partition}/{self.clock.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}{end}"
        return encode_tick(id=id, clock=self.clock, timeline=timeline, final=self.final, epoch=epoch)


@dataclass(frozen=True)
class Clockwork:
    """How a replay's clock runs: ticks stay `behind`; without a `horizon` it ends `after` the last event."""

    now: datetime
    step: timedelta = STEP
    behind: timedelta = timedelta(0)
    horizon: datetime | None = None
    after: timedelta = timedelta(0)


def default_after(lateness: timedelta) -> timedelta:
    """How far past the last event a replay ends: the feed's lateness.

    What was due by then is settled; but the end of a file is not the silence of its stations, so no further.
    """
    return lateness


def by_time(events: Iterable[Outgoing]) -> list[Outgoing]:
    """Sort by the time events became known; equal ones, and bytes without a time, keep their place."""
    timed: list[tuple[datetime, Outgoing]] = []
    last = _BEGINNING
    for event in events:
        last = event.at or last
        timed.append((last, event))
    timed.sort(key=lambda pair: pair[0])
    return [event for _, event in timed]


def with_ticks(events: Iterable[Outgoing], clockwork: Clockwork) -> Iterator[Outgoing | Tick]:
    """Put ticks between the events, at most one a step (it doubles every 2,000 ticks), and the final one."""
    clock: datetime | None = None
    ticked: datetime | None = None
    step, count = clockwork.step, 0
    for event in events:
        at = event.at
        if at is not None and at <= clockwork.now and (clock is None or at > clock):
            ticked = ticked or at
            reached = max(clock, at - step) if clock else at
            if reached - ticked >= step:
                yield Tick(reached - clockwork.behind)
                ticked, count = reached, count + 1
                step = clockwork.step * 2 ** (count // TICKS_PER_STEP)
            clock = at
        yield event
    if clock is not None:
        yield Tick(max(clock, clockwork.horizon or clock + clockwork.after), final=True)
