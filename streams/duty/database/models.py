"""The state of duty in SQL: cases, their entries, officers, and what is on its way out.

Nothing here is deleted: triggers (see `migrations/`) refuse DELETE on all of it, and UPDATE on what is a
record of something that happened. Times are aware; `Instant` keeps them in UTC in both databases.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from schemas.levels import LEVELS


class Instant(sa.types.TypeDecorator[datetime]):
    """An aware moment; timestamptz in PostgreSQL, UTC text that sorts in SQLite."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """In UTC; a naive moment is a mistake of the program."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without offset")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Aware, in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
HELD = "held_by_silence IS NOT NULL OR held_by_case IS NOT NULL"
"""Notifications that are held back for now: few, found by an index of their own."""


class Base(DeclarativeBase):
    """Every table of duty."""

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: Instant, str: sa.Text(), int: sa.Integer()}  # noqa: RUF012


class Officer(Base):
    """A person who is on duty, sees cases or administers; `login` is what rosters and audit call him."""

    __tablename__ = "officer"
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    login: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    phone: Mapped[str] = mapped_column(default="")
    email: Mapped[str] = mapped_column(default="")
    active: Mapped[bool] = mapped_column(default=True)
    password_hash: Mapped[str] = mapped_column(default="")
    created: Mapped[datetime]
    created_by: Mapped[str]
    offices: Mapped[list[Office]] = relationship(back_populates="officer", lazy="selectin")


class Office(Base):
    """A role an officer holds in a region and all below it, until it is revoked."""

    __tablename__ = "office"
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    officer_id: Mapped[int] = mapped_column(sa.ForeignKey("officer.id"), index=True)
    role: Mapped[str]
    region: Mapped[str]
    granted: Mapped[datetime]
    granted_by: Mapped[str]
    revoked: Mapped[datetime | None]
    revoked_by: Mapped[str | None]
    officer: Mapped[Officer] = relationship(back_populates="offices")


class Token(Base):
    """A bearer token of an officer; only its SHA-256 is kept. `scope` is `api`, `calendar` or `cap`."""

    __tablename__ = "token"
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    officer_id: Mapped[int] = mapped_column(sa.ForeignKey("officer.id"), index=True)
    hash: Mapped[str] = mapped_column(unique=True)
    scope: Mapped[str]
    label: Mapped[str]
    created: Mapped[datetime]
    created_by: Mapped[str]
    expires: Mapped[datetime | None]
    revoked: Mapped[datetime | None]


class Case(Base):
    """A warning (or a follow-up of one) that somebody has to deal with. `uid` is the same everywhere."""

    __tablename__ = "cases"
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    uid: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    episode: Mapped[str | None] = mapped_column(unique=True)
    timeline: Mapped[str] = mapped_column(default="")
    rule: Mapped[str]
    rule_version: Mapped[int | None]
    title: Mapped[str]
    runbook: Mapped[str] = mapped_column(default="")
    subject: Mapped[str]
    region: Mapped[str]
    role: Mapped[str]
    level: Mapped[str]
    peak: Mapped[str]
    state: Mapped[str]
    verdict: Mapped[str | None]
    value: Mapped[float | None] = mapped_column(sa.Float(53))
    threshold: Mapped[float | None] = mapped_column(sa.Float(53))
    evidence: Mapped[str] = mapped_column(default="{}")
    assignee_id: Mapped[int | None] = mapped_column(sa.ForeignKey("officer.id"))
    team: Mapped[str | None]
    origin_id: Mapped[int | None] = mapped_column(sa.ForeignKey("cases.id"), index=True)
    merged_into_id: Mapped[int | None] = mapped_column(sa.ForeignKey("cases.id"), index=True)
    occurred: Mapped[datetime]
    opened: Mapped[datetime] = mapped_column(index=True)
    acknowledged: Mapped[datetime | None]
    started: Mapped[datetime | None]
    disposed: Mapped[datetime | None]
    confirmed: Mapped[datetime | None]
    closed: Mapped[datetime | None]
    recovered: Mapped[datetime | None]
    acknowledge_by: Mapped[datetime]
    close_by: Mapped[datetime]
    overdue: Mapped[datetime | None]
    waiting_since: Mapped[datetime | None]
    step: Mapped[int] = mapped_column(default=0)
    round: Mapped[int] = mapped_column(default=0)
    next_step: Mapped[datetime | None] = mapped_column(index=True)
    reopened: Mapped[int] = mapped_column(default=0)
    entries: Mapped[int] = mapped_column(default=0)
    version: Mapped[int] = mapped_column(default=1)
    changed: Mapped[datetime]
    assignee: Mapped[Officer | None] = relationship(lazy="joined", foreign_keys=[assignee_id])
    __table_args__ = (
        sa.CheckConstraint(
            "state IN ('new','acknowledged','in_disposal','disposed','confirmed','closed')", "state"
        ),
        sa.CheckConstraint(f"level IN ({','.join(map(repr, LEVELS))})", "level"),
        sa.CheckConstraint("verdict IN ('true','false','drill','duplicate')", "verdict"),
        sa.CheckConstraint("kind IN ('warning','follow_up')", "kind"),
        sa.Index("ix_cases_mine", "assignee_id", "opened", "id", "state"),
        sa.Index("ix_cases_seen", "state", "level", "region", "role", "assignee_id"),
        sa.Index("ix_cases_rule_subject", "rule", "subject"),
    )


