"""A daily build of so many landed events: build, gate, release; how it grows; beside it a plain copy of the rows.

It grows linearly: rows are read once in key order, deduplicated and written by the engine; Python sees counts.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

from dagster_project.build.feed import build_feed
from dagster_project.gate.judge import judge_feed
from dagster_project.release.publish import publish
from schemas.tables import built_columns
from tests.benchmarks.house import (
    AIR,
    argument,
    attempt,
    engine_memory,
    land,
    own_memory,
    own_warehouse,
    say,
    sizes,
)  # fmt: skip

EVENTS = 5_000_000


def main(largest: int) -> None:
    """Measure and print."""
    grown: dict[int, float] = {}
    parts: dict[str, float] = {}
    with own_warehouse() as (settings, open):
        for rows in sizes(largest):
            span = land(open, 1, rows)
            begun = time.perf_counter()
            mine = attempt(open, f"bench-{rows}", span)
            built = build_feed(open, AIR, mine)
            parts["build"] = time.perf_counter() - begun
            judged = judge_feed(settings, open, AIR, mine, built, datetime.now(UTC))
            assert judged.passed, judged.verdicts
            parts["gate"] = time.perf_counter() - begun - parts["build"]
            published = publish(open, mine, settings.home / "release.lock", "bench", datetime.now(UTC))
            assert published.seq
            grown[rows] = time.perf_counter() - begun
            assert built[0].duplicates == rows // 100
        columns = ", ".join(f"`{name}`" for name, _ in built_columns(AIR)[1:])
        begun = time.perf_counter()
        open.rows(
            f"INSERT INTO built.{AIR.table} (build_id, {columns})"
            f" SELECT 'plain', {columns} FROM landing.{AIR.table}"
        )
        plain = time.perf_counter() - begun
        engine = engine_memory(open)
    say(
        "daily build",
        value=round(grown[largest], 2),
        unit="s",
        target=30,
        baseline=round(plain, 2),
        baseline_name="INSERT SELECT of the same rows, nothing deduplicated or checked",
        events=largest,
        parts={name: round(seconds, 2) for name, seconds in parts.items()},
        growth={f"{rows}": round(seconds, 2) for rows, seconds in grown.items()},
        process_mib=own_memory() >> 20,
        engine_statement_mib=engine >> 20,
    )


if __name__ == "__main__":
    main(argument(EVENTS))
