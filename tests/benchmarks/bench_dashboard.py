"""Dashboards: milliseconds of queries on a year of indicator marts, as `bi` over the native protocol.

`python -m tests.benchmarks.bench_dashboard [rounds]` prints one JSON line: p50, p95 and the slowest kind of
question for a year of 20 indicators' figures for all regions, and for four years (x4); beside it the same
questions put to the built tables directly. Every indicator has its figures in 365 builds, one a day, and
every day a second build that replaced the first.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from clickhouse_driver import Client

from dagster_project import indicator_sql, marts
from dagster_project.indicator import Indicator, load_indicators
from dagster_project.warehouse import Warehouse, warehouse
from deploy.environment import settings_from
from deploy.local.process import free_port
from deploy.local.secrets import ensure_secrets
from deploy.local.warehouse import warehouse_running
from deploy.migrate import migrate
from schemas.contract import load_contracts
from schemas.regions import load_regions
from schemas.settings import PREFIX, Settings

ROUNDS = 40
INDICATORS = 20
LAST = date(2025, 12, 31)
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
        "all indicators' year of the province",
        "SELECT indicator, day, value FROM {all} WHERE region = '330000' AND day > '{first}' ORDER BY ALL",
    ),
)


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with tempfile.TemporaryDirectory(prefix="liaowang-bench-") as folder:
        home = Path(folder)
        ensure_secrets(home)
        ports = {f"{PREFIX}{name}": str(free_port()) for name in ("WAREHOUSE_PORT", "WAREHOUSE_HTTP_PORT")}
        settings = settings_from({f"{PREFIX}HOME": folder, **ports})
        with warehouse_running(settings):
            migrate(settings)
            found = {"name": "dashboard", "unit": "ms", "target_p95": 200}
            with warehouse(settings) as open:
                known = declare(settings, open)
                for years, suffix in ((1, ""), (4, "_x4")):
                    fill(open, known, years)
                    found |= {f"{name}{suffix}": value for name, value in measure(settings, rounds).items()}
            print(json.dumps(found, ensure_ascii=False), flush=True)


def declare(settings: Settings, open: Warehouse) -> list[Indicator]:
    """Make as many indicators as the benchmark speaks of, with their tables and marts."""
    contracts = load_contracts().values()
    like = load_indicators([contract.table for contract in contracts])["governance.resolved-in-time"]
    known = [replace(like, id=f"bench.i{n}") for n in range(INDICATORS)]
    admin = Client(**settings.warehouse("admin"))
    for item in known:
        for statement in (*indicator_sql.ddl(item), *marts.indicator_mart(item)):
            admin.execute(statement)
    for statement in marts.all_indicators(known):
        admin.execute(statement)
    admin.disconnect()
    return known


def fill(open: Warehouse, known: Sequence[Indicator], years: int) -> None:
    """Figures of all regions for so many years, every day built twice and released twice."""
    days = [LAST - timedelta(days=n) for n in range(365 * years)][365 * (years > 1) :]
    draw = random.Random(1)
    codes = [region.code for region in load_regions().all]
    for at, item in enumerate(known):
        for turn in (1, 2):
            rows = [
                (f"{day}-{turn}", day, code, draw.uniform(0, 100), 50.0, "落后", draw.randrange(1, 90), 90)
                for day in days
                for code in codes
            ]
            columns = ("build_id", "event_day", "region", "value", "province", "level", "rank", "ranked")
            open.insert(f"built.{item.table}", columns, rows)
            pointers = [(turn * 1000 + at, item.table, day, f"{day}-{turn}") for day in days]
            open.insert("release.pointer", ("seq", "table", "day", "build_id"), pointers)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    columns = ("seq", "parent", "table", "day", "build_id", "released")
    open.insert("release.manifest", columns, [(2000, 0, known[0].table, LAST, "x", now)])


def measure(settings: Settings, rounds: int) -> dict[str, float | str]:
    """Each question so many times, as bi on the marts and as service on the built tables."""
    first = LAST - timedelta(days=365)
    reader, service = Client(**settings.warehouse("bi")), Client(**settings.warehouse("service"))
    own = "(SELECT event_day AS day, * EXCEPT event_day FROM built.bench_i{n} WHERE endsWith(build_id, '-2'))"
    union = " UNION ALL ".join(
        f"SELECT 'i{n}' AS indicator, * FROM {own.format(n=n)}" for n in range(INDICATORS)
    )
    taken: dict[str, list[float]] = {}
    direct: list[float] = []
    for turn in range(rounds):
        n = turn % INDICATORS
        for name, sql in QUESTIONS:
            asked = {"first": first, "last": LAST}
            taken.setdefault(name, []).append(
                clock(reader, sql.format(one=f"mart.bench_i{n}", all="mart.indicator", **asked))
            )
            direct.append(clock(service, sql.format(one=own.format(n=n), all=f"({union})", **asked)))
    reader.disconnect()
    service.disconnect()
    every = [each for times in taken.values() for each in times]
    slowest = max(taken, key=lambda name: quantile(taken[name], 0.95))
    return {
        "p50": quantile(every, 0.5),
        "p95": quantile(every, 0.95),
        "slowest": slowest,
        "slowest_p95": quantile(taken[slowest], 0.95),
        "direct_p95": quantile(direct, 0.95),
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
