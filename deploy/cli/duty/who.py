"""`liaowang duty who`: who is on duty."""

from __future__ import annotations

from typing import Annotated

import typer

from deploy.cli.duty.desk import HOLE, AsJson, At, at_work, local, say_json
from streams.duty.shifts import questions


def who(
    role: Annotated[str, typer.Option(help="Duty role, such as ecology-duty.")],
    region: Annotated[str, typer.Option(help="Region code, such as 330112.")],
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Say who is on duty for a role in a region at a time: county, then city, then province. 3: nobody is."""
    with at_work() as work, work.database.reading() as session:
        answer = questions.answer(session, work.desk, role, region, at or work.now)
    if as_json:
        say_json(answer)
    elif answer["hole"]:
        typer.echo(
            f"nobody is on duty; a case would go to {answer['last_resort'] or 'nobody'} as the last resort"
        )
    else:
        above = f", for {answer['answered_by']}" if answer["fallback"] else ""
        until = local(answer["ends"])
        typer.echo(
            f"{answer['officer']} {answer['name']} ({answer['team']}, {answer['shift']}{above}, until {until})"
        )
    if answer["hole"]:
        raise typer.Exit(HOLE)
