"""A warehouse of its own for these tests: emptied before each, so that they may say what is in the log."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest

with warnings.catch_warnings():  # what GX imports uses modules that Python has deprecated
    warnings.simplefilter("ignore", DeprecationWarning)
    import great_expectations  # noqa: F401

from dagster_project.warehouse import Warehouse, warehouse
from deploy.environment import settings_from
from deploy.local.secrets import ensure_secrets
from deploy.local.warehouse import warehouse_running
from deploy.ports import free_port
from deploy.provision.migrate import migrate
from schemas.settings import PREFIX, Settings
from tests.dagster_project.house import House


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The settings of a real warehouse that nothing else writes to, migrated."""
    home = tmp_path_factory.mktemp("house")
    ensure_secrets(home)
    ports = {f"{PREFIX}{name}": str(free_port()) for name in ("WAREHOUSE_PORT", "WAREHOUSE_HTTP_PORT")}
    regions = {f"{PREFIX}REGION_ACCOUNTS": "330110=of-yuhang,330100=of-hangzhou,330000=of-all"}
    settings = settings_from({f"{PREFIX}HOME": str(home), **ports, **regions})
    with warehouse_running(settings):
        migrate(settings)
        yield settings


@pytest.fixture
def open_warehouse(engine: Settings) -> Iterator[Warehouse]:
    """A connection as `service` to the emptied warehouse."""
    with warehouse(engine) as connection:
        for database in ("landing", "built", "quality", "release"):
            for (table,) in connection.rows(
                "SELECT name FROM system.tables WHERE database = {database:String}"
                " AND name NOT IN ('migration', 'region') AND engine != 'View'",
                database=database,
            ):
                connection.rows(f"TRUNCATE TABLE {database}.{table}")
        yield connection


@pytest.fixture
def house(engine: Settings, open_warehouse: Warehouse) -> House:
    """A log to write to, and the way from it to the marts."""
    return House(engine, open_warehouse, datetime(2024, 6, 1, tzinfo=UTC), date(2024, 3, 1))
