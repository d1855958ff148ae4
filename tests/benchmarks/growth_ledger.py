"""A ledger of many feeds and days as `land` and merges leave it, and what reading it takes.

python -m tests.benchmarks.growth_ledger    # on the declarations of `growth`, in a warehouse of its own
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from clickhouse_driver import Client

from dagster_project.build.reopened_days import reopened
from dagster_project.days.landed_ends import landed_ends
from dagster_project.warehouse import Warehouse, warehouse
from deploy.environment import settings_from
from deploy.local.secrets import ensure_secrets
from deploy.local.warehouse import warehouse_running
from deploy.ports import free_port
from deploy.provision.migrate import migrate
from schemas.contract import Contract, load_contracts
from schemas.in_use import files_of
from schemas.settings import PREFIX, Settings
from tests.benchmarks.growth import write_declarations

PARTITIONS, DAYS, EVENTS = 4, 30, 3_200
"""Partitions of a feed; days of its ledger, and events of each, which PARTITIONS and SPANS divide."""
SPANS, FRESH = 4, 240
"""Merged intervals a day, and those of the last minutes, which are not merged yet."""
Told = tuple[float, Any]
"""Seconds, and what came of it."""


def write(open: Warehouse, contracts: Collection[Contract], last: date, days: int = DAYS) -> None:
    """Land, list, build and publish every day up to the last of these feeds."""
    begin = last - timedelta(days=days - 1)
    each = EVENTS // PARTITIONS

    def place(number: int) -> str:
        """Partitions, days and so many of each."""
        return (
            f"FROM (SELECT number % {PARTITIONS} AS part, intDiv(number, {PARTITIONS}) % {days} AS day,"
            f" intDiv(number, {PARTITIONS * days}) AS n FROM numbers({PARTITIONS * days * number}))"
        )

    moment = (
        f"toDateTime64('{begin} 00:00:00', 3, 'Asia/Shanghai') + toIntervalSecond(day * 86400 + {{seconds}})"
    )
    rows = each // SPANS
    for contract in contracts:
        head = "INSERT INTO landing.ledger (topic, feed, log_epoch, partition, first, last, accepted, watermarks,"
        head += f" arrived_last, listed, parts) SELECT '{contract.topic}', '{contract.feed}', 0, part, "
        at = moment.format(seconds=f"(n + 1) * {86400 // SPANS} - 1")
        first = f"day * {each} + n * {rows}"
        open.rows(f"{head} {first} AS a, a + {rows} - 1, {rows}, map('', {at}), {at}, 1, 9 {place(SPANS)}")
        at = moment.format(seconds="86400 + n * 5")
        open.rows(
            f"{head} {days * each} + n AS a, a, 0, map('', {at}), {at}, 1, 0 FROM (SELECT"
            f" number % {PARTITIONS} AS part, {days - 1} AS day, intDiv(number, {PARTITIONS}) AS n"
            f" FROM numbers({PARTITIONS * FRESH}))"
        )
        at = moment.format(seconds=f"n * {86400 // each}")
        open.rows(
            f"INSERT INTO landing.{contract.table}"
            " (event_day, log_epoch, partition, offset, arrived, source, id, time)"
            f" SELECT toDate('{begin}') + day, 0, part, day * {each} + n, {at}, 's', toString(rand64()), {at}"
            f" {place(each)}"
        )
        open.rows(
            "INSERT INTO landing.changed_day (topic, event_day, log_epoch, partition, last) SELECT"
            f" '{contract.topic}', event_day, log_epoch, partition, max(offset) FROM landing.{contract.table}"
            " GROUP BY event_day, log_epoch, partition"
        )


def publish(
    open: Warehouse, tables: dict[str, str], topics: Collection[str], last: date, days: int = DAYS
) -> None:
    """A release a day that has read all of it; `tables` with the versions of their declarations."""
    stops = {
        f"{topic}/0/{part}": days * EVENTS // PARTITIONS for topic in topics for part in range(PARTITIONS)
    }
    for number in range(days):
        day = last - timedelta(days=days - 1 - number)
        build, at = f"build-{number}", datetime(day.year, day.month, day.day, tzinfo=UTC)
        for state in ("started", "released"):
            columns = ("build_id", "state", "first", "last", "parent", "offsets", "at")
            open.insert("release.attempt", columns, [(build, state, day, day, number, stops, at)])
        made = [(table, day, build, version) for table, version in tables.items()]
        open.insert("release.build", ("table", "day", "build_id", "version"), made)
        pointers = [(number + 1, table, day, build) for table in tables]
        open.insert("release.pointer", ("seq", "table", "day", "build_id"), pointers)


def timed(what: Callable[[], Any]) -> Told:
    """The best of five."""
    best = float("inf")
    for _ in range(5):
        begun = time.perf_counter()
        found = what()
        best = min(best, time.perf_counter() - begun)
    return best, found


def main() -> None:
    """Say what the ends of all topics and the look for late days take."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="liaowang-bench-")))
        settings = _settings(folder)
        stack.enter_context(warehouse_running(settings))
        roots = files_of(settings)
        migrate(settings, roots)
        contracts = list(load_contracts(roots.feeds).values())
        open = stack.enter_context(warehouse(settings))
        last = date(2024, 6, 30)
        write(open, contracts, last)
        versions = {contract.table: contract.version for contract in contracts}
        publish(open, versions, [contract.topic for contract in contracts], last)
        for table in ("landing.ledger", "landing.changed_day"):
            open.rows(f"OPTIMIZE TABLE {table} FINAL")
        ends, _ = timed(lambda: landed_ends(open, [contract.topic for contract in contracts]))
        late, plan = timed(lambda: reopened(open, contracts, (), last))
        again = Client(**settings.warehouse("admin"))
        stack.callback(again.disconnect)
        rows = again.execute("SELECT count() FROM landing.ledger")[0][0]
        print(f"{len(contracts)} feeds, {DAYS} days, {rows} rows of ledger")
        print(f"ends {ends:.2f} s; late days {late:.2f} s, {len(plan.days)} to reopen")


def _settings(folder: Path) -> Settings:
    home = folder / "home"
    ensure_secrets(home)
    ports = {f"{PREFIX}{name}": str(free_port()) for name in ("WAREHOUSE_PORT", "WAREHOUSE_HTTP_PORT")}
    declarations = write_declarations(folder / "declarations")
    return settings_from({f"{PREFIX}HOME": str(home), f"{PREFIX}DECLARATIONS": str(declarations), **ports})


if __name__ == "__main__":
    main()
