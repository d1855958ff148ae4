"""`liaowang status`: how the services of a home do."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from deploy.cli.output import screen
from deploy.environment import load_settings
from deploy.local.status import State, all_well
from deploy.local.status import status as status_of

NOT_WELL = 3
STYLES = {"running": "green", "ok": "green", "stopped": "dim", "unknown": "dim", "starting": "yellow"}


def status(as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False) -> None:
    """Show each service, its port, state, process, since when, health; exit code 3 unless all is well."""
    settings = load_settings()
    services = status_of(settings)
    well = all_well(services)
    if as_json:
        told = {"home": str(settings.home), "well": well, "services": [asdict(s) for s in services]}
        typer.echo(json.dumps(told, ensure_ascii=False))
    else:
        screen().print(_table(services))
    if not well:
        raise typer.Exit(NOT_WELL)


def _table(services: list[State]) -> Table:
    table = Table("service", "port", "state", "health", "pid", "since", "detail")
    for s in services:
        cells = [s.name, str(s.port or ""), _coloured(s.state), _coloured(s.health)]
        table.add_row(*cells, str(s.pid or ""), s.since or "", escape(s.detail))
    return table


def _coloured(word: str) -> str:
    return f"[{STYLES.get(word, 'red')}]{word}[/]"
