"""The one command line, `liaowang`: everything a person does."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated

import typer

from deploy.cli import (
    channels,
    demo,
    detect,
    duty,
    explain,
    export,
    generate,
    index,
    intake,
    ledger,
    published,
    ranking,
    rejected,
    release,
    rules,
    stack,
    warehouse,
)
from deploy.cli.complaint import complain
from schemas.errors import GateFailed, LiaowangError, Misdeclared, Unavailable
from streams.duty.refusals import Invalid

CODES = {Misdeclared: 2, Invalid: 2, Unavailable: 4, GateFailed: 5}
"""Exit codes by error; any other error of the platform ends with 1."""

app = typer.Typer(
    help="Liaowang 瞭望: early warnings within seconds, checked indicators every day.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def _liaowang(
    show_version: Annotated[bool, typer.Option("--version", help="Show the version and end.")] = False,
) -> None:
    if show_version:
        typer.echo(f"liaowang {version('liaowang')}")
        raise typer.Exit


COMMANDS: tuple[Callable[..., None], ...] = (
    demo.demo,
    stack.up,
    stack.down,
    stack.status,
    stack.migrate,
    stack.worker,
    generate.generate,
    intake.send,
    detect.detect_,
    warehouse.build,
    warehouse.indicators,
    explain.explain,
    export.export,
)
for command in COMMANDS:
    app.command()(command)
for command in (
    published.publish,
    published.diff,
    published.history,
    published.retire,
    published.baseline,
):
    rules.app.command()(command)
app.add_typer(duty.app, name="duty")
duty.app.add_typer(channels.silence, name="silence")
duty.app.command()(channels.channels)
duty.app.command()(channels.notifications)
app.add_typer(index.app, name="index")
app.add_typer(ledger.app, name="ledger")
app.add_typer(ranking.app, name="ranking")
app.add_typer(rejected.app, name="rejected")
app.add_typer(release.app, name="release")
app.add_typer(rules.app, name="rules")


def main() -> None:
    """Run the command line; an error of the platform is one line on standard error and an exit code."""
    logging.getLogger("clickhouse_driver").setLevel(
        logging.CRITICAL
    )  # it would tell the same with a traceback
    try:
        app()
    except LiaowangError as error:
        complain(str(error))
        sys.exit(CODES.get(type(error), 1))
