"""Values that tests of cases share: a moment, warnings, actors."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from schemas.contract import load_contracts
from schemas.decoder import Decoder
from schemas.event import encode_event
from schemas.fields import SHANGHAI
from schemas.regions import Regions
from streams.duty.accounts.officers import actor_of
from streams.duty.accounts.rights import Actor
from streams.duty.cases.opening import hear
from streams.duty.database.models import Case
from streams.duty.home import operator
from streams.duty.rosters.desk import Desk

NOW = datetime(2026, 11, 25, 11, 0, tzinfo=SHANGHAI)
"""A Wednesday morning, a workday."""


def at(minutes: float) -> datetime:
    """So many minutes after NOW."""
    return NOW + timedelta(minutes=minutes)


@cache
def decoder() -> Decoder:
    return Decoder(load_contracts()["duty.warning"])


def warning(
    episode: str = "e1", ordinal: int = 0, kind: str = "opened", level: str = "yellow", **changes: Any
) -> Any:
    """One decoded transition, as the duty service reads it."""
    return decoder().decode(warning_bytes(episode, ordinal, kind, level, **changes))


def warning_bytes(
    episode: str = "e1", ordinal: int = 0, kind: str = "opened", level: str = "yellow", **changes: Any
) -> bytes:
    """One transition as it stands on the topic."""
    timeline, id = changes.pop("timeline", ""), changes.pop("id", f"{episode}#{ordinal}")
    data = {
        "rule": "ecology.pm25-high",
        "rule_version": 1,
        "subject": episode,
        "region": "330110",
        "kind": kind,
        "level": level,
        "previous": None,
        "episode": episode,
        "ordinal": ordinal,
        "at": NOW.isoformat(),
        "value": 160.5,
        "threshold": 150.0,
        "evidence": '{"partition":0,"offset":17}',
        "title": f"PM2.5 at {episode} is 160.5",
        "runbook": "Ask the station.",
        "duty_role": "ecology-duty",
        **changes,
    }
    return encode_event(
        id=id,
        source="/liaowang/watch",
        type="duty.warning.v1",
        time=NOW,
        data=data,
        timeline=timeline,
    )


def opened(session: Session, desk: Desk, now: datetime = NOW, **changes: Any) -> Case:
    """A case that a warning has just opened."""
    event = warning(**changes)
    hear(session, desk, now, [event])
    session.flush()
    return session.scalars(sa.select(Case).where(Case.episode == event.data.episode)).unique().one()


def root(regions: Regions) -> Actor:
    """Whoever may read the home's files."""
    return operator("operator:test", "test", regions)


def actor_named(session: Session, who: str, regions: Regions) -> Actor:
    """An officer with the grants of an administrator, so that a test may let him do anything."""
    found = actor_of(session, who, "test 127.0.0.1")
    return Actor(found.who, found.where, found.officer_id, root(regions).grants)


def officer(session: Session, login: str) -> Actor:
    """An officer of the example."""
    return actor_of(session, login, "test 127.0.0.1")
