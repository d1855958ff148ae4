"""Column lineage: which columns of feeds each column of an indicator comes from, read from its SQL (sqlglot)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from dagster import AssetKey, TableColumnDep, TableColumnLineage
from sqlglot import exp
from sqlglot.lineage import Node, lineage

from dagster_project.build.dependencies import DIALECT
from dagster_project.build.indicator import Indicator
from dagster_project.build.indicator_sql import FIGURE
from dagster_project.mart.dimensions import REGION
from schemas.contract import Contract
from schemas.tables import built_columns

COUNTED = ("day", "region", "numerator", "denominator")
Source = tuple[str, str]
Schema = Mapping[str, Mapping[str, Mapping[str, str]]]
Traced = Mapping[str, tuple[Source, ...]]
Trace = Callable[[str, Schema], Traced]


def schema_of(indicator: Indicator, contracts: Iterable[Contract]) -> Schema:
    """The tables its SQL can read, with their columns."""
    read = [contract for contract in contracts if contract.table in indicator.reads]
    return {
        "built": {item.table: {name: "String" for name, _ in built_columns(item)} for item in read},
        "mart": {"region": dict.fromkeys([name for name, _, _ in REGION], "String")},
    }


def trace(sql: str, schema: Schema) -> Traced:
    """By column that an indicator's SQL counts, the columns it comes from."""
    found = lineage(None, sql, schema=dict(schema), dialect=DIALECT)
    assert isinstance(found, dict)
    return {name: _leaves(found[name]) for name in COUNTED}


def sources(
    indicator: Indicator, contracts: Iterable[Contract], trace: Trace = trace
) -> dict[str, tuple[Source, ...]]:
    """Columns of `built` and `mart.region` by column of the figure, as (table, column), sorted.

    Counting rows reads no column, so a count alone has none. What the engine makes of numerator and denominator
    comes from the columns of both. `trace` reads the SQL, or remembers what came of it.
    """
    counted = trace(indicator.sql, schema_of(indicator, contracts))
    made = tuple(sorted({*counted["numerator"], *counted["denominator"]}))
    own = {**counted, "event_day": counted["day"], "through": counted["day"], "target": ()}
    return {name: own.get(name, made) for name, _, _ in FIGURE}


def column_lineage(
    indicator: Indicator, contracts: Sequence[Contract], trace: Trace = trace
) -> TableColumnLineage:
    """The same as Dagster shows it: on assets of feeds alone, as the region dimension is none."""
    feeds = {contract.table for contract in contracts}
    found = sources(indicator, contracts, trace)
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


def _leaves(root: Node) -> tuple[Source, ...]:
    return tuple(
        sorted(
            {
                (node.expression.name, node.name.rpartition(".")[2])
                for node in root.walk()
                if not node.downstream and isinstance(node.expression, exp.Table)
            }
        )
    )
