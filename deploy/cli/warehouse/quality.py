"""`liaowang quality` and `liaowang days`: what did not pass its gate, whose task it is, how each day stands."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from dagster_project.gate import tasks as quality_tasks
from dagster_project.gate.tasks import CLOSED, OPEN, RESOLVED, Task
from dagster_project.mart import day_status
from dagster_project.warehouse import warehouse
from deploy.cli.output import calm, say_json, screen
from deploy.cli.wording import words_for
from deploy.environment import declared, load_settings
from schemas.departments import Departments
from schemas.errors import Misdeclared
from schemas.findings import words_of
from schemas.in_use import departments_of

app = typer.Typer(help="What did not pass its gate.", no_args_is_help=True)
DAY_FORMAT = ["%Y-%m-%d"]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]
Name = Annotated[str, typer.Argument(help="TABLE/DAY, as `quality tasks` shows it.")]


@app.command()
def tasks(
    department: Annotated[str, typer.Option(help="Only of this department.")] = "",
    state: Annotated[str, typer.Option(help="open, resolved, closed or all.")] = OPEN,
    as_json: Json = False,
) -> None:
    """List quality tasks: days of tables that did not pass, by department, with evidence rows."""
    calm()
    if state not in (OPEN, RESOLVED, CLOSED, "all"):
        raise Misdeclared("quality tasks", "--state", "must be open, resolved, closed or all")
    settings, departments = load_settings(), departments_of(declared())
    with warehouse(settings) as open:
        known = quality_tasks.tasks(open)
    require_known(department, departments, known)
    found = [item for item in known if department in ("", item.department) and state in ("all", item.state)]
    if as_json:
        say_json([item.as_json() | {"department_name": departments.names(item.department)} for item in found])
        return
    words = words_for(settings)
    names = ("task", "department", "state", "failed", "evidence", "since")
    table = Table(*(words(f"column_{name}") for name in names))
    for item in found:
        failed = escape("\n".join(words_of(finding, words.language) for finding in item.findings))
        rows = words("rows", count=len(item.evidence)) if item.evidence else ""
        who, state = departments.titled(item.department), words(f"task_{item.state}")
        table.add_row(item.task, who, state, failed, rows, f"{item.at:%Y-%m-%d %H:%M}")
    screen().print(table if found else words("no_tasks"))


@app.command()
def show(task: Name, as_json: Json = False) -> None:
    """Show one task with its evidence: places in the log or regions, and what each broke; and whom to call."""
    calm()
    settings, departments = load_settings(), departments_of(declared())
    with warehouse(settings) as open:
        found = [item for item in quality_tasks.tasks(open) if item.task == task]
    if not found:
        raise Misdeclared("quality show", task, "no such task; see liaowang quality tasks --state all")
    (item,) = found
    if as_json:
        say_json(item.as_json() | {"department_name": departments.names(item.department)})
        return
    console, words = screen(highlight=False), words_for(settings)
    who, state = departments.titled(item.department), words(f"task_{item.state}")
    head = words("task", task=item.task, state=state, department=who, build=item.build_id)
    console.print(f"{head} {escape(item.note)}")
    if call := departments.call(item.department):
        console.print(words("call", call=escape(call)))
    for finding in item.findings:
        console.print(f"  [red]{escape(words_of(finding, words.language))}")
    for names, rows in groupby(item.evidence, key=tuple):
        table = Table(*names)
        for row in rows:
            table.add_row(*(escape(str(value)) for value in row.values()))
        console.print(table)


@app.command()
def close(task: Name, note: Annotated[str, typer.Option(help="Why nothing is to be done.")]) -> None:
    """Close a task by hand; it opens again when a build of the day fails again."""
    calm()
    with warehouse(load_settings()) as open:
        quality_tasks.close(open, task, note, datetime.now(UTC))
    typer.echo(f"{task} is closed")


def require_known(department: str, departments: Departments, known: list[Task]) -> None:
    """Misdeclared where there is no such department, declared or with a task of before."""
    if department and department not in departments and all(item.department != department for item in known):
        raise Misdeclared("quality tasks", "--department", departments.unknown(department))


def days(
    first: Annotated[
        datetime | None, typer.Option("--from", formats=DAY_FORMAT, help="First day (a month ago).")
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", formats=DAY_FORMAT, help="Last day, included (no end).")
    ] = None,
    table: Annotated[str, typer.Option(help="Only this table, such as ecology_air_quality.")] = "",
    state: Annotated[str, typer.Option(help=f"Only in this state: {', '.join(day_status.STATES)}.")] = "",
    as_json: Json = False,
) -> None:
    """Show how each day of each table stands: published, incomplete, failed and withheld."""
    calm()
    if state and state not in day_status.STATES:
        raise Misdeclared("days", "--state", f"must be one of {', '.join(day_status.STATES)}")
    end = last.date() if last else date(2149, 1, 1)
    settings = load_settings()
    with warehouse(settings) as open:
        begin = first.date() if first else _month_before(day_status.statuses(open, date(1971, 1, 1), end))
        found = day_status.statuses(open, begin, end, table, state)
    if as_json:
        say_json([item.as_json() for item in found])
        return
    told = words_for(settings)
    names = ("day", "table", "state", "release", "rows", "duplicates", "quarantined", "failed_checks")
    shown = Table(*(told(f"column_{name}") for name in names))
    for item in found:
        colour = "red" if item.state == "failed" else ""
        numbers = (item.rows, item.duplicates, item.quarantined)
        words = (str(item.day), item.table, told(f"day_{item.state}"), str(item.release_seq or ""))
        shown.add_row(*words, *(f"{n:,}" for n in numbers), ", ".join(item.failed), style=colour)
    screen().print(shown if found else told("no_days"))


def _month_before(known: list[day_status.DayStatus]) -> date:
    """A month before the latest day there is."""
    return max((item.day for item in known), default=date(1971, 2, 1)) - timedelta(days=31)
