"""`liaowang warnings`: the warnings there were, and one of them decided again from its evidence."""

from __future__ import annotations

import difflib
import json
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from dagster_project.warehouse import warehouse
from deploy.cli.output import screen
from deploy.cli.progress_bar import progress_bars
from deploy.environment import declared, load_settings
from deploy.rule_history.replay import Replayed, replay
from schemas.contract import load_contracts
from schemas.fields import SHANGHAI

app = typer.Typer(help="Warnings as they were landed, and whether they come out again.", no_args_is_help=True)

DIFFERENT, GONE = 1, 3
_LIST = """
SELECT id, time, rule, rule_version, kind, level, subject, timeline FROM landing.duty_warning
WHERE {rule:String} IN ('', rule) ORDER BY arrived DESC, offset DESC LIMIT 1 BY id LIMIT {limit:UInt32}"""
Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]


@app.command("list")
def list_(
    last: Annotated[int, typer.Option(min=1, max=10_000, help="How many of the newest to show.")] = 20,
    rule: Annotated[str, typer.Option(help="Only those of this rule.")] = "",
    json_: Json = False,
) -> None:
    """Show the newest warnings with their ids."""
    with warehouse(load_settings()) as open:
        rows = open.rows(_LIST, rule=rule, limit=last)
    names = ("id", "at", "rule", "version", "transition", "level", "subject", "timeline")
    found = [dict(zip(names, (row[0], _moment(row[1]), *row[2:]), strict=True)) for row in rows]
    if json_:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    if not found:
        typer.echo(f"no warnings{f' of {rule}' if rule else ''} are landed", err=True)
    shown = ("at", "transition", "level", "version", "id")  # rule, timeline and subject stand in the id
    table = Table()
    for name in shown:
        table.add_column(name, overflow="fold")
    for each in found:
        table.add_row(*(str(each[name]) for name in shown))
    screen().print(table)


def _moment(at: datetime) -> str:
    return at.astimezone(SHANGHAI).isoformat(timespec="milliseconds")


@app.command("replay")
def replay_(
    id: Annotated[
        str, typer.Argument(help="A warning's id: its episode, # and ordinal.", show_default=False)
    ],
    json_: Json = False,
) -> None:
    """Decide one warning again from its evidence; say `identical`, or how it differs (exit code 1).

    Where the log it was decided on is not there any more, say what is missing (exit code 3).
    """
    settings = load_settings()
    with progress_bars(Console(stderr=True)) as bars:
        task = bars.add_task("replay", total=None)
        found = replay(
            settings,
            load_contracts(declared().feeds),
            id,
            lambda done, total: bars.update(task, completed=done, total=total),
        )
    if json_:
        typer.echo(json.dumps(_plain(found), ensure_ascii=False))
    else:
        _say(found)
    if not found.identical:
        raise typer.Exit(GONE if found.gone else DIFFERENT)


def _plain(found: Replayed) -> dict[str, Any]:
    return {
        "id": found.id,
        "identical": found.identical,
        "gone": found.gone or None,
        "records": found.records,
        "was": json.loads(found.was),
        "now": None if found.now is None else json.loads(found.now),
    }


def _say(found: Replayed) -> None:
    if found.identical:
        typer.echo(f"{found.id}: identical, decided again from {found.records:,} records")
    elif found.gone:
        typer.echo(f"{found.id}: cannot be decided again: {found.gone}")
    elif found.now is None:
        typer.echo(f"{found.id}: different: it does not come out again ({found.records:,} records)")
    else:
        typer.echo(f"{found.id}: different")
        was, now = (
            json.dumps(json.loads(raw), ensure_ascii=False, indent=1) for raw in (found.was, found.now)
        )
        typer.echo(
            "\n".join(difflib.unified_diff(was.splitlines(), now.splitlines(), "was", "now", lineterm=""))
        )
