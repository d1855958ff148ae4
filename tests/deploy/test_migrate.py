"""Migrations: each once, recorded, in order; an edited one is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from clickhouse_driver import Client

from deploy.local.process import free_port
from deploy.migrate import migrate, missing, run
from schemas.contract import load_contracts
from schemas.errors import Misdeclared, Unavailable
from schemas.migrations import Migration, read_migrations
from schemas.settings import Settings

FIRST = Migration(1, "one", ("SELECT 1",), "a")
SECOND = Migration(2, "two", ("SELECT 2",), "b")


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
    client = Client(**warehouse.warehouse("admin"))
    tables = (
        "SELECT database, name, uuid FROM system.tables WHERE database IN ('landing', 'built') ORDER BY ALL"
    )
    before = client.execute(tables)
    again = migrate(warehouse)
    assert again.applied == ()
    assert client.execute(tables) == before
    recorded = client.execute("SELECT number, name FROM landing.migration ORDER BY number")
    assert recorded == [(m.number, m.name) for m in read_migrations()]
    client.disconnect()


@pytest.mark.stack
def test_new_field_becomes_a_column(warehouse: Settings) -> None:
    client = Client(**warehouse.warehouse("admin"))
    air = load_contracts()["ecology.air-quality"]
    extra = replace(air.fields[-1], name="test_extra", required=False)
    grown = replace(air, feed="test.grown", fields=(*air.fields, extra))
    run(client, read_migrations(), {grown.feed: replace(grown, fields=air.fields)})
    run(client, read_migrations(), {grown.feed: grown})
    columns = "SELECT count() FROM system.columns WHERE table = %(table)s AND name = 'test_extra'"
    assert client.execute(columns, {"table": grown.table}) == [(2,)]
    client.disconnect()


@pytest.mark.stack
def test_bad_statement_names_the_migration(warehouse: Settings) -> None:
    client = Client(**warehouse.warehouse("admin"))
    bad = Migration(9999, "bad", ("CREATE TABLE nowhere.t (a Int8) ENGINE = Memory",), "x")
    with pytest.raises(Misdeclared, match=r"9999_bad: CREATE TABLE nowhere\.t: "):
        run(client, [*read_migrations(), bad], {})
    client.disconnect()


def test_warehouse_away_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="LIAOWANG_WAREHOUSE_PORT"):
        migrate(Settings(warehouse_port=free_port()))
