"""The metrics of `watch` for people: how far it is on each topic, and what each rule costs and holds open.

Read from the worker's own metrics (Prometheus's format); counters are since its start.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from schemas.errors import Unavailable
from schemas.levels import LEVELS

PREFIX = "liaowang_watch_"
COUNTS = (
    *("lag_records", "events_total", "ticks_total", "rejected_total"),
    *("duplicates_total", "late_total", "rekeyed_late_total", "state_bytes"),
)


@dataclass(frozen=True)
class Topic:
    """A topic that is watched; `counts` by COUNTS, summed over its partitions. The slowest one's watermark."""

    topic: str
    partitions: int
    watermark: datetime | None
    counts: dict[str, int]


@dataclass(frozen=True)
class Cost:
    """A rule: seconds spent on it, subjects it remembers, open warnings by level on all timelines."""

    rule: str
    seconds: float
    subjects: int
    open: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Meters:
    """What the worker tells; `epoch` is the newest publication of rules it knows."""

    topics: tuple[Topic, ...]
    rules: tuple[Cost, ...]
    epoch: int

    @property
    def seconds(self) -> float:
        """Spent on all rules."""
        return sum(each.seconds for each in self.rules)


def read(http: httpx.Client, address: str, authorization: str) -> Meters:
    """The metrics as they are now; Unavailable where the worker does not answer."""
    try:
        answer = http.get(address, timeout=3.0, headers={"Authorization": authorization}).raise_for_status()
    except httpx.HTTPError as error:
        raise Unavailable(f"the metrics of watch at {address}: {error}") from error
    return meters_of(answer.text)


def meters_of(text: str) -> Meters:
    """The metrics of a text in Prometheus's format. Pure."""
    samples: dict[str, list[Sample]] = defaultdict(list)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            samples[sample.name.removeprefix(PREFIX)].append(sample)
    places = [sample for name in COUNTS for sample in samples[name]]
    topics = sorted({sample.labels["topic"] for sample in places if "topic" in sample.labels})
    rules = sorted({sample.labels["rule"] for sample in samples["evaluation_seconds_total"]})
    return Meters(
        tuple(_topic(topic, samples) for topic in topics),
        tuple(_cost(rule, samples) for rule in rules),
        int(_sum(samples["rules_epoch"])),
    )


def _topic(topic: str, samples: dict[str, list[Sample]]) -> Topic:
    def mine(name: str) -> list[Sample]:
        return [sample for sample in samples[name] if sample.labels.get("topic") == topic]

    marks = [sample.value for sample in mine("watermark_seconds")]
    return Topic(
        topic,
        len({sample.labels["partition"] for sample in mine("state_bytes")}),
        datetime.fromtimestamp(min(marks), UTC) if marks else None,
        {name: int(_sum(mine(name))) for name in COUNTS},
    )


def _cost(rule: str, samples: dict[str, list[Sample]]) -> Cost:
    def mine(name: str) -> list[Sample]:
        return [sample for sample in samples[name] if sample.labels.get("rule") == rule]

    open_ones: dict[str, int] = defaultdict(int)
    for sample in mine("open_episodes"):
        open_ones[sample.labels["level"]] += int(sample.value)
    return Cost(
        rule,
        _sum(mine("evaluation_seconds_total")),
        int(_sum(mine("subjects"))),
        {level: open_ones[level] for level in LEVELS if open_ones[level]},
    )


def _sum(samples: Iterable[Sample]) -> float:
    return sum(sample.value for sample in samples)
