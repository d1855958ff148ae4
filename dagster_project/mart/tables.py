"""Tables and views that follow from declarations: indicators, regions, marts. For `liaowang migrate`.

Every statement is safe to run again; a changed declaration takes effect at the next migration.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from dagster_project.build import indicator_sql
from dagster_project.build.indicator import load_indicators
from dagster_project.mart import barrier, day_status, dimensions, rule_quality, views
from dagster_project.mart.ranking import ranking_mart
from schemas.contract import load_contracts
from schemas.in_use import FILES, Roots
from schemas.regions import load_regions

INDEXES = Path(__file__).parents[1] / "indexes"
SHARED = ("region", "calendar", "indicator_definition", "release", "current_release")
"""Marts without figures or events."""


def statements(own_tables: Collection[str] = (), roots: Roots = FILES) -> list[str]:
    """DDL for figures, the region dimension and all marts, in the order they need each other.

    `own_tables` are the tables in `built`: where an indicator's figures still have one of their own, they are
    moved to the table of all.
    """
    from dagster_project.build.index import (
        all_figures,  # numpy starts threads; `visible` is read before a sandbox
    )

    contracts = load_contracts(roots.feeds).values()
    indicators = list(all_figures([contract.table for contract in contracts], roots).values())
    found = [
        *dimensions.region(load_regions()),
        dimensions.calendar(),
        dimensions.definitions(indicators),
        *barrier.views(),
        *views.releases(),
        *day_status.ddl(),
        *rule_quality.ddl(),
        *indicator_sql.figure_table(),
        *(sql for item in indicators if item.table in own_tables for sql in indicator_sql.gathered(item)),
        *(indicator_sql.ddl(item) for item in indicators),
    ]
    for contract in contracts:
        found += views.feed_mart(contract)
    for indicator in indicators:
        found += views.indicator_mart(indicator)
    found += [*views.all_indicators(indicators), *views.provenance(indicators, list(contracts))]
    return [*found, *ranking_mart()]


def index_tables(root: Path = INDEXES) -> list[str]:
    """The tables of the indices, by the places of their files."""
    return [f"{path.parent.name}_{path.stem}".replace("-", "_") for path in sorted(root.glob("*/*.yaml"))]


def visible(roots: Roots = FILES) -> tuple[dict[str, str], tuple[str, ...]]:
    """What a county's own user may see: views by the column of their region, and those all may see."""
    contracts = load_contracts(roots.feeds).values()
    indicators = load_indicators([contract.table for contract in contracts], roots.indicators).values()
    found = {contract.table: views.region_column(contract) for contract in contracts}
    columns = {table: column for table, column in found.items() if column}
    columns |= {
        table: "region" for table in (*(item.table for item in indicators), *index_tables(roots.indexes))
    }
    columns |= {"indicator": "region", "ranking": "region"}
    both = {name: column for table, column in columns.items() for name in (table, f"{table}_at")}
    return {**both, "reviewed_warning": "region"}, SHARED
