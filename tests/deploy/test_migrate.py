"""Migrations: each once, recorded, in order; an edited one is refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date

import pytest
from clickhouse_driver import Client

from dagster_project.build.indicator_sql import FIGURES
from deploy.ports import free_port
from deploy.provision.derived import to_keep, to_run
from deploy.provision.migrate import migrate, missing, run
from schemas.contract import load_contracts
from schemas.errors import Misdeclared, Unavailable
from schemas.migrations import Migration, read_migrations
from schemas.settings import Settings

FIRST = Migration(1, "one", ("SELECT 1",), "a")
SECOND = Migration(2, "two", ("SELECT 2",), "b")


@contextmanager
def admin(settings: Settings) -> Iterator[Client]:
    """A client as admin, closed whatever comes."""
    client = Client(**settings.warehouse("admin"))
    try:
        yield client
    finally:
        client.disconnect()


def test_only_what_is_not_recorded_is_missing() -> None:
    assert missing([FIRST, SECOND], {}) == [FIRST, SECOND]
    assert missing([FIRST, SECOND], {1: "a"}) == [SECOND]


def test_edited_after_it_was_applied() -> None:
    with pytest.raises(Misdeclared, match=r"0001_one\.sql: file: was edited"):
        missing([FIRST, SECOND], {1: "other"})


def test_older_code_than_warehouse() -> None:
    with pytest.raises(Misdeclared, match="0002: was applied"):
        missing([FIRST], {1: "a", 2: "b"})


@pytest.mark.stack
def test_second_run_applies_nothing_and_keeps_the_tables(warehouse: Settings) -> None:
    kept = "SELECT name, uuid FROM system.tables WHERE database = 'landing' AND name IN ('ledger', %(air)s)"
    air = {"air": load_contracts()["ecology.air-quality"].table}
    with admin(warehouse) as client:
        before = set(client.execute(kept, air))
        assert migrate(warehouse).applied == ()
        assert set(client.execute(kept, air)) == before
        recorded = client.execute("SELECT number, name FROM landing.migration ORDER BY number")
    assert len(before) == 2
    assert recorded == [(m.number, m.name) for m in read_migrations()]


@pytest.mark.stack
def test_new_field_becomes_a_column(warehouse: Settings) -> None:
    air = load_contracts()["ecology.air-quality"]
    extra = replace(air.fields[-1], name="test_extra", required=False)
    grown = replace(air, feed="test.grown", fields=(*air.fields, extra))
    columns = "SELECT count() FROM system.columns WHERE table = %(table)s AND name = 'test_extra'"
    with admin(warehouse) as client:
        run(client, read_migrations(), {grown.feed: replace(grown, fields=air.fields)})
        run(client, read_migrations(), {grown.feed: grown})
        assert client.execute(columns, {"table": grown.table}) == [(2,)]


@pytest.mark.stack
def test_bad_statement_names_the_migration(warehouse: Settings) -> None:
    bad = Migration(9999, "bad", ("CREATE TABLE nowhere.t (a Int8) ENGINE = Memory",), "x")
    refused = pytest.raises(Misdeclared, match=r"9999_bad: CREATE TABLE nowhere\.t: ")
    with admin(warehouse) as client, refused:
        run(client, [*read_migrations(), bad], {})


def test_warehouse_away_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="LIAOWANG_WAREHOUSE_PORT"):
        migrate(Settings(warehouse_port=free_port()))


@pytest.mark.stack
def test_wrong_password_names_the_setting(warehouse: Settings) -> None:
    with pytest.raises(Misdeclared, match="LIAOWANG_ADMIN_PASSWORD: the warehouse does not know it"):
        migrate(replace(warehouse, admin_password="wrong"))


@pytest.mark.stack
def test_figures_of_a_table_of_their_own_move_to_the_table_of_all_once(warehouse: Settings) -> None:
    """As a warehouse of an earlier version has them, without the columns that came later."""
    own = "built.ecology_good_air_days"
    figures = f"SELECT build_id, toString(event_day), region, value FROM {own} ORDER BY ALL"
    rows = [("moved", date(2023, 1, at), "330110", float(at)) for at in (1, 2)]
    with admin(warehouse) as client:
        client.execute(f"DROP VIEW {own}")
        client.execute(
            f"CREATE TABLE {own} (build_id String, event_day Date, region String, value Nullable(Float64))"
            " ENGINE = MergeTree ORDER BY event_day"
        )
        client.execute(f"INSERT INTO {own} VALUES", rows)
        client.execute(  # a run before was killed when it had moved one of them
            f"INSERT INTO {FIGURES} (indicator, build_id, event_day, region, value) VALUES",
            [("ecology.good-air-days", *rows[0])],
        )
        migrate(warehouse)
        migrate(warehouse)
        assert client.execute(figures) == [(build, str(day), *rest) for build, day, *rest in rows]
        engine = (
            "SELECT engine FROM system.tables WHERE database = 'built' AND name = 'ecology_good_air_days'"
        )
        assert client.execute(engine) == [("View",)]
        client.execute(f"DELETE FROM {FIGURES} WHERE build_id = 'moved'")


def test_an_object_is_made_again_where_its_statements_or_its_form_are_others() -> None:
    making = {"landing.r": ["CREATE r", "FILL r"], "mart.v": ["CREATE v"]}
    every = ["CREATE r", "FILL r", "CREATE v"]
    forms = {"landing.r": "R", "mart.v": "V"}
    assert to_run(making, {}, {}) == every
    made = {name: (digest, form) for name, digest, form in to_keep(making, {}, forms)}
    assert to_run(making, made, forms) == []
    assert to_keep(making, made, forms) == []
    assert to_run(making, made, forms | {"landing.r": "altered"}) == every[:2]
    assert to_run(making, made, {"landing.r": "R"}) == every[2:], "it was dropped"
    assert to_run({"mart.v": ["CREATE v as"]}, made, forms) == ["CREATE v as"]


@pytest.mark.stack
def test_only_what_differs_is_made_again(warehouse: Settings) -> None:
    air = load_contracts()["ecology.air-quality"].table
    migrate(warehouse)
    assert migrate(warehouse).derived == 0
    with admin(warehouse) as client:
        client.execute(f"ALTER TABLE landing.{air} DROP COLUMN aqi")
        client.execute("DROP VIEW mart.calendar")
        once = migrate(warehouse).derived
        assert once == 2, "that of the table, and the view's"
        assert client.execute(
            "SELECT count() FROM system.columns WHERE table = %(air)s AND name = 'aqi' AND database = 'landing'",
            {"air": air},
        ) == [(1,)]
        client.execute("SELECT * FROM mart.calendar LIMIT 1")
    assert migrate(warehouse).derived == 0
