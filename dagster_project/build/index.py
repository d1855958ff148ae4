"""Composite indices of released indicators: `indexes/<domain>/<index>.yaml`, one declaration each.

An index is built, judged, ranked and released like an indicator; only its counts come from the figures of
other indicators in the same build instead of from SQL over events. A region is scored from observed figures
only: one that is missing, or carried over from before, leaves the region without a score unless the
declaration says how many may be missing (`aggregate.available`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

from dagster_project.build.feed import Built, Progress
from dagster_project.build.figures import Count
from dagster_project.build.indicator import DECIMALS, Indicator, load_indicators, whole_number
from dagster_project.build.indicator_build import Candidates, build_indicator, external_tables
from dagster_project.composite.compute import Computed, compute
from dagster_project.composite.source import Source
from dagster_project.composite.spec import Spec, spec_of
from dagster_project.days.attempt import Attempt
from dagster_project.days.periods import parse, whole
from dagster_project.warehouse import Warehouse
from schemas.declaration import Entry, parse_yaml, read_all, read_text
from schemas.in_use import FILES, Roots
from schemas.names import check_id, check_table
from schemas.regions import REGION_LEVELS, Regions, load_regions

INDEXES = Path(__file__).parents[1] / "indexes"
_KEYS = (
    *("id", "title", "description", "unit", "decimals", "bounds", "regions", "period", "owner", "limits"),
    *("index", "examples"),
)
_REFUSED = ("data", "meta", "denominate", "impute", "screen", "sensitivity", "results", "exclude")
Values = Mapping[str, Mapping[str, float]]
"""Figures by indicator id and region."""


@dataclass(frozen=True)
class IndexExample:
    """Figures of indicators (`given`, by id and region) and the scores they must make, by region."""

    name: str
    day: date
    given: Values
    expect: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Index:
    """A composite index as an indicator (without SQL), its tree, and the indicators at its leaves by code."""

    indicator: Indicator
    spec: Spec
    inputs: Mapping[str, Indicator]
    examples: tuple[IndexExample, ...]
    text: str

    @property
    def level(self) -> str:
        """The level of the regions it scores: city or county."""
        return self.indicator.regions[0]


def load_indexes(
    indicators: Mapping[str, Indicator], root: Path = INDEXES, tables: Collection[str] = ()
) -> dict[str, Index]:
    """All indices under a folder by id, sorted; they are made of these indicators. `tables` are those of feeds."""
    found = {}
    taken = dict.fromkeys(tables, "a feed") | {item.table: item.id for item in indicators.values()}
    paths = sorted(root.glob("*/*.yaml"))
    for path, index in zip(paths, read_all(lambda path: load_index(path, indicators), paths), strict=True):
        check_table(taken, str(path), index.indicator.id)
        found[index.indicator.id] = index
    return found


def all_figures(tables: Collection[str], roots: Roots = FILES) -> dict[str, Indicator]:
    """Everything declared that has figures, by id: indicators, and the indices made of them."""
    indicators = load_indicators(tables, roots.indicators)
    return {
        **indicators,
        **{id: index.indicator for id, index in load_indexes(indicators, roots.indexes, tables).items()},
    }


def load_index(path: Path, indicators: Mapping[str, Indicator]) -> Index:
    """The index in a file; whatever is wrong with it is Misdeclared."""
    text = read_text(path)
    parts = parse_yaml(text, str(path)).mapping(_KEYS, [])
    spec = _spec(parts["index"])
    inputs = _inputs(parts["index"], spec, indicators)
    period = _period(parts["period"], inputs)
    level = parts["regions"].text(REGION_LEVELS)
    _check_levels(parts["regions"], level, inputs)
    indicator = _indicator(path, parts, level, period, inputs, text)
    examples = tuple(_example(item, period, inputs) for item in parts["examples"].items())
    if not examples:
        raise parts["examples"].wrong("must hold one or more examples")
    return Index(indicator, spec, inputs, examples, text)


def _spec(entry: Entry) -> Spec:
    for key in entry.mapping():
        if key in _REFUSED:
            raise entry.at(key).wrong("is for tables; an index of indicators takes their figures as they are")
    spec = spec_of(entry, lambda name: "")
    if not spec.aggregation.available:
        strict = dict.fromkeys(range(2, spec.tree.levels + 1), 1.0)
        spec = replace(spec, aggregation=replace(spec.aggregation, available=strict))
    return spec


def _inputs(entry: Entry, spec: Spec, indicators: Mapping[str, Indicator]) -> dict[str, Indicator]:
    found = {}
    for code in spec.tree.indicators:
        id = spec.tree.nodes[code].column
        if id not in indicators:
            known = ", ".join(sorted(indicators))
            raise entry.at("tree").wrong(
                f"{code}: no indicator has the id {id!r} (column); there are {known}"
            )
        found[code] = indicators[id]
    return found


def _period(entry: Entry, inputs: Mapping[str, Indicator]) -> str:
    period = entry.text(sorted({item.period for item in inputs.values()}))
    for item in inputs.values():
        if item.period != period:
            raise entry.wrong(f"{item.id} is of the period {item.period}; all indicators must be of one")
    return period


def _check_levels(entry: Entry, level: str, inputs: Mapping[str, Indicator]) -> None:
    for item in inputs.values():
        if level not in item.regions:
            raise entry.wrong(
                f"{item.id} has no figures of the level {level}, but of {', '.join(item.regions)}"
            )


def _indicator(
    path: Path,
    parts: Mapping[str, Entry],
    level: str,
    period: str,
    inputs: Mapping[str, Indicator],
    text: str,
) -> Indicator:
    title = parts["title"].mapping(["zh", "en"], [])
    ends = parts["bounds"].mapping(["minimum", "maximum"], [])
    id = check_id(parts["id"], "index")
    if id != f"{path.parent.name}.{path.stem}":
        raise parts["id"].wrong(f"{id!r} must stand in indexes/{id.replace('.', '/', 1)}.yaml")
    made_of = sorted(f"{item.id} {item.version}" for item in inputs.values())
    return Indicator(
        id=id,
        title_zh=title["zh"].text(),
        title_en=title["en"].text(),
        description=" ".join(parts["description"].text().split()),
        unit=parts["unit"].text(),
        factor=1,
        decimals=whole_number(parts["decimals"], 0, DECIMALS),
        direction="higher",
        bounds=(float(ends["minimum"].number()), float(ends["maximum"].number())),
        regions=(level,),
        period=period,
        lookback=max(item.lookback for item in inputs.values()),
        owner=parts["owner"].text(),
        limits=" ".join(parts["limits"].text().split()),
        sql=f"-- composite index of {', '.join(made_of)}: {sha256(text.encode()).hexdigest()}",
        reads=tuple(sorted({item.table for item in inputs.values()})),
        examples=(),
        path=path,
    )


def _example(entry: Entry, period: str, inputs: Mapping[str, Indicator]) -> IndexExample:
    parts = entry.mapping(["name", "day", "given", "expect"], [])
    ids = {item.id for item in inputs.values()}
    given: dict[str, dict[str, float]] = {}
    for id, regions in parts["given"].mapping().items():
        if id not in ids:
            raise regions.wrong(f"the index has no such indicator; there are {', '.join(sorted(ids))}")
        given[id] = {code: float(value.number()) for code, value in regions.mapping().items()}
    try:
        day = whole(period, parse(parts["day"].text())[1]).last
    except ValueError as error:
        raise parts["day"].wrong(str(error)) from None
    expect = {
        code: {key: one.value for key, one in item.mapping().items()}
        for code, item in parts["expect"].mapping().items()
    }
    return IndexExample(parts["name"].text(), day, given, expect)


def scores(index: Index, values: Values, regions: Regions) -> dict[str, float]:
    """The scores of one period's regions, of figures by indicator id and region; without a score, none."""
    made = computed(index, values, regions)
    if made is None:
        return {}
    table = made.steps["aggregated"]
    found = zip(table.units, table.column(index.spec.tree.top), strict=True)
    return {unit: round(float(score), 9) for unit, score in found if score == score}


