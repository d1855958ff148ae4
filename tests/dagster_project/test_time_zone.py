"""Wall-clock time is that of Asia/Shanghai for every client: half past eleven at night is of that day."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.dagster_project.house import House
from tests.dagster_project.test_barrier import asking, show

LATE = datetime(2024, 3, 1, 15, 30, tzinfo=UTC)  # 23:30 in Shanghai
FILTERS = (
    "time >= '2024-03-01 23:30:00' AND time < '2024-03-01 23:31:00'",
    "time = toDateTime64('2024-03-01 23:30:00', 3)",
    "time = toDateTime('2024-03-01 23:30:00')",
    "toDate(time) = '2024-03-01' AND toHour(time) = 23",
    "toString(time) = '2024-03-01 23:30:00.000'",
)


@pytest.mark.stack
@pytest.mark.parametrize("protocol", ["native", "http"])
def test_a_moment_without_a_zone_is_read_as_shanghai_s(house: House, protocol: str) -> None:
    show(house.warehouse)
    columns = ("event_day", "build_id", "id", "region", "time")
    house.warehouse.insert(
        "built.ecology_air_quality", columns, [(house.day, "good", "late", "330110", LATE)]
    )
    with asking(house.settings, protocol, "bi") as ask:
        assert ask("SELECT timezone(), toHour(now()) = toHour(now('Asia/Shanghai'))") == (
            "rows",
            ["('Asia/Shanghai', 1)"],
        )
        for condition in FILTERS:
            asked = f"SELECT id FROM mart.ecology_air_quality WHERE {condition}"
            assert ask(asked) == ("rows", ["('late',)"]), condition


@pytest.mark.stack
def test_every_moment_s_column_names_its_zone(house: House) -> None:
    assert (
        house.warehouse.rows(
            "SELECT database, table, name, type FROM system.columns WHERE type LIKE '%DateTime%'"
            " AND database IN ('mart', 'landing', 'built', 'quality', 'release')"
            " AND type NOT LIKE '%Asia/Shanghai%'"
        )
        == []
    )
