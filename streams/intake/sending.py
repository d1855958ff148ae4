"""One `send`: new files are replayed timeline by timeline, and recorded when all is acknowledged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from schemas.contract import Contract
from schemas.errors import Misdeclared
from schemas.fields import SHANGHAI
from schemas.upgrade import Upgrader
from streams.intake.bulk import BulkProducer
from streams.intake.files import Source, inspect
from streams.intake.mapping import Outgoing
from streams.intake.order import STEP, Clockwork, by_time, default_after, with_ticks
from streams.intake.replay import TOLD_EVERY, Pace, Tally, read_events, send
from streams.intake.replays import Begun, Done, Replays, read_replays, record_beginning, record_replays
from streams.intake.retry_policy import RetryPolicy
from streams.intake.upgrading import outgoing
from streams.watch.publish.rule_topic import read_history


@dataclass(frozen=True)
class Request:
    """What a person asks to be sent. `speed` 0 is as fast as possible; `now` is when he asks.

    `live`: its warnings open cases and officers are told, as if it happened now. `upgrades` make events of an
    older major version those of newer ones, which get them as well.
    """

    contract: Contract
    paths: tuple[Path, ...]
    now: datetime
    timeline: str = ""
    speed: float = 0.0
    in_file_order: bool = False
    again: bool = False
    horizon: datetime | None = None
    step: timedelta = STEP
    live: bool = False
    upgrades: tuple[Upgrader, ...] = ()


class Watcher(Protocol):
    """Who is told how a sending goes."""

    def say(self, text: str) -> None:
        """Take one line of news."""

    def begin(self, timeline: str, total: int | None) -> Callable[[int], None]:
        """Take the start of a replay (`total` events where known); the result takes each number sent."""


@dataclass(frozen=True)
class Outcome:
    """One replayed timeline, how it went and how many seconds the sending took."""

    timeline: str
    tally: Tally
    seconds: float


async def carry_out(request: Request, bootstrap: str, retry: RetryPolicy, watcher: Watcher) -> list[Outcome]:
    """Send the files that have not been sent, one replay a timeline.

    Raises Misdeclared (before anything is sent) for a file that cannot be read or that no mapping knows, for a
    timeline that was played without being live and shall be live now, and for a major version that is no longer
    taken; Unavailable where the broker stays away. A sending cut short is simply done again: ids are the same.
    """
    sunset = request.contract.sunset
    if sunset is not None and sunset.over(request.now):
        told = (
            f"{request.contract.event_type} was taken until {sunset.last_day}; send {request.contract.family}"
        )
        raise Misdeclared("send", "FEED", told)
    found = [inspect(request.contract, path, request.timeline) for path in request.paths]
    sources = {source.identity(request.contract.family): source for source in found}
    known = await read_replays(bootstrap, retry)
    done = known.done
    groups: defaultdict[str, list[Source]] = defaultdict(list)
    for identity, source in sources.items():
        if identity in done and not request.again:
            day = f"{done[identity].sent_at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"
            watcher.say(f"{source.path.name}: already sent on {day}, nothing sent (--again sends it anew)")
        else:
            groups[source.timeline].append(source)
    outcomes = []
    for timeline in groups:
        _demand_one_kind(timeline, known, request)
    for timeline, group in groups.items():
        _tell_closed(timeline, done.values(), request, watcher)
        if await _begin(timeline, known, request, bootstrap, retry):
            watcher.say(f"timeline {timeline} is live: its warnings open cases and officers are told")
        outcomes.append(await _replay(request, timeline, group, bootstrap, retry, watcher))
        for last in range(1, len(request.upgrades) + 1):
            newer = replace(
                request, contract=request.upgrades[last - 1].new, upgrades=request.upgrades[:last]
            )
            tally = (await _replay(newer, timeline, group, bootstrap, retry, watcher, request.contract)).tally
            watcher.say(
                f"timeline {timeline}: {tally.events:,} of them sent as {newer.contract.event_type} too"
            )
        await record_replays(bootstrap, retry, _records(request, group, outcomes[-1].tally))
    return outcomes


def _demand_one_kind(timeline: str, known: Replays, request: Request) -> None:
    """Misdeclared where a timeline was begun without being live: what it warned of then cannot be told apart."""
    if request.live and known.live(timeline) is False:
        raise Misdeclared(
            "send",
            "--live",
            f"timeline {timeline!r} was played before, not live; name another one with --timeline",
        )


async def _begin(timeline: str, known: Replays, request: Request, bootstrap: str, retry: RetryPolicy) -> bool:
    """Record the beginning of a timeline before its first event; whether it is live."""
    live = known.live(timeline)
    if live is None:
        live = request.live
        await record_beginning(bootstrap, retry, Begun(timeline, live, request.now))
    return live


async def _replay(
    request: Request,
    timeline: str,
    group: Sequence[Source],
    bootstrap: str,
    retry: RetryPolicy,
    watcher: Watcher,
    written: Contract | None = None,
) -> Outcome:
    """Play the files; those `written` as an older major version are upgraded to that of the request."""
    tally = Tally()
    events: Iterable[Outgoing] = read_events(written or request.contract, group, tally)
    if written:
        events = filter(None, (outgoing(event, request.upgrades) for event in events))
    if not request.in_file_order:
        events = by_time(_told(events, watcher.begin(f"{timeline}: reading", None)))
    sent = watcher.begin(timeline, len(events) if isinstance(events, list) else None)
    pace = Pace(retry.clock, request.now, request.speed, request.contract.skew)
    epoch = (await read_history(bootstrap)).epoch
    async with BulkProducer(bootstrap, request.contract.topic, retry) as producer:
        begun = retry.clock.monotonic()
        await send(with_ticks(events, _clockwork(request)), timeline, producer, pace, tally, sent, epoch)
        return Outcome(timeline, tally, retry.clock.monotonic() - begun)


def _told(events: Iterable[Outgoing], tell: Callable[[int], None]) -> Iterator[Outgoing]:
    count = 0
    for count, event in enumerate(events, 1):
        if count % TOLD_EVERY == 0:
            tell(TOLD_EVERY)
        yield event
    tell(count % TOLD_EVERY)


def _clockwork(request: Request) -> Clockwork:
    lateness = request.contract.lateness
    return Clockwork(
        now=request.now,
        step=request.step,
        behind=lateness if request.in_file_order else timedelta(0),
        horizon=request.horizon,
        after=default_after(lateness),
    )


def _tell_closed(timeline: str, done: Iterable[Done], request: Request, watcher: Watcher) -> None:
    ends = [one.horizon for one in done if one.timeline == timeline and one.feed == request.contract.family]
    if closed := max((end for end in ends if end), default=None):
        closed = closed.astimezone(SHANGHAI)
        watcher.say(f"timeline {timeline} was played up to {closed:%Y-%m-%d %H:%M}: earlier events are late")


def _records(request: Request, group: Iterable[Source], tally: Tally) -> list[tuple[str, Done]]:
    feed = request.contract.family
    return [
        (
            source.identity(feed),
            Done(
                feed,
                source.timeline,
                source.path.name,
                tally.rows[source.path.name],
                request.now,
                tally.horizon,
            ),
        )
        for source in group
    ]
