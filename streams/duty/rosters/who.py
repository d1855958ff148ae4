"""Who is on duty for a role in a region at a moment: exactly one answer, or a hole. Pure.

County, then city, then province: the first of them that has a team of the role, or of any role, with somebody
on duty answers. Within a team the latest override that covers the moment counts, then the first shift that does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from schemas.regions import Regions
from streams.duty.accounts.rights import Grant, bereft, path
from streams.duty.reasons import Reason, Why
from streams.duty.rosters.roster import ANY, Occurrence, Roster, Team

MOMENT = timedelta(microseconds=1)
KINDS = {
    "uncovered": "nobody answers",
    "unmanned": "a shift whose officer is not there; the region above answers",
    "stand_in": "the role's own team has no shift; only a team of any role answers",
}
OVERRIDE = "override"


@dataclass(frozen=True)
class Substitution:
    """Somebody else is on duty in a team for a while, or nobody (`login` empty); a higher id is later."""

    id: int
    team: str
    login: str
    starts: datetime
    ends: datetime


@dataclass(frozen=True)
class Grants:
    """The roles of somebody who lost one: what he still holds, and what was taken away."""

    held: tuple[Grant, ...]
    taken: tuple[Grant, ...]


@dataclass(frozen=True)
class Plan:
    """What `who` is answered from: the roster, its changes, who is able (active), who lost a role."""

    roster: Roster
    regions: Regions
    substitutions: tuple[Substitution, ...]
    able: frozenset[str]
    lost: Mapping[str, Grants] = field(default_factory=dict)

    def answers(self, login: str, role: str, region: str) -> bool:
        """Whether somebody may be told of a case: his account is active, and the role was not taken from him."""
        lost = self.lost.get(login)
        return login in self.able and (
            lost is None or not bereft(lost.held, lost.taken, role, region, self.regions)
        )


@dataclass(frozen=True)
class OnDuty:
    """Somebody is on duty; `region` is the team's, and `fallback` says that it lies above the asked one."""

    login: str
    team: str
    shift: str
    region: str
    starts: datetime
    ends: datetime
    fallback: bool


def who(plan: Plan, role: str, region: str, at: datetime) -> OnDuty | None:
    """The officer on duty; None is a hole. An unknown region is answered for by the province."""
    for team in teams_for(plan, role, region):
        turn = on_duty(plan, team, at)
        if turn and plan.answers(turn.login, role, region):
            fallback = team.region != region
            return OnDuty(turn.login, team.team, turn.shift, team.region, turn.starts, turn.ends, fallback)
    return None


def teams_for(plan: Plan, role: str, region: str) -> tuple[Team, ...]:
    """The teams that may answer, in the order in which they are asked."""
    found = [plan.roster.team_of(each, code) for code in path(region, plan.regions) for each in (role, ANY)]
    return tuple(dict.fromkeys(team for team in found if team is not None))


def on_duty(plan: Plan, team: Team, at: datetime) -> Occurrence | None:
    """Whose turn it is in a team, able or not; an empty login where an override takes the officer away."""
    changed = [
        each for each in plan.substitutions if each.team == team.team and each.starts <= at < each.ends
    ]
    if changed:
        latest = max(changed, key=lambda each: each.id)
        return Occurrence(team.team, OVERRIDE, latest.starts, latest.ends, latest.login)
    for shift in team.shifts:
        for turn in shift.within(team.team, at, at + MOMENT, plan.roster.calendar):
            return turn
    return None


def edges(plan: Plan, team: Team, start: datetime, end: datetime) -> Iterator[datetime]:
    """The moments in a span at which the answer of a team may change, `start` included."""
    yield start
    for shift in team.shifts:
        for turn in shift.within(team.team, start, end, plan.roster.calendar):
            yield from (turn.starts, turn.ends)
    for each in plan.substitutions:
        if each.team == team.team:
            yield from (each.starts, each.ends)


