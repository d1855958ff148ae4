"""The Dagster project: it loads without any server, and one run of it is the whole way."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from dagster import AssetKey, DagsterInstance, ExecuteInProcessResult, build_schedule_context
from dagster._core.events import DagsterEventType

from dagster_project.build.index import load_indexes
from dagster_project.days.spans import Span
from dagster_project.orchestrate.assets import DAYS, RELEASE, range_tags
from dagster_project.orchestrate.instance import BatchingEventLog, BatchingInstance, prepare_instance
from dagster_project.orchestrate.project import make_definitions
from dagster_project.orchestrate.runs import Run, run_span, steps
from schemas.errors import Unavailable
from schemas.settings import PREFIX, Settings
from tests.dagster_project.house import AIR, CASES, CONTRACTS, HEALTH, INDICATORS, Event, House, reading

DAY = date(2024, 3, 1)
NEXT = date(2024, 3, 2)
FIGURED = [*INDICATORS.values(), *(index.indicator for index in load_indexes(INDICATORS).values())]
TABLES = [item.table for item in CONTRACTS.values()] + [item.table for item in FIGURED]


def run(house: House, span: Span) -> Run:
    return run_span(house.settings, span, lambda table, what: None)


def test_definitions_load_without_a_server(tmp_path: Path) -> None:
    environment = {**os.environ, f"{PREFIX}HOME": str(tmp_path)}
    code = "from dagster_project.definitions import defs; print(len(list(defs.resolve_all_asset_keys())))"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) == len(TABLES) + 2


def test_every_declaration_is_an_asset_with_a_gate() -> None:
    graph = make_definitions(Settings()).resolve_asset_graph()
    assert {key.path[0] for key in graph.get_all_asset_keys()} == {*TABLES, "release", "rule_review"}
    assert steps(Settings()) == len({*TABLES, "release"})
    assert {check.asset_key.path[0] for check in graph.asset_check_keys} == set(TABLES)
    assert not any(graph.get_check_spec(check).blocking for check in graph.asset_check_keys)
    for indicator in FIGURED:
        parents = graph.get(AssetKey(indicator.table)).parent_keys
        assert parents == {AssetKey(table) for table in indicator.reads}
    assert graph.get(RELEASE).parent_keys == {AssetKey(table) for table in TABLES}


def test_the_night_builds_yesterday_and_what_lateness_leaves_open() -> None:
    definitions = make_definitions(Settings())
    (night,) = (item for item in definitions.schedules or [] if item.name == "every_night")
    tick = datetime(2024, 3, 2, 18, 30, tzinfo=UTC)  # 02:30 on the 3rd in Asia/Shanghai
    with DagsterInstance.ephemeral() as instance:
        context = build_schedule_context(instance, scheduled_execution_time=tick)
        (request,) = night.evaluate_tick(context).run_requests or []  # type: ignore[union-attr]
    assert request.tags.items() >= range_tags(Span(DAY, NEXT)).items()


def docs_of(house: House, table: str) -> Path:
    """The file that Dagster's link on the latest build of a table leads to."""
    with instance(house) as dagster:
        event = dagster.get_latest_materialization_event(AssetKey(table))
    assert event and event.asset_materialization
    address = str(event.asset_materialization.metadata["data_docs"].value)
    served = f"http://127.0.0.1:{house.settings.docs_port}/"
    assert address.startswith(served)
    found = house.settings.home / "docs" / address.removeprefix(served)
    assert found.exists()
    return found


def test_days_are_those_of_shanghai() -> None:
    keys = DAYS.get_partition_keys(current_time=datetime(2014, 1, 2, 17, tzinfo=UTC))
    assert list(keys) == ["2014-01-01", "2014-01-02", "2014-01-03"]


@pytest.mark.stack
def test_one_run_goes_all_the_way(house: House) -> None:
    house.land(reading("a", DAY, 30), reading("b", NEXT, 90))
    done = run(house, Span(DAY, NEXT))
    assert done.passed
    assert (done.seq, done.published) == (1, 5)
    assert [(table.table, table.days, table.passed) for table in done.tables] == [
        ("ecology_air_quality", 2, 2),
        ("ecology_good_air_days", 2, 2),
        ("ecology_pm25_quarterly", 1, 1),
    ]
    figures = house.warehouse.rows(
        "SELECT day, value FROM mart.ecology_good_air_days WHERE region = '330100' ORDER BY day"
    )
    assert figures == [(DAY, 100.0), (NEXT, 50.0)]
    assert (house.settings.home / "docs" / "index.html").exists()
    with instance(house) as dagster:
        assert dagster.get_materialized_partitions(AssetKey("ecology_good_air_days")) >= {str(DAY), str(NEXT)}
    assert docs_of(house, "ecology_good_air_days").name == "days"
    again = run(house, Span(DAY, NEXT))
    assert (again.passed, again.seq, again.published) == (True, None, 0)


