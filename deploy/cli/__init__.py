"""The one command line, `liaowang`: everything a person does."""

from __future__ import annotations

import logging
import os
import select
import signal
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from deploy.cli.complaint import complain
from deploy.cli.lazy import lazily
from schemas.errors import GateFailed, LiaowangError, Misdeclared, Unavailable
from streams.duty.refusals import Invalid

CODES = {Misdeclared: 2, Invalid: 2, Unavailable: 4, GateFailed: 5}
"""Exit codes by error; any other error of the platform ends with 1."""

COMMANDS = {
    "demo": "stack.demo.demo",
    "up": "stack.stack.up",
    "down": "stack.stack.down",
    "apply": "stack.stack.apply",
    "status": "stack.status.status",
    "aside": "stack.aside.app",
    "reconcile": "stack.reconcile.reconcile_",
    "migrate": "stack.stack.migrate",
    "worker": "stack.stack.worker",
    "generate": "data.generate.generate",
    "send": "data.intake.send",
    "detect": "rules.detect.detect_",
    "build": "warehouse.warehouse.build",
    "backfill": "warehouse.backfill.backfill",
    "days": "warehouse.quality.days",
    "contracts": "data.contracts.app",
    "department": "data.department.app",
    "indicators": "warehouse.indicators.app",
    "explain": "warehouse.explain.explain",
    "export": "warehouse.export.export",
    "duty": "groups.duty",
    "index": "warehouse.index.app",
    "ledger": "data.ledger.app",
    "quality": "warehouse.quality.app",
    "ranking": "warehouse.ranking.app",
    "rejected": "data.rejected.app",
    "release": "warehouse.release.app",
    "warnings": "rules.warnings.app",
    "rules": "groups.rules",
}
"""Every command by its name: where in deploy.cli it is. A module is imported when its command is asked for."""

app = typer.Typer(
    cls=lazily(COMMANDS),
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


def main() -> None:
    """Run the command line; an error of the platform is one line on standard error and an exit code.

    Whoever reads the output may stop reading (`| head`): the command then ends by SIGPIPE, as Unix programs do.
    """
    logging.getLogger("clickhouse_driver").setLevel(
        logging.CRITICAL
    )  # it would tell the same with a traceback
    try:
        app()
    except SystemExit as end:
        if end.code == 1 and _unread():
            _end_quietly()
        raise
    except LiaowangError as error:
        complain(str(error))
        sys.exit(next((code for kind, code in CODES.items() if isinstance(error, kind)), 1))


def _unread() -> bool:
    """Whether standard output is a pipe that nobody reads any more."""
    poll = select.poll()
    poll.register(1, 0)
    return any(flags & select.POLLERR for _, flags in poll.poll(0))


def _end_quietly() -> None:
    """End as a program that SIGPIPE has ended, without a word."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still to be flushed goes nowhere
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.raise_signal(signal.SIGPIPE)
