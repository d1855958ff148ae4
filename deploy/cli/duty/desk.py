"""What the commands of duty share: the home's desk and database, who acts, how times and cases are shown."""

from __future__ import annotations

import getpass
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from deploy.cli.output import screen
from deploy.environment import load_settings
from schemas.fields import SHANGHAI
from schemas.settings import Settings
from streams.duty.accounts.officers import actor_of
from streams.duty.accounts.rights import Actor
from streams.duty.database.database import Database
from streams.duty.home import open_home, operator
from streams.duty.rosters.desk import Desk

AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]
As = Annotated[
    str,
    typer.Option("--as", metavar="LOGIN", help="Act as this officer, with his rights; else as the operator."),
]
HOLE = 3
"""Exit code where nobody is on duty."""
STYLES = {"red": "bold red", "orange": "dark_orange", "yellow": "yellow", "blue": "blue"}


@dataclass(frozen=True)
class Work:
    """What a command works with."""

    settings: Settings
    database: Database
    desk: Desk
    actor: Actor
    now: datetime


@contextmanager
def at_work(login: str = "") -> Iterator[Work]:
    """The home's duty, opened; the actor is an officer, or the operator: whoever may read the home's files."""
    settings, now = load_settings(), datetime.now(UTC)
    database, desks = open_home(settings, now, strict=True)
    desk, where = desks.now(), f"cli {socket.gethostname()}"
    try:
        if login:
            with database.reading() as session:
                actor = actor_of(session, login, where)
        else:
            actor = operator(f"operator:{getpass.getuser()}", where, desk.regions)
        yield Work(settings, database, desk, actor, now)
    finally:
        database.close()


def read_moment(text: str) -> datetime:
    """A time in ISO 8601; without an offset it is Shanghai's."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no time such as 2026-11-25T09:00+08:00") from None
    return found if found.tzinfo else found.replace(tzinfo=SHANGHAI)


At = Annotated[
    datetime | None,
    typer.Option(
        "--at", parser=read_moment, metavar="TIME", help="ISO 8601, Shanghai's without offset; now."
    ),
]


def say_json(value: Any) -> None:
    """One JSON document."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def table(rows: list[dict[str, Any]], columns: dict[str, str], level: str = "level") -> None:
    """Rows as a table: column -> heading; in the colour of their level."""
    shown = Table()
    for heading in columns.values():
        shown.add_column(heading, overflow="fold")
    for row in rows:
        cells = (Text(_cell(row.get(name))) for name in columns)
        shown.add_row(*cells, style=STYLES.get(str(row.get(level)), ""))
    screen().print(shown)


def local(text: str | None) -> str:
    """A moment as a person in Shanghai reads it."""
    if not text:
        return ""
    return datetime.fromisoformat(text).astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")


def _cell(value: Any) -> str:
    return "" if value is None else str(value)
