"""Planted anomalies: which subject deviates when, and the episode it must become.

What a right rule does, as this package's own numbers:

| rule | opens | levels blue/yellow/orange/red | recovers | ordinary values stay |
|---|---|---|---|---|
| ecology.pm25-high | first value >= blue | 115 / 150 / 250 / 350 | first value < 100 | < 95 |
| health.daily-cases | first count >= blue | 200 / 400 / 800 / 1600 | first count < 150 | <= 130 |
| governance.request-surge | 40th of an hour | 40 / 60 / 90 / 130 | end of a later hour < 30 | <= 20 |
| ecology.station-silent | 6 h after the last report | yellow 6 h, orange 24 h | next report | every hour |

Peaks stay clear of the thresholds of their level, and gaps clear of 24 h. One subject has at
most one anomaly of a rule; all lie within the span without its first and last two days.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from streams.generate.model import DAY, HOUR, Anomaly, Span

LEVELS = ("blue", "yellow", "orange", "red")
QUIET_DAYS = 2
PER_30_DAYS = {"spike": 24, "outage": 8, "outbreak": 8, "burst": 12}

PM25_RULE, PM25_BLUE, PM25_RECOVERY = "ecology.pm25-high", 115.0, 100.0
PM25_PEAKS = {"blue": (122, 142), "yellow": (160, 235), "orange": (262, 335), "red": (365, 480)}
PM25_STEPS = (130.0, 200.0, 300.0)
CASES_RULE, CASES_BLUE, CASES_RECOVERY = "health.daily-cases", 200, 150
CASES_PEAKS = {"blue": (220, 380), "yellow": (430, 760), "orange": (850, 1500), "red": (1700, 4000)}
SURGE_RULE, SURGE_BLUE = "governance.request-surge", 40
SURGE_PEAKS = {"blue": (44, 56), "yellow": (65, 85), "orange": (96, 122), "red": (138, 180)}
SILENT_RULE, SILENT_YELLOW, SILENT_ORANGE = "ecology.station-silent", 6 * HOUR, 24 * HOUR
SHORT_OUTAGE, LONG_OUTAGE = (8, 20), (25, 30)


@dataclass(frozen=True)
class Override:
    """Values in place of a subject's ordinary ones, one an hour or day from `first` on; None: no report.

    A burst of requests has the seconds after `first` at which they come in instead.
    """

    subject: str
    first: datetime
    values: tuple[float | None, ...]
    anomaly: Anomaly


def how_many(kind: str, span: Span) -> int:
    """Number of anomalies of a kind: in proportion to the days that may hold them, at least one if any."""
    usable = span.days - 2 * QUIET_DAYS
    return 0 if usable < 1 else max(1, round(PER_30_DAYS[kind] * usable / (30 - 2 * QUIET_DAYS)))


def hours_within(span: Span, length: int) -> int:
    """Number of hours at which an anomaly of `length` hours may begin; 0 if it does not fit."""
    return max(0, (span.days - 2 * QUIET_DAYS) * 24 - length)


def usable_start(span: Span) -> datetime:
    """The first moment at which anything may be planted."""
    return span.start + QUIET_DAYS * DAY


def plan_spikes(stations: Sequence[str], span: Span, rng: Random) -> list[Override]:
    """PM2.5 spikes of a few hours at one station each: straight to the peak or in steps, then back."""
    plans = []
    for n, station in enumerate(stations):
        level = LEVELS[n % 4]
        values = _spike(level, rng)
        room = hours_within(span, len(values) + 1)
        if room:
            first = usable_start(span) + rng.randrange(room) * HOUR
            plans.append(Override(station, first, values, _episode(station, level, first, values)))
    return plans


def _spike(level: str, rng: Random) -> tuple[float, ...]:
    """Rising, then flat, then falling, so that one spike is one episode."""
    peak = float(rng.randint(*PM25_PEAKS[level]))
    steps = [step for step in PM25_STEPS if step < peak - 10]
    rise = steps if rng.random() < 0.5 else []
    fall = [step for step in reversed(steps) if rng.random() < 0.5]
    lull = [round(rng.uniform(102.0, 112.0), 1)] if rng.random() < 0.5 else []
    plateau = [round(peak - rng.uniform(0.0, 4.0), 1) for _ in range(rng.randrange(4))]
    return (*rise, peak, *plateau, *fall, *lull)


def _episode(station: str, level: str, first: datetime, values: Sequence[float]) -> Anomaly:
    """Every planted value is above recovery, so the ordinary one after them ends the episode."""
    over = next(n for n, value in enumerate(values) if value >= PM25_BLUE)
    back = len(values)
    return Anomaly(PM25_RULE, station, level, first + over * HOUR, first + back * HOUR, first, max(values))


def plan_outages(stations: Sequence[str], span: Span, rng: Random) -> list[Override]:
    """Stations that stay silent for 8 to 30 hours and then report again; every other one passes 24 hours."""
    plans = []
    for n, station in enumerate(stations):
        missing = rng.randint(*(LONG_OUTAGE if n % 2 else SHORT_OUTAGE))
        room = hours_within(span, missing + 1)
        if not room:
            continue
        first = usable_start(span) + (rng.randrange(room) + 1) * HOUR
        last_report, back = first - HOUR, first + missing * HOUR
        level = "orange" if back - last_report >= SILENT_ORANGE else "yellow"
        anomaly = Anomaly(SILENT_RULE, station, level, last_report + SILENT_YELLOW, back, first)
        plans.append(Override(station, first, (None,) * missing, anomaly))
    return plans


def plan_outbreaks(subjects: Sequence[str], span: Span, report: timedelta, rng: Random) -> list[Override]:
    """Outbreaks of one to four days in `city|disease`; `report` is the time of day of the city's report."""
    plans = []
    for n, subject in enumerate(subjects):
        level = LEVELS[n % 4]
        days = rng.randint(1, 4)
        room = span.days - 2 * QUIET_DAYS - days
        if room < 1:
            continue
        first = usable_start(span) + rng.randrange(room) * DAY
        values = _outbreak(level, days, rng)
        opened, back = first + report, first + days * DAY + report
        plans.append(
            Override(
                subject, first, values, Anomaly(CASES_RULE, subject, level, opened, back, opened, max(values))
            )
        )
    return plans


def _outbreak(level: str, days: int, rng: Random) -> tuple[float, ...]:
    """Counts that rise to the peak and fall again, never below 160: one outbreak is one episode."""
    peak = rng.randint(*CASES_PEAKS[level])
    top = rng.randrange(days)
    rise = sorted(rng.randint(205, peak) for _ in range(top))
    fall = sorted((rng.randint(160, peak) for _ in range(days - top - 1)), reverse=True)
    return (*rise, peak, *fall)


def plan_bursts(counties: Sequence[str], span: Span, rng: Random) -> list[Override]:
    """Bursts of citizen requests within one clock hour of one county, between 9 and 15 o'clock."""
    plans = []
    for n, county in enumerate(counties):
        level = LEVELS[n % 4]
        days = span.days - 2 * QUIET_DAYS
        if days < 1:
            continue
        first = usable_start(span) + rng.randrange(days) * DAY + rng.randint(9, 15) * HOUR
        count = rng.randint(*SURGE_PEAKS[level])
        seconds = sorted(rng.randrange(3600) for _ in range(count))
        opened = first + timedelta(seconds=seconds[SURGE_BLUE - 1])
        anomaly = Anomaly(SURGE_RULE, county, level, opened, first + 2 * HOUR, first, count)
        plans.append(Override(county, first, tuple(seconds), anomaly))
    return plans
