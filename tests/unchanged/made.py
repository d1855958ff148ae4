"""A fortnight of all feeds, made by arithmetic alone: the same events for the same seed, on any version.

Nothing is drawn from the generator or from a random source: a number is a hash of the seed and of its purpose.
There are silences, outbreaks, bursts, a replay beside the live events: whatever wakes each rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from typing import Any

from schemas.event import encode_event

SEED = 2026
SHANGHAI = timezone(timedelta(hours=8))
START = datetime(2026, 3, 1, tzinfo=SHANGHAI)
DAYS, HOURLY_FROM = 14, 9
"""Days there are; the hourly readings and the requests begin after so many."""
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
AIR, CASES, REQUESTS = "ecology.air-quality", "health.infectious-disease", "governance.citizen-request"
DISPOSITIONS, WARNINGS = "duty.disposition", "duty.warning"
TOPICS = {AIR: AIR, CASES: CASES, REQUESTS: REQUESTS, DISPOSITIONS: "dispositions"}
CITIES = tuple(f"33{number:02}00" for number in range(1, 12))
COUNTIES = (
    "330106",
    "330110",
    "330203",
    "330206",
    "330302",
    "330482",
    "330604",
    "330702",
    "330802",
    "331002",
)
CHANNELS = ("hotline", "hotline", "petition")
CATEGORIES = ("housing", "environment", "traffic", "labour", "education", "health", "other")
REPLAY, REPLAY_START = "winter", datetime(2025, 1, 6, tzinfo=SHANGHAI)


@dataclass(frozen=True)
class Event:
    """One event and when it arrives; `value` are its bytes where they are not those of an event."""

    feed: str
    time: datetime
    arrived: datetime
    subject: str
    id: str
    data: Mapping[str, Any]
    corrects: str = ""
    timeline: str = ""
    value: bytes | None = None
    broken: bool = False

    @property
    def raw(self) -> bytes | None:
        """Its bytes."""
        if self.broken:
            return self.value
        return encode_event(
            id=self.id, source=f"/unchanged/{self.feed.partition('.')[0]}", type=f"{self.feed}.v1", time=self.time,
            data=self.data, corrects=self.corrects, timeline=self.timeline,
        )  # fmt: skip


def part(*of: object) -> float:
    """A number from 0 up to 1 that follows from the seed and from what it is for."""
    digest = sha256("|".join(map(str, (SEED, *of))).encode()).digest()
    return int.from_bytes(digest[:6]) / 2**48


def between(low: float, high: float, *of: object) -> int:
    """A whole number from `low` up to `high`."""
    return int(low + (high - low) * part(*of))


def minutes(low: float, high: float, *of: object) -> timedelta:
    """A time from `low` up to `high` minutes."""
    return timedelta(seconds=between(60 * low, 60 * high, *of, "minutes"))


def air() -> Iterator[Event]:
    """Hourly readings of two stations a county with high hours and silences; daily means of the cities."""
    for county in COUNTIES:
        for letter in "AB":
            station, last = f"{county}{letter}", 30.0
            silent = between(0, 100, station, "silent from"), between(5, 32, station, "silent for")
            for hour in range((DAYS - HOURLY_FROM) * 24):
                at = START + HOURLY_FROM * DAY + hour * HOUR
                last = 0.8 * last + 0.2 * (10 + 60 * part(station, hour, "air"))
                value = last + 330 * part(station, hour // 7, "how high") * (
                    part(station, hour // 7, "high") < 0.12
                )
                if letter == "A" and silent[0] <= hour < silent[0] + silent[1]:
                    continue
                data = {"station": station, "region": county, "averaging": "1h", "pm25": round(value, 1)}
                if part(station, hour, "aqi") < 0.6:
                    data["aqi"] = min(500, int(value * 1.3))
                yield Event(AIR, at, at + minutes(1, 9, station, hour), station, f"{station}-{hour}", data)
    for city in CITIES:
        for day in range(DAYS):
            if city == "330400" and 3 <= day < 8:
                continue
            at = START + (day + 1) * DAY - timedelta(seconds=1)
            value = (
                30
                + 50 * part(city, day, "mean")
                + 230 * part(city, day, "how foul") * (part(city, day, "foul") < 0.2)
            )
            data = {"station": city, "region": city, "averaging": "24h", "pm25": round(value, 1)}
            yield Event(AIR, at, at + minutes(5, 300, city, day), city, f"{city}-d{day}", data)


def cases() -> Iterator[Event]:
    """Daily reports of the cities, of three diseases, with outbreaks; some of a day are reported twice."""
    usual = {"influenza": 40, "covid-19": 0, "hfmd": 8}
    for city in CITIES:
        for disease, mean in usual.items():
            for day in range(DAYS):
                if part(city, disease, day, "none") < 0.05:
                    continue
                at = START + day * DAY + 20 * HOUR
                many = part(city, disease, day // 2, "outbreak") < 0.1
                count = int(
                    mean * (0.6 + 0.8 * part(city, disease, day))
                    + many * (3 + mean * 35 * part(city, day // 2))
                )
                data = {
                    "region": city,
                    "disease": disease,
                    "date": f"{START + day * DAY:%Y-%m-%d}",
                    "cases": count,
                }
                name = f"{city}-{disease}-{day}"
                yield Event(CASES, at, at + minutes(1, 240, name), city, name, data)
                if part(name, "again") < 0.06:
                    later, fewer = at + 2 * HOUR, data | {"cases": count // 3}
                    yield Event(
                        CASES, later, later + minutes(1, 90, name, "again"), city, f"{name}-again", fewer
                    )


def requests() -> Iterator[Event]:
    """Requests of every county through their stages; bursts of one city, unhappy citizens of one county."""
    for county in COUNTIES:
        for day in range(HOURLY_FROM, DAYS):
            for number in range(between(9, 18, county, day, "requests")):
                yield from _request(
                    county,
                    f"{county}-{day}-{number}",
                    START + day * DAY + minutes(420, 1200, county, day, number),
                )
    for number, (county, day, hour) in enumerate(
        (("330106", 10, 9), ("330110", 10, 9), ("330203", 12, 14), ("330106", 13, 10))
    ):
        for each in range(45 + 30 * number):
            at = START + day * DAY + hour * HOUR + each * timedelta(seconds=25)
            yield from _request(county, f"{county}-{day}-burst-{each}", at)


def _request(county: str, name: str, at: datetime) -> Iterator[Event]:
    limit = (24, 24, 72, 120)[between(0, 4, name, "limit")]
    data = {
        "request": name, "region": county, "channel": CHANNELS[between(0, 3, name, "channel")],
        "category": CATEGORIES[between(0, 7, name)],
        "received_at": at.isoformat(), "limit_hours": limit,
    }  # fmt: skip
    handled = at + limit * (0.2 + 0.95 * part(name, "handled")) * HOUR
    times = {"received": at, "dispatched": at + minutes(2, 180, name, "dispatched"), "handled": handled}
    if part(name, "rated") < 0.7:
        times["rated"] = handled + minutes(20, 900, name, "rated after")
    for stage, reached in times.items():
        if reached >= START + DAYS * DAY or (stage == "dispatched" and part(name, "forgotten") < 0.05):
            continue
        more = {
            "rating": 1 if county == "330203" and part(name, "bad") < 0.6 else between(2, 6, name, "stars")
        }
        yield Event(
            REQUESTS, reached.replace(microsecond=0), reached + minutes(0, 5, name, stage), county,
            f"{name}-{stage}", data | {"stage": stage} | (more if stage == "rated" else {}),
        )  # fmt: skip


def dispositions() -> Iterator[Event]:
    """Cases of warnings: opened, taken, closed in time or not, opened again; drills, follow-ups, replays."""
    for number in range(160):
        name = f"case-{number:03}"
        opened = START + minutes(0, (DAYS - 1) * 1440, name, "opened")
        data = _case(name, number, opened)
        steps = [("opened", {}, 0.0)]
        if part(name, "taken") < 0.9:
            steps.append(("acknowledged", {"state": "acknowledged"}, 0.1 * part(name, "wait")))
            steps.append(("confirmed", {"state": "confirmed", "verdict": _verdict(name)}, 0.7))
            steps.append(("closed", {"state": "closed"}, 0.75 + 0.5 * part(name, "closed")))
        if part(name, "again") < 0.1:
            steps.append(
                (
                    "reopened",
                    {"state": "new", "verdict": None, "confirmed": None, "closed": None, "reopened": 1},
                    1.4,
                )
            )
        for ordinal, (change, more, share) in enumerate(steps):
            at = opened + share * 12 * HOUR
            at = at.replace(microsecond=0)
            data = data | {"ordinal": ordinal, "change": change} | more
            if change in ("acknowledged", "confirmed", "closed"):
                data = data | {change: at.isoformat()}
            yield Event(DISPOSITIONS, at, at + minutes(0, 2, name, change), name, f"{name}-{ordinal}", data)


def _case(name: str, number: int, opened: datetime) -> dict[str, Any]:
    level = ("red", "orange", "yellow", "blue")[between(0, 4, name, "level")]
    region = (*COUNTIES, *CITIES, "330000", None)[between(0, 23, name, "region")]
    return {
        "case_id": name, "state": "new", "previous": "new", "level": level, "peak": level,
        "kind": "follow_up" if number % 17 == 5 else "warning", "rule": f"ecology.rule-{number % 4}",
        "subject": f"S{number % 23}", "region": region, "duty_role": "ecology-duty", "reopened": 0,
        "replay": REPLAY if number % 29 == 7 else None,
        "occurred": opened.isoformat(), "opened": opened.isoformat(),
        "acknowledge_by": (opened + HOUR).isoformat(), "close_by": (opened + 12 * HOUR).isoformat(),
    }  # fmt: skip


def _verdict(name: str) -> str:
    return ("true", "true", "true", "false", "drill", "duplicate")[between(0, 6, name, "verdict")]


def replayed() -> Iterator[Event]:
    """Days of another winter, read again as a timeline of its own while the live events go on."""
    for city in CITIES[:4]:
        for day in range(6):
            at = REPLAY_START + (day + 1) * DAY - timedelta(seconds=1)
            data = {
                "station": city,
                "region": city,
                "averaging": "24h",
                "pm25": 40.0 + between(0, 180, city, day, "winter"),
            }
            arrived = START + 11 * DAY + day * 10 * MINUTE + MINUTE
            yield Event(AIR, at, arrived, city, f"{city}-w{day}", data, timeline=REPLAY)
            data = {
                "region": city,
                "disease": "influenza",
                "date": f"{at:%Y-%m-%d}",
                "cases": between(20, 500, city, day, "ill"),
            }
            yield Event(CASES, at, arrived, city, f"{city}-i{day}", data, timeline=REPLAY)
