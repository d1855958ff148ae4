"""Which columns figures come from, read from the SQL."""

from __future__ import annotations

import pytest
from dagster import AssetKey

from dagster_project.lineage import sources
from dagster_project.project import make_definitions
from schemas.settings import Settings
from schemas.tables import built_columns
from tests.dagster_project.house import CONTRACTS, INDICATORS

AIR, HEALTH = "ecology_air_quality", "health_infectious_disease"


def test_columns_are_followed_through_subqueries_and_joins() -> None:
    found = sources(INDICATORS["health.infectious-incidence"], CONTRACTS.values())
    assert found["event_day"] == ((HEALTH, "event_day"),)
    assert found["region"] == ((HEALTH, "region"),)
    assert found["numerator"] == ((HEALTH, "cases"),)
    assert found["denominator"] == (("region", "population"),)
    assert found["value"] == found["rank"] == ((HEALTH, "cases"), ("region", "population"))
    assert found["target"] == ()


def test_columns_are_followed_through_common_table_expressions() -> None:
    found = sources(INDICATORS["ecology.good-air-days"], CONTRACTS.values())
    assert found["numerator"] == ((AIR, "averaging"), (AIR, "pm25"), (AIR, "region"))
    assert found["denominator"] == ()


@pytest.mark.parametrize("id", INDICATORS)
def test_every_source_is_a_column_there_is_and_every_figure_has_one(id: str) -> None:
    tables = {item.table: [name for name, _ in built_columns(item)] for item in CONTRACTS.values()}
    found = sources(INDICATORS[id], CONTRACTS.values())
    assert found["region"] and found["numerator"]
    for columns in found.values():
        assert all(table == "region" or column in tables[table] for table, column in columns)


def test_dagster_shows_it() -> None:
    graph = make_definitions(Settings()).resolve_asset_graph()
    lineage = graph.get(AssetKey("health_monthly_incidence")).metadata["dagster/column_lineage"]
    deps = lineage.deps_by_column["numerator"]
    assert [(dep.asset_key.path, dep.column_name) for dep in deps] == [([HEALTH], "cases")]
