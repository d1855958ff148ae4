"""Which columns figures come from, read from the SQL."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from dagster import AssetKey

from dagster_project.orchestrate.project import make_definitions
from dagster_project.share.lineage import COUNTED, sources
from dagster_project.share.lineage_memory import FILE, remembered
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


def test_what_was_traced_is_known_the_next_time(tmp_path: Path) -> None:
    (tmp_path / "dagster").mkdir()
    good, cases = (INDICATORS[id] for id in ("ecology.good-air-days", "health.infectious-incidence"))
    contracts = list(CONTRACTS.values())
    with remembered(tmp_path) as memory:
        first = sources(good, contracts, memory)
    with remembered(tmp_path) as memory:
        memory.known = {key: dict.fromkeys(COUNTED, (("told", "by the file"),)) for key in memory.known}
        assert sources(good, contracts, memory)["numerator"] == (("told", "by the file"),)
        assert sources(replace(good, sql=f"{good.sql} "), contracts, memory) == first
        assert sources(cases, contracts, memory) == sources(cases, contracts)
    with remembered(tmp_path) as memory:
        assert len(memory.known) == 3
        wider = [replace(item, fields=item.fields[:-1]) for item in contracts]
        sources(good, wider, memory)
        assert not memory.used.keys() & memory.known.keys(), "other columns are another question"


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1}', '{"a": {"day": [["t"]]}}', "\x00"])
def test_a_broken_memory_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "dagster").mkdir()
    (tmp_path / FILE).write_text(text)
    with remembered(tmp_path) as memory:
        assert sources(INDICATORS["ecology.good-air-days"], CONTRACTS.values(), memory)
    with remembered(tmp_path) as memory:
        assert len(memory.known) == 1


def test_a_home_that_was_never_up_remembers_too(tmp_path: Path) -> None:
    with remembered(tmp_path) as memory:
        sources(INDICATORS["ecology.good-air-days"], CONTRACTS.values(), memory)
    with remembered(tmp_path) as memory:
        assert len(memory.known) == 1


def test_where_there_is_no_home_none_is_made(tmp_path: Path) -> None:
    with remembered(tmp_path / "home") as memory:
        sources(INDICATORS["ecology.good-air-days"], CONTRACTS.values(), memory)
    assert not (tmp_path / "home").exists()


def test_who_only_loads_the_project_imports_nothing_of_open_lineage() -> None:
    asked = (
        "import sys, dagster_project.definitions;"
        " print([name for name in sys.modules if name.partition('.')[0] == 'openlineage'])"
    )
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
