"""`liaowang aside`: what programs have set aside through its own fault, and that somebody has looked."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from deploy.cli.output import screen
from deploy.environment import load_settings
from deploy.local.services import SERVICES
from schemas.errors import Misdeclared
from streams.aside import clear as clear_aside
from streams.aside import read, services

app = typer.Typer(
    help="Items that programs have set aside while they went on with the rest.", no_args_is_help=True
)


@app.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False) -> None:
    """Show by service how many items were set aside since it was last cleared, and the newest of them."""
    home = load_settings().home
    found = {name: record for name in services(home) if (record := read(home, name)) is not None}
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
        return
    if not found:
        typer.echo("nothing is set aside")
        return
    table = Table("service", "at", "what", "reason")
    for name, record in found.items():
        for number, item in enumerate(record.newest):
            table.add_row(
                "" if number else f"{name} ({record.count})", item.at, escape(item.what), escape(item.reason)
            )
    screen().print(table)


@app.command()
def clear(service: Annotated[str, typer.Argument(help="Name of the service, as `status` shows it.")]) -> None:
    """Say that somebody has looked: the service counts as well again until it sets something else aside."""
    names = [each.name for each in SERVICES]
    if service not in names:
        raise Misdeclared("arguments", "SERVICE", f"is {service!r}, not one of {', '.join(names)}")
    record = clear_aside(load_settings().home, service)
    typer.echo(f"{service}: {record.count if record else 'nothing was'} set aside, cleared")
