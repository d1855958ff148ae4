"""Tables of sign-in, beside duty's own: how an officer signs in, and the sessions of browsers.

Unlike the record of duty these rows are changed and deleted: a session that has ended is no record of anything.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from streams.duty.database.models import Base, Key


class SignIn(Base):
    """The outside identity that is bound to an officer.

    `failures` and `locked_until` are of earlier versions, which locked accounts; they are not read any more.
    """

    __tablename__ = "sign_in"
    officer_id: Mapped[int] = mapped_column(Key, sa.ForeignKey("officer.id"), primary_key=True)
    failures: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[datetime | None]
    issuer: Mapped[str | None]
    subject: Mapped[str | None]
    __table_args__ = (sa.UniqueConstraint("issuer", "subject"),)


class BrowserSession(Base):
    """A browser that is signed in; of its token only the SHA-256 is kept."""

    __tablename__ = "browser_session"
    token_hash: Mapped[str] = mapped_column(primary_key=True)
    officer_id: Mapped[int] = mapped_column(Key, sa.ForeignKey("officer.id"), index=True)
    csrf: Mapped[str]
    created: Mapped[datetime]
    seen: Mapped[datetime]
