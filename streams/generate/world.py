"""A whole generated world: every feed whose contract says how, with everything that was planted in them.

The random numbers of a feed are its own, by seed and name: a new feed changes nothing in the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from random import Random

import msgspec

from schemas.contract_model import Contract
from schemas.simulate.model import REGULAR, Simulate
from streams.generate.clock import Clock
from streams.generate.dirt import Spoiler
from streams.generate.encode import Encoder
from streams.generate.events import Context, events, fill
from streams.generate.faults import faults_of
from streams.generate.lines import lines
from streams.generate.makers import Bench, Now
from streams.generate.model import Anomaly, Event, Line, Places, Span
from streams.generate.noise import stream
from streams.generate.planting import Plan, plant
from streams.generate.series import Series, all_series


@dataclass(frozen=True)
class Feed:
    """One feed: name, about how many lines it will have, the lines in order of arrival (to be read once)."""

    name: str
    expected_lines: int
    lines: Iterator[Line]


@dataclass(frozen=True)
class World:
    """The feeds and, in order of their opening, the anomalies planted in them."""

    feeds: tuple[Feed, ...]
    anomalies: tuple[Anomaly, ...]


def make_world(contracts: Iterable[Contract], places: Places, span: Span) -> World:
    """A world that is a function of these alone; contracts without a `simulate` block have no part in it."""
    made = [_feed(contract, contract.simulate, places, span) for contract in contracts if contract.simulate]
    anomalies = [anomaly for _, planted in made for anomaly in planted]
    return World(
        tuple(feed for feed, _ in made),
        tuple(sorted(anomalies, key=lambda each: (each.opened_at, each.rule, each.subject))),
    )


def _feed(contract: Contract, simulate: Simulate, places: Places, span: Span) -> tuple[Feed, list[Anomaly]]:
    def own(part: str) -> Random:
        return stream(span.seed, contract.family, part)

    clock, series = Clock(span), all_series(contract, simulate, places)
    plan = plant(simulate, series, clock, span.tag, own("anomalies"))
    made = events(simulate, series, plan, clock, span.tag, own("events"))
    encode = Encoder(contract, clock)
    found = lines(
        made,
        encode,
        simulate.dirt,
        faults_of(contract),
        _supplement(simulate, series, plan, clock, span.tag, own("supplement")),
        plan.spared,
        Spoiler(contract.feed, encode, clock, own("faults")),
        contract.lateness.total_seconds(),
        own("dirt"),
    )
    return Feed(contract.feed, _expected(simulate, series, clock), found), plan.anomalies


def _supplement(
    simulate: Simulate, series: tuple[Series, ...], plan: Plan, clock: Clock, tag: str, rng: Random
) -> Callable[[Event], Event]:
    """What a late line says: its event under another id, with what the block says of late lines."""
    now = Now()
    context = Context(
        simulate, series, Plan(), clock, tag, rng, now, Bench(now, clock, rng, series, tag, keeps=False)
    )
    fields = context.fields(simulate.dirt.supplement)

    def late(event: Event) -> Event:
        now.series, now.at, now.first = event.series, event.at, event.at
        return msgspec.structs.replace(event, id=f"{event.id}~late", data=fill(dict(event.data), fields))

    return late


def _expected(simulate: Simulate, series: tuple[Series, ...], clock: Clock) -> int:
    """About how many lines there will be, for a progress bar."""
    days = len(clock.dates)
    if simulate.shape in REGULAR:
        return len(series) * len(clock.steps(simulate.every, simulate.at))
    if simulate.rate is None:
        return round(len(series) * (1 + clock.end / simulate.every))
    weights = sum(each.weight for each in series)
    return round(weights * simulate.rate.mean * days * max(1, len(simulate.stages)))