class AuditEntry(Base):
    """One line of a case's audit: who did what, when, from where; never changed."""

    __tablename__ = "entry"
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    case_id: Mapped[int] = mapped_column(sa.ForeignKey("cases.id"))
    ordinal: Mapped[int]
    kind: Mapped[str]
    at: Mapped[datetime]
    who: Mapped[str]
    origin: Mapped[str]
    state: Mapped[str]
    previous: Mapped[str | None]
    level: Mapped[str]
    text: Mapped[str] = mapped_column(default="")
    detail: Mapped[str] = mapped_column(default="{}")
    __table_args__ = (sa.UniqueConstraint("case_id", "ordinal"), {"sqlite_autoincrement": True})


class Heard(Base):
    """A transition on the topic `warnings` that has been taken; its id keeps a copy from counting."""

    __tablename__ = "heard"
    id: Mapped[str] = mapped_column(primary_key=True)
    case_id: Mapped[int | None] = mapped_column(sa.ForeignKey("cases.id"), index=True)
    kind: Mapped[str]
    at: Mapped[datetime]


class Replayed(Base):
    """A transition of a replay that is not live: it opened no case and nobody was told; never changed."""

    __tablename__ = "replayed"
    id: Mapped[str] = mapped_column(primary_key=True)
    timeline: Mapped[str]
    episode: Mapped[str]
    kind: Mapped[str]
    level: Mapped[str]
    rule: Mapped[str]
    title: Mapped[str]
    subject: Mapped[str]
    region: Mapped[str]
    role: Mapped[str]
    value: Mapped[float | None] = mapped_column(sa.Float(53))
    threshold: Mapped[float | None] = mapped_column(sa.Float(53))
    occurred: Mapped[datetime]
    heard: Mapped[datetime]
    __table_args__ = (sa.Index("ix_replayed_timeline_occurred", "timeline", "occurred"),)


class Attachment(Base):
    """A file that belongs to a case, stored with it; never changed."""

    __tablename__ = "attachment"
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    case_id: Mapped[int] = mapped_column(sa.ForeignKey("cases.id"), index=True)
    name: Mapped[str]
    media_type: Mapped[str]
    size: Mapped[int]
    sha256: Mapped[str]
    content: Mapped[bytes] = mapped_column(sa.LargeBinary(), deferred=True)
    at: Mapped[datetime]
    who: Mapped[str]


class ReadPosition(Base):
    """How far a partition of the topic of warnings was read: `next` of the log with this id at the broker.

    Written with what was made of the warnings before it, so it is true of whatever is left of this database.
    `filling`: while a database that was gone is filled again, since when (ms) all warnings count.
    """

    __tablename__ = "reached"
    log: Mapped[str] = mapped_column(primary_key=True)
    partition: Mapped[int] = mapped_column(primary_key=True)
    next: Mapped[int] = mapped_column(sa.BigInteger())
    filling: Mapped[int | None] = mapped_column(sa.BigInteger())


class Passed(Base):
    """A warning of the log with this id that became no case, through its own fault: it is not missing."""

    __tablename__ = "passed"
    log: Mapped[str] = mapped_column(primary_key=True)
    partition: Mapped[int] = mapped_column(primary_key=True)
    offset: Mapped[int] = mapped_column(sa.BigInteger(), primary_key=True)


class Message(Base):
    """A message for Kafka, written with the change it tells of; published at least once, by its id.

    One that the broker can never take is set aside: `refused` says why.
    """

    __tablename__ = "message"
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    uid: Mapped[str] = mapped_column(unique=True)
    topic: Mapped[str]
    key: Mapped[str]
    payload: Mapped[bytes] = mapped_column(sa.LargeBinary())
    created: Mapped[datetime]
    published: Mapped[datetime | None]
    refused: Mapped[str | None]
    __table_args__ = (
        sa.Index(
            "ix_message_unpublished",
            "id",
            sqlite_where=sa.text("published IS NULL"),
            postgresql_where=sa.text("published IS NULL"),
        ),
        {"sqlite_autoincrement": True},
    )


