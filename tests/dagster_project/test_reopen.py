"""Late events reopen exactly the days and indicators that depend on them, in one child release an hour."""

from __future__ import annotations

import warnings
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from dagster import AssetKey, DagsterInstance, build_sensor_context

from dagster_project.build.reopened_days import Reopened, reopened
from dagster_project.days.spans import Span
from dagster_project.orchestrate.instance import prepare_instance
from dagster_project.orchestrate.late import make_late
from dagster_project.orchestrate.project import make_definitions
from dagster_project.orchestrate.runs import run_span
from dagster_project.orchestrate.table_pipeline import TablePipeline
from schemas.fields import SHANGHAI
from tests.dagster_project.house import AIR, CASES, CONTRACTS, HEALTH, INDICATORS, Event, House, reading

pytestmark = pytest.mark.stack
TODAY = date(2024, 4, 1)
DAY = date(2024, 3, 10)
OTHER = date(2024, 3, 20)
GOOD = INDICATORS["ecology.good-air-days"]


def plan(house: House, today: date = TODAY, approved: bool = False) -> Reopened:
    return reopened(house.warehouse, CONTRACTS.values(), INDICATORS.values(), today, approved)


def run(house: House, span: Span) -> None:
    run_span(house.settings, span, lambda table, what: None)


def test_only_published_days_with_newer_events_are_reopened(house: House) -> None:
    house.land(reading("a", DAY, 1), reading("b", OTHER, 2))
    assert plan(house) == Reopened()
    house.release(Span(DAY, OTHER))
    assert plan(house) == Reopened()
    house.land(reading("c", DAY, 3), reading("n", date(2024, 3, 25), 3))
    assert plan(house) == Reopened(feeds={AIR.table: frozenset([DAY])})


def test_beyond_the_horizon_it_takes_a_person(house: House) -> None:
    house.land(reading("a", DAY, 1), reading("b", OTHER, 2))
    house.release(Span(DAY, OTHER))
    house.land(reading("a2", DAY, 3, corrects="a"), reading("b2", OTHER, 3, corrects="b"))
    later = DAY + AIR.horizon + timedelta(days=1)
    assert plan(house, later).feeds == {AIR.table: frozenset([OTHER])}
    assert plan(house, later).beyond == {AIR.table: frozenset([DAY])}
    assert plan(house, later, approved=True).feeds == {AIR.table: frozenset([DAY, OTHER])}


def test_a_changed_declaration_reopens_the_figures_it_made(house: House) -> None:
    house.land(reading("a", DAY, 1))
    run(house, Span(DAY, DAY))
    edited = replace(GOOD, tolerance=5.0)
    found = reopened(house.warehouse, CONTRACTS.values(), [edited], TODAY)
    assert found == Reopened(indicators={GOOD.table: frozenset([DAY])})


def test_the_job_builds_exactly_what_is_concerned_as_one_child_release(house: House) -> None:
    today = datetime.now(SHANGHAI).date()
    days = [today - timedelta(days=n) for n in (20, 15, 10)]
    house.now = datetime.now(UTC)
    house.land(*(reading(f"e{n}", day, 10) for n, day in enumerate(days)))
    house.land(Event("h", days[0], CASES), contract=HEALTH, base=CASES)
    run(house, Span(days[0], days[-1]))
    house.land(reading("late", days[0], 500), reading("late2", days[2], 500))
    with DagsterInstance.from_config(str(prepare_instance(house.settings.home))) as instance:
        job = make_definitions(house.settings).resolve_job_def("late")
        result = job.execute_in_process(instance=instance)
        assert result.success
        told = {
            (event.asset_key, event.partition) for event in result.all_events if event.is_step_materialization
        }
        assert (AssetKey(AIR.table), str(days[1])) not in told
        assert {(AssetKey(AIR.table), str(days[0])), (AssetKey(AIR.table), str(days[2]))} <= told
        assert not any(key == AssetKey(HEALTH.table) for key, _ in told)
    published = house.warehouse.rows("SELECT table, day FROM release.pointer WHERE seq = 2 ORDER BY ALL")
    assert [day for table, day in published if table == AIR.table] == [days[0], days[2]]
    assert [day for table, day in published if table == GOOD.table] == Span(days[0], days[2]).days
    assert house.warehouse.rows("SELECT DISTINCT kind FROM release.manifest WHERE seq = 2") == [("late",)]
    assert plan(house, today) == Reopened()


def test_the_sensor_gathers_what_comes_within_an_hour(house: House) -> None:
    _, sensor = make_late(TablePipeline(house.settings, CONTRACTS, INDICATORS, lambda table, what: None))
    today = datetime.now(SHANGHAI).date()
    day = today - timedelta(days=5)
    house.now = datetime.now(UTC)
    house.land(reading("a", day, 1))
    house.release(Span(day, day))
    with warnings.catch_warnings(), DagsterInstance.ephemeral() as instance:
        warnings.simplefilter("ignore", DeprecationWarning)
        first = sensor.evaluate_tick(build_sensor_context(instance))
        assert "no published day is concerned" in str(first.skip_message)
        again = sensor.evaluate_tick(build_sensor_context(instance, cursor=first.cursor))
        assert "nothing was landed" in str(again.skip_message)
        house.land(reading("late", day, 1))
        (asked,) = (
            sensor.evaluate_tick(build_sensor_context(instance, cursor=first.cursor)).run_requests or []
        )
        (same,) = sensor.evaluate_tick(build_sensor_context(instance, cursor=first.cursor)).run_requests or []
        assert asked.run_key == same.run_key
        columns = ("build_id", "state", "first", "last", "parent", "offsets", "at", "kind", "days")
        row = ("x", "started", day, day, 1, {}, datetime.now(UTC), "late", [day])
        house.warehouse.insert("release.attempt", columns, [row])
        gathered = sensor.evaluate_tick(build_sensor_context(instance))
        assert "gathered until" in str(gathered.skip_message)
