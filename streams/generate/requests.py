"""Citizen requests of each county: received, dispatched, handled, rated, each an event at its own time.

Some 8 to 12 requests a county and day, most of them in office hours, fewer at weekends; 92 in 100 are handled
in time. At most 20 are received in an ordinary hour, so noise crosses neither the recovery threshold of 30
nor the blue one of 40. Stages that would fall after the span have not happened yet and are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from heapq import heappop, heappush
from random import Random

from streams.generate.anomalies import Override
from streams.generate.model import DAY, HOUR, County, Event, Kind, Places, Span
from streams.generate.noise import poisson

REQUESTS = Kind("governance.citizen-request", "governance.citizen-request.v1", ("region",))
CEILING = 20
WEEKEND = 0.65
IN_TIME = 0.92
CATEGORIES = ("housing", "environment", "traffic", "labour", "education", "health", "other")
CATEGORY_WEIGHTS = (22, 14, 20, 15, 8, 8, 13)
HOTLINE_LIMITS, PETITION_LIMITS = (24, 72, 120), (360, 720)
# Share of the day's requests by hour, 0 to 23 o'clock.
HOURLY = (1, 1, 1, 1, 1, 2, 4, 10, 24, 28, 27, 20, 12, 20, 25, 25, 22, 16, 10, 9, 8, 6, 4, 2)
SATURDAY = 5


def request_events(places: Places, span: Span, plans: Sequence[Override], rng: Random) -> Iterator[Event]:
    """All stages of all requests in order of time."""
    bursts = {(plan.subject, plan.first): [int(second or 0) for second in plan.values] for plan in plans}
    demand = [(county, rng.uniform(9.5, 14.0)) for county in places.counties]
    waiting: list[tuple[datetime, int, Event]] = []
    made = 0
    for days in range(span.days):
        midnight = span.start + days * DAY
        share = WEEKEND if midnight.weekday() >= SATURDAY else 1.0
        for county, mean in demand:
            for serial, received in enumerate(_receptions(county, midnight, mean * share, bursts, rng)):
                request = f"{span.tag}-{county.code}-{midnight:%Y%m%d}-{serial:04d}"
                for event in _stages(request, county, received, rng):
                    if event.time < span.end:
                        heappush(waiting, (event.time, made, event))
                        made += 1
        yield from _until(waiting, midnight + DAY)
    yield from _until(waiting, span.end)


def _until(waiting: list[tuple[datetime, int, Event]], moment: datetime) -> Iterator[Event]:
    """Take out, in order of time, what happens before the moment."""
    while waiting and waiting[0][0] < moment:
        yield heappop(waiting)[2]


def _receptions(
    county: County,
    midnight: datetime,
    mean: float,
    bursts: Mapping[tuple[str, datetime], list[int]],
    rng: Random,
) -> list[datetime]:
    """Times at which the county's requests of one day come in; the hour after a burst is never empty."""
    per_hour = [0] * 24
    for hour in rng.choices(range(24), weights=HOURLY, k=poisson(rng, mean)):
        per_hour[hour] = min(CEILING, per_hour[hour] + 1)
    found: list[int] = []
    for hour in range(24):
        burst = bursts.get((county.code, midnight + hour * HOUR))
        after_burst = (county.code, midnight + (hour - 1) * HOUR) in bursts
        seconds = burst or [rng.randrange(3600) for _ in range(max(per_hour[hour], int(after_burst)))]
        found += [3600 * hour + second for second in seconds]
    return [midnight + timedelta(seconds=second) for second in sorted(found)]


def _stages(request: str, county: County, received: datetime, rng: Random) -> Iterator[Event]:
    """The four stages of one request with their delays; four in five handled requests are rated."""
    petition = rng.random() < 0.12
    limit = rng.choice(PETITION_LIMITS if petition else HOTLINE_LIMITS)
    in_time = rng.random() < IN_TIME
    spent = rng.uniform(0.15, 0.95) if in_time else rng.uniform(1.05, 1.8)
    handled = received + timedelta(seconds=round(limit * 3600 * spent))
    dispatched = received + timedelta(seconds=round(rng.uniform(0.01, 0.12) * limit * 3600))
    rated = handled + timedelta(seconds=rng.randint(1800, 48 * 3600))
    common = {
        "request": request,
        "region": county.code,
        "channel": "petition" if petition else "hotline",
        "category": rng.choices(CATEGORIES, weights=CATEGORY_WEIGHTS)[0],
        "received_at": received.isoformat(),
        "limit_hours": limit,
    }
    rating = rng.choices((1, 2, 3, 4, 5), weights=(2, 4, 14, 40, 40) if in_time else (25, 30, 25, 15, 5))[0]
    happened = [("received", received), ("dispatched", dispatched), ("handled", handled)]
    if rng.random() < 0.8:
        happened.append(("rated", rated))
    source = f"/{county.city}/governance/12345"
    for stage, time in happened:
        extra = {"rating": rating} if stage == "rated" else {}
        yield Event(f"{request}.{stage}", source, time, {**common, "stage": stage, **extra})
