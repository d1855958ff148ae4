"""A whole generated world: three feeds over all places, with everything that was planted in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from streams.generate.air import AIR, air_events, stations
from streams.generate.anomalies import (
    Override,
    how_many,
    plan_bursts,
    plan_outages,
    plan_outbreaks,
    plan_spikes,
)
from streams.generate.arrival import lines
from streams.generate.dirt import AIR_DIRT, HEALTH_DIRT, REQUESTS_DIRT
from streams.generate.health import HEALTH, REPORT, health_events, subjects
from streams.generate.model import Anomaly, Line, Places, Span
from streams.generate.noise import child
from streams.generate.requests import REQUESTS, request_events


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


def make_world(places: Places, span: Span, rng: Random) -> World:
    """A world that is a function of places, span and the state of `rng` alone."""
    plan, air, health, requests = (child(rng) for _ in range(4))
    spikes, outages = _plan_air(places, span, plan)
    ill = plan.sample(subjects(places), min(how_many("outbreak", span), len(subjects(places))))
    outbreaks = plan_outbreaks(ill, span, REPORT, plan)
    counties = [county.code for county in places.counties]
    bursts = plan_bursts(plan.sample(counties, min(how_many("burst", span), len(counties))), span, plan)
    air_plans = [*spikes, *outages]
    per_station, per_city = 24 * span.days, len(subjects(places)) // max(1, len(places.cities))
    feeds = (
        Feed(
            AIR.feed,
            len(stations(places)) * per_station,
            lines(
                air_events(places, span, air_plans, air), AIR, AIR_DIRT, _spared(air_plans), span, child(air)
            ),
        ),
        Feed(
            HEALTH.feed,
            len(places.cities) * per_city * span.days,
            lines(
                health_events(places, span, outbreaks, health),
                HEALTH,
                HEALTH_DIRT,
                _spared(outbreaks),
                span,
                child(health),
            ),
        ),
        Feed(
            REQUESTS.feed,
            len(counties) * span.days * 38,
            lines(
                request_events(places, span, bursts, requests),
                REQUESTS,
                REQUESTS_DIRT,
                _spared(bursts),
                span,
                child(requests),
            ),
        ),
    )
    planned = [override.anomaly for override in (*air_plans, *outbreaks, *bursts)]
    return World(feeds, tuple(sorted(planned, key=lambda a: (a.opened_at, a.rule, a.subject))))


def _plan_air(places: Places, span: Span, rng: Random) -> tuple[list[Override], list[Override]]:
    """Spikes and outages, each at a station of its own."""
    codes = [code for code, _ in stations(places)]
    spikes, outages = how_many("spike", span), how_many("outage", span)
    chosen = rng.sample(codes, min(spikes + outages, len(codes)))
    return plan_spikes(chosen[:spikes], span, rng), plan_outages(chosen[spikes:], span, rng)


def _spared(plans: Sequence[Override]) -> frozenset[str]:
    return frozenset(plan.subject for plan in plans)
