"""`liaowang duty replays`: what was warned of while old files were played back."""

from __future__ import annotations

from typing import Annotated

import typer

from deploy.cli.duty.desk import As, AsJson, at_work, local, say_json, table
from schemas.levels import LEVELS
from streams.duty.cases.replayed import find_replays, replay_view, replayed_view, warnings_of

WARNING = ("occurred", "level", "kind", "title", "region", "subject", "value", "threshold")


def replays(
    name: Annotated[str, typer.Argument(help="One replay: its warnings.", show_default=False)] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    offset: Annotated[int, typer.Option(min=0)] = 0,
    login: As = "",
    as_json: AsJson = False,
) -> None:
    """Show replays whose warnings opened no case, or the warnings of one of them."""
    with at_work(login) as work, work.database.reading() as session:
        if name:
            found, total = warnings_of(session, work.actor, work.desk.regions, name, limit, offset)
            items = [replayed_view(row) for row in found]
        else:
            items = [replay_view(each) for each in find_replays(session, work.actor, work.desk.regions)]
            total = len(items)
    if as_json:
        say_json({"items": items, "total": total})
    elif name:
        table([{**each, "occurred": local(each["occurred"])} for each in items], {w: w for w in WARNING})
        typer.echo(f"{len(items)} of {total} transitions of the replay {name}")
    else:
        rows = [
            {**each, **each["levels"], **{at: local(each[at]) for at in ("first", "last", "heard")}}
            for each in items
        ]
        columns = ("timeline", "warnings", *LEVELS, "first", "last", "heard")
        table(rows, {column: column for column in columns})
