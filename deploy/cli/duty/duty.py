"""`liaowang duty receiver`, `pushes`, `revive`, `refill`: the warnings that are pushed, from both sides."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from deploy.cli.complaint import complain
from deploy.cli.duty.desk import read_moment
from deploy.cli.output import screen
from deploy.environment import load_settings
from schemas.errors import LiaowangError
from schemas.in_use import in_use
from schemas.topics import DISPOSITIONS
from streams.duty.cases.publisher import revive_messages
from streams.duty.database.database import Database
from streams.duty.push_worker import outbox_path
from streams.duty.systems.outbox import Outbox
from streams.duty.systems.receiver import Trouble, receive
from streams.duty.systems.refill import refill
from streams.duty.words import one_line

STYLES = {"red": "bold red", "orange": "dark_orange", "yellow": "yellow", "blue": "blue"}
STATE_STYLES = {"pending": "yellow", "delivered": "green", "dead": "red"}


def receiver(
    fail_first: Annotated[int, typer.Option(min=0, help="Answer 500 to the first posts.")] = 0,
    fail_share: Annotated[float, typer.Option(min=0, max=1, help="Answer 500 to this share of posts.")] = 0.0,
    delay: Annotated[float, typer.Option(min=0, help="Seconds that each answer takes.")] = 0.0,
) -> None:
    """Receive pushes in the foreground and print each in the colour of its level, until Ctrl-C."""
    settings, console = load_settings(), screen()
    console.print(f"waiting for pushes at {settings.webhook}", highlight=False)
    try:
        receive(
            settings, lambda push, new: _print(console, push, new), Trouble(fail_first, fail_share, delay)
        )
    except LiaowangError as error:
        complain(str(error))
        raise typer.Exit(1) from error


def pushes(
    last: Annotated[int, typer.Option(min=0, max=10_000, help="How many of the newest to show.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Show how many pushes are pending, delivered and dead, and the newest of them."""
    with_counts = _log(outbox_path(load_settings()), last)
    if as_json:
        typer.echo(json.dumps(with_counts, ensure_ascii=False))
    else:
        _show(screen(), with_counts)


def revive() -> None:
    """Try again what was refused, after that was mended: dead pushes, and messages the broker did not take."""
    settings = load_settings()
    path, number = outbox_path(settings), 0
    if path.exists():
        with _told(), closing(Outbox(path)) as outbox:
            number = outbox.revive(time.time())
    typer.echo(f"{number} dead pushes are pending again")
    if settings.duty_database_url or (settings.home / "duty" / "duty.sqlite").exists():
        with _told(), closing(Database(settings.duty_database)) as database:
            if messages := revive_messages(database):
                typer.echo(f"{messages} messages to {DISPOSITIONS} are pending again")


def refill_(
    since: Annotated[
        str, typer.Option(help="Only what arrived since then, such as 2026-11-25T09:00+08:00.")
    ] = "",
) -> None:
    """Write every warning on the topic that the outbox does not have into it, by its key: they are pushed.

    A worker whose outbox is gone does so by itself for the last week and for episodes that are open.
    """
    settings = load_settings()
    moment = read_moment(since) if since else None
    with _told(), closing(Outbox(outbox_path(settings))) as outbox:
        done = refill(settings.kafka, outbox, moment, time.time(), in_use(settings).feeds)
    typer.echo(
        f"{done.read} transitions read, {done.added} of them were not in the outbox and are pending now"
    )
    if done.unfit:
        typer.echo(f"{done.unfit} can be no push")


@contextmanager
def _told() -> Iterator[None]:
    """What goes wrong is told in one line."""
    try:
        yield
    except LiaowangError as error:
        complain(str(error))
        raise typer.Exit(1) from error


def _log(path: Path, last: int) -> dict[str, Any]:
    """Counts by state and the newest pushes as plain JSON values; empty where nothing was ever pushed."""
    if not path.exists():
        return {"counts": {"pending": 0, "delivered": 0, "dead": 0}, "last": []}
    with _told(), closing(Outbox(path)) as outbox:
        return {"counts": outbox.counts(), "last": [_plain(row) for row in outbox.last(last)]}


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "state": row["state"],
        "attempts": row["attempts"],
        "created": _moment(row["created"]),
        "delivered_at": _moment(row["delivered_at"]),
        "last_error": row["last_error"],
        "push": _payload(row["payload"]),
    }


def _payload(raw: bytes) -> dict[str, Any]:
    """What a push says; nothing where it cannot be read."""
    try:
        found = json.loads(raw)
    except (ValueError, TypeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _moment(seconds: float | None) -> str | None:
    return (
        None
        if seconds is None
        else datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="milliseconds")
    )


def _show(console: Console, log: dict[str, Any]) -> None:
    states = "  ".join(
        f"[{STATE_STYLES[state]}]{state} {number:,}[/]" for state, number in log["counts"].items()
    )
    console.print(states, highlight=False)
    if not log["last"]:
        return
    table = Table()
    for name in ("written", "level", "kind", "warning", "subject", "state", "tries", "error"):
        table.add_column(name, no_wrap=name in ("written", "level", "kind", "state"))
    for row in log["last"]:
        said = [one_line(row["push"].get(name, "")) for name in ("level", "kind", "title", "subject")]
        cells = (row["created"][11:19], *said, row["state"], str(row["attempts"]), row["last_error"])
        table.add_row(*(Text(cell) for cell in cells), style=STYLES.get(said[0], ""))
    console.print(table)


def _print(console: Console, push: dict[str, Any], new: bool) -> None:
    """One line a push; a copy is marked and grey."""
    text = " ".join(
        one_line(push.get(name, "")) for name in ("level", "kind", "title", "subject", "at", "value")
    )
    style = STYLES.get(str(push.get("level")), "") if new else "dim"
    console.print(text if new else f"{text} (a copy)", style=style, markup=False, highlight=False)
