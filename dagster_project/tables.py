"""Tables and views that follow from declarations: indicators, regions, marts. For `liaowang migrate`.

Every statement is safe to run again; a changed declaration takes effect at the next migration.
"""

from __future__ import annotations

from dagster_project import dimensions, indicator_sql, marts
from dagster_project.index import all_figures
from dagster_project.ranking.mart import ranking_mart
from schemas.contract import load_contracts
from schemas.regions import load_regions

SHARED = ("region", "calendar", "indicator_definition", "release", "current_release")
"""Marts without figures or events."""


def statements() -> list[str]:
    """DDL for indicator tables, the region dimension and all marts, in the order they need each other."""
    contracts = load_contracts().values()
    indicators = list(all_figures([contract.table for contract in contracts]).values())
    found = [
        *dimensions.region(load_regions()),
        dimensions.calendar(),
        dimensions.definitions(indicators),
        *marts.releases(),
        *(text for item in indicators for text in indicator_sql.ddl(item)),
    ]
    for contract in contracts:
        found += marts.feed_mart(contract)
    for indicator in indicators:
        found += marts.indicator_mart(indicator)
    found += [*marts.all_indicators(indicators), *marts.provenance(indicators, list(contracts))]
    return [*found, *ranking_mart()]


def visible() -> tuple[dict[str, str], tuple[str, ...]]:
    """What a county's own user may see: views by the column of their region, and those all may see."""
    contracts = load_contracts().values()
    indicators = all_figures([contract.table for contract in contracts]).values()
    columns = {contract.table: contract.region_field for contract in contracts if contract.region_field}
    columns |= {indicator.table: "region" for indicator in indicators}
    columns |= {"indicator": "region", "ranking": "region"}
    both = {name: column for table, column in columns.items() for name in (table, f"{table}_at")}
    return both, SHARED
