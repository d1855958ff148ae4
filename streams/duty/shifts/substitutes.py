"""Changes to the roster for a while: overrides, swaps, handovers. Each is written down, none is ever deleted."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from streams.duty.accounts.rights import Actor, covers, may
from streams.duty.cases import service
from streams.duty.cases.service import officer_named
from streams.duty.database.models import Case, Handover, Override
from streams.duty.lifecycle import CLOSED
from streams.duty.refusals import Conflict, Forbidden, NotFound
from streams.duty.rosters.desk import Desk, plan_of
from streams.duty.rosters.receiving import is_of_team, require_receiver
from streams.duty.rosters.roster import ANY, Occurrence, Team
from streams.duty.rosters.who import on_duty
from streams.duty.wording import REASON_LENGTH, TEXT_LENGTH, wording

LONGEST = timedelta(days=366)


def override(
    session: Session,
    desk: Desk,
    actor: Actor,
    now: datetime,
    *,
    team: str,
    officer: str | None,
    starts: datetime,
    ends: datetime,
    reason: str = "",
) -> Override:
    """Somebody else is on duty for a while; `officer` None says that nobody is (a hole, or the region above)."""
    known = team_named(desk, team)
    _check_roster(actor, known, desk)
    if officer:
        require_receiver(
            session, desk, officer_named(session, officer), known.role, known.region, now, "officer"
        )
    return _add(session, actor, now, known, officer, starts, ends, reason)


def withdraw(session: Session, desk: Desk, actor: Actor, now: datetime, override_id: int) -> Override:
    """The override holds no more; it stays on record."""
    found = session.get(Override, override_id)
    if found is None:
        raise NotFound(f"no override {override_id}")
    _check_roster(actor, team_named(desk, found.team), desk)
    if found.withdrawn is not None:
        raise Conflict(f"override {override_id} was withdrawn by {found.withdrawn_by}")
    alike = [found]
    if found.swap is not None:  # a swap is withdrawn as a whole
        alike = list(session.scalars(sa.select(Override).where(Override.swap == found.swap)))
    for each in alike:
        each.withdrawn, each.withdrawn_by = now, actor.who
    return found


def swap(
    session: Session,
    desk: Desk,
    actor: Actor,
    now: datetime,
    *,
    team: str,
    one: datetime,
    other: datetime,
    reason: str = "",
) -> tuple[Override, Override]:
    """Two turns of a team change hands: that at `one` and that at `other`. Either officer may ask for it."""
    known = team_named(desk, team)
    first, second = (_turn(session, desk, known, each, now) for each in (one, other))
    if first.login == second.login:
        raise Conflict(f"both turns are {first.login}'s")
    if actor.who not in (first.login, second.login):
        _check_roster(actor, known, desk)
    name = f"{known.team}/{first.starts.isoformat()}/{second.starts.isoformat()}/{now.isoformat()}"
    pair = tuple(
        _add(session, actor, now, known, login, turn.starts, turn.ends, reason, name)
        for turn, login in ((first, second.login), (second, first.login))
    )
    return pair[0], pair[1]


def handover(
    session: Session,
    desk: Desk,
    actor: Actor,
    now: datetime,
    *,
    team: str,
    to: str,
    note: str,
    giver: str = "",
) -> Handover:
    """An officer hands the duty over: his open cases go to the next one, who has to acknowledge each.

    Where the giver's turn is not over, the next one takes the rest of it. `giver` is the actor himself, or
    somebody of a team whose roster the actor may change.
    """
    known, said = team_named(desk, team), wording(note, "note", optional=True)
    giving = officer_named(session, giver or actor.who)
    if giving.login != actor.who:
        _check_roster(actor, known, desk)
    elif not is_of_team(session, desk, known, giving, now):
        raise Forbidden(f"{giving.login} is not of {team}")
    taking = officer_named(session, to)
    if taking.id == giving.id:
        raise Conflict("must be somebody else", "to")
    turn = on_duty(plan_of(session, desk, now), known, now)
    if turn is not None and turn.login == giving.login:
        _add(session, actor, now, known, to, now, turn.ends, "handover")
    query = sa.select(Case.id).where(Case.assignee_id == giving.id, Case.state != CLOSED).order_by(Case.id)
    cases = list(session.scalars(query if known.role == ANY else query.where(Case.role == known.role)))
    for case_id in cases:
        service.reassign(
            session, desk, actor, now, case_id, to=to, text=f"handover: {said}".strip()[:TEXT_LENGTH]
        )
    done = Handover(
        team=team,
        giver_id=giving.id,
        taker_id=taking.id,
        at=now,
        note=said,
        cases=json.dumps(cases),
        origin=f"{actor.who}, {actor.where}",
    )
    session.add(done)
    session.flush()
    return done


def team_named(desk: Desk, team: str) -> Team:
    """The team the roster declares under this name."""
    found = desk.roster.teams.get(team)
    if found is None:
        raise NotFound(f"no team {team!r}; there are {', '.join(desk.roster.teams)}")
    return found


def overrides_of(
    session: Session, desk: Desk, actor: Actor, since: datetime, team: str = ""
) -> list[Override]:
    """Overrides that end after a moment, the withdrawn included, the newest first; as far as the actor may see."""
    query = sa.select(Override).where(Override.ends > since).order_by(Override.id.desc())
    if team:
        query = query.where(Override.team == team)
    return [
        each
        for each in session.scalars(query)
        if _is_for(actor, desk, each.team) or each.officer_id == actor.officer_id is not None
    ]


def handovers_of(session: Session, desk: Desk, actor: Actor, team: str, limit: int = 50) -> list[Handover]:
    """The latest handovers of a team: what they say is for who sees its cases, and for the two themselves."""
    query = sa.select(Handover).where(Handover.team == team).order_by(Handover.id.desc()).limit(limit)
    if not _is_for(actor, desk, team):
        query = query.where(
            sa.or_(Handover.giver_id == actor.officer_id, Handover.taker_id == actor.officer_id)
        )
    return list(session.scalars(query))


def _is_for(actor: Actor, desk: Desk, team: str) -> bool:
    """Whether the notes of a team are for the actor: he sees cases of its role, all over its region."""
    known = desk.roster.teams.get(team)
    if known is None:  # it is declared no more: nobody knows its region
        return may(actor.grants, "see", "", desk.regions.province.code, desk.regions)
    if known.role == ANY:
        return any(covers(grant.region, known.region, desk.regions) for grant in actor.grants)
    return may(actor.grants, "see", known.role, known.region, desk.regions)


def _check_roster(actor: Actor, team: Team, desk: Desk) -> None:
    if not may(actor.grants, "roster", team.role, team.region, desk.regions):
        raise Forbidden(f"{actor.who} does not change the roster of {team.team}")


def _add(
    session: Session,
    actor: Actor,
    now: datetime,
    team: Team,
    officer: str | None,
    starts: datetime,
    ends: datetime,
    reason: str,
    swap: str | None = None,
) -> Override:
    if not starts < ends <= starts + LONGEST:
        raise Conflict("must be after starts, by a year at most", "ends")
    if ends <= now:
        raise Conflict("is over already; what was cannot be changed", "ends")
    added = Override(
        team=team.team,
        officer=officer_named(session, officer) if officer else None,
        starts=starts,
        ends=ends,
        reason=wording(reason, "reason", most=REASON_LENGTH, optional=True),
        swap=swap,
        created=now,
        created_by=actor.who,
        origin=actor.where,
    )
    session.add(added)
    session.flush()
    return added


def _turn(session: Session, desk: Desk, team: Team, at: datetime, now: datetime) -> Occurrence:
    turn = on_duty(plan_of(session, desk, min(at, now)), team, at)
    if turn is None or not turn.login:
        raise Conflict(f"nobody of {team.team} is on duty at {at.isoformat()}")
    if turn.ends <= now:
        raise Conflict(f"the turn at {at.isoformat()} is over")
    return turn
