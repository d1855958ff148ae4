"""What `explain` finds out about one figure, as plain values; JSON and pages are made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any


@dataclass(frozen=True)
class Verdict:
    """What the gate said of one day of one table in one build; `passed` is None where it said nothing."""

    passed: bool | None
    suite: str
    suite_hash: str
    expectations: int
    failed: tuple[str, ...]
    decided: datetime | None


@dataclass(frozen=True)
class Published:
    """How the figure came to be seen: the release that published it, and what its manifest says."""

    seen_in: int
    seq: int
    parent: int
    released: datetime | None
    code: str
    version: str
    content_hash: str
    complete: bool
    verdict: Verdict


@dataclass(frozen=True)
class Build:
    """The attempt that made it. `offsets` are ends (exclusive) by `topic/epoch/partition`; it read no further."""

    build_id: str
    started: datetime | None
    first: date
    last: date
    parent: int
    offsets: Mapping[str, int]


@dataclass(frozen=True)
class Part:
    """Days of one feed as one build holds them, and what the gate said of them all."""

    build_id: str
    first: date
    last: date
    days: int
    contract_versions: tuple[str, ...]
    suites: tuple[str, ...]
    passed: bool
    complete: bool
    rows: int
    duplicates: int
    corrected: int
    quarantined: int
    read_up_to: Mapping[str, int]


@dataclass(frozen=True)
class Offsets:
    """Messages of one partition that made the figure: how many, from the first to the last offset."""

    log_epoch: int
    partition: int
    first: int
    last: int
    messages: int


@dataclass(frozen=True)
class Source:
    """One feed the figure was made of."""

    feed: str
    table: str
    topic: str
    department: str
    first: date
    last: date
    partitions: int
    messages: int
    parts: tuple[Part, ...]
    offsets: tuple[Offsets, ...]


@dataclass(frozen=True)
class Compared:
    """An earlier figure it was compared with, and the build that holds it."""

    period: str
    day: date
    build_id: str
    value: float | None


@dataclass(frozen=True)
class Message:
    """One message that made the figure. `event` is the id it goes by, that of the event it corrects if it does."""

    feed: str
    topic: str
    log_epoch: int
    partition: int
    offset: int
    source: str
    id: str
    event: str
    time: datetime
    arrived: datetime
    event_day: date
    raw: str | None = None


@dataclass(frozen=True)
class Share:
    """What one indicator adds to the score of an index: its figure, normalised score, weight and contribution.

    The contributions of a region sum to its score. None where the figure does not count: it is missing or
    carried over, or the region is not one that is scored.
    """

    code: str
    indicator: str
    title_zh: str
    value: float | None
    score: float | None
    weight: float | None
    contribution: float | None


@dataclass(frozen=True)
class Explanation:
    """One figure, back to its messages.

    `sufficient` tells that the messages of the region alone count to its figure, which was tried; otherwise
    the messages are those of all regions. An index has `shares` and `inputs`, the explanations of the figures
    it is made of; its messages are theirs, each once, and its total counts one for each figure it is in.
    """

    indicator: str
    title_zh: str
    title_en: str
    unit: str
    decimals: int
    owner: str
    description: str
    limits: str
    sql: str
    region: str
    region_name: str
    period: str
    first: date
    last: date
    figure: Mapping[str, Any]
    release: Published
    build: Build
    compared: tuple[Compared, ...]
    sources: tuple[Source, ...]
    sufficient: bool
    messages_total: int
    messages: tuple[Message, ...]
    shares: tuple[Share, ...] = ()
    inputs: tuple[Explanation, ...] = ()
