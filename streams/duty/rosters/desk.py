"""The desk: what is declared for duty in a home (the roster), beside the region tree; kept up to date."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from schemas.errors import Misdeclared
from schemas.in_use import in_use
from schemas.regions import Regions, load_regions
from schemas.roles import Roles, load_roles
from schemas.settings import Settings
from streams.duty.accounts.officers import grants_of, taken_of
from streams.duty.database.models import Office, Officer, Override
from streams.duty.rosters.files import from_example, kept, right
from streams.duty.rosters.roster import Roster
from streams.duty.rosters.roster_yaml import load_roster
from streams.duty.rosters.who import Grants, Plan, Substitution

log = logging.getLogger("liaowang.duty")

EXAMPLE = Path(__file__).parents[1] / "example"


@dataclass(frozen=True)
class Desk:
    """What the service layer decides by."""

    roster: Roster
    regions: Regions
    roles: Roles = field(default_factory=load_roles)


def roster_path(settings: Settings) -> Path:
    """Where the roster of a home stands."""
    return settings.home / "duty" / "roster.yaml"


def ensure_roster(settings: Settings) -> Path:
    """The roster's file; where there is none yet, the example becomes it."""
    return from_example(roster_path(settings), EXAMPLE / "roster.yaml")


def open_desk(settings: Settings, *, strict: bool = False) -> Desk:
    """The desk of a home as its files say now; of a wrong roster what it said before, if not `strict`."""
    regions, roles = load_regions(), load_roles(in_use(settings).roles)
    path = ensure_roster(settings)

    def load(each: Path) -> Roster:
        return load_roster(each, regions, roles)

    return Desk(load(path) if strict else kept(path, load), regions, roles)


class Desks:
    """The desk of a home, read again when the roster's file changes; a wrong new one is not taken."""

    def __init__(self, settings: Settings, *, strict: bool = False) -> None:
        self._desk = open_desk(settings, strict=strict)
        self._path = roster_path(settings)
        self._seen = self._stamp()

    def now(self) -> Desk:
        """The desk of this moment."""
        stamp = self._stamp()
        if stamp != self._seen:
            self._seen = stamp
            try:
                self._desk = self._again(self._desk)
                log.info("read %s again", self._path)
            except Misdeclared as error:
                log.error("the roster stays as it was: %s", error)
        return self._desk

    def _again(self, before: Desk) -> Desk:
        roster = right(self._path, lambda path: load_roster(path, before.regions, before.roles))
        return Desk(roster, before.regions, before.roles)

    def _stamp(self) -> tuple[int, int]:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return (0, 0)
        return (found.st_mtime_ns, found.st_ino)


def plan_of(session: Session, desk: Desk, since: datetime) -> Plan:
    """What `who` is answered from: the desk, the changes that end after `since`, the active officers."""
    changes = session.scalars(sa.select(Override).where(Override.withdrawn.is_(None), Override.ends > since))
    substitutions = tuple(
        Substitution(each.id, each.team, each.officer.login if each.officer else "", each.starts, each.ends)
        for each in changes
    )
    able = frozenset(session.scalars(sa.select(Officer.login).where(Officer.active)))
    return Plan(desk.roster, desk.regions, substitutions, able, _who_lost_a_role(session))


def _who_lost_a_role(session: Session) -> dict[str, Grants]:
    """What each officer holds and lost, of those from whom a role was taken."""
    lost = sa.select(Office.officer_id).where(Office.revoked.is_not(None))
    officers = session.scalars(sa.select(Officer).where(Officer.id.in_(lost)).order_by(Officer.id))
    return {each.login: Grants(grants_of(each), taken_of(each)) for each in officers}
