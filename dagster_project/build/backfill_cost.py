"""What a backfill would cost: rows to read, days to make, seconds at the rates measured before.

Rates are those of past builds on this warehouse (`release.progress`): of the same table where it was built
before, else of all tables of its kind, else an assumption that says so.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from dagster_project.build.indicator import Indicator
from dagster_project.days.periods import ends
from dagster_project.days.spans import Span
from dagster_project.warehouse import Warehouse
from schemas.contract import Contract

ASSUMED_ROWS, ASSUMED_DAYS = 150_000.0, 20.0
_RATES = "SELECT table, sum(rows), sum(seconds) FROM release.progress GROUP BY table HAVING sum(seconds) > 0"
_WRITTEN = "SELECT table, sum(rows) FROM release.progress WHERE build_id = {build:String} GROUP BY table"
Sums = Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class Cost:
    """One table of a backfill: `rows` of landed events to read, `seconds` to build and judge its days.

    `measured` tells whether the rate is one of past builds.
    """

    table: str
    days: int
    rows: int
    seconds: float
    measured: bool

    def as_json(self) -> dict[str, Any]:
        """The cost as JSON has it."""
        return asdict(self) | {"seconds": round(self.seconds, 1)}


def estimate(
    warehouse: Warehouse,
    contracts: Collection[Contract],
    indicators: Collection[Indicator],
    span: Span,
    resume: str = "",
) -> list[Cost]:
    """The cost of building a span, table by table; what a build to be resumed has written is left out."""
    sums = {table: (rows, seconds) for table, rows, seconds in warehouse.rows(_RATES)}
    written = dict(warehouse.rows(_WRITTEN, build=resume)) if resume else {}
    feeds = [contract.table for contract in contracts]
    figures = [item.table for item in indicators]
    found = []
    for table in feeds:
        ((days, rows),) = warehouse.rows(
            f"SELECT uniqExact(event_day), count() FROM landing.{table}"
            " WHERE event_day BETWEEN {first:Date} AND {last:Date}",
            first=span.first,
            last=span.last,
        )
        left = max(0, rows - written.get(table, 0))
        found.append(_cost(sums, feeds, table, days, left, ASSUMED_ROWS))
    for item in indicators:
        days = len(ends(item.period, span))
        left = 0 if item.table in written else days
        cost = _cost(sums, figures, item.table, days, left, ASSUMED_DAYS)
        found.append(replace(cost, rows=0))
    return found


def _cost(sums: Sums, kind: Collection[str], table: str, days: int, amount: int, assumed: float) -> Cost:
    rate = _rate(sums, [table]) or _rate(sums, kind)
    gate = _rate(sums, [f"gate of {table}"])
    seconds = amount / (rate or assumed) + (days / gate if gate and amount else 0.0)
    return Cost(table, days, amount, seconds, rate is not None)


def _rate(sums: Sums, tables: Collection[str]) -> float | None:
    rows = sum(sums[table][0] for table in tables if table in sums)
    seconds = sum(sums[table][1] for table in tables if table in sums)
    return rows / seconds if rows and seconds else None
