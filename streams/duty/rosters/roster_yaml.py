"""The roster from `<home>/duty/roster.yaml`: read strictly; what is wrong names the file and the key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from dateutil.rrule import rrule, rrulestr

from schemas.declaration import Entry, parse_yaml, read_text
from schemas.fields import SHANGHAI
from schemas.levels import LEVELS
from schemas.regions import Regions
from schemas.roles import Roles, load_roles
from streams.duty.accounts.rights import ADMIN, SUPERVISOR, VIEWER
from streams.duty.rosters.roster import ANY, DAYS, LastResort, Limits, Roster, Shift, Step, Team

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_START = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?")
_LONGEST = timedelta(days=31)


def load_roster(path: Path, regions: Regions, roles: Roles | None = None) -> Roster:
    """The roster in a file, which may name these roles; whatever is wrong with it is Misdeclared."""
    return parse_roster(read_text(path), path, regions, roles or load_roles())


def parse_roster(text: str, path: Path, regions: Regions, roles: Roles | None = None) -> Roster:
    """The roster in a text that stands at this path; `roles` are those it may name, any where not given."""
    keys = ("teams", "escalation", "last_resort", "limits")
    parts = parse_yaml(text, str(path)).mapping(keys, ("calendar", "look_ahead"))
    return Roster(
        teams=_teams(parts["teams"], regions, roles),
        chains={level: _chain(entry, roles) for level, entry in _by_level(parts["escalation"]).items()},
        last_resort=_last_resort(parts["last_resort"]),
        limits={level: _limits(entry) for level, entry in _by_level(parts["limits"]).items()},
        calendar=_calendar(parts["calendar"]) if "calendar" in parts else {},
        look_ahead=_days(parts["look_ahead"]) if "look_ahead" in parts else 14,
        path=path,
    )


def _by_level(entry: Entry) -> Mapping[str, Entry]:
    return entry.mapping(LEVELS, [])


def _teams(entry: Entry, regions: Regions, roles: Roles | None) -> dict[str, Team]:
    teams: dict[str, Team] = {}
    held: dict[tuple[str, str], str] = {}
    for item in entry.items():
        team = _team(item, regions, roles)
        if team.team in teams:
            raise item.at("team").wrong(f"{team.team!r} stands there twice; keep one")
        other = held.setdefault((team.role, team.region), team.team)
        if other != team.team:
            raise item.at("role").wrong(f"{team.role} in {team.region} is {other}'s already")
        teams[team.team] = team
    if not teams:
        raise entry.wrong("must hold at least one team")
    return teams


def _team(entry: Entry, regions: Regions, roles: Roles | None) -> Team:
    parts = entry.mapping(("team", "title", "role", "region", "shifts"), [])
    title = parts["title"].mapping(("zh", "en"), [])
    shifts = tuple(_shift(item) for item in parts["shifts"].items())
    names = [shift.shift for shift in shifts]
    if not shifts or len(set(names)) < len(names):
        raise parts["shifts"].wrong("must hold one or more shifts, each with a name of its own")
    role = name(parts["role"])
    if role in (ADMIN, SUPERVISOR, VIEWER):
        raise parts["role"].wrong(f"{role!r} is a right, no duty; a duty role is such as ecology-duty")
    if role != ANY and roles is not None:
        roles.check(parts["role"])
    region = parts["region"].text()
    if regions.get(region) is None:
        raise parts["region"].wrong(f'{region!r} is no region code; put one such as "330100" in quotes')
    return Team(name(parts["team"]), {key: each.text() for key, each in title.items()}, role, region, shifts)


def _shift(entry: Entry) -> Shift:
    keys = ("shift", "start", "duration", "rrule", "officers")
    parts = entry.mapping(keys, ("days", "turn", "handover"))
    first = _start(parts["start"])
    duration = parts["duration"].duration()
    if not timedelta() < duration <= _LONGEST:
        raise parts["duration"].wrong("must be longer than nothing and at most P31D")
    handover = parts["handover"].duration() if "handover" in parts else timedelta()
    if handover >= duration:
        raise parts["handover"].wrong("must be shorter than the shift")
    officers = tuple(name(item) for item in parts["officers"].items())
    if not officers:
        raise parts["officers"].wrong("must list at least one login; in turn where there are several")
    return Shift(
        shift=name(parts["shift"]),
        first=first,
        duration=duration,
        rule=_rule(parts["rrule"], first),
        rrule=parts["rrule"].text(),
        days=parts["days"].text(DAYS) if "days" in parts else "all",
        officers=officers,
        turn=_turn(parts["turn"]) if "turn" in parts else 1,
        handover=handover,
    )


def _start(entry: Entry) -> datetime:
    text = entry.text()
    try:
        if not _START.fullmatch(text):
            raise ValueError
        return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)
    except ValueError:
        raise entry.wrong(f"{text!r} must be a local time such as 2026-01-05T08:30") from None


def _rule(entry: Entry, first: datetime) -> rrule:
    """An RFC 5545 recurrence of days or longer whose first instance is the shift's start."""
    text = entry.text().removeprefix("RRULE:")
    naive = first.replace(tzinfo=None)
    try:
        rule = rrulestr(text, dtstart=naive, cache=True)
    except (ValueError, TypeError) as error:
        raise entry.wrong(f"is no RFC 5545 recurrence: {error}") from None
    if not isinstance(rule, rrule) or not re.search(r"FREQ=(DAILY|WEEKLY|MONTHLY|YEARLY)\b", text):
        raise entry.wrong("must be one rule of FREQ=DAILY, WEEKLY, MONTHLY or YEARLY")
    begins = rule.after(naive, inc=True)
    if begins != naive:
        better = (
            "it never happens" if begins is None else f"the first is {begins.isoformat(timespec='minutes')}"
        )
        raise entry.wrong(f"does not begin at start; {better}")
    return rule


