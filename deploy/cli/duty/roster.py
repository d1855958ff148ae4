"""`liaowang duty holes`, `shifts` and what changes the roster for a while."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.cli.duty.desk import HOLE, As, AsJson, At, at_work, local, read_moment, say_json, table
from streams.duty.refusals import Invalid
from streams.duty.shifts import questions, substitutes
from streams.duty.shifts.holes import holes as find_holes
from streams.duty.shifts.holes import views
from streams.duty.shifts.roles import roles_of, rules_now

When = Annotated[datetime, typer.Option(parser=read_moment, metavar="TIME", help="ISO 8601.")]
TeamName = Annotated[str, typer.Option(help="The team's name in roster.yaml.")]


def holes(
    days: Annotated[
        int | None, typer.Option(min=1, max=366, help="From today; look_ahead of the roster.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the times without anybody on duty in the coming days. 3: there are some."""
    with at_work() as work:
        span, roles = days or work.desk.roster.look_ahead, roles_of(rules_now(work.settings).rules.values())
        with work.database.reading() as session:
            found = views(find_holes(session, work.desk, roles, work.now, span), work.now)
    if as_json:
        say_json({"items": found, "days": span})
    elif found:
        rows = [{**each, "starts": local(each["starts"]), "ends": local(each["ends"])} for each in found]
        names = ("level", "kind", "role", "region", "starts", "ends", "why")
        table(rows, {name: name for name in names})
    else:
        typer.echo(f"no holes in {span} days")
    if found:
        raise typer.Exit(HOLE)


def shifts(
    start: At = None,
    days: Annotated[int, typer.Option(min=1, max=400)] = 7,
    team: Annotated[str, typer.Option(help="Of one team.")] = "",
    region: Annotated[str, typer.Option(help="In a region and all below it.")] = "",
    officer: Annotated[str, typer.Option(help="Of one officer.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show who is on duty when, with overrides, swaps and holidays applied."""
    with at_work() as work, work.database.reading() as session:
        begin = start or work.now
        found = questions.turns_between(
            session,
            work.desk,
            begin,
            begin + timedelta(days=days),
            team=team,
            region=region,
            login=officer,
        )
    items = [questions.turn_view(turn) for turn in found]
    if as_json:
        say_json({"items": items})
        return
    rows = [{**each, "starts": local(each["starts"]), "ends": local(each["ends"])} for each in items]
    table(rows, {name: name for name in ("starts", "ends", "team", "shift", "officer")})


def calendar(
    team: Annotated[str, typer.Option(help="Of one team.")] = "",
    officer: Annotated[str, typer.Option(help="Of one officer.")] = "",
    out: Annotated[Path | None, typer.Option(help="A file; else standard output.")] = None,
) -> None:
    """Write the roster of a team or an officer as iCalendar."""
    if bool(team) == bool(officer):
        raise Invalid("give one of --team and --officer", "calendar")
    with at_work() as work, work.database.reading() as session:
        content = questions.calendar(session, work.desk, work.now, team=team, login=officer)
    if out is None:
        typer.echo(content.decode(), nl=False)
    else:
        out.write_bytes(content)


def override(
    team: TeamName,
    starts: Annotated[datetime, typer.Option("--from", parser=read_moment, metavar="TIME", help="ISO 8601.")],
    ends: Annotated[datetime, typer.Option("--to", parser=read_moment, metavar="TIME", help="ISO 8601.")],
    officer: Annotated[str, typer.Option(help="Who is on duty instead; nobody where it is left out.")] = "",
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    login: As = "",
    as_json: AsJson = False,
) -> None:
    """Put somebody else on duty for a while."""
    with at_work(login) as work, work.database.writing() as session:
        made = substitutes.override(
            session,
            work.desk,
            work.actor,
            work.now,
            team=team,
            officer=officer or None,
            starts=starts,
            ends=ends,
            reason=reason,
        )
        _say([questions.override_view(made)], as_json)


def withdraw(
    number: Annotated[int, typer.Argument(metavar="OVERRIDE")], login: As = "", as_json: AsJson = False
) -> None:
    """Withdraw an override; a swap as a whole. It stays on record."""
    with at_work(login) as work, work.database.writing() as session:
        done = substitutes.withdraw(session, work.desk, work.actor, work.now, number)
        _say([questions.override_view(done)], as_json)


def overrides(team: Annotated[str, typer.Option(help="Of one team.")] = "", as_json: AsJson = False) -> None:
    """Show overrides that are not over, the withdrawn included."""
    with at_work() as work, work.database.reading() as session:
        found = substitutes.overrides_of(session, work.desk, work.actor, work.now, team)
        _say([questions.override_view(each) for each in found], as_json)


def swap(
    team: TeamName,
    one: When,
    other: When,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    login: As = "",
    as_json: AsJson = False,
) -> None:
    """Let the turns at two moments change hands."""
    with at_work(login) as work, work.database.writing() as session:
        pair = substitutes.swap(
            session, work.desk, work.actor, work.now, team=team, one=one, other=other, reason=reason
        )
        _say([questions.override_view(each) for each in pair], as_json)


def handover(
    team: TeamName,
    to: Annotated[str, typer.Option(help="Login of who takes over.")],
    giver: Annotated[str, typer.Option(help="Login of who hands over; the acting officer.")] = "",
    note: Annotated[str, typer.Option(help="What there is to say.")] = "",
    login: As = "",
    as_json: AsJson = False,
) -> None:
    """Hand the duty over with all open cases; who takes over acknowledges each."""
    with at_work(login) as work, work.database.writing() as session:
        if not login and not giver:
            raise Invalid("must be given where no officer acts (--as)", "--giver")
        done = substitutes.handover(
            session, work.desk, work.actor, work.now, team=team, to=to, note=note, giver=giver
        )
        view = questions.handover_view(session, done)
    if as_json:
        say_json(view)
    else:
        typer.echo(f"{view['from']} -> {view['to']}: {len(view['cases'])} cases")


def _say(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        say_json({"items": rows})
        return
    shown = [{**row, "starts": local(row["starts"]), "ends": local(row["ends"])} for row in rows]
    names = ("id", "team", "officer", "starts", "ends", "reason", "created_by", "withdrawn_by")
    table(shown, {name: name for name in names})
