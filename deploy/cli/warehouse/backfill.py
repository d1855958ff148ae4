"""`liaowang backfill`: build a long span of days again in one run; what it costs, how far it is, going on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated

import typer
from rich.table import Table

from dagster_project.build.backfill_cost import Cost, estimate
from dagster_project.build.index import all_figures
from dagster_project.days.attempt import BACKFILL, Unfinished, unfinished
from dagster_project.days.spans import Span
from dagster_project.warehouse import warehouse
from deploy.cli.output import calm, say_json, screen
from deploy.cli.warehouse.warehouse import FirstDay, LastDay, run, to_span
from deploy.environment import declared, load_settings
from schemas.contract import load_contracts
from schemas.errors import GateFailed, Misdeclared
from schemas.fields import SHANGHAI
from schemas.settings import Settings


def backfill(
    first: FirstDay = None,
    last: LastDay = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what it would cost: rows, days, seconds.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the last backfill that was cut short.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The cost as JSON (with --dry-run).")] = False,
) -> None:
    """Build a year of days, or any span, in one run: newest days first, one release at the end.

    After a kill or a crash, --resume goes on where it was, reading the log up to the same offsets.
    Ends with 5 when days failed their gate and were withheld.
    """
    calm()
    settings, console = load_settings(), screen(highlight=False)
    today = datetime.now(SHANGHAI).date()
    old = _unfinished(settings)
    if resume:
        span, build_id = _resumed(old, first, last, today)
    else:
        span, build_id = to_span(first, last, today), ""
    costs = _costs(settings, span, build_id)
    if as_json:
        say_json(_json(span, costs, build_id))
    else:
        console.print(_table(span, costs))
        if old and not resume:
            console.print(f"a backfill of {old.span} was cut short; --resume goes on with it")
    if not dry_run and not run(settings, span, console, BACKFILL, build_id):
        raise GateFailed(f"the gate failed, nothing published of what failed in {span}")


def _unfinished(settings: Settings) -> Unfinished | None:
    with warehouse(settings) as open:
        return unfinished(open, BACKFILL)


def _resumed(
    old: Unfinished | None, first: datetime | None, last: datetime | None, today: date
) -> tuple[Span, str]:
    if old is None:
        raise Misdeclared("backfill", "--resume", "no backfill was cut short")
    if (first or last) and to_span(first, last, today) != old.span:
        raise Misdeclared("backfill", "--resume", f"the one that was cut short is of {old.span}")
    return old.span, old.build_id


def _costs(settings: Settings, span: Span, build_id: str) -> list[Cost]:
    contracts = load_contracts(declared().feeds)
    indicators = all_figures([contract.table for contract in contracts.values()], declared())
    with warehouse(settings) as open:
        return estimate(open, contracts.values(), indicators.values(), span, build_id)


def _json(span: Span, costs: Sequence[Cost], build_id: str) -> dict[str, object]:
    return {
        "from": span.first.isoformat(),
        "to": span.last.isoformat(),
        "days": len(span.days),
        "rows": sum(cost.rows for cost in costs),
        "seconds": round(sum(cost.seconds for cost in costs), 1),
        "resumes": build_id,
        "tables": [cost.as_json() for cost in costs],
    }


def _table(span: Span, costs: Sequence[Cost]) -> Table:
    table = Table("table", "days", "rows to read", "seconds", "rate", title=f"backfill {span}")
    for cost in costs:
        rate = "measured" if cost.measured else "assumed"
        table.add_row(cost.table, f"{cost.days:,}", f"{cost.rows:,}", f"{cost.seconds:,.1f}", rate)
    table.add_section()
    rows, seconds = sum(cost.rows for cost in costs), sum(cost.seconds for cost in costs)
    table.add_row("all", f"{len(span.days):,}", f"{rows:,}", f"{seconds:,.1f}", "")
    return table
