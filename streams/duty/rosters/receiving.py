"""Who may be given a case or a turn: whoever answers for that role there, by a role he holds or by the roster."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from streams.duty.accounts.officers import grants_of, unfit
from streams.duty.accounts.rights import covers, may
from streams.duty.database.models import Officer
from streams.duty.refusals import Invalid
from streams.duty.rosters.desk import Desk, plan_of
from streams.duty.rosters.roster import ANY, Team
from streams.duty.rosters.who import on_duty


def require_receiver(
    session: Session, desk: Desk, officer: Officer, role: str, region: str, now: datetime, key: str = "to"
) -> None:
    """Invalid where this officer answers for nothing of that role and region: who is given it could see it."""
    if why := unfit(officer, role, region, desk.regions):
        raise Invalid(str(why), key)
    if may(grants_of(officer), "handle", role, region, desk.regions):
        return
    teams = (team for team in desk.roster.teams.values() if team.role in (ANY, role))
    there = [team for team in teams if covers(team.region, region, desk.regions)]
    if not any(is_of_team(session, desk, team, officer, now) for team in there):
        raise Invalid(f"{officer.login} answers for no {role} in {region}: no role there, no turn", key)


def is_of_team(session: Session, desk: Desk, team: Team, officer: Officer, now: datetime) -> bool:
    """Whether an officer is of a team: by its shifts, or because he has its duty now."""
    if any(officer.login in shift.officers for shift in team.shifts):
        return True
    turn = on_duty(plan_of(session, desk, now), team, now)
    return turn is not None and turn.login == officer.login
