"""A log of landed events written directly, and short ways to build, judge and publish it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from dagster_project.build.feed import Built, build_feed
from dagster_project.build.indicator import Indicator, load_indicators
from dagster_project.build.indicator_build import build_indicator
from dagster_project.days.attempt import Attempt, begin
from dagster_project.days.spans import Span
from dagster_project.gate.judge import judge_feed, judge_indicator
from dagster_project.release.publish import Published, publish
from dagster_project.warehouse import Warehouse
from quality.gate import Judged
from schemas.contract import Contract, load_contracts
from schemas.settings import Settings
from schemas.tables import landing_columns

CONTRACTS = load_contracts()
AIR = CONTRACTS["ecology.air-quality"]
HEALTH = CONTRACTS["health.infectious-disease"]
REQUESTS = CONTRACTS["governance.citizen-request"]
INDICATORS = load_indicators([contract.table for contract in CONTRACTS.values()])
READING = {"station": "1233A", "region": "330110", "averaging": "24h", "pm25": 30.0, "aqi": None}
CASES = {"region": "330100", "disease": "influenza", "date": date(2024, 3, 1), "cases": 1}
LOCAL = timedelta(hours=8)


@dataclass(frozen=True)
class Event:
    """One landed event of a feed; what is not given is as good as any."""

    id: str
    day: date
    data: Mapping[str, Any] = field(default_factory=dict)
    corrects: str = ""
    source: str = "/test"
    partition: int = 0
    timeline: str = ""


@dataclass
class House:
    """Writes events to the log of a feed as `land` would, and runs the steps of a build."""

    settings: Settings
    warehouse: Warehouse
    now: datetime
    day: date
    ends: dict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))

    def land(self, *events: Event, contract: Contract = AIR, base: Mapping[str, Any] = READING) -> None:
        """Append events to their partitions, rows first, then the ledger."""
        columns = [name for name, _ in landing_columns(contract)]
        rows = []
        counts: dict[int, int] = defaultdict(int)
        for event in events:
            offset = self.ends[contract.topic, event.partition] + counts[event.partition]
            counts[event.partition] += 1
            self.now += timedelta(milliseconds=1)
            row = {
                "event_day": event.day,
                "log_epoch": 0,
                "partition": event.partition,
                "offset": offset,
                "arrived": self.now,
                "timeline": event.timeline,
                "late": 0,
                "source": event.source,
                "id": event.id,
                "time": noon(event.day),
                "corrects": event.corrects,
                "raw": "{}",
                **base,
                **event.data,
            }
            rows.append([row[name] for name in columns])
        self.warehouse.insert(f"landing.{contract.table}", columns, rows)
        self._list(contract, rows, columns)
        for partition, count in counts.items():
            self.enter(contract, partition, count, accepted=count)

    def _list(self, contract: Contract, rows: list[list[Any]], columns: list[str]) -> None:
        """List the days of these rows."""
        day, partition, offset, corrects = (
            columns.index(name) for name in ("event_day", "partition", "offset", "corrects")
        )
        names = ("topic", "event_day", "log_epoch", "partition", "last", "corrected")
        listed = [
            (
                contract.topic,
                row[day],
                0,
                row[partition],
                row[offset],
                row[offset] + 1 if row[corrects] else 0,
            )
            for row in rows
        ]
        self.warehouse.insert("landing.changed_day", names, listed)

    def enter(self, contract: Contract, partition: int, count: int, accepted: int) -> None:
        """Write a ledger interval of so many offsets after the last one."""
        first = self.ends[contract.topic, partition]
        self.ends[contract.topic, partition] = first + count
        columns = ("topic", "feed", "log_epoch", "partition", "first", "last", "accepted", "arrived_last")
        row = (contract.topic, contract.feed, 0, partition, first, first + count - 1, accepted, self.now, 1)
        self.warehouse.insert("landing.ledger", (*columns, "listed"), [row])

    def attempt(self, span: Span | None = None) -> Attempt:
        """Begin an attempt; the house's own day if not told otherwise."""
        return begin(
            self.warehouse, uuid4().hex, span or Span(self.day, self.day), CONTRACTS.values(), self.now
        )

    def build(self, attempt: Attempt, contract: Contract = AIR) -> tuple[list[Built], Judged]:
        """Build and judge one feed."""
        built = build_feed(self.warehouse, contract, attempt)
        return built, judge_feed(self.settings, self.warehouse, contract, attempt, built, self.now)

    def figure(self, attempt: Attempt, indicator: Indicator) -> tuple[list[Built], Judged]:
        """Build and judge one indicator."""
        built = build_indicator(self.warehouse, indicator, attempt)
        return built, judge_indicator(self.settings, self.warehouse, indicator, attempt, built, self.now)

    def publish(self, attempt: Attempt) -> Published:
        """Publish what the attempt built."""
        self.now += timedelta(seconds=1)
        return publish(self.warehouse, attempt, self.lock, "test", self.now)

    def release(self, span: Span | None = None, contract: Contract = AIR) -> Published:
        """Build, judge and publish one feed."""
        attempt = self.attempt(span)
        self.build(attempt, contract)
        return self.publish(attempt)

    @property
    def lock(self) -> Path:
        """The file that keeps releases apart."""
        return self.settings.home / "release.lock"

    def built(
        self, attempt: Attempt, columns: str = "id, pm25", contract: Contract = AIR
    ) -> list[tuple[Any, ...]]:
        """Rows an attempt built, sorted."""
        return sorted(
            self.warehouse.rows(
                f"SELECT {columns} FROM built.{contract.table} WHERE build_id = {{build:String}}",
                build=attempt.build_id,
            )
        )


def noon(day: date) -> datetime:
    """Noon of a day in Asia/Shanghai."""
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC) - LOCAL


def reading(id: str, day: date, pm25: float, corrects: str = "", **more: Any) -> Event:
    """An air reading of this value."""
    event = Event(id, day, {"pm25": pm25}, corrects)
    return replace(event, **more)
