"""Who is signed in: passwords checked, outside identities bound, sessions by token.

A session's token is kept as SHA-256 only: who reads the database cannot sign in with what he finds there.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from streams.duty.accounts.officers import check_password, held_by, nobodys_hash
from streams.duty.accounts.rights import Grant
from streams.duty.database.database import Database
from streams.duty.database.models import Officer
from streams.duty.database.sessions import BrowserSession, SignIn

IDLE = timedelta(hours=12)
LIFE = timedelta(days=7)
SEEN_EVERY = timedelta(minutes=1)
LONGEST_PASSWORD = 1024


class SignInRefused(Exception):
    """Why somebody is not signed in: `wrong`, or `unknown` (an outside identity nobody here has)."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Visitor:
    """Who a browser is, and what he may do; `csrf` must come back with every change."""

    login: str
    officer_id: int
    name: str
    csrf: str
    grants: tuple[Grant, ...] = ()


class Accounts:
    """Sign-in and sessions of one database. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database
        nobodys_hash()  # made now, or the first unknown login would take longer than the others

    def sign_in(self, login: str, password: str, now: datetime) -> str:
        """The token of a new session for a right password; SignInRefused otherwise.

        The password is checked outside of the transaction that writes: it takes a while, and nobody shall wait for
        it. A wrong one writes nothing, so that a login nobody has takes no less time than another.
        """
        with self._database.reading() as session:
            checked = check_password(session, login, password) if len(password) <= LONGEST_PASSWORD else None
        if checked is None:
            raise SignInRefused("wrong")
        with self._database.writing() as session:
            return _open(session, _row(session, _still(session, login, checked)), now)

    def sign_in_outside(self, issuer: str, subject: str, login: str, now: datetime) -> tuple[str, str]:
        """Login and token of a new session for an identity that a provider vouches for.

        The first time the identity is bound to the officer of that login; from then on only its own
        subject counts, whatever login it claims.
        """
        with self._database.writing() as session:
            bound = sa.select(SignIn).where(SignIn.issuer == issuer, SignIn.subject == subject)
            row = session.scalar(bound)
            if row is None:
                officer = session.scalar(sa.select(Officer).where(Officer.login == login))
                row = _row(session, officer) if officer is not None else None
                if row is None or row.subject is not None:
                    raise SignInRefused("unknown")
                row.issuer, row.subject = issuer, subject
            officer = session.get_one(Officer, row.officer_id, with_for_update=True)
            if not officer.active:
                raise SignInRefused("unknown")
            return officer.login, _open(session, row, now)

    def visitor(self, token: str, now: datetime, *, used: bool = True) -> Visitor | None:
        """Whose token this is; None where it is nobody's, too old, unused for too long, or not active any more.

        `used`: whether somebody is at work with it, not only a page that keeps itself up to date.
        """
        this = BrowserSession.token_hash == _digest(token)
        query = (
            sa.select(
                BrowserSession.csrf,
                BrowserSession.created,
                BrowserSession.seen,
                Officer.id,
                Officer.login,
                Officer.name,
                Officer.active,
            )
            .join(Officer, Officer.id == BrowserSession.officer_id)
            .where(this)
        )
        with self._database.reading() as session:
            found = session.execute(query).first()
            grants = held_by(session, found.id) if found is not None else ()
        if found is None or not found.active or found.seen < now - IDLE or found.created < now - LIFE:
            return None
        if used and found.seen < now - SEEN_EVERY:
            with self._database.writing() as session:
                session.execute(sa.update(BrowserSession).where(this).values(seen=now))
        return Visitor(found.login, found.id, found.name, found.csrf, grants)

    def holds(self, session: Session, token: str) -> bool:
        """Whether a session that was open a moment ago still is, as the transaction of a change sees it."""
        query = sa.select(Officer.active).join(BrowserSession, BrowserSession.officer_id == Officer.id)
        return bool(session.scalar(query.where(BrowserSession.token_hash == _digest(token))))

    def sign_out(self, token: str) -> None:
        """End a session."""
        with self._database.writing() as session:
            session.execute(sa.delete(BrowserSession).where(BrowserSession.token_hash == _digest(token)))


def _still(session: Session, login: str, checked: str) -> Officer:
    """The officer whose password was checked, as long as it is still his: it may have been reset meanwhile."""
    officer = session.scalar(sa.select(Officer).where(Officer.login == login).with_for_update())
    if officer is None or not officer.active or officer.password_hash != checked:
        raise SignInRefused("wrong")
    return officer


def _row(session: Session, officer: Officer) -> SignIn:
    """How this officer signs in; made where it is the first time."""
    row = session.get(SignIn, officer.id)
    if row is None:
        row = SignIn(officer_id=officer.id, failures=0)
        session.add(row)
    return row


def _open(session: Session, row: SignIn, now: datetime) -> str:
    """A new session; those that have ended are swept away."""
    token = secrets.token_urlsafe(32)
    ended = (BrowserSession.seen < now - IDLE) | (BrowserSession.created < now - LIFE)
    session.execute(sa.delete(BrowserSession).where(ended))
    session.add(
        BrowserSession(
            token_hash=_digest(token),
            officer_id=row.officer_id,
            csrf=secrets.token_urlsafe(24),
            created=now,
            seen=now,
        )
    )
    return token


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
