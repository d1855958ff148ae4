"""The SQL of an indicator: its figures from candidate builds, its table, its content. Pure."""

from __future__ import annotations

from dagster_project.dependencies import on_candidates
from dagster_project.feed_sql import content_hash
from dagster_project.indicator import Indicator
from quality.rows import quote

PROVINCE = "330000"
FIGURE = (
    ("event_day", "Date", "Day the figure is of (Asia/Shanghai)"),
    ("region", "LowCardinality(String)", "GB/T 2260 code of the region"),
    ("value", "Nullable(Float64)", "numerator / denominator * factor; empty where the denominator is 0"),
    ("numerator", "Float64", "What is counted"),
    ("denominator", "Float64", "Out of how much"),
    (
        "province",
        "Nullable(Float64)",
        "The provincial value of the day, from the sums of both over all regions",
    ),
    (
        "level",
        "LowCardinality(String)",
        "领先 ahead of, 持平 level with, 落后 behind the province; empty for itself",
    ),
)
EXTERNAL = {
    "candidate": [("name", "String"), ("day", "Date"), ("build_id", "String")],
    "wanted": [("day", "Date")],
}


def ddl(indicator: Indicator) -> str:
    """Create `built.<table>`."""
    columns = ", ".join(f"`{name}` {kind}" for name, kind, _ in FIGURE)
    return (
        f"CREATE TABLE IF NOT EXISTS built.{indicator.table} (build_id String, {columns})"
        " ENGINE = MergeTree PARTITION BY toYYYYMM(event_day) ORDER BY (event_day, build_id, region)"
    )


def insert(indicator: Indicator, build_id: str) -> str:
    """Write the figures of the wanted days under a build id."""
    names = ", ".join(name for name, _, _ in FIGURE)
    return (
        f"INSERT INTO built.{indicator.table} (build_id, {names})"
        f" SELECT {quote(build_id)}, {names} FROM ({figures(indicator)})"
    )


def figures(indicator: Indicator) -> str:
    """The figures of the wanted days between `first` and `last`, the province's among them."""
    counted = (
        f"SELECT day AS event_day, arrayJoin([toString(region), '{PROVINCE}']) AS code,"
        " sum(toFloat64(numerator)) AS n, sum(toFloat64(denominator)) AS d"
        f" FROM ({on_candidates(indicator.sql, indicator.lookback)})"
        " WHERE day BETWEEN {first:Date} AND {last:Date} AND day IN (SELECT day FROM wanted)"
        " GROUP BY event_day, code"
    )
    valued = (
        "SELECT event_day, code AS region, round(n, 9) AS numerator, round(d, 9) AS denominator,"
        f" if(d = 0, NULL, round(n / d * {indicator.factor}, 9)) AS value FROM ({counted})"
    )
    compared = (
        f"SELECT *, max(if(region = '{PROVINCE}', value, NULL)) OVER (PARTITION BY event_day) AS province"
        f" FROM ({valued})"
    )
    mine, its = (f"round({name}, {indicator.decimals})" for name in ("value", "province"))
    better = f"{mine} {'>' if indicator.direction == 'higher' else '<'} {its}"
    return (
        "SELECT event_day, region, value, numerator, denominator, province,"
        f" multiIf(region = '{PROVINCE}' OR value IS NULL, '',"
        f" {mine} = {its}, '持平', {better}, '领先', '落后') AS level"
        f" FROM ({compared})"
    )


def contents(indicator: Indicator) -> str:
    """What was built by day: (day, rows, content hash)."""
    row = ", ".join(name for name, _, _ in FIGURE)
    return (
        f"SELECT event_day, count(), {content_hash(row)} FROM built.{indicator.table}"
        " WHERE build_id = {build:String} GROUP BY event_day ORDER BY event_day"
    )
