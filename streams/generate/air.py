"""Hourly PM2.5 of some three stations a county, with season, daily cycle, weather and AQI.

Ordinary values never reach 95 µg/m3 (they are bent below it), so noise of any seed crosses neither the
recovery threshold of 100 nor the blue one of 115. Every station reports each hour, outages aside.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from random import Random

from streams.generate.anomalies import Override
from streams.generate.model import HOUR, County, Event, Kind, Places, Span
from streams.generate.noise import saturate, season

AIR = Kind("ecology.air-quality", "ecology.air-quality.v1", ("station",))
STATIONS_PER_COUNTY = "ABC"
KNEE, CEILING, FLOOR = 70.0, 95.0, 2.0
# Part of the day's mean by hour, 0 to 23 o'clock: morning and evening traffic, well-mixed afternoon air.
DIURNAL = (
    1.04, 1.02, 1.00, 0.98, 0.97, 0.99, 1.05, 1.13, 1.18, 1.15, 1.06, 0.97,
    0.90, 0.85, 0.82, 0.82, 0.85, 0.92, 1.00, 1.06, 1.09, 1.09, 1.07, 1.05,
)  # fmt: skip
# Individual air quality index for PM2.5, HJ 633-2012 table 1: concentration in µg/m3 and index.
IAQI = ((0, 0), (35, 50), (75, 100), (115, 150), (150, 200), (250, 300), (350, 400), (500, 500))


def aqi(pm25: float) -> int:
    """Air quality index of a PM2.5 concentration (HJ 633-2012): linear between break points, rounded up."""
    for (low, index_low), (high, index_high) in pairwise(IAQI):
        if pm25 <= high:
            return math.ceil((index_high - index_low) / (high - low) * (pm25 - low) + index_low)
    return 500


def stations(places: Places) -> list[tuple[str, County]]:
    """Every station's code with its county: the county's code and a letter."""
    return [(county.code + letter, county) for county in places.counties for letter in STATIONS_PER_COUNTY]


def air_events(places: Places, span: Span, plans: Sequence[Override], rng: Random) -> Iterator[Event]:
    """All hourly readings in order of time; within an hour, in the order of the stations."""
    planned = {
        (plan.subject, plan.first + n * HOUR): value for plan in plans for n, value in enumerate(plan.values)
    }
    sites = stations(places)
    base = [rng.uniform(0.85, 1.15) for _ in sites]
    local = [rng.gauss(0.0, 0.25) for _ in sites]
    weather = {city.code: rng.gauss(0.0, 0.5) for city in places.cities}
    sources = {city.code: f"/{city.code}/ecology/air" for city in places.cities}
    for hours in range(span.days * 24):
        time = span.start + hours * HOUR
        weather = {code: 0.985 * value + rng.gauss(0.0, 0.07) for code, value in weather.items()}
        level = (34.0 + 16.0 * season(time.timetuple().tm_yday, 15)) * DIURNAL[time.hour]
        suffix = f".{time:%Y%m%d%H}"
        for n, (station, county) in enumerate(sites):
            local[n] = 0.9 * local[n] + rng.gauss(0.0, 0.1)
            usual = level * base[n] * math.exp(0.6 * weather[county.city] + 0.6 * local[n])
            pm25 = planned.get((station, time), round(max(FLOOR, saturate(usual, KNEE, CEILING - 0.1)), 1))
            if pm25 is not None:
                data = {
                    "station": station,
                    "region": county.code,
                    "averaging": "1h",
                    "pm25": pm25,
                    "aqi": aqi(pm25),
                }
                yield Event(f"{span.tag}.{station}{suffix}", sources[county.city], time, data)
