"""The checks that GX cannot say, on one build: what they compare, read from the warehouse."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from dagster_project.build.feed import Built
from dagster_project.build.feed_sql import FeedSql
from dagster_project.build.indicator import Indicator
from dagster_project.days.attempt import Attempt
from dagster_project.days.retention import floors
from dagster_project.warehouse import Warehouse
from quality import beyond
from quality.rows import row_rules
from quality.suites import Expectation
from schemas.contract import Contract
from schemas.findings import Finding, Found
from schemas.regions import load_regions

CONTIGUOUS = Expectation("ledger_contiguous", {})
RECONCILED = Expectation("ledger_reconciled", {})
RANKING = Expectation(beyond.RANKING, {})
Failed = dict[date, list[Finding]]
_ROWS = """
SELECT p.day, b.rows FROM
(
    SELECT day, argMax(build_id, seq) AS build_id FROM release.pointer
    WHERE table = {table:String} AND seq <= {parent:UInt64} AND day BETWEEN {first:Date} AND {last:Date}
    GROUP BY day
) AS p
INNER JOIN release.build AS b ON b.table = {table:String} AND b.day = p.day AND b.build_id = p.build_id"""
_VALUES = """
SELECT event_day, value FROM built.{table} WHERE region = {{province:String}} AND value IS NOT NULL
    AND event_day BETWEEN {{first:Date}} AND {{last:Date}} AND (event_day, build_id) IN
    (
        SELECT day, argMax(build_id, rank) FROM
        (
            SELECT day, build_id, toUInt64(-1) AS rank FROM release.build
            WHERE table = {{table:String}} AND build_id = {{build:String}}
            UNION ALL
            SELECT day, build_id, seq AS rank FROM release.pointer
            WHERE table = {{table:String}} AND seq <= {{parent:UInt64}}
        )
        GROUP BY day
    )"""


def feed_failures(
    warehouse: Warehouse, contract: Contract, attempt: Attempt, built: Sequence[Built]
) -> Failed:
    """What fails of a feed's days beyond GX: ledger, quarantine, drift, regions, freshness."""
    if not built:
        return {}
    gate, regions = contract.gate, load_regions()
    common = ledger_failures(warehouse, contract, attempt)
    there = _regions(warehouse, contract, attempt.build_id, built) if gate.complete else {}
    amounts = _amounts(warehouse, contract.table, attempt, built) if _drifts(gate) else {}
    latest = max((end.log_epoch for end in attempt.vectors[contract.topic]), default=0)
    partitions = [
        (end.partition, end.arrived_last)
        for end in attempt.vectors[contract.topic]
        if end.log_epoch == latest
    ]
    return {
        item.day: [
            *common,
            *beyond.quarantine_share(gate, item.rows, item.quarantined),
            *beyond.drift(gate, amounts, item.day, "rows"),
            *beyond.regions_complete(gate, there.get(item.day, ()), regions),
            *beyond.freshness(gate, item.day, partitions, attempt.at),
        ]
        for item in built
    }


def ledger_failures(warehouse: Warehouse, contract: Contract, attempt: Attempt) -> list[Finding]:
    """What the ledger and the landed rows disagree about, up to the attempt's offsets; concerns every day."""
    vector = attempt.vectors[contract.topic]
    found = [
        CONTIGUOUS.found(Found.GAP, partition=end.partition, offset=end.stop) for end in vector if end.hole
    ]
    old = {end.place: end for end in floors(warehouse, contract, attempt).values()}
    sql = FeedSql(contract, vector, row_rules(contract))
    rows = warehouse.rows(sql.accepted(old.values()))
    landed = {(log_epoch, partition): count for log_epoch, partition, count in rows}
    for end in vector:
        floor = old.get(end.place)
        due = end.accepted - (floor.accepted if floor else 0)
        count = landed.get((end.log_epoch, end.partition), 0)
        if count != due:
            numbers = {"partition": end.partition, "rows": count, "below": end.stop, "due": due}
            found.append(RECONCILED.found(Found.ROWS_DISAGREE, **numbers))
    return found


def indicator_failures(
    warehouse: Warehouse, indicator: Indicator, attempt: Attempt, built: Sequence[Built]
) -> Failed:
    """What fails of an indicator's figures beyond GX: ranks, regions, drift of the province's value."""
    if not built:
        return {}
    gate, regions = indicator.gate, load_regions()
    by_day: Mapping[date, list[tuple[str, float | None, int | None, int, bool]]] = defaultdict(list)
    for day, *figure in warehouse.rows(
        "SELECT event_day, toString(region), value, rank, ranked, missing OR imputed"
        f" FROM built.{indicator.table}"
        " WHERE event_day BETWEEN {first:Date} AND {last:Date} AND build_id = {build:String}",
        build=attempt.build_id,
        first=built[0].day,
        last=built[-1].day,
    ):
        region, value, rank, ranked, odd = figure
        shown = None if value is None else indicator.shown(value)
        by_day[day].append((region, shown, rank, ranked, bool(odd)))
    values = _values(warehouse, indicator, attempt, built, regions.province.code) if _drifts(gate) else {}
    found: Failed = {}
    for item in built:
        rows = by_day.get(item.day, [])
        failed: list[Finding] = []
        for level in indicator.regions:
            codes = regions.codes([level])
            failed += beyond.ranking_observed((row for row in rows if row[0] in codes), indicator.sign)
        observed = {row[0] for row in rows if not row[4] and row[1] is not None}
        failed += beyond.regions_complete(gate, observed, regions)
        failed += beyond.drift(gate, values, item.day, indicator.unit)
        found[item.day] = failed
    return found


def _drifts(gate: object) -> bool:
    return getattr(gate, "drift_day", None) is not None or getattr(gate, "drift_week", None) is not None


def _regions(
    warehouse: Warehouse, contract: Contract, build_id: str, built: Sequence[Built]
) -> dict[date, list[str]]:
    rows = warehouse.rows(
        f"SELECT event_day, groupUniqArray(toString(`{contract.region_field}`)) FROM built.{contract.table}"
        " WHERE build_id = {build:String} AND event_day BETWEEN {first:Date} AND {last:Date} GROUP BY event_day",
        build=build_id,
        first=built[0].day,
        last=built[-1].day,
    )
    return dict(rows)


def _amounts(warehouse: Warehouse, table: str, attempt: Attempt, built: Sequence[Built]) -> dict[date, float]:
    """Rows by day: published ones up to a week before, and this build's."""
    rows = warehouse.rows(
        _ROWS,
        table=table,
        parent=attempt.parent,
        first=built[0].day - timedelta(days=7),
        last=built[-1].day,
    )
    return dict(rows) | {item.day: item.rows for item in built}


def _values(
    warehouse: Warehouse, indicator: Indicator, attempt: Attempt, built: Sequence[Built], province: str
) -> dict[date, float]:
    rows = warehouse.rows(
        _VALUES.format(table=indicator.table),
        table=indicator.table,
        build=attempt.build_id,
        parent=attempt.parent,
        province=province,
        first=built[0].day - timedelta(days=7),
        last=built[-1].day,
    )
    return dict(rows)
