"""A release of 50 tables after 100 others; how it grows with tables; beside it the bare insert of its pointers.

It grows with the days that are published ever (the current pointer of each is read) and hardly with the tables
of one release: two inserts of one block each.
"""

from __future__ import annotations

import statistics
import time
from datetime import UTC, datetime

from dagster_project.build.feed import BUILD_COLUMNS, Built
from dagster_project.days.spans import Span
from dagster_project.release.publish import publish
from dagster_project.warehouse import Warehouse
from quality.gate import VERDICT_COLUMNS
from schemas.settings import Settings
from tests.benchmarks.house import FIRST, argument, attempt, own_warehouse, say

TABLES = 50
BEFORE = 100
ROUNDS = 9


def main(tables: int) -> None:
    """Measure and print."""
    with own_warehouse() as (settings, open):
        for n in range(BEFORE):
            release(settings, open, tables, f"before-{n}")
        rounds = [release(settings, open, tables, f"round-{n}") for n in range(ROUNDS)]
        growth = {tables: statistics.median(rounds)}
        for more in (4 * tables, 16 * tables):
            growth[more] = statistics.median(release(settings, open, more, f"{more}-{n}") for n in range(3))
        pointers = [(10_000, f"t{at}", FIRST, "plain") for at in range(tables)]
        begun = time.perf_counter()
        open.insert("release.pointer", ("seq", "table", "day", "build_id"), pointers)
        plain = time.perf_counter() - begun
    say(
        "release",
        value=round(1000 * growth[tables], 1),
        unit="ms",
        target=100,
        baseline=round(1000 * plain, 1),
        baseline_name="the bare insert of as many pointers",
        tables=tables,
        releases_before=BEFORE,
        slowest_ms=round(1000 * max(rounds), 1),
        growth={f"{n}": round(1000 * seconds, 1) for n, seconds in growth.items()},
    )


def release(settings: Settings, open: Warehouse, tables: int, name: str) -> float:
    """Seconds to publish a day of so many tables, built and judged."""
    span, now = Span(FIRST, FIRST), datetime.now(UTC)
    mine = attempt(open, name, span)
    built = [Built(f"t{at}", FIRST, name, 1, 0, 0, 0, f"{name}-{at}", True, "1.0.0") for at in range(tables)]
    open.insert("release.build", BUILD_COLUMNS, [item.row for item in built])
    verdicts = [(f"t{at}", FIRST, name, 1, "s", "h", 1, 1, [], [], now) for at in range(tables)]
    open.insert("quality.verdict", VERDICT_COLUMNS, verdicts)
    begun = time.perf_counter()
    published = publish(open, mine, settings.home / "release.lock", "bench", datetime.now(UTC))
    seconds = time.perf_counter() - begun
    assert published.seq and len(published.entries) == tables
    return seconds


if __name__ == "__main__":
    main(argument(TABLES))