def _turn(entry: Entry) -> int:
    turn = entry.duration()
    if turn < timedelta(days=1) or turn % timedelta(days=1):
        raise entry.wrong("must be whole days, such as P1D or P1W")
    return turn.days


def _chain(entry: Entry, roles: Roles | None) -> tuple[Step, ...]:
    steps = tuple(_step(item, roles) for item in entry.items())
    if not steps or steps[0].after:
        raise entry.wrong("must begin with a step after PT0S")
    for at, (one, other) in enumerate(pairwise(steps), start=1):
        if other.after <= one.after:
            raise entry.items()[at].at("after").wrong("must be later than the step before")
    return steps


def _step(entry: Entry, roles: Roles | None) -> Step:
    parts = entry.mapping(("after", "to", "channels"), [])
    return Step(parts["after"].duration(), _to(parts["to"], roles), _channels(parts["channels"]))


def _to(entry: Entry, roles: Roles | None) -> str:
    text = entry.text()
    kind, _, rest = text.partition(":")
    if kind == "role" and _NAME.fullmatch(rest) and roles is not None and rest not in roles:
        raise entry.wrong(roles.unknown(rest))
    if text in ("duty", "city", "province") or (kind in ("role", "officer") and _NAME.fullmatch(rest)):
        return text
    raise entry.wrong(f"{text!r} must be duty, city, province, role:<role> or officer:<login>")


def _channels(entry: Entry) -> tuple[str, ...]:
    for item in entry.items():
        name(item)
    return entry.texts()


def _last_resort(entry: Entry) -> LastResort:
    parts = entry.mapping(("officers", "after", "channels"), [])
    officers = tuple(name(item) for item in parts["officers"].items())
    if not officers:
        raise parts["officers"].wrong("must name at least one login: a case nobody takes ends there")
    after = parts["after"].duration()
    if not after:
        raise parts["after"].wrong("must be longer than nothing; it is counted from the chain's last step")
    return LastResort(officers, after, _channels(parts["channels"]))


def _limits(entry: Entry) -> Limits:
    parts = entry.mapping(("acknowledge", "close"), [])
    found = Limits(parts["acknowledge"].duration(), parts["close"].duration())
    if not timedelta() < found.acknowledge <= found.close:
        raise entry.wrong("must give a time to acknowledge, and one to close that is no shorter")
    return found


def _calendar(entry: Entry) -> dict[date, bool]:
    found: dict[date, bool] = {}
    for key, item in entry.mapping().items():
        try:
            found[date.fromisoformat(key)] = item.text(("workday", "day_off")) == "workday"
        except ValueError:
            raise item.wrong(f"{key!r} must be a day such as 2027-01-01") from None
    return found


def _days(entry: Entry) -> int:
    if not 1 <= entry.integer() <= 366:
        raise entry.wrong("must be 1 to 366 days")
    return entry.integer()


def name(entry: Entry) -> str:
    """A login, team, shift or role: lower-case letters, digits, dot, hyphen, underscore."""
    if not _NAME.fullmatch(entry.text()):
        raise entry.wrong(f"{entry.value!r} must be lower-case letters, digits, dots, hyphens, underscores")
    return entry.text()
