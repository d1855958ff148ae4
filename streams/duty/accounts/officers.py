"""Officers, the roles they hold in regions, their passwords and tokens. Nothing of it is deleted: it ends.

Passwords are kept as argon2id (RFC 9106), tokens as SHA-256: a token is 256 random bits, which no list holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cache
from hashlib import sha256

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy.orm import Session

from schemas.regions import Regions
from schemas.roles import Roles, load_roles
from streams.duty.accounts.rights import ADMIN, SUPERVISOR, VIEWER, Actor, Grant, bereft, may
from streams.duty.database.models import Office, Officer, Token
from streams.duty.database.sessions import BrowserSession
from streams.duty.reasons import Reason, Why
from streams.duty.refusals import Conflict, Forbidden, Invalid, NotFound
from streams.duty.wording import EMAIL, NAME_LENGTH, PHONE, address, wording

LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
SPECIAL = (ADMIN, SUPERVISOR, VIEWER)
"""Roles that are rights and no duties."""
PREFIX = "lw_"
API = "api"
SCOPES = (API, "calendar", "cap")
"""What a token opens: everything its officer may do, rosters as iCalendar, or the CAP feed."""
SHORTEST_PASSWORD = 12


def add_officer(
    session: Session,
    actor: Actor,
    now: datetime,
    regions: Regions,
    *,
    login: str,
    name: str,
    grants: list[Grant],
    phone: str = "",
    email: str = "",
    roles: Roles | None = None,
) -> Officer:
    """A new officer with his roles; the actor must administer every region they are held in.

    `roles`: those there are; of the file where not given.
    """
    if not LOGIN.fullmatch(login):
        raise Invalid(f"{login!r} must be lower-case letters, digits, dots, hyphens, underscores", "login")
    if session.scalars(sa.select(Officer.id).where(Officer.login == login)).first() is not None:
        raise Conflict(f"there is an officer {login} already")
    name = wording(name, "name", most=NAME_LENGTH, lines=False)
    phone = address(phone, "phone", PHONE, 30, "a number of digits, spaces, + and -")
    email = address(email, "email", EMAIL, 200, "an address such as name@example.org")
    officer = Officer(
        login=login,
        name=name,
        phone=phone,
        email=email,
        active=True,
        password_hash="",
        created=now,
        created_by=actor.who,
    )
    session.add(officer)
    session.flush()
    for grant in grants:
        give(session, actor, now, regions, officer, grant, roles)
    return officer


def give(
    session: Session,
    actor: Actor,
    now: datetime,
    regions: Regions,
    officer: Officer,
    grant: Grant,
    roles: Roles | None = None,
) -> None:
    """One more role of an officer; harmless where he holds it. A role that is none is Invalid."""
    _check(grant, actor, regions)
    roles = roles or load_roles()
    if grant.role not in SPECIAL and grant.role not in roles:
        raise Invalid(f"{roles.unknown(grant.role)}; or {', '.join(SPECIAL)}", "role")
    if grant in grants_of(officer):
        return
    office = Office(role=grant.role, region=grant.region, granted=now, granted_by=actor.who)
    officer.offices.append(office)
    session.flush()


def take(
    session: Session, actor: Actor, now: datetime, regions: Regions, officer: Officer, grant: Grant
) -> None:
    """He holds this role no more."""
    _check(grant, actor, regions)
    found = [each for each in _held(officer) if (each.role, each.region) == (grant.role, grant.region)]
    if not found:
        raise NotFound(f"{officer.login} does not hold {grant.role} in {grant.region}")
    for each in found:
        each.revoked, each.revoked_by = now, actor.who


def set_active(
    session: Session, officer: Officer, actor: Actor, now: datetime, regions: Regions, active: bool
) -> None:
    """Whether he may sign in and be on duty; what he was signed in with does not come back with him."""
    for grant in grants_of(officer) or (Grant(ADMIN, regions.province.code),):
        _check(grant, actor, regions)
    officer.active = active
    if not active:
        end_access(session, officer, now)


def end_access(session: Session, officer: Officer, now: datetime) -> None:
    """Every browser he is signed in with and every token of his is good for nothing from now on."""
    session.execute(sa.delete(BrowserSession).where(BrowserSession.officer_id == officer.id))
    his = sa.update(Token).where(Token.officer_id == officer.id, Token.revoked.is_(None))
    session.execute(his.values(revoked=now))


def set_password(session: Session, officer: Officer, password: str, now: datetime) -> None:
    """His password from now on; whoever came in by the old one is out: sessions and tokens end."""
    if not SHORTEST_PASSWORD <= len(password) <= 1024:
        raise Invalid(f"must have at least {SHORTEST_PASSWORD} characters", "password")
    officer.password_hash = PasswordHasher().hash(password)
    session.flush()
    end_access(session, officer, now)


@cache
def nobodys_hash() -> str:
    """What the password of a login that nobody has is compared with, so that it takes as long as any other."""
    return PasswordHasher().hash("nobody")


def check_password(session: Session, login: str, password: str) -> str | None:
    """The hash that a right password of an active officer was checked with, None for a wrong one.

    An unknown login takes as long as a known one. Whoever acts on it later compares the hash again.
    """
    officer = session.scalars(sa.select(Officer).where(Officer.login == login)).one_or_none()
    known = officer.password_hash if officer and officer.active and officer.password_hash else ""
    try:
        PasswordHasher().verify(known or nobodys_hash(), password)
    except (VerificationError, InvalidHashError):
        return None
    return known or None


def add_token(
    session: Session,
    actor: Actor,
    now: datetime,
    officer: Officer,
    secret: str,
    *,
    scope: str = "api",
    label: str = "",
    lasts: timedelta | None = None,
) -> str:
    """A new token of an officer, to be told once: `secret` is at least 256 random bits as text."""
    if scope not in SCOPES:
        raise Invalid(f"{scope!r} must be one of {', '.join(SCOPES)}", "scope")
    label = wording(label, "label", most=NAME_LENGTH, lines=False, optional=True)
    text = PREFIX + secret
    session.add(
        Token(
            officer_id=officer.id,
            hash=_hash(text),
            scope=scope,
            label=label,
            created=now,
            created_by=actor.who,
            expires=now + lasts if lasts else None,
        )
    )
    session.flush()
    return text


def revoke_token(session: Session, now: datetime, token_id: int) -> Token:
    """The token is good for nothing from now on."""
    token = session.get(Token, token_id)
    if token is None:
        raise NotFound(f"no token {token_id}")
    token.revoked = token.revoked or now
    return token


def bearer(
    session: Session, text: str, now: datetime, where: str, scope: str = API, *, narrow: bool = False
) -> Actor | None:
    """Who bears a token; None where it is unknown, over, of another scope, or its officer is not active.

    A token of scope `api` opens the narrower ones, too, unless the token must be `narrow`.
    """
    query = sa.select(
        Token.revoked, Token.expires, Token.scope, Officer.id, Officer.login, Officer.active
    ).join(Officer, Officer.id == Token.officer_id)
    found = session.execute(query.where(Token.hash == _hash(text))).one_or_none()
    if found is None:
        return None
    over = found.revoked is not None or (found.expires is not None and found.expires <= now)
    if over or not found.active or found.scope not in (scope, scope if narrow else API):
        return None
    return Actor(found.login, where, found.id, held_by(session, found.id))


def held_by(session: Session, officer_id: int) -> tuple[Grant, ...]:
    """The roles an officer holds now; two columns of one table, since every request asks."""
    query = sa.select(Office.role, Office.region).where(
        Office.officer_id == officer_id, Office.revoked.is_(None)
    )
    return _sorted(Grant(role, region) for role, region in session.execute(query))


def actor_of(session: Session, login: str, where: str) -> Actor:
    """An active officer as an actor."""
    return actor_for(find(session, login, active=True), where)


def actor_for(officer: Officer, where: str) -> Actor:
    """The officer as an actor, with the roles he holds now."""
    return Actor(officer.login, where, officer.id, grants_of(officer))


def find(session: Session, login: str, *, active: bool = False) -> Officer:
    """The officer with this login; NotFound where there is none."""
    officer = session.scalars(sa.select(Officer).where(Officer.login == login)).one_or_none()
    if officer is None or (active and not officer.active):
        raise NotFound(f"no {'active ' if active else ''}officer {login}")
    return officer


def grants_of(officer: Officer) -> tuple[Grant, ...]:
    """The roles he holds now, of an officer who is read already."""
    return _sorted(Grant(each.role, each.region) for each in _held(officer))


def taken_of(officer: Officer) -> tuple[Grant, ...]:
    """The roles he held once and holds no more."""
    gone = {Grant(each.role, each.region) for each in officer.offices if each.revoked is not None}
    return _sorted(gone - set(grants_of(officer)))


def unfit(officer: Officer, role: str, region: str, regions: Regions) -> Reason | None:
    """Why an officer is told of a case of this role and region no more; None where he may be.

    A roster may name who holds no role at all: only whose role was taken away is told no more by its turns.
    """
    if not officer.active:
        return Reason(Why.ACCOUNT_ENDED, {"login": officer.login})
    if bereft(grants_of(officer), taken_of(officer), role, region, regions):
        return Reason(Why.ROLE_TAKEN, {"login": officer.login, "role": role, "region": region})
    return None


def _held(officer: Officer) -> list[Office]:
    return [each for each in officer.offices if each.revoked is None]


def _sorted(grants: Iterable[Grant]) -> tuple[Grant, ...]:
    return tuple(sorted(grants, key=lambda grant: (grant.role, grant.region)))


def _check(grant: Grant, actor: Actor, regions: Regions) -> None:
    if not LOGIN.fullmatch(grant.role):
        raise Invalid(f"{grant.role!r} must be lower-case letters, digits, hyphens", "role")
    if regions.get(grant.region) is None:
        raise NotFound(f"{grant.region!r} is no region code", "region")
    if not may(actor.grants, "admin", grant.role, grant.region, regions):
        raise Forbidden(f"{actor.who} does not administer {grant.region}")


def _hash(token: str) -> str:
    return sha256(token.encode()).hexdigest()
