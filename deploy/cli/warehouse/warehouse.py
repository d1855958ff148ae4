"""`liaowang build`: days built, judged and published."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from dagster_project.build.index import all_figures
from dagster_project.build.reopened_days import reopened
from dagster_project.build.unbuilt_days import pending as pending_days
from dagster_project.days.attempt import BUILD
from dagster_project.days.spans import Span, gather
from dagster_project.warehouse import warehouse
from deploy.cli.output import calm, screen
from deploy.cli.wording import words_for
from deploy.environment import declared, load_settings
from schemas.contract import load_contracts
from schemas.errors import GateFailed
from schemas.fields import SHANGHAI
from schemas.findings import words_of
from schemas.settings import Settings
from schemas.texts import Words

if TYPE_CHECKING:
    from dagster_project.orchestrate.runs import Run
    from dagster_project.orchestrate.table_pipeline import Step

BEGINNING = date(2014, 1, 1)
MOST_RUNS = 4
_COLUMNS = ("table", "days", "rows", "duplicates", "corrected", "quarantined", "incomplete", "verdict")
DAY_FORMAT = ["%Y-%m-%d"]

FirstDay = Annotated[
    datetime | None, typer.Option("--from", formats=DAY_FORMAT, help="First day (Asia/Shanghai).")
]
LastDay = Annotated[datetime | None, typer.Option("--to", formats=DAY_FORMAT, help="Last day, included.")]


def build(
    first: FirstDay = None,
    last: LastDay = None,
    pending: Annotated[
        bool,
        typer.Option("--pending", help="Only days with rows, corrections or declarations newer than them."),
    ] = False,
    approve: Annotated[
        bool, typer.Option("--approve", help="With --pending: also published days beyond the horizon.")
    ] = False,
) -> None:
    """Build days, judge and publish them; exit code 5 when days failed their gate and were withheld."""
    calm()
    settings, console = load_settings(), screen(highlight=False)
    if pending == (first is not None or last is not None) or (approve and not pending):
        raise typer.BadParameter("give either --from and --to, or --pending (with --approve if you will)")
    today = datetime.now(SHANGHAI).date()
    spans = _pending_spans(settings, today, console, approve) if pending else [to_span(first, last, today)]
    if not spans:
        console.print("nothing to build: every landed row is in a released build")
    failed = [span for span in spans if not run(settings, span, console)]
    if failed:
        raise GateFailed(
            f"the gate failed, nothing published of what failed in {', '.join(map(str, failed))}"
        )


def to_span(first: datetime | None, last: datetime | None, today: date) -> Span:
    """The span of --from and --to."""
    if first is None or last is None:
        raise typer.BadParameter("give both --from and --to")
    span = Span(first.date(), last.date())
    if not BEGINNING <= span.first <= span.last <= today:
        raise typer.BadParameter(f"days run from {BEGINNING} to {today}, --from not after --to")
    return span


def _pending_spans(settings: Settings, today: date, console: Console, approve: bool) -> list[Span]:
    contracts = load_contracts(declared().feeds)
    indicators = all_figures([contract.table for contract in contracts.values()], declared())
    with warehouse(settings) as open:
        days = pending_days(open, contracts.values())
        again = reopened(open, contracts.values(), indicators.values(), today, approve)
    days = (days | set(again.days)) - again.beyond_days
    if again.beyond_days:
        console.print(
            f"{len(again.beyond_days)} published days lie beyond the horizon of their contracts and wait for"
            f" approval (--approve): {', '.join(map(str, gather(again.beyond_days, MOST_RUNS)))}"
        )
    outside = {day for day in days if not BEGINNING <= day <= today}
    if outside:
        console.print(
            f"{len(outside)} days outside {BEGINNING}..{today} are not built, such as {min(outside)}"
        )
    return gather(days - outside, MOST_RUNS)


def run(settings: Settings, span: Span, console: Console, kind: str = BUILD, resume: str = "") -> bool:
    """Make one run and tell what came of it; whether the gate passed."""
    from dagster_project.orchestrate.runs import run_span, steps  # Dagster and GX take seconds to import

    words = words_for(settings)
    bars = Progress(
        TextColumn(f"{kind} {span}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
        console=console,
    )
    with bars:
        count, days = steps(settings), len(span.days)
        bar, done = bars.add_task("", total=count * days), Counter[str]()

        def watch(table: str, step: Step) -> None:
            if step.span is None:
                done[table] = days
            else:
                done[table] = min(days - 1, done[table] + len(step.span.days))
            bars.update(bar, completed=done.total(), description=f"{table} {_step(words, step)}")

        made = run_span(settings, span, watch, kind, resume)
    _tell(made, console, words)
    return made.passed


def _step(words: Words, step: Step) -> str:
    return words(f"step_{step.stage}", days=step.span)


def _tell(run: Run, console: Console, words: Words) -> None:
    table = Table(*(words(f"column_{name}") for name in _COLUMNS))
    for item in run.tables:
        verdict = (
            f"[red]{words('days_failed', count=len(item.failed))}"
            if item.failed
            else f"[green]{words('days_passed', count=item.passed)}"
        )
        numbers = (item.days, item.rows, item.duplicates, item.corrected, item.quarantined, item.incomplete)
        table.add_row(item.table, *map(str, numbers), verdict)
    console.print(table)
    for item in run.tables:
        for day, findings in item.failed[:5]:
            said = "; ".join(words_of(finding, words.language) for finding in findings[:3])
            console.print(f"[red]{item.table} {day}: {escape(said)}")
    news = words("published", seq=run.seq, days=run.published) if run.seq else words("nothing_new")
    console.print(words("may_change", news=news))
    if not run.passed:
        console.print(f"[red]{words('withheld')}")
