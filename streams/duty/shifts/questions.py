"""Questions about the roster: who, turns, holes, calendars; as JSON values and iCalendar."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from schemas.fields import SHANGHAI
from streams.duty.accounts.officers import find
from streams.duty.accounts.rights import below
from streams.duty.cases.queries import moment
from streams.duty.cases.waiting import last_resort, shift_of
from streams.duty.database.models import Handover, Officer, Override
from streams.duty.refusals import Invalid, NotFound
from streams.duty.rosters.desk import Desk, plan_of
from streams.duty.rosters.roster import Occurrence
from streams.duty.rosters.who import turns, who
from streams.duty.shifts.substitutes import team_named

LONGEST_SPAN = timedelta(days=400)
BEFORE, AHEAD = timedelta(days=31), timedelta(days=184)


def answer(session: Session, desk: Desk, role: str, region: str, at: datetime) -> dict[str, Any]:
    """Who is on duty for a role in a region at a moment; where nobody is, `hole` and who gets the case then."""
    if desk.regions.get(region) is None:
        raise NotFound(f"{region!r} is no region code", "region")
    asked = {"role": role, "region": region, "at": at.astimezone(SHANGHAI).isoformat()}
    shift = shift_of(session, desk, at)
    found = who(shift.plan, role, region, at)
    if found is None:
        return {
            **asked,
            "hole": True,
            "officer": None,
            "name": None,
            "last_resort": last_resort(session, shift, role, region),
        }
    return {
        **asked,
        "hole": False,
        "officer": found.login,
        "name": find(session, found.login).name,
        "team": found.team,
        "shift": found.shift,
        "starts": found.starts.astimezone(SHANGHAI).isoformat(),
        "ends": found.ends.astimezone(SHANGHAI).isoformat(),
        "answered_by": found.region,
        "fallback": found.fallback,
    }


def turns_between(
    session: Session,
    desk: Desk,
    start: datetime,
    end: datetime,
    *,
    team: str = "",
    region: str = "",
    login: str = "",
) -> list[Occurrence]:
    """Who is on duty when, in order of time; of one team, of a region and all below it, or of one officer."""
    if not start < end <= start + LONGEST_SPAN:
        raise Invalid(f"must be after from, by {LONGEST_SPAN.days} days at most", "to")
    plan = plan_of(session, desk, start)
    teams = [team_named(desk, team)] if team else list(desk.roster.teams.values())
    inside = below(region, desk.regions) if region else None
    found = [
        turn
        for each in teams
        if inside is None or each.region in inside
        for turn in turns(plan, each, start, end)
        if not login or turn.login == login
    ]
    return sorted(found, key=lambda turn: (turn.starts, turn.team))


def calendar(session: Session, desk: Desk, now: datetime, *, team: str = "", login: str = "") -> bytes:
    """The iCalendar of a team or an officer: a month back, half a year ahead."""
    start = now.astimezone(SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0) - BEFORE
    found = turns_between(session, desk, start, start + BEFORE + AHEAD, team=team, login=login)
    title = team_named(desk, team).title["zh"] if team else f"值班 {find(session, login).name}"
    names = {login: name for login, name in session.execute(sa.select(Officer.login, Officer.name))}
    from streams.duty.rosters.ical import calendar_of  # slow to import, and only a calendar needs it

    return calendar_of(title, found, desk.roster.teams, names, now)


def turn_view(turn: Occurrence) -> dict[str, Any]:
    """A turn as JSON values, times of Shanghai."""
    return {
        "team": turn.team,
        "shift": turn.shift,
        "officer": turn.login,
        "starts": turn.starts.astimezone(SHANGHAI).isoformat(),
        "ends": turn.ends.astimezone(SHANGHAI).isoformat(),
        "handover_minutes": turn.handover.total_seconds() / 60,
    }


def override_view(override: Override) -> dict[str, Any]:
    """An override as JSON values."""
    return {
        "id": override.id,
        "team": override.team,
        "officer": override.officer.login if override.officer else None,
        "starts": moment(override.starts),
        "ends": moment(override.ends),
        "reason": override.reason,
        "swap": override.swap,
        "created": moment(override.created),
        "created_by": override.created_by,
        "withdrawn": moment(override.withdrawn),
        "withdrawn_by": override.withdrawn_by,
    }


def handover_view(session: Session, done: Handover) -> dict[str, Any]:
    """A handover as JSON values."""
    return {
        "id": done.id,
        "team": done.team,
        "from": session.get_one(Officer, done.giver_id).login,
        "to": session.get_one(Officer, done.taker_id).login,
        "at": moment(done.at),
        "note": done.note,
        "cases": json.loads(done.cases),
    }


def roster_view(desk: Desk) -> dict[str, Any]:
    """What the roster declares, as JSON values."""
    roster = desk.roster
    return {
        "teams": [
            {
                "team": team.team,
                "title": dict(team.title),
                "role": team.role,
                "region": team.region,
                "shifts": [
                    {
                        "shift": shift.shift,
                        "start": shift.first.isoformat(),
                        "duration_hours": shift.duration.total_seconds() / 3600,
                        "rrule": shift.rrule,
                        "days": shift.days,
                        "officers": list(shift.officers),
                        "turn_days": shift.turn,
                    }
                    for shift in team.shifts
                ],
            }
            for team in roster.teams.values()
        ],
        "escalation": {
            level: [
                {
                    "after_minutes": step.after.total_seconds() / 60,
                    "to": step.to,
                    "channels": list(step.channels),
                }
                for step in chain
            ]
            for level, chain in roster.chains.items()
        },
        "last_resort": list(roster.last_resort.officers),
        "limits": {
            level: {
                "acknowledge_minutes": each.acknowledge.total_seconds() / 60,
                "close_minutes": each.close.total_seconds() / 60,
            }
            for level, each in roster.limits.items()
        },
        "look_ahead": roster.look_ahead,
    }
