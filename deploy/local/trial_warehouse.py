"""A warehouse for a trial: on free ports, with the tables of some feeds and the regions; gone afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from clickhouse_driver import Client

from dagster_project.build.indicator_sql import FIGURE_TABLE
from dagster_project.mart import barrier, dimensions
from dagster_project.mart.tables import Marts
from dagster_project.warehouse import Warehouse, warehouse
from deploy.environment import settings_from
from deploy.local.secrets import ensure_secrets
from deploy.local.warehouse import warehouse_running
from deploy.ports import free_port
from deploy.provision.migrate import run
from schemas.contract import Contract
from schemas.migrations import read_migrations
from schemas.regions import load_regions
from schemas.settings import PREFIX


@contextmanager
def trial_warehouse(contracts: Iterable[Contract]) -> Iterator[Warehouse]:
    """A connection to one of its own."""
    with TemporaryDirectory(prefix="liaowang-trial-") as folder:
        ensure_secrets(Path(folder))
        ports = {f"{PREFIX}{name}": str(free_port()) for name in ("WAREHOUSE_PORT", "WAREHOUSE_HTTP_PORT")}
        settings = settings_from({f"{PREFIX}HOME": folder, **ports})
        with warehouse_running(settings):
            administrator = Client(**settings.warehouse("admin"))
            try:
                needed = Marts(
                    tables=(FIGURE_TABLE,),
                    loads=((dimensions.REGION_TABLE, dimensions.region_rows(load_regions())),),
                    views=(*barrier.views(), dimensions.region()),
                )
                run(administrator, read_migrations(), {each.feed: each for each in contracts}, needed)
            finally:
                administrator.disconnect()
            with warehouse(settings) as open:
                yield open
