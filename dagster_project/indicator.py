"""Indicators from their files: `indicators/<domain>/<indicator>.yaml`, one declaration each.

The SQL says what is counted; which builds of which days it reads, the value, the province and the level are
the engine's. What it depends on is read from the SQL itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

from dagster_project.dependencies import dependencies
from schemas.declaration import Entry, parse_yaml
from schemas.errors import Misdeclared

INDICATORS = Path(__file__).parent / "indicators"
_KEYS = (
    *("id", "title", "description", "unit", "factor", "decimals", "direction", "bounds", "regions", "period"),
    *("lookback", "owner", "limits", "sql", "examples"),
)
_EXAMPLE = ("name", "day", "given", "expect")


@dataclass(frozen=True)
class Example:
    """Rows of feeds (`given`, by feed) and the figures they must make on one day, by region."""

    name: str
    day: date
    given: Mapping[str, tuple[Mapping[str, Any], ...]]
    expect: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Indicator:
    """One indicator: `value = numerator / denominator * factor` per day and region of its level.

    `lookback` is how many days of input, the day itself included, a day's figure is made of. `reads` are the
    tables in `built` its SQL reads. `direction` says which values are better: higher or lower.
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
    regions: str
    period: str
    lookback: int
    owner: str
    limits: str
    sql: str
    reads: tuple[str, ...]
    examples: tuple[Example, ...]
    target: float | None = None
    path: Path = Path()

    @property
    def table(self) -> str:
        """Its table in `built` and its view in `mart`: `ecology_good_air_days`."""
        return self.id.replace("-", "_").replace(".", "_")

    @property
    def version(self) -> str:
        """Changes with whatever changes the figures."""
        parts = (self.sql, self.factor, self.decimals, self.direction, self.lookback)
        return sha256(repr(parts).encode()).hexdigest()[:12]


def load_indicators(tables: Collection[str], root: Path = INDICATORS) -> dict[str, Indicator]:
    """All indicators under a folder by id, sorted; `tables` are those of the feeds, which they may read."""
    found = {}
    for path in sorted(root.glob("*/*.yaml")):
        indicator = load_indicator(path, tables)
        if indicator.table in tables:
            raise Misdeclared(str(path), "id", f"{indicator.id} is the name of a feed; choose another")
        found[indicator.id] = indicator
    return found


def load_indicator(path: Path, tables: Collection[str]) -> Indicator:
    """The indicator in a file; whatever is wrong with it is Misdeclared."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Misdeclared(str(path), "file", f"cannot be read as UTF-8 text: {error}") from None
    parts = parse_yaml(text, str(path)).mapping(_KEYS, ["target"])
    title = parts["title"].mapping(["zh", "en"], [])
    id = parts["id"].text()
    if id != f"{path.parent.name}.{path.stem}":
        raise parts["id"].wrong(f"{id!r} must stand in indicators/{id.replace('.', '/', 1)}.yaml")
    return Indicator(
        id=id,
        title_zh=title["zh"].text(),
        title_en=title["en"].text(),
        description=_prose(parts["description"]),
        unit=parts["unit"].text(),
        factor=_positive(parts["factor"]),
        decimals=parts["decimals"].integer(),
        direction=parts["direction"].text(["higher", "lower"]),
        bounds=_bounds(parts["bounds"]),
        regions=parts["regions"].text(["city", "county"]),
        period=parts["period"].text(["day"]),
        lookback=int(_positive(parts["lookback"])),
        owner=parts["owner"].text(),
        limits=_prose(parts["limits"]),
        sql=parts["sql"].text(),
        reads=_reads(parts["sql"], tables),
        examples=tuple(_example(item) for item in parts["examples"].items()),
        target=float(parts["target"].number()) if "target" in parts else None,
        path=path,
    )


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


def _example(entry: Entry) -> Example:
    parts = entry.mapping(_EXAMPLE, [])
    given = {
        feed: tuple(_plain(row) for row in rows.items()) for feed, rows in parts["given"].mapping().items()
    }
    return Example(
        name=parts["name"].text(),
        day=_date(parts["day"]),
        given=given,
        expect={region: _plain(figure) for region, figure in parts["expect"].mapping().items()},
    )


def _plain(entry: Entry) -> dict[str, Any]:
    return {key: item.value for key, item in entry.mapping().items()}


def _date(entry: Entry) -> date:
    try:
        return date.fromisoformat(entry.text())
    except ValueError:
        raise entry.wrong("must be a day such as 2024-03-01") from None
