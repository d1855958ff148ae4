"""Silences: a time in which notifications of some rules, regions and levels are not sent; cases open anyway."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from schemas.levels import LEVELS
from schemas.nearest import unknown_names
from schemas.regions import Regions
from streams.duty.accounts.rights import Actor, concerns, may
from streams.duty.database.models import Silence
from streams.duty.refusals import Conflict, Forbidden, Invalid, NotFound
from streams.duty.wording import REASON_LENGTH, wording


def add_silence(
    session: Session,
    regions: Regions,
    actor: Actor,
    now: datetime,
    *,
    rules: Sequence[str],
    where: Sequence[str],
    levels: Sequence[str],
    starts: datetime,
    ends: datetime,
    reason: str,
    known: Collection[str],
) -> Silence:
    """Keep quiet from `starts` to `ends`; at least a rule or a region must be named, and why."""
    if not (rules or where):
        raise Invalid("name a rule or a region: a silence of everything would hide everything")
    if unknown := [rule for rule in rules if rule not in known]:
        raise Invalid(f"no such rule: {unknown_names(unknown, known)}")
    if unknown := [code for code in where if regions.get(code) is None]:
        raise Invalid(f"no such region: {', '.join(unknown)}")
    if unknown := [level for level in levels if level not in LEVELS]:
        raise Invalid(f"no such level: {unknown_names(unknown, LEVELS)}; there are {', '.join(LEVELS)}")
    if not reason.strip() or len(reason) > REASON_LENGTH:
        raise Invalid(f"say why, in at most {REASON_LENGTH} characters", "reason")
    said = wording(reason, "reason", most=REASON_LENGTH)
    if ends <= max(starts, now):
        raise Invalid("it must end after it starts, and not have ended already")
    _demand(actor, where, regions)
    silence = Silence(
        rules=json.dumps(list(rules)),
        regions=json.dumps(list(where)),
        levels=json.dumps(list(levels)),
        starts=starts,
        ends=ends,
        reason=said,
        created=now,
        created_by=actor.who,
        origin=actor.where,
    )
    session.add(silence)
    session.flush()
    return silence


def end_silence(session: Session, regions: Regions, actor: Actor, now: datetime, silence_id: int) -> Silence:
    """Notifications go out again from now on; who would have been told of what is still open is told now."""
    silence = session.get(Silence, silence_id)
    if silence is None:
        raise NotFound(f"no silence {silence_id}")
    _demand(actor, json.loads(silence.regions), regions)
    if silence.ended is not None or silence.ends <= now:
        raise Conflict(f"silence {silence_id} is over already")
    silence.ended, silence.ended_by = now, actor.who
    return silence


def list_silences(
    session: Session,
    now: datetime,
    *,
    all: bool = False,
    actor: Actor | None = None,
    regions: Regions | None = None,
) -> list[Silence]:
    """The silences that hold now or later, the newest first; with `all` also those that are over.

    With an `actor` only those that concern a region he answers for: a reason is not for everybody.
    """
    query = sa.select(Silence).order_by(Silence.id.desc())
    if not all:
        query = query.where(Silence.ends > now, Silence.ended.is_(None))
    found = list(session.scalars(query))
    if actor is None or regions is None:
        return found
    return [each for each in found if concerns(actor, json.loads(each.regions), regions)]


def _demand(actor: Actor, where: Sequence[str], regions: Regions) -> None:
    """Who plans duty in all these regions may silence there; without regions, in the whole province."""
    for code in where or [regions.province.code]:
        if not may(actor.grants, "roster", "", code, regions):
            raise Forbidden(f"only who plans duty in {code} may silence there")
