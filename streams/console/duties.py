"""The roster as a calendar of one week: who is on duty in each team on each day, and where nobody is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise

import sqlalchemy as sa
from starlette.responses import Response
from starlette.routing import Route

from schemas.fields import SHANGHAI, midnight
from schemas.workdays import Day, days
from streams.console.access import Visit, page
from streams.console.cases import naming_of
from streams.console.dependencies import ConsoleDependencies
from streams.duty.database.models import Officer
from streams.duty.reasons import words_of
from streams.duty.rosters.desk import plan_of
from streams.duty.rosters.roster import Occurrence, Team
from streams.duty.rosters.who import Gap, Plan, gaps, turns

WEEK = 7


@dataclass(frozen=True)
class Turn:
    """One officer's turn as a day of the calendar shows it; `now` marks who is on duty at this moment."""

    hours: str
    shift: str
    login: str
    name: str
    now: bool


@dataclass(frozen=True)
class Row:
    """A team's week: the turns that begin or go on on each day."""

    team: Team
    days: tuple[tuple[Turn, ...], ...]


def week_of(text: str, today: date) -> date:
    """The Monday of the week that an address asks for; this week's where it asks for none."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = today
    if not date(2000, 1, 3) <= day <= date(2100, 1, 1):
        day = today
    return day - timedelta(days=day.weekday())


def rows(plan: Plan, monday: date, names: Mapping[str, str], now: datetime) -> list[Row]:
    """Every team's turns day by day. Pure."""
    edges = [midnight(monday + timedelta(days=n)) for n in range(WEEK + 1)]
    found = []
    for team in plan.roster.teams.values():
        pieces = list(turns(plan, team, edges[0], edges[-1]))
        week = tuple(
            tuple(
                _turn(piece, begin, end, names, now)
                for piece in pieces
                if piece.starts < end and begin < piece.ends
            )
            for begin, end in pairwise(edges)
        )
        found.append(Row(team, week))
    return found


def _turn(piece: Occurrence, begin: datetime, end: datetime, names: Mapping[str, str], now: datetime) -> Turn:
    """The part of a turn that lies in one day."""
    starts, ends = max(piece.starts, begin), min(piece.ends, end)
    until = "24:00" if ends == end else f"{ends.astimezone(SHANGHAI):%H:%M}"
    return Turn(
        hours=f"{starts.astimezone(SHANGHAI):%H:%M}–{until}",
        shift=piece.shift,
        login=piece.login,
        name=names.get(piece.login, piece.login),
        now=starts <= now < ends,
    )


def routes(deps: ConsoleDependencies) -> list[Route]:
    """The routes of the roster."""
    return [Route("/roster", page(deps, show_roster))]


def show_roster(visit: Visit) -> Response:
    """The calendar of a week."""
    desk = visit.deps.desk()
    today = visit.now.astimezone(SHANGHAI).date()
    monday = week_of(visit.request.query_params.get("week", ""), today)
    start, end = midnight(monday), midnight(monday + timedelta(days=WEEK))
    with visit.deps.database.reading() as session:
        plan = plan_of(session, desk, start)
        names = {login: name for login, name in session.execute(sa.select(Officer.login, Officer.name))}
    naming = naming_of(visit)
    roles = {rule.duty_role for rule in visit.deps.rules.values()}
    holes: tuple[Gap, ...] = gaps(plan, roles, start, end)
    calendar: tuple[Day, ...] = days(monday, monday + timedelta(days=WEEK - 1), desk.roster.calendar)
    return visit.render(
        "roster.html",
        active="roster",
        days=calendar,
        today=today,
        rows=[
            (row.team, naming.region(row.team.region), row.days)
            for row in rows(plan, monday, names, visit.now)
        ],
        holes=[
            (hole, naming.region(hole.region), words_of(hole.why, visit.words.language, names))
            for hole in holes
        ],
        able=plan.able,
        before=monday - timedelta(days=WEEK),
        after=monday + timedelta(days=WEEK),
        monday=monday,
    )
