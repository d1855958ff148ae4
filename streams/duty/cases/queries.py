"""What is asked of the cases; every question sees what its actor may see, and no more."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session, joinedload

from schemas.regions import Regions
from streams.duty.accounts.rights import ADMIN, SUPERVISOR, VIEWER, Actor, below, may
from streams.duty.database.models import Attachment, AuditEntry, Case, Officer
from streams.duty.database.sequence import visible_up_to
from streams.duty.lifecycle import CLOSED, NEW, possible

EVERYTHING = (ADMIN, SUPERVISOR, VIEWER)


@dataclass(frozen=True)
class Page:
    """Some of the cases found, and how many there are in all."""

    items: list[Case]
    total: int


@dataclass(frozen=True)
class Filters:
    """What is looked for; what is empty does not narrow. `region` includes all below it.

    `overdue`: cases that were not acknowledged, or not closed, in time at this moment. `drill`: only those for
    practice, or only the others.
    """

    states: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    region: str = ""
    role: str = ""
    rule: str = ""
    assignee: str = ""
    kind: str = ""
    open: bool | None = None
    origin: int | None = None
    text: str = ""
    verdict: str = ""
    overdue: datetime | None = None
    drill: bool | None = None


def is_drill() -> sa.ColumnElement[bool]:
    """The condition that a case is for practice: it comes of a replay, or was found to be a drill."""
    return sa.or_(Case.timeline != "", sa.func.coalesce(Case.verdict, "") == "drill")


def seen_by(actor: Actor, regions: Regions) -> sa.ColumnElement[bool]:
    """The condition that a case may be seen by this actor."""
    conditions = granted(actor, regions, Case.role, Case.region)
    if actor.officer_id is not None:
        conditions.insert(0, Case.assignee_id == actor.officer_id)
    return sa.or_(sa.false(), *conditions)


def granted(
    actor: Actor,
    regions: Regions,
    role: InstrumentedAttribute[str],
    region: InstrumentedAttribute[str],
) -> list[sa.ColumnElement[bool]]:
    """For each of the actor's grants the condition that it opens a row with these columns."""
    conditions: list[sa.ColumnElement[bool]] = []
    known = frozenset(each.code for each in regions.all)
    for grant in actor.grants:
        if grant.region == regions.province.code:
            where: sa.ColumnElement[bool] = sa.true()
        else:
            where = region.in_(sorted(below(grant.region, regions) & known))
        conditions.append(where if grant.role in EVERYTHING else sa.and_(role == grant.role, where))
    return conditions


def find_cases(
    session: Session, actor: Actor, regions: Regions, filters: Filters, limit: int = 50, offset: int = 0
) -> Page:
    """Cases the actor may see, the newest first, and how many there are."""
    where = _where(actor, regions, filters)
    total = session.scalar(sa.select(sa.func.count()).select_from(Case).where(where)) or 0
    return Page(_newest(session, where, limit, offset), total)


def newest_cases(
    session: Session, actor: Actor, regions: Regions, filters: Filters, limit: int
) -> list[Case]:
    """The newest cases the actor may see; nobody counts the others."""
    return _newest(session, _where(actor, regions, filters), limit, 0)


def _newest(session: Session, where: sa.ColumnElement[bool], limit: int, offset: int) -> list[Case]:
    query = sa.select(Case).where(where).order_by(Case.opened.desc(), Case.id.desc())
    named = joinedload(Case.assignee).lazyload(Officer.offices)
    return list(session.scalars(query.options(named).limit(limit).offset(offset)).unique())


def _where(actor: Actor, regions: Regions, filters: Filters) -> sa.ColumnElement[bool]:
    """What the actor may see of what is looked for; what is his own he sees in any case."""
    own = filters.assignee == actor.who and actor.officer_id is not None
    whose = Case.assignee_id == actor.officer_id if own else seen_by(actor, regions)
    return sa.and_(whose, *_conditions(filters, regions, own=own))


def _conditions(filters: Filters, regions: Regions, *, own: bool) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if filters.states:
        found.append(Case.state.in_(filters.states))
    if filters.levels:
        found.append(Case.level.in_(filters.levels))
    if filters.region:
        found.append(Case.region.in_(sorted(below(filters.region, regions) | {filters.region})))
    if filters.open is not None:
        found.append(Case.state != CLOSED if filters.open else Case.state == CLOSED)
    if filters.assignee and not own:
        officer = sa.select(Officer.id).where(Officer.login == filters.assignee).scalar_subquery()
        found.append(Case.assignee_id == officer)
    if filters.text:
        found.append(Case.title.contains(filters.text, autoescape=True))
    for column, value in ((Case.role, filters.role), (Case.rule, filters.rule), (Case.kind, filters.kind)):
        if value:
            found.append(column == value)
    if filters.verdict:
        found.append(Case.verdict == filters.verdict)
    if filters.overdue is not None:
        late = sa.and_(Case.state == NEW, Case.acknowledge_by < filters.overdue)
        found.append(sa.and_(Case.state != CLOSED, sa.or_(late, Case.close_by < filters.overdue)))
    if filters.drill is not None:
        found.append(is_drill() if filters.drill else sa.not_(is_drill()))
    if filters.origin is not None:
        found.append(Case.origin_id == filters.origin)
    return found


