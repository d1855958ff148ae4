"""Indicators from their files: `indicators/<domain>/<indicator>.yaml`, one declaration each.

The SQL says what is counted; which builds of which days it reads, the value, the province and the level are
the engine's. What it depends on is read from the SQL itself.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

from dagster_project.build.dependencies import dependencies
from dagster_project.days.periods import PERIODS, parse, whole
from schemas.contract_model import LICENCE
from schemas.declaration import Entry, read_all, read_yaml
from schemas.faults import Faults
from schemas.gate import Gate, read_gate
from schemas.names import check_id, check_table, table_of
from schemas.regions import REGION_LEVELS

INDICATORS = Path(__file__).parents[1] / "indicators"
_KEYS = (
    *("id", "title", "description", "unit", "factor", "decimals", "direction", "bounds", "regions", "period"),
    *("owner", "limits", "sql", "examples"),
)
_MORE_KEYS = ("lookback", "target", "tolerance", "impute", "licence", "gate")
EXPECTED = (
    *("value", "numerator", "denominator", "province", "level", "target", "achievement", "reached"),
    *("year_ago", "year_on_year", "period_ago", "period_on_period", "faster", "rank", "ranked"),
    *("missing", "imputed"),
)
"""What an example may expect of a figure."""
_EXAMPLE = ("name", "day", "given", "expect")
DECIMALS = 9
"""Most decimals a figure is shown with."""
_MOST_DAYS, _MOST_PERIODS = 3660, 366
_LONGEST = {"day": 1, "month": 31, "quarter": 92, "year": 366}


@dataclass(frozen=True)
class Example:
    """Rows of feeds (`given`, by feed) and the figures they must make of one period, by region.

    `day` is the last day of the period. `earlier` are values of other periods, by their last day and region.
    """

    name: str
    day: date
    given: Mapping[str, tuple[Mapping[str, Any], ...]]
    expect: Mapping[str, Mapping[str, Any]]
    earlier: Mapping[tuple[date, str], float]


@dataclass(frozen=True)
class Indicator:
    """One indicator: `value = numerator / denominator * factor` per period and region of its levels.

    `lookback` is how many days of input a figure is made of, counted back from the first day of its period,
    that day included. `reads` are the tables in `built` its SQL reads. `direction` says which values are
    better: higher or lower. Values no further than `tolerance` (in its unit) from the province's are level
    with it. A region without data shows its last value for up to `impute` periods.
    """

    id: str
    title_zh: str
    title_en: str
    description: str
    unit: str
    factor: int | float
    decimals: int
    direction: str
    bounds: tuple[float, float | None]
    regions: tuple[str, ...]
    period: str
    lookback: int
    owner: str
    limits: str
    sql: str
    reads: tuple[str, ...]
    examples: tuple[Example, ...]
    target: float | None = None
    targets: tuple[tuple[int, float], ...] = ()
    tolerance: float = 0.0
    impute: int = 0
    licence: str = LICENCE
    gate: Gate = field(default_factory=Gate)
    path: Path = Path()

    @property
    def table(self) -> str:
        """Its table in `built` and its view in `mart`: `ecology_good_air_days`."""
        return table_of(self.id)

    @property
    def version(self) -> str:
        """Changes with whatever changes the figures."""
        parts = (
            *(self.sql, self.factor, self.decimals, self.direction, self.lookback, self.period, self.regions),
            *(self.target, self.targets, self.tolerance, self.impute),
        )
        return sha256(repr(parts).encode()).hexdigest()[:12]

    @property
    def sign(self) -> int:
        """1 where higher is better, -1 where lower is."""
        return 1 if self.direction == "higher" else -1

    @property
    def reach(self) -> int:
        """How many days before the last of its period a figure reads, input and earlier figures together."""
        longest = _LONGEST[self.period]
        return max(longest + self.lookback, longest * (self.impute + 1), 366 + longest)

    def target_of(self, year: int) -> float | None:
        """The value to reach in a year; None where none is declared."""
        return dict(self.targets).get(year, self.target)

    def shown(self, value: float) -> float:
        """A value as it is shown, rounded; figures are compared so."""
        return round(value, self.decimals)


def load_indicators(tables: Collection[str], root: Path = INDICATORS) -> dict[str, Indicator]:
    """All indicators under a folder by id, sorted; `tables` are those of the feeds, which they may read."""
    found: dict[str, Indicator] = {}
    taken = dict.fromkeys(tables, "a feed")
    paths = sorted(root.glob("*/*.yaml"))
    for path, indicator in zip(
        paths, read_all(lambda path: load_indicator(path, tables), paths), strict=True
    ):
        check_table(taken, str(path), indicator.id)
        found[indicator.id] = indicator
    return found


def load_indicator(path: Path, tables: Collection[str]) -> Indicator:
    """The indicator in a file; whatever is wrong with it is Misdeclared."""
    faults = Faults()
    parts = faults.parts(read_yaml(path), _KEYS, _MORE_KEYS)
    take = parts.take
    period = take("period", lambda entry: entry.text(PERIODS))
    target, targets = take("target", _targets) or (None, ())
    title_zh, title_en = take("title", _title) or ("", "")
    id = take("id", lambda entry: _id(entry, path))
    found = Indicator(
        id=id,
        title_zh=title_zh,
        title_en=title_en,
        description=take("description", _prose),
        unit=take("unit", Entry.text),
        factor=take("factor", _positive),
        decimals=take("decimals", lambda entry: whole_number(entry, 0, DECIMALS)),
        direction=take("direction", lambda entry: entry.text(["higher", "lower"])),
        bounds=take("bounds", _bounds),
        regions=take("regions", _regions),
        period=period,
        lookback=take("lookback", lambda entry: whole_number(entry, 1, _MOST_DAYS), 1),
        owner=take("owner", Entry.text),
        limits=take("limits", _prose),
        sql=take("sql", Entry.text),
        reads=take("sql", lambda entry: _reads(entry, tables)),
        examples=take("examples", lambda entry: _examples(entry, period)),
        target=target,
        targets=targets,
        tolerance=take("tolerance", _tolerance, 0.0),
        impute=take("impute", lambda entry: whole_number(entry, 1, _MOST_PERIODS), 0),
        licence=take("licence", Entry.text, LICENCE),
        gate=take("gate", lambda entry: read_gate(entry, feed=False), Gate()),
        path=path,
    )
    faults.end()
    return found


def _id(entry: Entry, path: Path) -> str:
    id = check_id(entry, "indicator")
    if id != f"{path.parent.name}.{path.stem}":
        raise entry.wrong(f"{id!r} must stand in indicators/{id.replace('.', '/', 1)}.yaml")
    return id


def _title(entry: Entry) -> tuple[str, str]:
    faults = Faults()
    parts = faults.parts(entry, ["zh", "en"], [])
    found = parts.take("zh", Entry.text), parts.take("en", Entry.text)
    faults.end()
    return found


def _prose(entry: Entry) -> str:
    return " ".join(entry.text().split())


def _positive(entry: Entry) -> int | float:
    if entry.number() <= 0:
        raise entry.wrong("must be above 0")
    return entry.number()


def _bounds(entry: Entry) -> tuple[float, float | None]:
    ends = entry.mapping(["minimum"], ["maximum"])
    return float(ends["minimum"].number()), float(ends["maximum"].number()) if "maximum" in ends else None


def _reads(entry: Entry, tables: Collection[str]) -> tuple[str, ...]:
    try:
        found = dependencies(entry.text())
    except ValueError as error:
        raise entry.wrong(str(error)) from None
    for table in found:
        if table not in tables:
            raise entry.wrong(f"no feed has the table built.{table}; there are {', '.join(sorted(tables))}")
    return found


def whole_number(entry: Entry, least: int, most: int) -> int:
    """A whole number of a declaration, within bounds."""
    if not least <= entry.integer() <= most:
        raise entry.wrong(f"must be from {least} to {most}")
    return entry.integer()


def _tolerance(entry: Entry) -> float:
    if entry.number() < 0:
        raise entry.wrong("must not be below 0")
    return float(entry.number())


def _regions(entry: Entry) -> tuple[str, ...]:
    """Levels of regions: one name, or a list of those to show; SQL gives rows of the lowest."""
    if isinstance(entry.value, str):
        return (entry.text(REGION_LEVELS),)
    for item in entry.items():
        item.text(REGION_LEVELS)
    return entry.texts()


def _targets(entry: Entry) -> tuple[float | None, tuple[tuple[int, float], ...]]:
    """The target of any year, or those of single years (`{2024: 90, 2025: 93}`, quoted or not)."""
    if not isinstance(entry.value, dict):
        return float(entry.number()), ()
    found = {}
    for year, value in entry.value.items():
        item = Entry(entry.where, f"{entry.key}.{year}", value)
        if not re.fullmatch(r"\d{4}", str(year)):
            raise item.wrong("must be a year such as 2025")
        found[int(year)] = float(item.number())
    if not found or len(found) < len(entry.value):
        raise entry.wrong("must be one number, or a mapping of years, each once, to numbers")
    return None, tuple(sorted(found.items()))


def _examples(entry: Entry, period: str) -> tuple[Example, ...]:
    faults = Faults()
    found = faults.all(lambda item: _example(item, period), entry.items())
    faults.end()
    names = [example.name for example in found]
    if not found or len(set(names)) < len(names):
        raise entry.wrong("must hold one or more examples, each with a name of its own")
    return found


def _example(entry: Entry, period: str) -> Example:
    parts = entry.mapping(_EXAMPLE, ["earlier"])
    given = {
        feed: tuple(_plain(row) for row in rows.items()) for feed, rows in parts["given"].mapping().items()
    }
    earlier = parts["earlier"].mapping().items() if "earlier" in parts else ()
    return Example(
        name=parts["name"].text(),
        day=_last_day(parts["day"], period),
        given=given,
        expect={region: _expected(figure) for region, figure in parts["expect"].mapping().items()},
        earlier={
            (_last_day(Entry(values.where, values.key, when), period), region): float(value.number())
            for when, values in earlier
            for region, value in values.mapping().items()
        },
    )


def _expected(entry: Entry) -> dict[str, Any]:
    return {key: item.value for key, item in entry.mapping([], EXPECTED).items()}


def _plain(entry: Entry) -> dict[str, Any]:
    return {key: item.value for key, item in entry.mapping().items()}


def _last_day(entry: Entry, period: str) -> date:
    """The last day of the period in an entry, written as the period is, or as a day of it."""
    try:
        written, last = parse(entry.text())
    except ValueError as error:
        raise entry.wrong(str(error)) from None
    if period and written not in (period, "day"):
        raise entry.wrong(f"is a {written}, but the indicator is by {period}")
    return whole(period or written, last).last
