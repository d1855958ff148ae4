"""Dashboards: milliseconds of queries on a year of indicator marts, as `bi` over the native protocol.

`python -m tests.benchmarks.bench_dashboard [rounds]` prints one JSON line: p50, p95 and the p95 of each kind of
question about the last year, where the warehouse holds one year of 20 indicators for all regions, 4 and 16; and
beside them the same questions put to an ordinary table that knows nothing of releases and builds.

Every night is a release: it publishes the day before for the first time and the one before that again, of the
indicators and of ten feeds. So each day has two builds, and a year 365 releases and 21,900 pointers.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from clickhouse_driver import Client

from dagster_project.build import indicator_sql
from dagster_project.build.indicator import load_indicators
from dagster_project.build.indicator_sql import FIGURES
from dagster_project.mart import views
from dagster_project.mart.ranking import ranking_mart
from dagster_project.warehouse import Warehouse
from schemas.contract import load_contracts
from schemas.ddl.render import view
from schemas.regions import load_regions
from schemas.settings import Settings
from tests.benchmarks.house import argument, own_warehouse, say

ROUNDS = 20
YEARS = (1, 4, 16)
INDICATORS, FEEDS = 20, 10
LAST = date(2025, 12, 31)
BUILD = "leftPad(toString({night}), 36, '0')"
NIGHT = "dateDiff('day', toDate('1990-01-01'), event_day)"
PLAIN = "built.plain"
QUESTIONS = (
    (
        "one day, ranked",
        "SELECT region, value, rank FROM {one} WHERE day = '{last}' AND rank > 0 ORDER BY rank",
    ),
    (
        "a region's year",
        "SELECT day, value, province FROM {one} WHERE region = '330110' AND day > '{first}' ORDER BY day",
    ),
    (
        "cities by month",
        "SELECT d.month_label, r.name, avg(f.value) FROM {one} AS f JOIN mart.calendar AS d ON d.day = f.day"
        " JOIN mart.region AS r ON r.code = f.region WHERE r.level = 'city' AND f.day > '{first}'"
        " GROUP BY ALL ORDER BY ALL",
    ),
    (
        "mountain counties behind",
        "SELECT r.name, count() FROM {one} AS f JOIN mart.region AS r ON r.code = f.region"
        " WHERE r.mountain AND f.level = '落后' AND f.day > '{first}' GROUP BY ALL ORDER BY 2 DESC",
    ),
    (
        "all indicators of a day",
        "SELECT indicator, value, level, rank FROM {all} WHERE day = '{last}' AND region = '330110'",
    ),
    (
        "all indicators and regions of a day",
        "SELECT indicator, region, level, rank FROM {all} WHERE day = '{last}' ORDER BY ALL",
    ),
    (
        "all indicators' year of the province",
        "SELECT indicator, day, value FROM {all} WHERE region = '330000' AND day > '{first}' ORDER BY ALL",
    ),
    (
        "all indicators of the cities by month",
        "SELECT f.indicator, d.month_label, r.name, avg(f.value) FROM {all} AS f"
        " JOIN mart.calendar AS d ON d.day = f.day JOIN mart.region AS r ON r.code = f.region"
        " WHERE r.level = 'city' AND f.day > '{first}' GROUP BY ALL ORDER BY ALL",
    ),
)


def main() -> None:
    """Measure and print."""
    rounds = argument(ROUNDS)
    found: dict[str, float] = {}
    with own_warehouse() as (settings, open):
        declare(settings)
        held = 0
        for years in YEARS:
            for year in range(held, years):
                fill(open, year)
            held = years
            settle(settings, open)
            suffix = f"_x{years}" if years > 1 else ""
            found |= {f"{name}{suffix}": value for name, value in measure(settings, rounds).items()}
    say("dashboard", unit="ms", target_p95=200, **found)


def declare(settings: Settings) -> None:
    """Make as many indicators as the benchmark speaks of, with their marts, and the table to compare with."""
    contracts = load_contracts().values()
    like = load_indicators([contract.table for contract in contracts])["governance.resolved-in-time"]
    known = [replace(like, id=f"bench.i{n}") for n in range(INDICATORS)]
    admin = Client(**settings.warehouse("admin"))
    for item in known:
        for each in (indicator_sql.view(item), *views.indicator_mart(item)):
            admin.execute(view(each))
    for each in (*views.all_indicators(known), *ranking_mart()):
        admin.execute(view(each))
    columns = ", ".join(f"`{name}` {kind}" for name, kind, _ in indicator_sql.FIGURE[1:])
    admin.execute(
        f"CREATE TABLE {PLAIN} (indicator LowCardinality(String), day Date, {columns})"
        " ENGINE = MergeTree PARTITION BY toYear(day) ORDER BY (indicator, day, region)"
    )
    admin.disconnect()


def fill(open: Warehouse, year: int) -> None:
    """One more year back: figures of all regions, each day built on two nights, a release every night."""
    last = LAST - timedelta(days=365 * year)
    codes = ", ".join(f"'{region.code}'" for region in load_regions().all)
    turn = f"1 + number % 2 + {NIGHT}"
    open.rows(
        f"INSERT INTO {FIGURES} (indicator, build_id, event_day, region, value, province, level, rank, ranked)"
        f" SELECT concat('bench.i', toString(intDiv(number, 2 * 102 * 365))), {BUILD.format(night=turn)},"
        f" toDate('{last}') - intDiv(number, 2 * 102) % 365 AS event_day,"
        f" [{codes}][1 + intDiv(number, 2) % 102],"
        " cityHash64(number) % 10000 / 100, 50, '落后', 1 + cityHash64(number, 1) % 90, 90"
        f" FROM numbers(2 * 102 * 365 * {INDICATORS})"
    )
    columns = ", ".join(f"`{name}`" for name, _, _ in indicator_sql.FIGURE[1:])
    whole = f"event_day BETWEEN '{last - timedelta(days=364)}' AND '{last}'"
    open.rows(
        f"INSERT INTO {PLAIN} (indicator, day, {columns}) SELECT indicator, event_day, {columns} FROM {FIGURES}"
        f" WHERE {whole} AND build_id = {BUILD.format(night='2 + ' + NIGHT)}"
    )
    tables = f"if(n < {INDICATORS}, concat('bench_i', toString(n)), concat('feed_', toString(n)))"
    seq = f"turn + 1 + {NIGHT}"
    open.rows(
        f"INSERT INTO release.pointer SELECT {seq} AS seq, {tables}, event_day, {BUILD.format(night=seq)} FROM"
        f" (SELECT toDate('{last}') - intDiv(number, {2 * (INDICATORS + FEEDS)}) AS event_day, number % 2 AS turn,"
        f" intDiv(number, 2) % {INDICATORS + FEEDS} AS n FROM numbers({365 * 2 * (INDICATORS + FEEDS)}))"
    )


def settle(settings: Settings, open: Warehouse) -> None:
    """Publish what is there by name, and let the tables merge as they would have in all that time."""
    ((seq,),) = open.rows("SELECT max(seq) FROM release.pointer")
    now = datetime(2026, 1, 1, tzinfo=UTC)
    columns = ("seq", "parent", "table", "day", "build_id", "released")
    open.insert("release.manifest", columns, [(seq, 0, "bench_i0", LAST, "x", now)])
    for table in (FIGURES, PLAIN, "release.pointer"):
        open.rows(f"OPTIMIZE TABLE {table} FINAL")


def measure(settings: Settings, rounds: int) -> dict[str, float | str]:
    """Each question so many times, as bi on the marts and as service on the plain table."""
    first = LAST - timedelta(days=365)
    reader, service = Client(**settings.warehouse("bi")), Client(**settings.warehouse("service"))
    taken: dict[str, list[float]] = {}
    plain: list[float] = []
    for turn in range(rounds):
        n = turn % INDICATORS
        own = f"(SELECT * FROM {PLAIN} WHERE indicator = 'bench.i{n}')"
        for name, sql in QUESTIONS:
            asked = {"first": first, "last": LAST}
            mart = sql.format(one=f"mart.bench_i{n}", all="mart.indicator", **asked)
            taken.setdefault(name, []).append(clock(reader, mart))
            plain.append(clock(service, sql.format(one=own, all=PLAIN, **asked)))
    reader.disconnect()
    service.disconnect()
    every = [each for times in taken.values() for each in times]
    slowest = max(taken, key=lambda name: quantile(taken[name], 0.95))
    return {
        "p50": quantile(every, 0.5),
        "p95": quantile(every, 0.95),
        "slowest": slowest,
        "slowest_p95": quantile(taken[slowest], 0.95),
        "plain_table_p50": quantile(plain, 0.5),
        "plain_table_p95": quantile(plain, 0.95),
        "ratio_p95": round(quantile(every, 0.95) / quantile(plain, 0.95), 1),
    }


def clock(client: Client, sql: str) -> float:
    """Milliseconds until all rows are here."""
    began = time.perf_counter()
    client.execute(sql)
    return (time.perf_counter() - began) * 1000


def quantile(values: Sequence[float], share: float) -> float:
    """The value that this share of them does not exceed, to a tenth."""
    return round(sorted(values)[min(len(values) - 1, int(share * len(values)))], 1)


if __name__ == "__main__":
    main()
