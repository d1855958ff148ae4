"""`liaowang up`, `down`, `status`, `migrate`, `worker`: the local stack."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from deploy.cli.screen import screen
from deploy.environment import load_settings
from deploy.local import form, supervisor
from deploy.local.services import SERVICES
from deploy.local.workers import run_worker
from deploy.migrate import migrate as run_migrations
from schemas.in_use import FILES, take
from streams import aside

WRONG, NOT_WELL = 2, 3
STYLES = {"running": "green", "ok": "green", "stopped": "dim", "unknown": "dim"}


def up() -> None:
    """Start Kafka, the warehouse and all workers, migrated and healthy; harmless when they are up.

    Ends with 2 where a declaration is wrong: all is up, with the declarations of before.
    """
    settings = load_settings()
    _say("up" if supervisor.up(settings, _say) else "already up")
    if aside.read(settings.home, form.TELLER):
        raise typer.Exit(WRONG)


def down() -> None:
    """Stop everything cleanly and wait for it; data stay. Harmless when nothing is up."""
    _say("down" if supervisor.down(load_settings(), _say) else "already down")


def status(as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False) -> None:
    """Show each service, its port, state, process, since when, health; exit code 3 unless all is well."""
    settings = load_settings()
    services = supervisor.status(settings)
    well = supervisor.all_well(services)
    if as_json:
        told = {"home": str(settings.home), "well": well, "services": [asdict(s) for s in services]}
        typer.echo(json.dumps(told, ensure_ascii=False))
    else:
        screen().print(_table(services))
    if not well:
        raise typer.Exit(NOT_WELL)


def migrate() -> None:
    """Bring the warehouse to its declared form; each migration once, safe to run twice."""
    settings = load_settings()
    form.demand_right(FILES)
    done = run_migrations(settings)
    take(settings.home)
    _say(f"migrations applied: {', '.join(done.applied) or 'none, all were'}")
    _say(f"statements of derived tables run: {done.derived}")


def worker(
    name: Annotated[str, typer.Argument(help=", ".join(service.name for service in SERVICES))],
) -> None:
    """Run one service of the stack in the foreground."""
    run_worker(name, load_settings())


def _say(line: str) -> None:
    Console(stderr=True).print(line, highlight=False, markup=False, soft_wrap=True)


def _table(services: list[supervisor.State]) -> Table:
    table = Table("service", "port", "state", "health", "pid", "since", "detail")
    for s in services:
        cells = [s.name, str(s.port or ""), _coloured(s.state), _coloured(s.health)]
        table.add_row(*cells, str(s.pid or ""), s.since or "", escape(s.detail))
    return table


def _coloured(word: str) -> str:
    return f"[{STYLES.get(word, 'red')}]{word}[/]"
