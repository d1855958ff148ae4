"""What changed between two releases: days of tables, and figures with their ranks."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from dagster_project.build.indicator import Indicator
from dagster_project.release.catalogue import release, shown
from dagster_project.warehouse import Warehouse

_ROWS = "SELECT table, day, build_id, rows FROM release.build WHERE build_id IN {builds:Array(String)}"
_SIDE = """
SELECT indicator, day, region, value, level, rank FROM mart.indicator_at(release = {seq})
WHERE indicator IN {{indicators:Array(String)}} AND day IN {{days:Array(Date)}}"""
_COMPARED = """
SELECT indicator, day, region, a.value, b.value, a.rank, b.rank, a.level, b.level
FROM ({before}) AS a FULL OUTER JOIN ({after}) AS b USING (indicator, day, region)
WHERE NOT (a.value <=> b.value AND a.rank <=> b.rank AND ifNull(a.level, '') = ifNull(b.level, ''))
ORDER BY indicator, day, region
SETTINGS join_use_nulls = 1"""


@dataclass(frozen=True)
class DayChange:
    """One day of a table that shows another build; rows are None where it shows nothing."""

    table: str
    day: date
    before: int | None
    after: int | None


@dataclass(frozen=True)
class FigureChange:
    """One figure that changed: value, rank among regions of its kind (1 is best), level; None: no figure."""

    indicator: str
    day: date
    region: str
    before: float | None
    after: float | None
    rank_before: int | None
    rank_after: int | None
    level_before: str | None
    level_after: str | None


@dataclass(frozen=True)
class Difference:
    """Everything that two releases show differently."""

    first: int
    second: int
    days: tuple[DayChange, ...]
    figures: tuple[FigureChange, ...]

    def as_json(self) -> dict[str, Any]:
        """The difference as JSON has it."""
        days = [asdict(item) | {"day": item.day.isoformat()} for item in self.days]
        figures = [asdict(item) | {"day": item.day.isoformat()} for item in self.figures]
        return {"from": self.first, "to": self.second, "days": days, "figures": figures}


def difference(
    warehouse: Warehouse, first: int, second: int, indicators: Collection[Indicator]
) -> Difference:
    """What the second release shows otherwise than the first; Misdeclared where one does not exist."""
    for seq in (first, second):
        release(warehouse, seq)
    before, after = shown(warehouse, first), shown(warehouse, second)
    changed = {
        key: (before.get(key, ""), after.get(key, ""))
        for key in {*before, *after}
        if before.get(key, "") != after.get(key, "")
    }
    builds = sorted({build_id for pair in changed.values() for build_id in pair if build_id})
    rows = {(table, day, build_id): n for table, day, build_id, n in warehouse.rows(_ROWS, builds=builds)}
    days = [
        DayChange(table, day, rows.get((table, day, old)), rows.get((table, day, new)))
        for (table, day), (old, new) in sorted(changed.items())
    ]
    return Difference(first, second, tuple(days), _figures(warehouse, first, second, days, indicators))


def _figures(
    warehouse: Warehouse, first: int, second: int, days: list[DayChange], indicators: Collection[Indicator]
) -> tuple[FigureChange, ...]:
    tables = {item.table for item in days}
    named = [item for item in indicators if item.table in tables]
    if not named:
        return ()
    mine = {item.table for item in named}
    rows = warehouse.rows(
        _COMPARED.format(before=_SIDE.format(seq=first), after=_SIDE.format(seq=second)),
        indicators=sorted(item.id for item in named),
        days=sorted({item.day for item in days if item.table in mine}),
    )
    return tuple(FigureChange(*row) for row in rows)
