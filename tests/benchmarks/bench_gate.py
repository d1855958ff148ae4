"""The gate on one day of so many rows by 20 expectations; how it grows; beside it one plain count of the rows.

It has a fixed part, what Great Expectations does to prepare a suite, and a linear one, the engine's scans.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime

from dagster_project.build.feed import build_feed
from dagster_project.gate.judge import feed_suite, judge_feed
from schemas.gate import Gate
from tests.benchmarks.house import AIR, argument, attempt, land, own_warehouse, say, sizes

ROWS = 1_000_000
EXPECTATIONS = 20
MORE = [
    ("expect_column_values_to_be_between", {"column": "pm25", "max_value": 900 + n, "mostly": 0.99})
    for n in range(EXPECTATIONS)
]


def main(largest: int) -> None:
    """Measure and print."""
    missing = EXPECTATIONS - len(feed_suite(AIR).expectations)
    contract = replace(AIR, gate=Gate(expectations=tuple(MORE[: max(0, missing)])))
    grown: dict[int, float] = {}
    with own_warehouse() as (settings, open):
        for rows in sizes(largest):
            span = land(open, 1, rows)
            mine = attempt(open, f"bench-{rows}", span)
            built = build_feed(open, contract, mine)
            begun = time.perf_counter()
            judged = judge_feed(settings, open, contract, mine, built, datetime.now(UTC))
            grown[rows] = time.perf_counter() - begun
            assert judged.passed, judged.verdicts
        begun = time.perf_counter()
        open.rows(f"SELECT count(), sum(pm25) FROM built.{AIR.table}")
        plain = time.perf_counter() - begun
    say(
        "gate",
        value=round(grown[largest], 2),
        unit="s",
        target=4,
        baseline=round(plain, 4),
        baseline_name="one sum over all rows",
        rows=largest,
        expectations=len(feed_suite(contract).expectations),
        growth={f"{rows}": round(seconds, 2) for rows, seconds in grown.items()},
    )


if __name__ == "__main__":
    main(argument(ROWS))