@pytest.mark.stack
def test_a_changed_day_changes_the_released_days_that_look_back_on_it(house: House) -> None:
    later = date(2024, 4, 10)
    house.land(reading("a", DAY, 30), reading("b", later, 30))
    run(house, Span(DAY, later))
    house.land(reading("a2", DAY, 100, corrects="a"))
    assert run(house, Span(DAY, DAY)).passed
    (figure,) = house.warehouse.rows(
        "SELECT value, numerator, denominator FROM mart.ecology_good_air_days"
        f" WHERE day = '{later}' AND region = '330100'"
    )
    assert figure == (50.0, 1.0, 2.0)


@pytest.mark.stack
def test_what_failed_is_withheld_with_what_is_made_of_it_and_nothing_else(house: House) -> None:
    house.land(reading("a", DAY, 30), reading("b", DAY, 4000))
    house.land(Event("h", DAY, CASES), contract=HEALTH, base=CASES)
    done = run(house, Span(DAY, DAY))
    assert not done.passed
    tables = [table.table for table in done.tables]
    assert AIR.table in tables and "ecology_good_air_days" not in tables
    assert done.tables[0].failed[0][0] == DAY
    shown = {table for (table,) in house.warehouse.rows("SELECT table FROM release.pointer")}
    assert HEALTH.table in shown and AIR.table not in shown
    assert done.seq == 1
    page = docs_of(house, AIR.table)
    assert page.name == f"{DAY}.html"
    assert "quarantine_share: 1 of 2 rows are in quarantine" in page.read_text(encoding="utf-8")


@pytest.mark.stack
def test_a_table_that_cannot_be_built_does_not_keep_the_others_from_being_published(house: House) -> None:
    house.land(reading("a", DAY, 30))
    house.land(Event("h", DAY, CASES), contract=HEALTH, base=CASES)
    house.warehouse.rows(f"RENAME TABLE built.{AIR.table} TO built.elsewhere")
    try:
        done = run(house, Span(DAY, DAY))
    finally:
        house.warehouse.rows(f"RENAME TABLE built.elsewhere TO built.{AIR.table}")
    (broken,) = [table for table in done.tables if table.table == AIR.table]
    assert (broken.failed[0][1][0].check, broken.failed[0][1][0].given["error"]) == (
        "built",
        "ServerException",
    )
    shown = {table for (table,) in house.warehouse.rows("SELECT table FROM release.pointer")}
    assert HEALTH.table in shown and "ecology_good_air_days" not in shown


def test_a_warehouse_that_is_away_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        run_span(Settings(home=tmp_path, warehouse_port=1), Span(DAY, DAY), lambda table, what: None)


def test_events_written_in_a_batch_are_as_if_written_one_by_one(tmp_path: Path) -> None:
    from dagster import DailyPartitionsDefinition, Definitions, asset

    @asset(partitions_def=DailyPartitionsDefinition("2024-01-01"), name="thing")
    def thing() -> None: ...

    found = []
    for name in ("batched", "single"):
        home = tmp_path / name
        home.mkdir()
        if name == "batched":
            folder = prepare_instance(home)
        else:
            folder = home
            (folder / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
        with DagsterInstance.from_config(str(folder)) as dagster:
            assert isinstance(dagster, BatchingInstance) is (name == "batched")
            assert isinstance(dagster.event_log_storage, BatchingEventLog) is (name == "batched")
            result: ExecuteInProcessResult = (
                Definitions([thing])
                .resolve_implicit_global_asset_job_def()
                .execute_in_process(
                    instance=dagster, tags=range_tags(Span(date(2024, 1, 1), date(2024, 1, 9)))
                )
            )
            key = AssetKey("thing")
            records = dagster.fetch_materializations(key, limit=100).records
            (entry,) = dagster.get_asset_records([key])
            found.append(
                (
                    sorted(record.partition_key or "" for record in records),
                    dagster.get_materialized_partitions(key),
                    entry.asset_entry.last_run_id == result.run_id,
                    dagster.get_latest_materialization_event(key).dagster_event.partition,  # type: ignore[union-attr]
                    len(dagster.all_logs(result.run_id, of_type=DagsterEventType.ASSET_MATERIALIZATION)),
                )
            )
    assert found[0] == found[1]
    assert len(found[0][0]) == 9


def instance(house: House) -> DagsterInstance:
    return DagsterInstance.from_config(str(prepare_instance(house.settings.home)))
