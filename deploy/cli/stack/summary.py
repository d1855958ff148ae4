"""What came of the main job, as tables: feeds, rejections, warnings, pushes, verdicts, release, indicators."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from clickhouse_driver import Client
from rich.table import Table

from schemas.contract import Contract, load_contracts
from schemas.in_use import files_of
from schemas.levels import LEVELS
from schemas.regions import PROVINCE
from schemas.settings import HOST, Settings
from streams.duty.push_worker import outbox_path
from streams.duty.systems.outbox import Outbox
from streams.land import reckoning
from streams.land.ledger import Balance
from streams.land.warehouse import Warehouse

REJECTIONS = (
    "SELECT feed, field, rule, count() FROM landing.rejected FINAL GROUP BY ALL ORDER BY feed, 4 DESC"
)
WARNINGS = (
    "SELECT rule, level, uniqExact(episode), countIf(last = 'recovered') FROM ("
    " SELECT rule, episode, argMax(kind, ordinal) AS last, argMax(level, indexOf({levels}, level) * -1) AS level"
    " FROM landing.duty_warning FINAL GROUP BY rule, episode) GROUP BY rule, level"
)
VERDICTS = (
    "SELECT table, count(), countIf(ok), countIf(NOT ok), min(day), max(day) FROM ("
    " SELECT table, day, argMax(passed, decided) AS ok FROM quality.verdict GROUP BY table, day)"
    " GROUP BY table ORDER BY table"
)
FIGURES = (
    "SELECT indicator, any(title_zh), any(unit), max(day) AS latest, any(decimals),"
    f" anyIf(value, region = '{PROVINCE}'), countIf(region != '{PROVINCE}' AND value IS NOT NULL),"
    f" argMinIf(region, value, region != '{PROVINCE}'), minIf(value, region != '{PROVINCE}'),"
    f" argMaxIf(region, value, region != '{PROVINCE}'), maxIf(value, region != '{PROVINCE}') FROM mart.indicator"
    " WHERE (indicator, day) IN (SELECT indicator, max(day) FROM mart.indicator GROUP BY indicator, toYear(day))"
    " GROUP BY indicator, toYear(day) ORDER BY indicator, latest"
)


def summary(settings: Settings) -> Iterable[Table]:
    """The tables, in order of the data's way."""
    contracts = load_contracts(files_of(settings).feeds)
    client = Client(**settings.warehouse("service"))
    reader = Client(**settings.warehouse("bi"))
    try:
        yield _feeds(contracts, _balances(settings, contracts), client)
        yield _table("Rejected", ("feed", "field", "rule", "events"), client.execute(REJECTIONS))
        yield _warnings(client.execute(WARNINGS.format(levels=list(LEVELS))))
        yield _pushes(settings)
        verdicts = client.execute(VERDICTS)
        yield _table("Gate verdicts", ("table", "days", "passed", "failed", "first", "last"), verdicts)
        releases = reader.execute("SELECT * FROM mart.release ORDER BY seq DESC LIMIT 1")
        heads = ("release", "follows", "published", "days of tables", "tables", "first", "last")
        yield _table("Current release", heads, releases)
        yield _indicators(reader.execute(FIGURES))
    finally:
        client.disconnect()
        reader.disconnect()
    yield _places(settings)


def _balances(settings: Settings, contracts: dict[str, Contract]) -> list[Balance]:
    warehouse = Warehouse(settings.warehouse("service"))
    try:
        topics = sorted(contract.topic for contract in contracts.values())
        return reckoning.reckon(settings.kafka, warehouse, topics, 15.0)
    finally:
        warehouse.close()


def _feeds(contracts: dict[str, Contract], balances: Sequence[Balance], client: Client) -> Table:
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for each in balances:
        figures = (each.produced, each.accepted, each.rejected, each.control)
        sums[each.topic] = [a + b for a, b in zip(sums[each.topic], figures, strict=True)]
    rows = []
    for contract in contracts.values():
        copies = f"SELECT count() - uniqExact(source, id), countIf(late) FROM landing.{contract.table} FINAL"
        ((duplicates, late),) = client.execute(copies)
        rows.append((contract.feed, *sums[contract.topic], duplicates, late))
    heads = ("feed", "produced", "accepted", "rejected", "ticks", "duplicates", "late")
    return _table("Feeds: produced = accepted + rejected + ticks", heads, rows)


def _warnings(found: Iterable[tuple[str, str, int, int]]) -> Table:
    rows: dict[str, dict[str, int]] = defaultdict(dict)
    closed: dict[str, int] = defaultdict(int)
    for rule, level, episodes, recovered in found:
        rows[rule][level] = episodes
        closed[rule] += recovered
    cells = [
        (rule, *(levels.get(level, 0) for level in LEVELS), closed[rule])
        for rule, levels in sorted(rows.items())
    ]
    total = ("all", *(sum(levels.get(level, 0) for levels in rows.values()) for level in LEVELS))
    cells.append((*total, sum(closed.values())))
    return _table("Warnings: episodes by highest level", ("rule", *LEVELS, "recovered"), cells)


def _pushes(settings: Settings) -> Table:
    outbox = Outbox(outbox_path(settings))
    try:
        return _table("Pushes", ("state", "pushes"), sorted(outbox.counts().items()))
    finally:
        outbox.close()


def _indicators(found: Iterable[tuple[Any, ...]]) -> Table:
    def shown(value: float | None, decimals: int) -> str:
        return "" if value is None else f"{value:,.{decimals}f}"

    rows = [
        (
            title, unit, day, shown(province, decimals), regions,
            f"{least} {shown(low, decimals)}", f"{most} {shown(high, decimals)}",
        )
        for _, title, unit, day, decimals, province, regions, least, low, most, high in found
    ]  # fmt: skip
    heads = ("indicator", "unit", "day", "province", "regions", "lowest", "highest")
    return _table("Indicators of the current release, last day of each year", heads, rows)


def _places(settings: Settings) -> Table:
    secrets = settings.home / "secrets.json"
    password = f"{secrets} (LIAOWANG_BI_PASSWORD)"
    admin = f"user admin; its password: {secrets} (LIAOWANG_CONSOLE_ADMIN_PASSWORD)"
    rows = [
        ("console", f"{settings.console}/ (one screen: /screen)"),
        ("", admin),
        ("Dagster", f"http://{HOST}:{settings.dagster_port}/ (the same user)"),
        ("Data Docs", f"http://{HOST}:{settings.docs_port}/ (the same user)"),
        ("pushes received", f"http://{HOST}:{settings.receiver_port}/ (the same user)"),
        ("gateway", f"http://{HOST}:{settings.gateway_port}/v1/feeds/<feed>/events"),
        (
            "ClickHouse",
            f"{HOST}:{settings.warehouse_port} native, http://{HOST}:{settings.warehouse_http_port}/",
        ),
        ("BI user", f"bi; its password: {password}"),
        ("figures", "liaowang indicators, or: SELECT * FROM mart.indicator ORDER BY day DESC"),
    ]
    return _table("Where to look", ("what", "where"), rows)


def _table(title: str, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    table = Table(title=title, title_justify="left")
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row))
    return table
