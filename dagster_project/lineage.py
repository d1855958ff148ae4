"""Column lineage: which columns of feeds each column of an indicator comes from, read from its SQL (sqlglot)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from dagster import AssetKey, TableColumnDep, TableColumnLineage
from sqlglot import exp
from sqlglot.lineage import lineage

from dagster_project.dependencies import DIALECT
from dagster_project.dimensions import REGION
from dagster_project.indicator import Indicator
from dagster_project.indicator_sql import FIGURE
from schemas.contract import Contract
from schemas.tables import built_columns

COUNTED = ("day", "region", "numerator", "denominator")
Source = tuple[str, str]


def sources(indicator: Indicator, contracts: Iterable[Contract]) -> dict[str, tuple[Source, ...]]:
    """Columns of `built` and `mart.region` by column of the figure, as (table, column), sorted.

    Counting rows reads no column, so a count alone has none. What the engine makes of numerator and denominator
    comes from the columns of both.
    """
    known = {contract.table: [name for name, _ in built_columns(contract)] for contract in contracts}
    schema = {
        "built": {table: dict.fromkeys(names, "String") for table, names in known.items()},
        "mart": {"region": dict.fromkeys([name for name, _, _ in REGION], "String")},
    }
    counted = {name: _leaves(indicator.sql, name, schema) for name in COUNTED}
    made = tuple(sorted({*counted["numerator"], *counted["denominator"]}))
    own = {**counted, "event_day": counted["day"], "through": counted["day"], "target": ()}
    return {name: own.get(name, made) for name, _, _ in FIGURE}


def column_lineage(indicator: Indicator, contracts: Sequence[Contract]) -> TableColumnLineage:
    """The same as Dagster shows it: on assets of feeds alone, as the region dimension is none."""
    feeds = {contract.table for contract in contracts}
    found = sources(indicator, contracts)
    return TableColumnLineage(
        {
            name: [
                TableColumnDep(asset_key=AssetKey(table), column_name=column)
                for table, column in columns
                if table in feeds
            ]
            for name, columns in found.items()
        }
    )


def value_sources(tables: Iterable[str]) -> dict[str, tuple[Source, ...]]:
    """The same of an index: its figures are made of the values of these indicators, by region."""
    names = sorted(tables)
    same = {"event_day": "event_day", "through": "event_day", "region": "region"}
    return {
        name: () if name == "target" else tuple((table, same.get(name, "value")) for table in names)
        for name, _, _ in FIGURE
    }


def values_lineage(tables: Iterable[str]) -> TableColumnLineage:
    """The lineage of an index as Dagster shows it."""
    return TableColumnLineage(
        {
            name: [TableColumnDep(asset_key=AssetKey(table), column_name=column) for table, column in found]
            for name, found in value_sources(tables).items()
        }
    )


def _leaves(
    sql: str, column: str, schema: Mapping[str, Mapping[str, Mapping[str, str]]]
) -> tuple[Source, ...]:
    root = lineage(column, sql, schema=dict(schema), dialect=DIALECT)
    return tuple(
        sorted(
            {
                (node.expression.name, node.name.rpartition(".")[2])
                for node in root.walk()
                if not node.downstream and isinstance(node.expression, exp.Table)
            }
        )
    )