def computed(index: Index, values: Values, regions: Regions) -> Computed | None:
    """All steps of the index of one period; None where an indicator has no figure at all."""
    units = tuple(sorted(regions.codes((index.level,))))
    cells = {
        item.id: tuple(
            repr(values[item.id][unit]) if unit in values.get(item.id, {}) else "" for unit in units
        )
        for item in index.inputs.values()
    }
    if any(not any(column) for column in cells.values()):
        return None
    source = Source(str(index.indicator.path), units, units, tuple(range(len(units))), cells)
    return compute(index.spec, source)


def index_counts(
    index: Index, rows: Iterable[tuple[date, str, str, float]], regions: Regions | None = None
) -> list[Count]:
    """What an index counts: a score over one, by day and region; `rows` are (day, table, region, value)."""
    tables = {item.table: item.id for item in index.inputs.values()}
    by_day: dict[date, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for day, table, region, value in rows:
        by_day[day][tables[table]][region] = value
    known = regions or load_regions()
    return [
        Count(day, region, score, 1.0)
        for day, values in sorted(by_day.items())
        for region, score in scores(index, values, known).items()
    ]


def figures_sql(tables: Collection[str]) -> str:
    """Observed figures of these indicators in the candidate builds: (day, table, region, value)."""
    return " UNION ALL ".join(
        f"SELECT event_day, '{table}' AS name, toString(region) AS code, assumeNotNull(value)"
        f" FROM built.{table} WHERE event_day IN (SELECT day FROM wanted)"
        " AND value IS NOT NULL AND NOT missing AND NOT imputed"
        f" AND (event_day, build_id) IN (SELECT day, build_id FROM candidate WHERE name = '{table}')"
        for table in sorted(tables)
    )


def build_index(
    warehouse: Warehouse, index: Index, attempt: Attempt, progress: Progress = lambda span: None
) -> list[Built]:
    """Build the attempt's periods of an index as those of an indicator, after the indicators it is made of."""

    def counting(
        open: Warehouse, indicator: Indicator, candidates: Candidates, days: Sequence[date]
    ) -> list[Count]:
        rows = open.rows(figures_sql(indicator.reads), external_tables(candidates, days))
        return index_counts(index, ((day, table, region, value) for day, table, region, value in rows))

    return build_indicator(warehouse, index.indicator, attempt, progress, counting)
