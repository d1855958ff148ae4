"""Daily infectious-disease counts of each city, one event a city, day and disease, reported in the evening.

Ordinary counts are 130 at most, so noise cannot cross the recovery threshold of 150 nor the blue one of 200.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from random import Random

from streams.generate.anomalies import Override
from streams.generate.model import DAY, Event, Kind, Places, Span
from streams.generate.noise import poisson, season

HEALTH = Kind("health.infectious-disease", "health.infectious-disease.v1", ("region", "disease"))
REPORT = timedelta(hours=18)
CEILING = 130
# Ordinary new cases a day and million inhabitants: yearly mean, strength of the season, day of its peak.
DISEASES = {
    "influenza": (2.6, 0.8, 20),
    "hfmd": (2.4, 0.7, 160),
    "mumps": (0.15, 0.3, 150),
    "dengue": (0.03, 0.9, 250),
    "hepatitis": (0.35, 0.1, 90),
    "tuberculosis": (0.9, 0.1, 100),
    "other": (1.2, 0.2, 200),
}


def subjects(places: Places) -> list[str]:
    """Every `city|disease`."""
    return [f"{city.code}|{disease}" for city in places.cities for disease in DISEASES]


def health_events(places: Places, span: Span, plans: Sequence[Override], rng: Random) -> Iterator[Event]:
    """All daily counts in order of time; the day's reports of all cities carry the same time."""
    planned = {
        (plan.subject, plan.first + n * DAY): value for plan in plans for n, value in enumerate(plan.values)
    }
    for days in range(span.days):
        midnight = span.start + days * DAY
        day = midnight.date().isoformat()
        for city in places.cities:
            for disease, (mean, strength, peak_day) in DISEASES.items():
                wave = 1.0 + strength * season(midnight.timetuple().tm_yday, peak_day)
                usual = min(CEILING, poisson(rng, mean * wave * city.millions))
                cases = planned.get((f"{city.code}|{disease}", midnight), usual)
                yield Event(
                    f"{span.tag}.{city.code}.{disease}.{day}",
                    f"/{city.code}/health/cdc",
                    midnight + REPORT,
                    {"region": city.code, "disease": disease, "date": day, "cases": cases},
                )
