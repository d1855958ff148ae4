"""A backfill in one range run: so many days of events and 20 indicators, and a sixteenth and a quarter of them.

Usual: 30 days of 20,000 events; `make bench-year` is a year of 100,000. Arguments are days and events a day.
It has a fixed part (every table of the platform is built and judged, most of them empty here) and grows with
events (the feed is read and written once, some days at a time) and with days of figures (each is made once).
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace

from dagster_project.build import indicator_sql
from dagster_project.build.indicator import Indicator, load_indicators
from dagster_project.mart import views
from dagster_project.orchestrate.runs import run_span
from schemas.contract import load_contracts
from schemas.ddl.render import view
from tests.benchmarks.house import AIR, engine_memory, land, own_memory, own_warehouse, say, sizes

DAYS, EVENTS, INDICATORS = 30, 20_000, 20


def twenty() -> dict[str, Indicator]:
    """Twenty indicators over air readings, made of the declared ones."""
    known = load_indicators([contract.table for contract in load_contracts().values()])
    air = [item for item in known.values() if item.reads == (AIR.table,)]
    made = [
        replace(
            air[n % len(air)],
            id=f"ecology.bench-{n}",
            factor=air[n % len(air)].factor * (n + 1),
            bounds=(0, None),
        )
        for n in range(INDICATORS)
    ]
    return {item.id: item for item in made}


def main(days: int, events: int) -> None:
    """Measure and print."""
    indicators = twenty()
    grown: dict[str, float] = {}
    used: dict[str, float] = {}
    with own_warehouse() as (settings, open):
        for item in indicators.values():
            for each in (indicator_sql.view(item), *views.indicator_mart(item)):
                open.rows(view(each))
        for count in sizes(days):
            span = land(open, count, events)
            begun, busy = time.perf_counter(), time.process_time()
            run = run_span(settings, span, lambda table, what: None, "backfill", indicators=indicators)
            grown[f"{count} days"] = time.perf_counter() - begun
            used[f"{count} days"] = time.process_time() - busy
            assert run.passed and run.seq, run
        engine = engine_memory(open)
    say(
        "backfill",
        value=round(grown[f"{days} days"], 1),
        unit="s",
        target=round(900 * days * events / 36_500_000, 1),
        target_name="900 s for 365 days of 100,000 events, by events",
        days=days,
        events=days * events,
        indicators=len(indicators),
        growth={name: round(seconds, 1) for name, seconds in grown.items()},
        process_cpu_s={name: round(seconds, 1) for name, seconds in used.items()},
        process_mib=own_memory() >> 20,
        engine_statement_mib=engine >> 20,
    )


if __name__ == "__main__":
    given = [int(text) for text in sys.argv[1:]]
    main(*(given or [DAYS, EVENTS]))