class Notification(Base):
    """Something an officer has to be told by a channel, written with the change that asks for it.

    `message` names the message it was first tried in: that of several notifications where they were gathered.
    `suppressed` ones are never sent; `last_error` says why, and `reason` the same as a code with parameters (JSON;
    empty in what an older version wrote). Where a silence or a graver case held one back, it is
    named, a case with the level it then had, until that is over: then whoever should have heard is told what is
    still open.
    """

    __tablename__ = "notification"
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    channel: Mapped[str]
    officer_id: Mapped[int | None] = mapped_column(sa.ForeignKey("officer.id"), index=True)
    case_id: Mapped[int] = mapped_column(sa.ForeignKey("cases.id"), index=True)
    kind: Mapped[str]
    step: Mapped[int]
    level: Mapped[str]
    rank: Mapped[int]
    payload: Mapped[str]
    created: Mapped[datetime]
    state: Mapped[str] = mapped_column(default="pending")
    message: Mapped[str] = mapped_column(default="")
    attempts: Mapped[int] = mapped_column(default=0)
    last_attempt: Mapped[datetime | None]
    next_attempt: Mapped[datetime]
    last_error: Mapped[str] = mapped_column(default="")
    delivered_at: Mapped[datetime | None]
    held_by_silence: Mapped[int | None] = mapped_column(Key)
    held_by_case: Mapped[int | None] = mapped_column(Key)
    held_by_level: Mapped[str | None]
    reason: Mapped[str | None]
    __table_args__ = (
        sa.CheckConstraint("state IN ('pending','delivered','dead','suppressed')", "state"),
        sa.Index("ix_notification_due", "state", "rank", "id"),
        sa.Index(
            "ix_notification_held",
            "held_by_silence",
            "held_by_case",
            sqlite_where=sa.text(HELD),
            postgresql_where=sa.text(HELD),
        ),
        {"sqlite_autoincrement": True},
    )


class Silence(Base):
    """A time in which notifications of these rules, regions and levels are not sent; ended, never deleted."""

    __tablename__ = "silence"
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    rules: Mapped[str] = mapped_column(default="[]")
    regions: Mapped[str] = mapped_column(default="[]")
    levels: Mapped[str] = mapped_column(default="[]")
    starts: Mapped[datetime]
    ends: Mapped[datetime] = mapped_column(index=True)
    reason: Mapped[str]
    created: Mapped[datetime]
    created_by: Mapped[str]
    origin: Mapped[str]
    ended: Mapped[datetime | None]
    ended_by: Mapped[str | None]
    __table_args__ = (sa.CheckConstraint("starts < ends", "span"), {"sqlite_autoincrement": True})


class Override(Base):
    """Somebody else is on duty for a while; `officer_id` NULL: nobody is. Withdrawn, never deleted."""

    __tablename__ = "override"
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    team: Mapped[str] = mapped_column(index=True)
    officer_id: Mapped[int | None] = mapped_column(sa.ForeignKey("officer.id"))
    starts: Mapped[datetime]
    ends: Mapped[datetime]
    reason: Mapped[str] = mapped_column(default="")
    swap: Mapped[str | None]
    created: Mapped[datetime]
    created_by: Mapped[str]
    origin: Mapped[str]
    withdrawn: Mapped[datetime | None]
    withdrawn_by: Mapped[str | None]
    officer: Mapped[Officer | None] = relationship(lazy="joined")
    __table_args__ = (sa.CheckConstraint("starts < ends", "span"), {"sqlite_autoincrement": True})


class Handover(Base):
    """One officer handed a team's duty over to another, with what there was to say; never changed."""

    __tablename__ = "handover"
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    team: Mapped[str] = mapped_column(index=True)
    giver_id: Mapped[int] = mapped_column(sa.ForeignKey("officer.id"))
    taker_id: Mapped[int] = mapped_column(sa.ForeignKey("officer.id"))
    at: Mapped[datetime]
    note: Mapped[str]
    cases: Mapped[str]
    origin: Mapped[str]


class Hole(Base):
    """A time without anybody on duty that was warned of; `filled` when it is there no more."""

    __tablename__ = "hole"
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    episode: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    role: Mapped[str]
    region: Mapped[str]
    starts: Mapped[datetime]
    ends: Mapped[datetime]
    level: Mapped[str]
    ordinal: Mapped[int] = mapped_column(default=0)
    found: Mapped[datetime]
    filled: Mapped[datetime | None]


class Reply(Base):
    """The answer to a POST with an Idempotency-Key, given again when the same is posted again."""

    __tablename__ = "reply"
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    officer_id: Mapped[int] = mapped_column(sa.ForeignKey("officer.id"))
    key: Mapped[str]
    request: Mapped[str]
    status: Mapped[int]
    body: Mapped[str]
    created: Mapped[datetime]
    __table_args__ = (sa.UniqueConstraint("officer_id", "key"),)


def values(row: Base) -> dict[str, Any]:
    """The columns of a row by name."""
    return {column.key: getattr(row, column.key) for column in sa.inspect(type(row)).column_attrs}
