"""The SQL of an indicator: what it counts in candidate builds, where its figures are, its content. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from dagster_project.build.dependencies import on_candidates
from dagster_project.build.feed_sql import content_hash
from dagster_project.build.indicator import Indicator
from dagster_project.days.periods import last_day
from quality.rows import quote
from schemas.arithmetic.exact_sql import exact_sum
from schemas.ddl.model import NAME, Column, Table, View, columns
from schemas.ddl.platform import build_key
from schemas.ddl.render import alter, column

FLOAT = "Nullable(Float64)"
FLAG = "Nullable(UInt8)"
FIGURE = (
    ("event_day", "Date", "Last day of the period the figure is of (Asia/Shanghai); a day is its own"),
    ("region", NAME, "GB/T 2260 code of the region; 330000 is the province"),
    ("value", FLOAT, "numerator / denominator * factor; empty where there are no data"),
    ("numerator", FLOAT, "What is counted; empty where there are no data"),
    ("denominator", FLOAT, "Out of how much; empty where there are no data"),
    ("province", FLOAT, "The provincial value of the period, from the sums of both over all regions"),
    ("level", NAME, "领先 ahead of, 持平 level with, 落后 behind the province; empty where not judged"),
    ("target", FLOAT, "Value to reach in the year, where there is one"),
    ("achievement", FLOAT, "Per cent of the target that is reached; target / value where lower is better"),
    ("reached", FLAG, "Whether the target is reached; empty without target or value"),
    ("year_ago", FLOAT, "Value of the same period a year before"),
    ("year_on_year", FLOAT, "同比: growth over it in per cent; empty where there is nothing to compare"),
    ("period_ago", FLOAT, "Value of the period before"),
    ("period_on_period", FLOAT, "环比: growth over it in per cent; empty where there is nothing to compare"),
    (
        "faster",
        FLAG,
        "快于省平均增幅: of a region behind, whether it improves by more than the province, 同比",
    ),
    (
        "rank",
        "Nullable(UInt16)",
        "Place among the regions of its level, 1 is best; equals share one (1, 1, 3)",
    ),
    ("ranked", "UInt16", "How many regions of its level are ranked"),
    ("missing", "UInt8", "Whether the region has no data in the period; it is not ranked"),
    ("imputed", "UInt8", "Whether the value is the last one from before, standing in; it is not ranked"),
    ("through", "Date", "Last day with input; before the last day of the period the figure is provisional"),
)
FIGURES = "built.figure"
"""The table of all figures of all indicators; `built.<table>` is a view of one indicator's (ADR 80)."""
TABLE = "translate(indicator, '.-', '__')"
"""SQL: the table an indicator is known by in builds and pointers; what `Indicator.table` says."""
EXTERNAL = {
    "candidate": [("name", "String"), ("day", "Date"), ("build_id", "String")],
    "wanted": [("day", "Date")],
}


FIGURE_TABLE = Table(
    "built",
    "figure",
    (
        Column("indicator", NAME, "Id of the indicator"),
        Column("build_id", "String", "Build it is of"),
        *columns(FIGURE),
        Column("build_key", "UInt128", default=f"MATERIALIZED {build_key(TABLE, 'event_day', 'build_id')}"),
    ),
    order=("indicator", "event_day", "region"),
    partition="toYear(event_day)",
    comment="All figures of all indicators, every build of them",
)
"""It and the pointers work out their keys themselves, as rows come in."""


def view(indicator: Indicator) -> View:
    """`built.<table>`: the figures of one indicator, every build of them."""
    names = ", ".join(f"`{name}`" for name, _, _ in FIGURE)
    query = f"SELECT build_id, {names} FROM {FIGURES} WHERE indicator = {quote(indicator.id)}"
    return View("built", indicator.table, query)


def gathered(indicator: Indicator) -> list[str]:
    """Move the figures of a table of its own, as they were once kept, to where they are now; safe to run twice."""
    own, key = Table("built", indicator.table, columns(FIGURE)), "(event_day, build_id, region)"
    names = ", ".join(f"`{name}`" for name in ("build_id", *(name for name, _, _ in FIGURE)))
    there = f"SELECT event_day, build_id, region FROM {FIGURES} WHERE indicator = {quote(indicator.id)}"
    return [
        *alter(own, _present(own)),
        f"INSERT INTO {FIGURES} (indicator, {names}) SELECT {quote(indicator.id)}, {names} FROM {own.full_name}"
        f" WHERE {key} NOT IN ({there})",
        f"DROP TABLE {own.full_name}",
    ]


def _present(table: Table) -> list[str]:
    """Add the columns that a table does not have yet."""
    pairs = pairwise(table.columns)
    return [f"ADD COLUMN IF NOT EXISTS {column(item)} AFTER `{before.name}`" for before, item in pairs]


def counts(indicator: Indicator, query: str = "", narrow: Mapping[str, str] | None = None) -> str:
    """What is counted in the wanted periods: (last day of the period, region, numerator, denominator).

    Takes the parameters `first` and `last`, days, and the external tables `candidate` and `wanted`. `query` is
    the indicator's SQL bound to other tables than candidate builds, `narrow` a further condition by table.
    """
    bound = query or on_candidates(indicator.sql, indicator.lookback, narrow)
    return (
        f"SELECT {last_day(indicator.period, 'day')} AS ends, toString(region) AS code,"
        f" round({exact_sum('numerator')}, 9), round({exact_sum('denominator')}, 9)"
        f" FROM ({bound})"
        " WHERE day BETWEEN {first:Date} AND {last:Date} AND ends IN (SELECT day FROM wanted)"
        " GROUP BY ends, code ORDER BY ends, code"
    )


def earlier(indicator: Indicator) -> str:
    """Observed values of the days in `wanted`, as the builds in `candidate` hold them: (day, region, value)."""
    return (
        f"SELECT event_day, region, assumeNotNull(value) FROM built.{indicator.table}"
        " WHERE event_day IN (SELECT day FROM wanted) AND value IS NOT NULL AND NOT missing AND NOT imputed"
        " AND (event_day, build_id) IN (SELECT day, build_id FROM candidate)"
    )


def contents(indicator: Indicator) -> str:
    """What was built by day, of these days: (day, rows, content hash). Takes `build`, `first` and `last`."""
    row = ", ".join(name for name, _, _ in FIGURE)
    return (
        f"SELECT event_day, count(), {content_hash(row)} FROM built.{indicator.table}"
        " WHERE event_day BETWEEN {first:Date} AND {last:Date} AND build_id = {build:String}"
        " GROUP BY event_day ORDER BY event_day"
    )
