"""`liaowang up`, `down`, `migrate`, `worker`: the local stack."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from deploy.environment import load_settings
from deploy.local import form, supervisor
from deploy.local.readers import take_declarations
from deploy.local.services import SERVICES
from deploy.local.workers import run_worker
from deploy.provision.migrate import migrate as run_migrations
from schemas.department_use import require_departments
from schemas.in_use import files_of
from streams import aside

WRONG = 2


def up() -> None:
    """Start Kafka, the warehouse and all workers, migrated and healthy; harmless when they are up.

    Ends with 2 where a declaration is wrong: all is up, with the declarations of before.
    """
    settings = load_settings()
    _say("up" if supervisor.up(settings, _say) else "already up")
    if aside.read(settings.home, form.TELLER):
        raise typer.Exit(WRONG)


def apply() -> None:
    """Give the stack that runs the declarations of now: new feeds, rules, indicators, without a restart of all.

    Ends with 2 where a declaration is wrong: all goes on with those of before.
    """
    from deploy.local import apply as applying

    settings = load_settings()
    _say("applied" if applying.apply(settings, _say) else "nothing that runs has to read anything new")
    if aside.read(settings.home, form.TELLER):
        raise typer.Exit(WRONG)


def down() -> None:
    """Stop everything cleanly and wait for it; data stay. Harmless when nothing is up."""
    _say("down" if supervisor.down(load_settings(), _say) else "already down")


def migrate() -> None:
    """Bring the warehouse to its declared form; each migration once, safe to run twice.

    Programs that run go on with what they read before; `liaowang apply` gives them the new declarations.
    """
    settings = load_settings()
    files = files_of(settings)
    form.require_right(files)
    require_departments(files)
    done = run_migrations(settings, files)
    owed = take_declarations(settings.home, files)
    _say(f"migrations applied: {', '.join(done.applied) or 'none, all were'}")
    _say(f"statements of tables and views run: {done.derived}")
    for line in done.told():
        _say(line)
    if owed:
        _say(f"{', '.join(owed)} have what they read before; `liaowang apply` gives them the new ones")


def worker(
    name: Annotated[str, typer.Argument(help=", ".join(service.name for service in SERVICES))],
) -> None:
    """Run one service of the stack in the foreground."""
    run_worker(name, load_settings())


def _say(line: str) -> None:
    Console(stderr=True).print(line, highlight=False, markup=False, soft_wrap=True)
