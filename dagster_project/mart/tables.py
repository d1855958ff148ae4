"""Tables and views that follow from declarations: indicators, regions, marts. For `liaowang migrate`.

A changed declaration takes effect at the next migration.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dagster_project.build import indicator_sql
from dagster_project.build.indicator import load_indicators
from dagster_project.mart import barrier, day_status, dimensions, rule_quality
from dagster_project.mart import views as mart_views
from dagster_project.mart.ranking import ranking_mart
from schemas.contract import load_contracts
from schemas.ddl.model import Table, View
from schemas.in_use import FILES, Roots, departments_of
from schemas.regions import load_regions

INDEXES = Path(__file__).parents[1] / "indexes"
SHARED = ("region", "calendar", "department", "indicator_definition", "release", "current_release")
"""Marts without figures or events."""


@dataclass(frozen=True)
class Marts:
    """Tables and views in the order they need each other, and what fills them.

    `loads` are tables that are replaced as a whole by the rows of a query. `moves` take the figures out of a table
    of an indicator's own, as they were once kept, by its full name.
    """

    tables: tuple[Table, ...] = ()
    loads: tuple[tuple[Table, str], ...] = ()
    moves: Mapping[str, Sequence[str]] = field(default_factory=dict)
    views: tuple[View, ...] = ()


def marts(roots: Roots = FILES) -> Marts:
    """Figures, the region dimension and all marts, as the declarations say."""
    from dagster_project.build.index import (
        all_figures,  # numpy starts threads; `visible` is read before a sandbox
    )

    contracts = load_contracts(roots.feeds).values()
    indicators = list(all_figures([contract.table for contract in contracts], roots).values())
    views = [
        dimensions.region(),
        dimensions.calendar(),
        dimensions.departments(departments_of(roots), contracts),
        dimensions.definitions(indicators),
        *barrier.views(),
        *mart_views.releases(),
        day_status.view(),
        *rule_quality.views(),
        *(indicator_sql.view(item) for item in indicators),
    ]
    for contract in contracts:
        views += mart_views.feed_mart(contract)
    for indicator in indicators:
        views += mart_views.indicator_mart(indicator)
    views += [*mart_views.all_indicators(indicators), *mart_views.provenance(indicators, list(contracts))]
    return Marts(
        tables=(indicator_sql.FIGURE_TABLE,),
        loads=((dimensions.REGION_TABLE, dimensions.region_rows(load_regions())),),
        moves={f"built.{item.table}": indicator_sql.gathered(item) for item in indicators},
        views=(*views, *ranking_mart()),
    )


def index_tables(root: Path = INDEXES) -> list[str]:
    """The tables of the indices, by the places of their files."""
    return [f"{path.parent.name}_{path.stem}".replace("-", "_") for path in sorted(root.glob("*/*.yaml"))]


def visible(roots: Roots = FILES) -> tuple[dict[str, str], tuple[str, ...]]:
    """What a county's own user may see: views by the column of their region, and those all may see."""
    contracts = load_contracts(roots.feeds).values()
    indicators = load_indicators([contract.table for contract in contracts], roots.indicators).values()
    found = {contract.table: mart_views.region_column(contract) for contract in contracts}
    columns = {table: column for table, column in found.items() if column}
    columns |= {
        table: "region" for table in (*(item.table for item in indicators), *index_tables(roots.indexes))
    }
    columns |= {"indicator": "region", "ranking": "region"}
    both = {name: column for table, column in columns.items() for name in (table, f"{table}_at")}
    return {**both, "reviewed_warning": "region"}, SHARED
