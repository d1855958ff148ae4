"""The warnings of replays that are not live, for whoever may see cases of their role and region."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from schemas.levels import LEVELS
from schemas.regions import Regions
from streams.duty.accounts.rights import Actor
from streams.duty.cases.queries import granted, moment
from streams.duty.database.models import Replayed


@dataclass(frozen=True)
class Replay:
    """One replay: its warnings, how many were ever at each level, from when to when, and when it was heard."""

    timeline: str
    warnings: int
    levels: dict[str, int]
    first: datetime
    last: datetime
    heard: datetime


def find_replays(session: Session, actor: Actor, regions: Regions, limit: int = 200) -> list[Replay]:
    """Replays with warnings the actor may see, the latest first."""
    episodes = sa.func.count(sa.distinct(Replayed.episode))
    at_level = [
        sa.func.count(sa.distinct(sa.case((Replayed.level == level, Replayed.episode)))) for level in LEVELS
    ]
    query = (
        sa.select(
            Replayed.timeline,
            episodes,
            *at_level,
            sa.func.min(Replayed.occurred),
            sa.func.max(Replayed.occurred),
            sa.func.max(Replayed.heard),
        )
        .where(_seen(actor, regions))
        .group_by(Replayed.timeline)
        .order_by(sa.func.max(Replayed.heard).desc(), Replayed.timeline)
        .limit(limit)
    )
    return [
        Replay(row[0], row[1], dict(zip(LEVELS, row[2:6], strict=True)), *row[6:])
        for row in session.execute(query)
    ]


def warnings_of(
    session: Session, actor: Actor, regions: Regions, timeline: str, limit: int = 50, offset: int = 0
) -> tuple[Sequence[Replayed], int]:
    """The transitions of one replay in order of time, as far as the actor may see them; and how many there are."""
    where = sa.and_(Replayed.timeline == timeline, _seen(actor, regions))
    total = session.scalar(sa.select(sa.func.count()).select_from(Replayed).where(where)) or 0
    query = sa.select(Replayed).where(where).order_by(Replayed.occurred, Replayed.id)
    return session.scalars(query.limit(limit).offset(offset)).all(), total


def replay_view(replay: Replay) -> dict[str, Any]:
    """A replay as JSON values."""
    times = {name: moment(getattr(replay, name)) for name in ("first", "last", "heard")}
    return {"timeline": replay.timeline, "warnings": replay.warnings, "levels": replay.levels, **times}


def replayed_view(row: Replayed) -> dict[str, Any]:
    """A transition of a replay as JSON values."""
    names = (
        *("id", "timeline", "episode", "kind", "level", "rule", "title", "subject", "region", "role"),
        *("value", "threshold"),
    )
    times = {name: moment(getattr(row, name)) for name in ("occurred", "heard")}
    return {"replay": True, **{name: getattr(row, name) for name in names}, **times}


def _seen(actor: Actor, regions: Regions) -> sa.ColumnElement[bool]:
    return sa.or_(sa.false(), *granted(actor, regions, Replayed.role, Replayed.region))
