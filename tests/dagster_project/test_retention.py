"""What retention has removed does not fail the gate, and days read from it stay as they are."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from dagster_project.days.spans import Span
from schemas.ddl.difference import alterations
from schemas.tables import landing_table
from tests.dagster_project.house import AIR, House, reading

pytestmark = pytest.mark.stack
OLD = date(2020, 3, 1)
NEW = date(2020, 5, 1)


def test_days_read_from_what_is_gone_stay_and_the_ledger_still_reconciles(house: House) -> None:
    house.warehouse.rows(f"ALTER TABLE landing.{AIR.table} REMOVE TTL")
    house.now = datetime.now(UTC) - AIR.retention - timedelta(days=60)
    house.land(reading("a", OLD, 1), reading("b", OLD, 2))
    house.release(Span(OLD, OLD))
    house.now = datetime.now(UTC)
    house.land(reading("c", NEW, 3), reading("a2", OLD, 9, corrects="a"))
    wanted = landing_table(AIR)
    for statement in alterations(replace(wanted, ttl=""), wanted):
        house.warehouse.rows(statement)
    house.warehouse.rows(f"ALTER TABLE landing.{AIR.table} MATERIALIZE TTL SETTINGS mutations_sync = 2")
    assert house.warehouse.rows(f"SELECT id FROM landing.{AIR.table} ORDER BY id") == [("a2",), ("c",)]
    attempt = house.attempt(Span(OLD, NEW))
    built, judged = house.build(attempt)
    assert judged.passed, judged.verdicts
    assert [item.day for item in built] == [NEW]
    house.publish(attempt)
    shown = house.warehouse.rows(f"SELECT id, pm25 FROM mart.{AIR.table} ORDER BY id")
    assert shown == [("a", 1.0), ("b", 2.0), ("c", 3.0)]
