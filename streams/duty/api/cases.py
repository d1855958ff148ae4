"""Routes of cases: look, and do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from schemas.levels import Level
from streams.duty.api.problems import responses
from streams.duty.cases import service
from streams.duty.cases.queries import (
    Filters,
    allowed,
    attachments_of,
    case_view,
    changes_since,
    entries_of,
    entry_view,
    find_cases,
    moment,
    open_counts,
    rule_quality,
)
from streams.duty.cases.service import visible
from streams.duty.database.models import Attachment, Case
from streams.duty.dependencies import Id, IdempotencyKey, RequestContext, Who, once
from streams.duty.refusals import NotFound
from streams.duty.wording import LINES, SAID, TEXT_LENGTH

router = APIRouter(prefix="/api/v1", tags=["cases"], responses=responses(400, 401, 422, 429, 503))
CHANGED = responses(403, 404, 409)

State = Literal["new", "acknowledged", "in_disposal", "disposed", "confirmed", "closed"]
Text = Annotated[str, Field(max_length=TEXT_LENGTH, pattern=LINES)]
Words = Annotated[str, Field(min_length=1, max_length=TEXT_LENGTH, pattern=SAID)]
Login = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Region = Annotated[str, Field(pattern=r"^[0-9]{6}$")]
Version = Annotated[
    int | None, Field(ge=0, lt=2**31, description="Refused with 409 where the case has another one.")
]
Number = Annotated[int, Field(ge=1, le=2**53 - 1)]
Limit = Annotated[int, Query(ge=1, le=500)]
Offset = Annotated[int, Query(ge=0, le=10_000_000)]


class Asked(BaseModel):
    """What every change may say: the version of the case that was seen."""

    model_config = ConfigDict(extra="forbid")
    version: Version = None


class Said(Asked):
    """A change with an optional remark."""

    text: Text = ""


class Remark(Asked):
    """A remark that must say something."""

    text: Words


class Disposal(Asked):
    """What was done."""

    done: Words


class Verdict(Said):
    """What the warning was."""

    verdict: Literal["true", "false", "drill", "duplicate"]


class Reassignment(Said):
    """To whom."""

    to: Login


class Merging(Said):
    """Into which case."""

    into: Number


class Feedback(Asked):
    """举一反三: what is to be looked for, and where."""

    question: Words
    regions: Annotated[list[Region], Field(min_length=1, max_length=120)]


@router.get("/cases", summary="Cases the bearer may see, the newest first")
def list_cases(
    who: Who,
    response: Response,
    request: Request,
    state: Annotated[list[State] | None, Query()] = None,
    level: Annotated[list[Level] | None, Query()] = None,
    region: Annotated[str, Query(max_length=6, description="A region code; all below it are included.")] = "",
    role: Annotated[str, Query(max_length=64)] = "",
    rule: Annotated[str, Query(max_length=128)] = "",
    assignee: Annotated[str, Query(max_length=64, description="A login, or `me`.")] = "",
    kind: Literal["warning", "follow_up"] | None = None,
    open: bool | None = None,
    origin: Annotated[int | None, Query(ge=1, le=2**53 - 1)] = None,
    drill: Annotated[bool | None, Query(description="Only cases for practice, or only real ones.")] = None,
    q: Annotated[str, Query(max_length=200, description="Part of the title.")] = "",
    limit: Limit = 50,
    offset: Offset = 0,
) -> dict[str, Any]:
    """A page of cases: items, total, limit, offset; header `Link` names the next page."""
    filters = Filters(
        states=tuple(state or ()),
        levels=tuple(level or ()),
        region=region,
        role=role,
        rule=rule,
        assignee=who.actor.who if assignee == "me" else assignee,
        kind=kind or "",
        open=open,
        origin=origin,
        text=q,
        drill=drill,
    )
    with who.deps.database.reading() as session:
        page = find_cases(session, who.actor, who.desk.regions, filters, limit, offset)
        items = [case_view(case) for case in page.items]
    if offset + limit < page.total:
        response.headers["Link"] = f'<{request.url.include_query_params(offset=offset + limit)}>; rel="next"'
    return {"items": items, "total": page.total, "limit": limit, "offset": offset}


@router.get("/cases/{case_id}", summary="One case with its audit", responses=responses(404))
def get_case(who: Who, case_id: Id) -> dict[str, Any]:
    """The case, its entries, attachments and follow-up cases, and what the bearer may do with it now."""
    with who.deps.database.reading() as session:
        case = visible(session, who.desk, who.actor, case_id)
        return full_view(session, who, case)


def full_view(session: Session, who: RequestContext, case: Case) -> dict[str, Any]:
    """A case with all that belongs to it."""
    follow_ups = find_cases(session, who.actor, who.desk.regions, Filters(origin=case.id), limit=500).items
    return {
        **case_view(case),
        "entries": [entry_view(entry) for entry in entries_of(session, case)],
        "attachments": [attachment_view(each) for each in attachments_of(session, case)],
        "follow_ups": [each.id for each in follow_ups],
        "allowed": list(allowed(who.actor, case, who.desk.regions)),
    }


def attachment_view(attachment: Attachment) -> dict[str, Any]:
    """A file as JSON values, without its content."""
    return {
        "id": attachment.id,
        "name": attachment.name,
        "media_type": attachment.media_type,
        "size": attachment.size,
        "sha256": attachment.sha256,
        "at": moment(attachment.at),
        "who": attachment.who,
    }


Change = Callable[..., Case]


def _change(
    who: RequestContext, request: Request, key: str | None, case_id: int, body: Asked, verb: Change
) -> JSONResponse:
    given = body.model_dump()

    def act(session: Session) -> dict[str, Any]:
        return case_view(verb(session, who.desk, who.actor, who.now, case_id, **given))

    return once(who, key, request, given, act)


@router.post("/cases/{case_id}/acknowledge", responses=CHANGED, summary="I have it")
def acknowledge(
    who: Who, request: Request, case_id: Id, body: Asked | None = None, key: IdempotencyKey = None
) -> Any:
    """The bearer takes the case; its chain of escalation stops."""
    return _change(who, request, key, case_id, body or Asked(), service.acknowledge)


@router.post("/cases/{case_id}/start", responses=CHANGED, summary="Disposal begins")
def start(
    who: Who, request: Request, case_id: Id, body: Said | None = None, key: IdempotencyKey = None
) -> Any:
    """The case is in disposal."""
    return _change(who, request, key, case_id, body or Said(), service.start)


@router.post("/cases/{case_id}/dispose", responses=CHANGED, summary="What was done")
def dispose(who: Who, request: Request, case_id: Id, body: Disposal, key: IdempotencyKey = None) -> Any:
    """The case is disposed."""
    return _change(who, request, key, case_id, body, service.dispose)


@router.post("/cases/{case_id}/confirm", responses=CHANGED, summary="True, false, drill or duplicate")
def confirm(who: Who, request: Request, case_id: Id, body: Verdict, key: IdempotencyKey = None) -> Any:
    """The case is confirmed with a verdict."""
    return _change(who, request, key, case_id, body, service.confirm)


@router.post("/cases/{case_id}/close", responses=CHANGED, summary="Nothing is left to do")
def close(
    who: Who, request: Request, case_id: Id, body: Said | None = None, key: IdempotencyKey = None
) -> Any:
    """The case is closed."""
    return _change(who, request, key, case_id, body or Said(), service.close)


@router.post("/cases/{case_id}/reopen", responses=CHANGED, summary="Deal with it again")
def reopen(who: Who, request: Request, case_id: Id, body: Remark, key: IdempotencyKey = None) -> Any:
    """The case is new again."""
    return _change(who, request, key, case_id, body, service.reopen)


@router.post("/cases/{case_id}/reassign", responses=CHANGED, summary="Give it to another officer")
def reassign(who: Who, request: Request, case_id: Id, body: Reassignment, key: IdempotencyKey = None) -> Any:
    """Another officer has to acknowledge the case."""
    return _change(who, request, key, case_id, body, service.reassign)


@router.post("/cases/{case_id}/escalate", responses=CHANGED, summary="Take the next step of the chain now")
def escalate(
    who: Who, request: Request, case_id: Id, body: Said | None = None, key: IdempotencyKey = None
) -> Any:
    """The next one in the chain gets the case."""
    return _change(who, request, key, case_id, body or Said(), service.escalate)


@router.post("/cases/{case_id}/merge", responses=CHANGED, summary="It is dealt with in another case")
def merge(who: Who, request: Request, case_id: Id, body: Merging, key: IdempotencyKey = None) -> Any:
    """The case is closed as a duplicate of another one."""
    return _change(who, request, key, case_id, body, service.merge)


@router.post("/cases/{case_id}/comments", responses=CHANGED, summary="A remark")
def comment(who: Who, request: Request, case_id: Id, body: Remark, key: IdempotencyKey = None) -> Any:
    """The remark is part of the audit."""
    return _change(who, request, key, case_id, body, service.comment)


@router.post(
    "/cases/{case_id}/feedback", responses=CHANGED, status_code=201, summary="举一反三: look elsewhere"
)
def feedback(who: Who, request: Request, case_id: Id, body: Feedback, key: IdempotencyKey = None) -> Any:
    """Follow-up cases, one a region; the case can be closed after them."""
    given = body.model_dump()

    def act(session: Session) -> dict[str, Any]:
        made = service.require_feedback(session, who.desk, who.actor, who.now, case_id, **given)
        return {"items": [case_view(each) for each in made]}

    return once(who, key, request, given, act, 201)


@router.get("/counts", summary="Open cases by region, level and state")
def counts(who: Who) -> dict[str, Any]:
    """What the bearer may see of it; cases of replays and drills stand apart."""
    with who.deps.database.reading() as session:
        found, drills = (
            open_counts(session, who.actor, who.desk.regions, drill=drill) for drill in (False, True)
        )
    return {"items": [vars(count) for count in found], "drills": [vars(count) for count in drills]}


@router.get("/rules", summary="What became of each rule's warnings")
def rules(who: Who) -> dict[str, Any]:
    """Cases, open ones, verdicts by rule."""
    with who.deps.database.reading() as session:
        found = rule_quality(session, who.actor, who.desk.regions)
    return {"items": [{**row, "last_opened": moment(row["last_opened"])} for row in found]}


@router.get("/changes", summary="Which cases changed since an entry")
def changes(who: Who, since: Annotated[int, Query(ge=0, le=2**53 - 1)] = 0) -> dict[str, Any]:
    """The latest entry's number, and the cases with entries after `since` that the bearer may see."""
    with who.deps.database.reading() as session:
        latest, cases = changes_since(session, since)
        seen = [case for case in cases if _seen(session, who, case)]
    return {"latest": latest, "cases": seen}


def _seen(session: Session, who: RequestContext, case_id: Id) -> bool:
    try:
        visible(session, who.desk, who.actor, case_id)
    except NotFound:
        return False
    return True
