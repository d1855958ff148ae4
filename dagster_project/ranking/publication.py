"""What a publication of rankings says: by indicator the places of cities and counties, and who moved. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import date

from dagster_project.days.periods import label
from schemas.regions import REGION_LEVELS, Regions

RISEN, FALLEN, STILL, NEW = "▲", "▼", "—", "·"


@dataclass(frozen=True)
class Standing:
    """A row of `mart.ranking`: one indicator's figure of one region and period, beside the period before."""

    indicator: str
    title_zh: str
    title_en: str
    unit: str
    direction: str
    decimals: int
    owner: str
    every: str
    day: date
    figure_day: date
    region: str
    value: float | None
    province: float | None
    level: str
    target: float | None
    reached: int | None
    rank: int | None
    ranked: int
    missing: int
    imputed: int
    value_before: float | None
    rank_before: int | None
    rise: int | None
    release_seq: int

    @property
    def moved(self) -> str:
        """How the place changed, as people write it: ▲3, ▼2, —, or · where it cannot be told."""
        if self.rise is None:
            return NEW
        if self.rise == 0:
            return STILL
        return f"{RISEN if self.rise > 0 else FALLEN}{abs(self.rise)}"

    @property
    def shown(self) -> str:
        """The value with its decimals; empty where there is none."""
        return "" if self.value is None else f"{self.value:.{self.decimals}f}"


NAMES = tuple(field.name for field in fields(Standing))


@dataclass(frozen=True)
class Ranking:
    """One indicator among the regions of one level (city or county): best first, unranked ones last."""

    level: str
    rows: tuple[Standing, ...]

    @property
    def risers(self) -> tuple[Standing, ...]:
        """Who rose furthest, at most five."""
        return tuple(
            sorted((row for row in self.rows if (row.rise or 0) > 0), key=lambda row: -(row.rise or 0))[:5]
        )

    @property
    def fallers(self) -> tuple[Standing, ...]:
        """Who fell furthest, at most five."""
        return tuple(
            sorted((row for row in self.rows if (row.rise or 0) < 0), key=lambda row: row.rise or 0)[:5]
        )


@dataclass(frozen=True)
class Sheet:
    """One indicator's part of a publication: its provincial row and a ranking a level."""

    head: Standing
    rankings: tuple[Ranking, ...]

    @property
    def period(self) -> str:
        """The period it is of, as people write it."""
        return label(self.head.every, self.head.day)


@dataclass(frozen=True)
class Publication:
    """All sheets of one period, from one release."""

    every: str
    day: date
    release: int
    sheets: tuple[Sheet, ...]

    @property
    def label(self) -> str:
        """The period, as people write it: 2025-06, 2025-Q2."""
        return label(self.every, self.day)


def publication(
    every: str, day: date, release: int, rows: Iterable[Standing], regions: Regions
) -> Publication:
    """The publication of these rows of one release; regions without a level ranked are in none."""
    by_indicator: dict[str, list[Standing]] = defaultdict(list)
    for row in rows:
        by_indicator[row.indicator].append(row)
    sheets = [_sheet(found, regions) for _, found in sorted(by_indicator.items())]
    return Publication(every, day, release, tuple(sheets))


def _sheet(rows: Sequence[Standing], regions: Regions) -> Sheet:
    levels: dict[str, list[Standing]] = defaultdict(list)
    for row in rows:
        region = regions.get(row.region)
        levels["" if region is None else region.level].append(row)
    head = levels["province"][0] if levels["province"] else rows[0]
    rankings = [
        Ranking(level, tuple(sorted(levels[level], key=_order)))
        for level in REGION_LEVELS
        if any(not row.missing for row in levels[level])
    ]
    return Sheet(head, tuple(rankings))


def _order(row: Standing) -> tuple[bool, int, str]:
    return row.rank is None, row.rank or 0, row.region