def turns(plan: Plan, team: Team, start: datetime, end: datetime) -> Iterator[Occurrence]:
    """Who is on duty in a team throughout a span, piece by piece, changes applied; gaps are left out."""
    marks = sorted({mark for mark in edges(plan, team, start, end) if start <= mark < end})
    last: Occurrence | None = None
    for begins, ends in zip(marks, [*marks[1:], end], strict=True):
        turn = on_duty(plan, team, begins)
        if turn is None or not turn.login:
            continue
        piece = Occurrence(team.team, turn.shift, begins, ends, turn.login, turn.handover)
        if (
            last
            and (last.ends, last.shift, last.login) == (begins, piece.shift, piece.login)
            and (turn.starts < begins)
        ):
            last = Occurrence(team.team, last.shift, last.starts, ends, last.login, last.handover)
            continue
        if last:
            yield last
        last = piece
    if last:
        yield last


@dataclass(frozen=True)
class Gap:
    """A hole in the roster; `kind` is one of KINDS."""

    kind: str
    role: str
    region: str
    starts: datetime
    ends: datetime
    why: Reason


def gaps(plan: Plan, roles: Iterable[str], start: datetime, end: datetime) -> tuple[Gap, ...]:
    """Every hole in a span: for each role in the province and wherever it has a team; in order of time."""
    found: list[Gap] = []
    named = {team.role for team in plan.roster.teams.values()}
    for role in sorted({*roles, *named}):
        places = {team.region for team in plan.roster.teams.values() if team.role in (role, ANY)}
        for region in sorted({plan.regions.province.code, *places}):
            found += _gaps_of(plan, role, region, start, end)
    return tuple(sorted(_of_the_highest(found, plan), key=lambda gap: (gap.starts, gap.role, gap.region)))


def _gaps_of(plan: Plan, role: str, region: str, start: datetime, end: datetime) -> list[Gap]:
    teams = teams_for(plan, role, region)
    marks = sorted({m for team in teams for m in edges(plan, team, start, end) if start <= m < end} | {start})
    found: list[Gap] = []
    for begins, ends in zip(marks, [*marks[1:], end], strict=True):
        judged = _judge(plan, role, region, begins)
        if judged is None:
            continue
        kind, why = judged
        if found and (found[-1].ends, found[-1].kind, found[-1].why) == (begins, kind, why):
            found[-1] = Gap(kind, role, region, found[-1].starts, ends, why)
        else:
            found.append(Gap(kind, role, region, begins, ends, why))
    return found


def _judge(plan: Plan, role: str, region: str, at: datetime) -> tuple[str, Reason] | None:
    team = plan.roster.team_of(role, region)
    turn = on_duty(plan, team, at) if team else None
    why = None
    if team is None:
        why = Reason(Why.NO_TEAM)
    elif turn is None:
        why = Reason(Why.NO_SHIFT, {"team": team.team})
    elif not plan.answers(turn.login, role, region):
        why = _who_is_missing(plan, turn, role, region)
    if why is None:
        return None
    answer = who(plan, role, region, at)
    if answer is None:
        return "uncovered", why
    if turn is not None:
        return "unmanned", why
    at_the_top = region == plan.regions.province.code and team is not None
    return ("stand_in", why) if at_the_top and plan.roster.teams[answer.team].role == ANY != role else None


def _who_is_missing(plan: Plan, turn: Occurrence, role: str, region: str) -> Reason:
    given = {"team": turn.team, "shift": turn.shift}
    if not turn.login:
        return Reason(Why.TURN_TAKEN_AWAY, given)
    if turn.login not in plan.able:
        return Reason(Why.TURN_WITHOUT_ACCOUNT, given | {"login": turn.login})
    return Reason(Why.TURN_WITHOUT_ROLE, given | {"login": turn.login, "role": role, "region": region})


def _of_the_highest(found: list[Gap], plan: Plan) -> Iterator[Gap]:
    """Without those uncovered gaps of a county or city that lie in one of the region above."""
    by_place: Mapping[tuple[str, str], list[Gap]] = _grouped(found)
    for gap in found:
        above = [
            other
            for code in path(gap.region, plan.regions)[1:]
            for other in by_place.get((gap.role, code), ())
            if other.kind == gap.kind == "uncovered"
        ]
        if not any(other.starts <= gap.starts and gap.ends <= other.ends for other in above):
            yield gap


def _grouped(found: list[Gap]) -> dict[tuple[str, str], list[Gap]]:
    grouped: dict[tuple[str, str], list[Gap]] = {}
    for gap in found:
        grouped.setdefault((gap.role, gap.region), []).append(gap)
    return grouped
