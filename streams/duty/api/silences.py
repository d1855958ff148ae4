"""Routes of silences: times in which notifications of some rules and regions are not sent."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from schemas.errors import Unavailable
from schemas.levels import Level
from streams.duty.api.problems import responses
from streams.duty.api.rosters import sane
from streams.duty.cases.known_rules import Published, known_rules
from streams.duty.cases.queries import moment
from streams.duty.database.models import Silence
from streams.duty.dependencies import Id, IdempotencyKey, RequestContext, Who, once
from streams.duty.notify import silencing
from streams.duty.refusals import Forbidden, NotNow
from streams.duty.wording import LINES, REASON_LENGTH

router = APIRouter(
    prefix="/api/v1", tags=["silences"], responses=responses(400, 401, 403, 404, 422, 429, 503)
)
CHANGED = responses(409)
Name = Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")]
Names = Annotated[list[Name], Field(max_length=200)]


class SilenceAsked(BaseModel):
    """At least a rule or a region; no level means all levels."""

    model_config = ConfigDict(extra="forbid")
    rules: Names = []
    regions: Names = []
    levels: list[Level] = []
    starts: AwareDatetime
    ends: AwareDatetime
    reason: Annotated[str, Field(max_length=REASON_LENGTH, pattern=LINES)]


@router.get("/silences", summary="Silences that hold now or later")
def silences(
    asked: Who, over: Annotated[bool, Query(description="Also those that are over.")] = False
) -> dict[str, Any]:
    """The newest first; those that concern a region in which the bearer holds a role."""
    if not asked.actor.grants:
        raise Forbidden(f"{asked.actor.who} holds no role")
    with asked.deps.database.reading() as session:
        found = silencing.list_silences(
            session, asked.now, all=over, actor=asked.actor, regions=asked.desk.regions
        )
        return {"items": [silence_view(each) for each in found]}


@router.post("/silences", status_code=201, responses=CHANGED, summary="Keep quiet for a while")
def add_silence(asked: Who, request: Request, body: SilenceAsked, key: IdempotencyKey = None) -> Any:
    """For who plans duty in these regions. Cases open anyway; only notifications are not sent."""
    for each in (body.starts, body.ends):
        sane(each)

    known = known_rules(asked.deps.database, _published(asked), body.rules, asked.deps.rules.keys())

    def act(session: Session) -> dict[str, Any]:
        made = silencing.add_silence(
            session,
            asked.desk.regions,
            asked.actor,
            asked.now,
            rules=body.rules,
            where=body.regions,
            levels=body.levels,
            starts=body.starts,
            ends=body.ends,
            reason=body.reason,
            known=known,
        )
        return silence_view(made)

    return once(asked, key, request, body.model_dump(mode="json"), act, 201)


def _published(asked: RequestContext) -> Published:
    """What was published, NotNow where the broker is away: the database is not."""

    def read() -> Collection[str]:
        try:
            return asked.deps.published()
        except Unavailable as error:
            why = f"{error}; whether these rules were published is not known, try again"
            raise NotNow(why, "rules") from error

    return read


@router.post("/silences/{silence_id}/end", responses=CHANGED, summary="It is over now")
def end_silence(asked: Who, request: Request, silence_id: Id, key: IdempotencyKey = None) -> Any:
    """Notifications go out again; who would have been told of what is still open is told now."""

    def act(session: Session) -> dict[str, Any]:
        done = silencing.end_silence(session, asked.desk.regions, asked.actor, asked.now, silence_id)
        return silence_view(done)

    return once(asked, key, request, {}, act)


def silence_view(silence: Silence) -> dict[str, Any]:
    """A silence as JSON values."""
    times: dict[str, datetime | None] = {
        "starts": silence.starts,
        "ends": silence.ends,
        "created": silence.created,
        "ended": silence.ended,
    }
    return {
        "id": silence.id,
        "rules": json.loads(silence.rules),
        "regions": json.loads(silence.regions),
        "levels": json.loads(silence.levels),
        "reason": silence.reason,
        "created_by": silence.created_by,
        "ended_by": silence.ended_by,
        **{name: moment(at) for name, at in times.items()},
    }
