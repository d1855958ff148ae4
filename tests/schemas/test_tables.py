"""Tables derived from contracts: columns, types, and what a new field brings."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from schemas.contract import Contract, Field, load_contracts
from schemas.ddl.difference import alterations, difference
from schemas.ddl.live import Live
from schemas.ddl.model import MOMENT
from schemas.tables import (
    OF_MARTS,
    OWN_COLUMNS,
    built_columns,
    column_type,
    contract_statements,
    feed_tables,
    landing_columns,
    landing_table,
)

CONTRACTS = load_contracts()
AIR = CONTRACTS["ecology.air-quality"]


def test_the_landing_table_of_air_quality() -> None:
    assert landing_columns(AIR) == [
        ("event_day", "Date"),
        ("log_epoch", "UInt16"),
        ("partition", "UInt16"),
        ("offset", "UInt64"),
        ("arrived", MOMENT),
        ("timeline", "LowCardinality(String)"),
        ("late", "UInt8"),
        ("source", "LowCardinality(String)"),
        ("id", "String"),
        ("time", MOMENT),
        ("corrects", "String"),
        ("station", "String"),
        ("region", "LowCardinality(String)"),
        ("averaging", "LowCardinality(String)"),
        ("pm25", "Float64"),
        ("aqi", "Nullable(Int64)"),
        ("raw", "String"),
    ]


def test_the_built_table_has_a_build_and_no_raw_bytes() -> None:
    names = [name for name, _ in built_columns(AIR)]
    assert names == ["build_id", *(name for name, _ in landing_columns(AIR) if name != "raw")]


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (Field("a", "string", required=True), "String"),
        (Field("a", "string"), "Nullable(String)"),
        (Field("a", "string", required=True, enum=("x",)), "LowCardinality(String)"),
        (Field("a", "string", enum=("x",)), "LowCardinality(Nullable(String))"),
        (Field("region", "string"), "LowCardinality(Nullable(String))"),
        (Field("a", "integer", required=True), "Int64"),
        (Field("a", "number"), "Nullable(Float64)"),
        (Field("a", "date"), "Nullable(Date32)"),
        (Field("a", "timestamp", required=True), MOMENT),
        (Field("a", "boolean", required=True), "UInt8"),
    ],
)
def test_types(field: Field, expected: str) -> None:
    assert column_type(AIR, field) == expected


def test_keys_and_partitions() -> None:
    landing, built = contract_statements(AIR)
    assert landing.startswith("CREATE TABLE IF NOT EXISTS landing.ecology_air_quality\n(")
    assert "`raw` String CODEC(ZSTD(3))\n" in landing and "`raw`" not in built
    assert (
        "ENGINE = ReplacingMergeTree PARTITION BY toYYYYMM(arrived)"
        " ORDER BY (event_day, log_epoch, partition, offset) TTL "
    ) in landing
    assert (
        "ENGINE = MergeTree PARTITION BY toYYYYMM(event_day)"
        " ORDER BY (event_day, build_id, partition, offset) COMMENT "
    ) in built


def test_a_new_field_is_one_more_column_in_both_tables() -> None:
    ozone = Field("ozone", "number", unit="µg/m³", description="Ozone")
    grown = replace(AIR, fields=(*AIR.fields, ozone))
    live = Live({table.full_name: table for table in feed_tables([AIR])}, {})
    assert difference(live, feed_tables([grown])).statements == tuple(
        f"ALTER TABLE {database}.ecology_air_quality ADD COLUMN IF NOT EXISTS"
        " `ozone` Nullable(Float64) COMMENT 'Ozone (µg/m³)' AFTER `aqi`"
        for database in ("landing", "built")
    )


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=lambda contract: contract.feed)
def test_every_statement_is_safe_to_run_twice(contract: Contract) -> None:
    statements = contract_statements(contract)
    assert len(statements) == 2
    assert all(statement.startswith("CREATE TABLE IF NOT EXISTS ") for statement in statements)


def test_landed_events_are_kept_as_long_as_the_contract_says() -> None:
    longer = landing_table(replace(AIR, retention=timedelta(days=9, hours=1)))
    assert longer.ttl == "toDateTime(arrived) + toIntervalDay(10)"
    (statement,) = alterations(landing_table(AIR), longer)
    assert statement.startswith(f"ALTER TABLE landing.ecology_air_quality MODIFY TTL {longer.ttl} SETTINGS")


def test_no_field_may_take_the_name_of_a_column_of_ours() -> None:
    ours = {name for name, _ in (*landing_columns(AIR), *built_columns(AIR))}
    assert ours - {field.name for field in AIR.fields} | set(OF_MARTS) == OWN_COLUMNS