def entries_of(session: Session, case: Case) -> Sequence[AuditEntry]:
    """The audit of a case, from its opening on."""
    return session.scalars(
        sa.select(AuditEntry).where(AuditEntry.case_id == case.id).order_by(AuditEntry.ordinal)
    ).all()


def attachments_of(session: Session, case: Case) -> Sequence[Attachment]:
    """The files of a case, without their content."""
    query = sa.select(Attachment).where(Attachment.case_id == case.id).order_by(Attachment.id)
    return session.scalars(query).all()


def allowed(actor: Actor, case: Case, regions: Regions) -> tuple[str, ...]:
    """The verbs this actor may use on the case as it is now."""
    own = actor.officer_id is not None and actor.officer_id == case.assignee_id
    if not own and not may(actor.grants, "handle", case.role, case.region, regions):
        return ()
    return possible(case.state)


@dataclass(frozen=True)
class Count:
    """How many cases that are not closed there are of one region, level and state."""

    region: str
    level: str
    state: str
    number: int


def open_counts(session: Session, actor: Actor, regions: Regions, *, drill: bool = False) -> list[Count]:
    """Cases that are not closed, by region, level and state; what the actor may see. Drills are counted apart."""
    columns = (Case.region, Case.level, Case.state)
    kind = is_drill() if drill else sa.not_(is_drill())
    where = sa.and_(seen_by(actor, regions), Case.state != CLOSED, kind)
    query = sa.select(*columns, sa.func.count()).where(where).group_by(*columns).order_by(*columns)
    return [Count(*row) for row in session.execute(query)]


def changes_since(session: Session, seq: int, limit: int = 1000) -> tuple[int, list[int]]:
    """The number of the latest entry after `seq` (at most so many on) and the cases that these belong to.

    Of entries that one with a lower number may yet come before nothing is told: a later question finds them.
    """
    new = sa.and_(AuditEntry.id > seq, AuditEntry.id <= visible_up_to(session))
    query = sa.select(AuditEntry.id, AuditEntry.case_id).where(new).order_by(AuditEntry.id).limit(limit)
    rows = session.execute(query).all()
    return (rows[-1][0] if rows else seq), sorted({case for _, case in rows})


def rule_quality(session: Session, actor: Actor, regions: Regions) -> list[dict[str, Any]]:
    """For each rule: real cases in all, open ones, verdicts, and when the last was opened; drills apart."""
    real = sa.not_(is_drill())

    def number(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
        return sa.func.count().filter(sa.and_(real, condition))

    verdicts = ("true", "false", "duplicate")
    query = (
        sa.select(
            Case.rule,
            number(sa.true()),
            number(Case.state != CLOSED),
            *(number(Case.verdict == verdict) for verdict in verdicts),
            sa.func.count().filter(is_drill()),
            sa.func.max(sa.case((real, Case.opened))),
        )
        .where(seen_by(actor, regions), Case.kind == "warning")
        .group_by(Case.rule)
        .order_by(Case.rule)
    )
    names = ("rule", "cases", "open", *verdicts, "drill", "last_opened")
    return [dict(zip(names, row, strict=True)) for row in session.execute(query)]


def case_view(case: Case) -> dict[str, Any]:
    """A case as JSON values; officers by their login."""
    return {
        "id": case.id,
        "uid": case.uid,
        "version": case.version,
        "kind": case.kind,
        "state": case.state,
        "level": case.level,
        "peak": case.peak,
        "verdict": case.verdict,
        "title": case.title,
        "runbook": case.runbook,
        "rule": case.rule,
        "rule_version": case.rule_version,
        "subject": case.subject,
        "region": case.region,
        "role": case.role,
        "team": case.team,
        "assignee": case.assignee.login if case.assignee else None,
        "episode": case.episode,
        "timeline": case.timeline,
        "value": case.value,
        "threshold": case.threshold,
        "evidence": json.loads(case.evidence),
        "origin": case.origin_id,
        "merged_into": case.merged_into_id,
        "reopened": case.reopened,
        "escalation_step": case.step,
        **{name: moment(getattr(case, name)) for name in _MOMENTS},
    }


def entry_view(entry: AuditEntry) -> dict[str, Any]:
    """An audit entry as JSON values."""
    return {
        "id": entry.id,
        "ordinal": entry.ordinal,
        "kind": entry.kind,
        "at": moment(entry.at),
        "who": entry.who,
        "origin": entry.origin,
        "state": entry.state,
        "previous": entry.previous,
        "level": entry.level,
        "text": entry.text,
        "detail": json.loads(entry.detail),
    }


def moment(value: datetime | None) -> str | None:
    """ISO 8601 in UTC, None as it is."""
    return None if value is None else value.isoformat()


_MOMENTS = (
    *("occurred", "opened", "acknowledged", "started", "disposed", "confirmed", "closed", "recovered"),
    *("acknowledge_by", "close_by", "overdue", "changed"),
)
