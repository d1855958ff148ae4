"""A month of many feeds as `land` and nights leave it: landed, listed, built and published but for its last day.

It is of an earlier log of each topic (epoch 0), so that a stack which starts on it lands into the next.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, timedelta

from dagster_project.build.index import all_figures
from dagster_project.warehouse import Warehouse, warehouse
from deploy.local.warehouse import warehouse_running
from deploy.provision.migrate import migrate
from schemas.contract import Contract, load_contracts
from schemas.in_use import files_of
from schemas.regions import load_regions
from schemas.settings import Settings
from schemas.tables import built_columns

PARTITIONS, DAYS, EVENTS = 4, 30, 3_200
"""Partitions of a feed; days of its ledger, and events of each, which PARTITIONS and SPANS divide."""
SPANS, FRESH = 4, 240
"""Merged intervals a day, and those of the last minutes, which are not merged yet."""
RAW = '{"specversion":"1.0","data":{}}'
DATA = {
    "station": "concat('S', toString(n % 400), if(n % 5 = 0, concat('-', toString(day)), ''))",
    "region": "{counties}[n % 90 + 1]",
    "stage": "['begun', 'reading', 'ended'][n % 3 + 1]",
    "value": "cityHash64(day, part, n) % 1000",
    "people": "n % 9",
    "raw": f"concat('{RAW}', repeat('x', 180))",
}
"""What a row of the benchmark's feeds says, by column, of its day, partition and number `n`; a fifth is of new
stations."""


def fill(settings: Settings, last: date) -> None:
    """Make a home's warehouse, with a month up to this day in it."""
    roots = files_of(settings)
    contracts = load_contracts(roots.feeds)
    figures = all_figures([contract.table for contract in contracts.values()], roots)
    read = [contract for contract in contracts.values() if not contract.feed.startswith("duty.")]
    with warehouse_running(settings):
        migrate(settings, roots)
        with warehouse(settings) as open:
            write(open, read, last)
            versions = {contract.table: contract.version for contract in read}
            versions |= {item.table: item.version for item in figures.values()}
            publish(open, versions, [contract.topic for contract in read], last)
            for contract in read:
                _build(open, contract, last)
            for table in ("landing.ledger", "landing.changed_day"):
                open.rows(f"OPTIMIZE TABLE {table} FINAL")


def write(open: Warehouse, contracts: Collection[Contract], last: date, days: int = DAYS) -> None:
    """Land and list every day up to the last of these feeds; they have the columns of the benchmark's feeds."""
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
    counties = str([county.code for county in load_regions().counties])
    data = ", ".join(sql.replace("{counties}", counties) for sql in DATA.values())
    epochs = [(contract.topic, f"before/{PARTITIONS}", 0) for contract in contracts]
    open.insert("landing.epoch", ("topic", "topic_id", "log_epoch"), epochs)
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
            f" (event_day, log_epoch, partition, offset, arrived, source, id, time, {', '.join(DATA)})"
            f" SELECT toDate('{begin}') + day, 0, part, day * {each} + n, {at}, 's',"
            f" concat(toString(day), '-', toString(part), '-', toString(n)), {at}, {data}"
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
    """A release a day but the last, each having read all of it; `tables` with the versions of declarations."""
    stops = {
        f"{topic}/0/{part}": days * EVENTS // PARTITIONS for topic in topics for part in range(PARTITIONS)
    }
    for number in range(days - 1):
        day = last - timedelta(days=days - 1 - number)
        build, at = f"build-{number}", datetime(day.year, day.month, day.day, tzinfo=UTC)
        for state in ("started", "released"):
            columns = ("build_id", "state", "first", "last", "parent", "offsets", "at")
            open.insert("release.attempt", columns, [(build, state, day, day, number, stops, at)])
        made = [(table, day, build, version) for table, version in tables.items()]
        open.insert("release.build", ("table", "day", "build_id", "version"), made)
        pointers = [(number + 1, table, day, build) for table in tables]
        open.insert("release.pointer", ("seq", "table", "day", "build_id"), pointers)


def _build(open: Warehouse, contract: Contract, last: date, days: int = DAYS) -> None:
    """The rows of the published days, each in the build of its release."""
    begin = last - timedelta(days=days - 1)
    open.rows(
        copied(
            contract, f"concat('build-', toString(event_day - toDate('{begin}')))", f"event_day < '{last}'"
        )
    )


def copied(contract: Contract, build: str, which: str) -> str:
    """Landed rows written as they are into the table of builds; `build` is the SQL of the build id."""
    columns: Sequence[str] = [f"`{name}`" for name, _ in built_columns(contract)][1:]
    names = ", ".join(columns)
    return (
        f"INSERT INTO built.{contract.table} (build_id, {names})"
        f" SELECT {build}, {names} FROM landing.{contract.table} WHERE {which}"
    )
