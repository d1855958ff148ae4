"""The SQL of `mart`: what BI may see, and only through the current release. Pure.

A view `x_at(release = N)` runs with the rights of `service` and shows what release N points at. The view `x`
runs with the reader's own rights and asks `x_at` for the current release. Being of the reader's statement,
that one scalar is computed once a statement, so all marts in it speak of the same release; inside a view with
rights of its own it would be computed once a view.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dagster_project.indicator import Indicator
from dagster_project.indicator_sql import FIGURE
from quality.rows import quote
from schemas.contract import Contract
from schemas.tables import MOMENT, NAME, field_columns

CURRENT = "(SELECT seq FROM mart.current_release)"
_DEFINER = "DEFINER = service SQL SECURITY DEFINER"
_LASTING = (
    " AND (SELECT max(seq) FROM release.pointer WHERE seq <= {release:UInt64})"
    " NOT IN (SELECT seq FROM release.expired)"
)
"""SQL: whether the release has not expired; of one that has, some events are gone, so none is shown."""
_SEQ = ("release_seq", "UInt64", "Release the row is shown by")


@dataclass(frozen=True)
class Column:
    """One column of a mart and the SQL it comes from."""

    name: str
    kind: str
    comment: str
    source: str = ""

    @property
    def declared(self) -> str:
        """The column as a view declares it."""
        return f"`{self.name}` {self.kind} COMMENT {quote(self.comment)}"


def feed_mart(contract: Contract) -> list[str]:
    """The mart of a feed's events: its public and internal fields, never personal ones nor raw bytes."""
    columns = [
        Column("day", "Date", "Day of the event (Asia/Shanghai)", "event_day"),
        Column("source", NAME, "Who sent the event", "source"),
        Column("id", "String", "Id of the event within its source", "id"),
        Column("time", MOMENT, "When it occurred", "time"),
        Column(
            "corrected", "UInt8", "Whether a correction replaced the event as first sent", "corrects != ''"
        ),
    ]
    kinds = dict(field_columns(contract))
    for field in contract.fields:
        if field.classification != "personal":
            unit = f" ({field.unit})" if field.unit else ""
            columns.append(
                Column(field.name, kinds[field.name], f"{field.description}{unit}", f"`{field.name}`")
            )
    return _mart(contract.table, columns, contract.description, _LASTING)


def indicator_mart(indicator: Indicator) -> list[str]:
    """The mart of one indicator."""
    columns = [Column("day", FIGURE[0][1], FIGURE[0][2], "event_day")]
    columns += [Column(name, kind, comment, name) for name, kind, comment in FIGURE[1:]]
    comment = (
        f"{indicator.title_zh} / {indicator.title_en}, {indicator.unit}. {indicator.description}"
        f" Limits: {indicator.limits}"
    )
    return _mart(indicator.table, columns, comment)


def all_indicators(indicators: Sequence[Indicator]) -> list[str]:
    """`mart.indicator`: the figures of all indicators, with what they are called."""
    titles = [
        Column("indicator", NAME, "Id of the indicator"),
        Column("title_zh", NAME, "Its title"),
        Column("title_en", NAME, "Its title in English"),
        Column("unit", NAME, "Unit of value, province and target"),
        Column("direction", NAME, "Which values are better: higher or lower"),
        Column("decimals", "UInt8", "Decimals to show"),
        Column("period", NAME, "What a figure is of: day, month, quarter or year"),
        Column("owner", NAME, "Department that answers for it"),
    ]
    columns = [*titles, Column("day", *FIGURE[0][1:]), *(Column(*figure) for figure in FIGURE[1:])]
    union = " UNION ALL ".join(
        f"SELECT {_titles(item)}, * FROM mart.{item.table}_at(release = {{release:UInt64}})"
        for item in indicators
    )
    names = ", ".join(f"`{column.name}`" for column in [*columns, Column(*_SEQ)])
    at = f"CREATE OR REPLACE VIEW mart.indicator_at {_DEFINER} AS SELECT {names} FROM ({union})"
    return [at, _current("indicator", columns, "Figures of all indicators by day and region, as released")]


def releases() -> list[str]:
    """`mart.current_release` and `mart.release`: which releases there are."""
    manifest = (
        "SELECT seq, max(parent) AS parent, max(released) AS released, count() AS days,"
        " uniqExact(table) AS tables, min(day) AS first, max(day) AS last FROM release.manifest"
        " WHERE seq IN (SELECT seq FROM release.pointer) GROUP BY seq"
    )
    return [
        "CREATE OR REPLACE VIEW mart.current_release (`seq` UInt64 COMMENT 'Number of the current release')"
        f" {_DEFINER} AS SELECT max(seq) AS seq FROM release.pointer COMMENT 'The current release'",
        "CREATE OR REPLACE VIEW mart.release (`seq` UInt64 COMMENT 'Number of the release, rising',"
        " `parent` UInt64 COMMENT 'Release it follows',"
        f" `released` {MOMENT} COMMENT 'When it was published',"
        " `days` UInt64 COMMENT 'Days of tables it published', `tables` UInt64 COMMENT 'Tables among them',"
        " `first` Date COMMENT 'First day among them', `last` Date COMMENT 'Last day among them')"
        f" {_DEFINER} AS {manifest} COMMENT 'Every release'",
    ]


def _titles(item: Indicator) -> str:
    texts = (
        ("indicator", item.id),
        ("title_zh", item.title_zh),
        ("title_en", item.title_en),
        ("unit", item.unit),
        ("direction", item.direction),
        ("period", item.period),
        ("owner", item.owner),
    )
    named = ", ".join(f"{quote(text)} AS {name}" for name, text in texts)
    return f"{named}, toUInt8({item.decimals}) AS decimals"


def _mart(table: str, columns: Iterable[Column], comment: str, only: str = "") -> list[str]:
    columns = list(columns)
    picked = ", ".join(f"{column.source} AS `{column.name}`" for column in columns)
    chosen = (
        f"SELECT day, argMax(build_id, seq) FROM release.pointer WHERE table = {quote(table)}"
        " AND seq <= {release:UInt64} GROUP BY day"
    )
    at = (
        f"CREATE OR REPLACE VIEW mart.{table}_at {_DEFINER} AS"
        f" SELECT {picked}, {{release:UInt64}} AS release_seq FROM built.{table}"
        f" WHERE (event_day, build_id) IN ({chosen}){only}"
    )
    return [at, _current(table, columns, comment)]


def _current(name: str, columns: Iterable[Column], comment: str) -> str:
    declared = ", ".join(column.declared for column in [*columns, Column(*_SEQ)])
    return (
        f"CREATE OR REPLACE VIEW mart.{name} ({declared}) SQL SECURITY INVOKER AS"
        f" SELECT * FROM mart.{name}_at(release = {CURRENT}) COMMENT {quote(comment)}"
    )
