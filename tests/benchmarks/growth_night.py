"""One night of a programme that has grown, as `bench_growth` asks for it in a process of its own.

python -m tests.benchmarks.growth_night 2026-11-29    # in a home that `growth_ledger.fill` has filled
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections import Counter
from datetime import date

from dagster_project.days.spans import Span
from dagster_project.orchestrate.runs import run_span
from deploy.environment import load_settings
from tests.benchmarks.stack import RESULT


def main(day: date) -> None:
    """Build, judge and release a day by all assets; print what it took and what came of it."""
    seen = Counter[str]()
    wall, cpu = time.perf_counter(), time.process_time()
    run = run_span(load_settings(), Span(day, day), lambda table, what: seen.update((what,)))
    figures = {
        "wall": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "tables": len(run.tables),
        "rows": sum(table.rows for table in run.tables),
        "published": run.published,
        "failed": [f"{table.table}: {table.failed[0][1][:1]}" for table in run.tables if table.failed][:3],
        "memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
        "judged": seen["judged"],
    }
    print(RESULT + json.dumps(figures, default=str), flush=True)


if __name__ == "__main__":
    main(date.fromisoformat(sys.argv[1]))
