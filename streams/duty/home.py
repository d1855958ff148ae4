"""What a home needs for duty before the first case: a migrated database, a roster, its example's accounts."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from schemas.declaration import read_yaml
from schemas.regions import Regions
from schemas.settings import Settings
from streams.duty.accounts.officers import add_officer
from streams.duty.accounts.rights import ADMIN, Actor, Grant
from streams.duty.database.database import Database
from streams.duty.database.models import Officer
from streams.duty.rosters.desk import EXAMPLE, Desks, ensure_roster

SETUP = "operator:first start"


def open_database(settings: Settings, now: datetime, regions: Regions) -> Database:
    """The duty database of a home, migrated; where it knows no officer yet, the example's are made."""
    database = Database(settings.duty_database)
    database.migrate()
    with database.reading() as session:  # who only looks takes nobody's turn to write
        first = _without_officers(session)
    if first:
        with database.writing() as session:
            if _without_officers(session):
                seed(session, now, regions)
    return database


def _without_officers(session: Session) -> bool:
    return session.scalars(sa.select(Officer.id).limit(1)).first() is None


def open_home(settings: Settings, now: datetime, *, strict: bool = False) -> tuple[Database, Desks]:
    """Database and desk of a home, made where they are missing; `strict`: a wrong roster is Misdeclared."""
    ensure_roster(settings)
    desks = Desks(settings, strict=strict)
    return open_database(settings, now, desks.now().regions), desks


def seed(session: Session, now: datetime, regions: Regions) -> None:
    """The accounts of the example roster: without passwords."""
    actor = operator(SETUP, "first start", regions)
    path = EXAMPLE / "officers.yaml"
    for item in read_yaml(path).items():
        parts = {
            key: entry.text() for key, entry in item.mapping(("login", "name", "role", "region"), []).items()
        }
        grant = Grant(parts["role"], parts["region"])
        add_officer(session, actor, now, regions, login=parts["login"], name=parts["name"], grants=[grant])


def operator(who: str, where: str, regions: Regions) -> Actor:
    """Whoever may read the home's files at the machine: allowed everything, and audited like anybody."""
    return Actor(who, where, None, (Grant(ADMIN, regions.province.code),))
