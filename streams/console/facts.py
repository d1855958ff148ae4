"""What the console tells of the warehouse: indicators against their targets, feeds, gate and releases."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from schemas.contract import Contract
from schemas.departments import Department, Departments
from schemas.findings import Finding, decode, words_of
from schemas.regions import PROVINCE
from streams.console.reading import Reading
from streams.land.compaction import MERGED_TO

_LATEST = """
    SELECT indicator, title_zh, title_en, unit, direction, decimals, target, day, region, value, province, level
    FROM mart.indicator
    WHERE (indicator, day) IN (SELECT indicator, max(day) FROM mart.indicator GROUP BY indicator)
    ORDER BY indicator, region
"""
_LANDED = f"""
    SELECT topic, sum(accepted), sum(rejected), max(arrived_last), max(watermarks['']) FROM
    (
        SELECT topic, accepted, rejected, arrived_last, watermarks, last, {MERGED_TO} AS stop
        FROM landing.ledger FINAL
    )
    WHERE last >= stop  -- what was merged counts once while its parts are still there
    GROUP BY topic
"""
_NEXT = """
    SELECT topic, partition, max(last) + 1 FROM landing.ledger FINAL
    WHERE (topic, log_epoch) IN (SELECT topic, max(log_epoch) FROM landing.ledger GROUP BY topic)
    GROUP BY topic, partition
"""
_VERDICTS = """
    SELECT table, count(), countIf(ok), countIf(NOT ok), max(day), max(at) FROM (
        SELECT table, day, argMax(passed, decided) AS ok, max(decided) AS at
        FROM quality.verdict GROUP BY table, day
    ) GROUP BY table ORDER BY table
"""
_FAILED = """
    SELECT table, day, argMax(findings, decided) FROM quality.verdict
    GROUP BY table, day HAVING argMax(passed, decided) = 0 ORDER BY day DESC, table LIMIT 20
"""
_RELEASES = (
    "SELECT seq, parent, released, days, tables, first, last FROM mart.release ORDER BY seq DESC LIMIT 10"
)


@dataclass(frozen=True)
class Figure:
    """An indicator's value in one region."""

    region: str
    value: float | None
    level: str


@dataclass(frozen=True)
class Standing:
    """One indicator on its latest day: the province's value against the target, and each region's."""

    id: str
    title_zh: str
    title_en: str
    unit: str
    higher: bool
    decimals: int
    target: float | None
    day: date
    province: float | None
    figures: tuple[Figure, ...]

    def reaches(self, value: float | None) -> bool | None:
        """Whether a value reaches the target; None where either is missing."""
        if value is None or self.target is None:
            return None
        shown, target = round(value, self.decimals), self.target
        return shown >= target if self.higher else shown <= target

    @property
    def reached(self) -> int:
        """How many regions reach the target."""
        return sum(self.reaches(figure.value) is True for figure in self.figures)

    @property
    def known(self) -> int:
        """How many regions have a value."""
        return sum(figure.value is not None for figure in self.figures)

    def ordered(self) -> list[Figure]:
        """The regions, best first, those without a value last."""
        sign = -1 if self.higher else 1
        return sorted(
            self.figures,
            key=lambda f: (f.value is None, 0 if f.value is None else sign * f.value, f.region),
        )


def standings(mart: Reading) -> tuple[Standing, ...]:
    """All indicators that the current release shows."""
    groups: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for row in mart.rows(_LATEST):
        groups[row[0]].append(row)
    return tuple(_standing(rows) for _, rows in sorted(groups.items()))


def _standing(rows: list[tuple[Any, ...]]) -> Standing:
    indicator, zh, en, unit, direction, decimals, target, day, *_ = rows[0]
    whole = [row for row in rows if row[8] == PROVINCE]
    return Standing(
        id=indicator,
        title_zh=zh,
        title_en=en,
        unit=unit,
        higher=direction == "higher",
        decimals=decimals,
        target=target,
        day=day,
        province=whole[0][9] if whole else rows[0][10],
        figures=tuple(Figure(row[8], row[9], row[11]) for row in rows if row[8] != PROVINCE),
    )


@dataclass(frozen=True)
class FeedState:
    """One feed: what is landed, how far behind the broker, how old its newest. None: not known."""

    feed: str
    department: str
    accepted: int
    rejected: int
    arrived: datetime | None
    watermark: datetime | None
    lag: int | None
    lateness: float
    behind: Department | None = None
    """Who is behind it, as declared; None where nobody of this id is."""

    def stale(self, now: datetime) -> bool:
        """Whether its live clock is behind by more than the contract lets events be late."""
        return self.watermark is not None and (now - self.watermark).total_seconds() > self.lateness + 60


def feed_states(
    service: Reading,
    contracts: Mapping[str, Contract],
    ends: Mapping[tuple[str, int], int] | None,
    departments: Departments | None = None,
) -> tuple[FeedState, ...]:
    """Every feed, by name; `ends` are the broker's end offsets by (topic, partition), None where it is away."""
    landed = {row[0]: row[1:] for row in service.rows(_LANDED)}
    nexts = {(topic, partition): n for topic, partition, n in service.rows(_NEXT)}
    states = []
    for contract in contracts.values():
        accepted, rejected, arrived, watermark = landed.get(contract.topic, (0, 0, None, None))
        lag = None
        if ends is not None:
            mine = {place: end for place, end in ends.items() if place[0] == contract.topic}
            lag = sum(max(0, end - nexts.get(place, 0)) for place, end in mine.items())
        states.append(
            FeedState(
                contract.feed,
                contract.department,
                accepted,
                rejected,
                arrived,
                watermark if watermark is not None and watermark.year > 1970 else None,
                lag,
                contract.lateness.total_seconds(),
                departments.get(contract.department) if departments else None,
            )
        )
    return tuple(states)


@dataclass(frozen=True)
class Gate:
    """What the gate said of a table's days: each day by its latest verdict."""

    table: str
    days: int
    passed: int
    failed: int
    last: date
    decided: datetime


@dataclass(frozen=True)
class Failure:
    """A day of a table that did not pass, and what was found."""

    table: str
    day: date
    findings: tuple[Finding, ...]

    def words(self, language: str) -> tuple[str, ...]:
        """What was found, in words."""
        return tuple(words_of(finding, language) for finding in self.findings)


@dataclass(frozen=True)
class Release:
    """One release."""

    seq: int
    parent: int
    released: datetime
    days: int
    tables: int
    first: date
    last: date


@dataclass(frozen=True)
class Trust:
    """Gate and releases: what may be trusted, and what is shown."""

    gates: tuple[Gate, ...]
    failures: tuple[Failure, ...]
    releases: tuple[Release, ...]


def trust(service: Reading, mart: Reading) -> Trust:
    """The gate's verdicts and the newest releases."""
    return Trust(
        gates=tuple(Gate(*row) for row in service.rows(_VERDICTS)),
        failures=tuple(Failure(t, d, tuple(map(decode, f))) for t, d, f in service.rows(_FAILED)),
        releases=tuple(Release(*row) for row in mart.rows(_RELEASES)),
    )
