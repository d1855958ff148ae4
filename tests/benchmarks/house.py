"""What the benchmarks of builds share: a warehouse of their own, and days of events landed straight into it."""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dagster_project.days.attempt import Attempt, begin
from dagster_project.days.spans import Span
from dagster_project.warehouse import Warehouse, warehouse
from deploy.environment import settings_from
from deploy.local.secrets import ensure_secrets
from deploy.local.warehouse import warehouse_running
from deploy.ports import free_port
from deploy.provision.migrate import migrate
from schemas.contract import load_contracts
from schemas.regions import load_regions
from schemas.settings import PREFIX, Settings

AIR = load_contracts()["ecology.air-quality"]
FIRST = date(2024, 1, 1)
PARTITIONS = 4
SHARE_OF_COPIES = 100  # one event in so many is sent twice


@contextmanager
def own_warehouse() -> Iterator[tuple[Settings, Warehouse]]:
    """A migrated warehouse on free ports and a connection as `service`; gone afterwards."""
    with TemporaryDirectory(prefix="liaowang-bench-") as folder:
        home = Path(folder)
        ensure_secrets(home)
        ports = {f"{PREFIX}{name}": str(free_port()) for name in ("WAREHOUSE_PORT", "WAREHOUSE_HTTP_PORT")}
        settings = settings_from({f"{PREFIX}HOME": str(home), **ports})
        with warehouse_running(settings):
            migrate(settings)
            with warehouse(settings) as open:
                yield settings, open


def land(open: Warehouse, days: int, per_day: int) -> Span:
    """Landed air readings and the ledger's word of them; the days they are of. What was landed before is gone."""
    rows = days * per_day
    counties = ", ".join(f"'{county.code}'" for county in load_regions().counties)
    for table in (AIR.table, "ledger"):
        open.rows(f"TRUNCATE TABLE landing.{table}")
    for first in range(0, rows, 5_000_000):
        open.rows(
            f"INSERT INTO landing.{AIR.table} (event_day, log_epoch, partition, offset, arrived, timeline, late,"
            " source, id, time, corrects, station, region, averaging, pm25, aqi, raw)"
            f" SELECT toDate('{FIRST}') + intDiv(number, {per_day}) AS event_day, 0, number % {PARTITIONS},"
            f" intDiv(number, {PARTITIONS}), now64(3) - INTERVAL 1 HOUR, '', 0, '/bench',"
            f" toString(number - (number % {SHARE_OF_COPIES} = 1)),"
            " toDateTime64(event_day, 3, 'Asia/Shanghai') + toIntervalSecond(number % 86400), '',"
            f" concat('S', toString(number % 2000)), [{counties}][number % 90 + 1], '24h',"
            " 5 + cityHash64(number) % 2000 / 10, NULL,"
            ' concat(\'{"specversion":"1.0","id":"\', toString(number), \'","data":\', repeat(\'x\', 180), \'}\')'
            f" FROM numbers({first}, {min(5_000_000, rows - first)})"
        )
    columns = ("topic", "feed", "log_epoch", "partition", "first", "last", "accepted", "arrived_last")
    each = rows // PARTITIONS
    now = datetime.now(UTC)
    intervals = [(AIR.topic, AIR.feed, 0, at, 0, each - 1, each, now) for at in range(PARTITIONS)]
    open.insert("landing.ledger", columns, intervals)
    return Span(FIRST, FIRST + timedelta(days=days - 1))


def attempt(open: Warehouse, name: str, span: Span) -> Attempt:
    """Begin an attempt on the landed days."""
    return begin(open, name, span, [AIR], datetime.now(UTC))


def engine_memory(open: Warehouse) -> int:
    """Peak memory in bytes of the hungriest statement of builds so far, by the engine's own log.

    What the benchmark itself wrote to be built from is left out.
    """
    ((peak,),) = open.rows(
        "SELECT max(memory_usage) FROM system.query_log WHERE NOT startsWith(query, 'INSERT INTO landing.')"
    )
    return int(peak or 0)


def own_memory() -> int:
    """Peak memory of this process in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def say(name: str, **figures: Any) -> None:
    """Print one benchmark as one JSON line."""
    print(json.dumps({"name": name, **figures}), flush=True)


def sizes(largest: int) -> list[int]:
    """A sixteenth, a quarter, and the whole."""
    return [largest // 16, largest // 4, largest]


def argument(default: int) -> int:
    """The number on the command line, or the usual one."""
    return int(sys.argv[1]) if len(sys.argv) > 1 else default
