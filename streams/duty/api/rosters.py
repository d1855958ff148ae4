"""Routes of the roster: who, turns, holes, overrides, swaps, handovers, calendars."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from sqlalchemy.orm import Session

from schemas.fields import SHANGHAI, midnight
from schemas.workdays import days
from streams.duty.accounts.officers import find
from streams.duty.api.cases import Login, Text
from streams.duty.api.problems import responses
from streams.duty.dependencies import Id, IdempotencyKey, RequestContext, Who, once, reader
from streams.duty.refusals import Forbidden, NotFound
from streams.duty.shifts import questions, substitutes
from streams.duty.shifts.holes import holes, views
from streams.duty.shifts.roles import roles_of
from streams.duty.wording import LINES, REASON_LENGTH

router = APIRouter(prefix="/api/v1", tags=["roster"], responses=responses(400, 401, 403, 404, 422, 429, 503))
CHANGED = responses(404, 409)
_SPACE_FOR_PLUS = re.compile(r"(T[0-9:.]+) (\d\d:\d\d)$")


def read_time(value: Any) -> Any:
    """A time in a query: a plus that a client did not escape is meant as one; no offset is Shanghai's."""
    if not isinstance(value, str):
        return value
    text = _SPACE_FOR_PLUS.sub(r"\1+\2", value)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return value
    return found if found.tzinfo else found.replace(tzinfo=SHANGHAI)


Time = Annotated[AwareDatetime, BeforeValidator(read_time)]
Team = Login
Reason = Annotated[str, Field(max_length=REASON_LENGTH, pattern=LINES)]
Role = Annotated[str, Query(min_length=1, max_length=64, examples=["ecology-duty"])]
RegionCode = Annotated[str, Query(min_length=6, max_length=6, examples=["330110"])]


class OverrideAsked(BaseModel):
    """Who is on duty instead; `officer` null: nobody."""

    model_config = ConfigDict(extra="forbid")
    team: Team
    officer: Login | None
    starts: AwareDatetime
    ends: AwareDatetime
    reason: Reason = ""


class SwapAsked(BaseModel):
    """Two moments of one team: the turns that cover them change hands."""

    model_config = ConfigDict(extra="forbid")
    team: Team
    one: AwareDatetime
    other: AwareDatetime
    reason: Reason = ""


class HandoverAsked(BaseModel):
    """To whom, and what there is to say."""

    model_config = ConfigDict(extra="forbid")
    team: Team
    to: Login
    note: Text = ""
    giver: Annotated[str, Field(pattern=r"^([a-z0-9][a-z0-9._-]{0,63})?$")] = ""


@router.get("/who", summary="Who is on duty for a role in a region at a time")
def who(asked: Who, role: Role, region: RegionCode, at: Time | None = None) -> dict[str, Any]:
    """County, then city, then province; `hole` where nobody is. Without `at`: now."""
    _belongs(asked)
    moment = sane(at or asked.now)
    with asked.deps.database.reading() as session:
        return questions.answer(session, asked.desk, role, region, moment)


@router.get("/shifts", summary="Who is on duty when", responses=responses(404))
def shifts(
    asked: Who,
    start: Annotated[Time, Query(alias="from")],
    span: Annotated[int, Query(alias="days", ge=1, le=400)] = 7,
    team: Annotated[str, Query(max_length=64)] = "",
    region: Annotated[str, Query(max_length=6)] = "",
    officer: Annotated[str, Query(max_length=64)] = "",
) -> dict[str, Any]:
    """Turns with overrides, swaps and holidays applied, in order of time."""
    _belongs(asked)
    with asked.deps.database.reading() as session:
        found = questions.turns_between(
            session,
            asked.desk,
            sane(start),
            start + timedelta(span),
            team=team,
            region=region,
            login=officer,
        )
    return {"items": [questions.turn_view(turn) for turn in found]}


@router.get("/days", summary="Workdays, holidays and make-up workdays")
def list_days(
    asked: Who,
    start: Annotated[date, Query(alias="from")],
    span: Annotated[int, Query(alias="days", ge=1, le=400)] = 31,
) -> dict[str, Any]:
    """Each day of a span."""
    _belongs(asked)
    sane(midnight(start))
    end = start + timedelta(span - 1)
    return {
        "items": [
            {
                "day": each.day.isoformat(),
                "workday": each.workday,
                "holiday": each.holiday,
                "announced": each.announced,
            }
            for each in days(start, end, asked.desk.roster.calendar)
        ]
    }


@router.get("/roster", summary="What is declared")
def roster(asked: Who) -> dict[str, Any]:
    """Teams with their shifts, chains of escalation, limits."""
    _belongs(asked)
    return questions.roster_view(asked.desk)


@router.get("/holes", summary="Times without anybody on duty")
def list_holes(
    asked: Who, ahead: Annotated[int | None, Query(ge=1, le=366, description="Days from today.")] = None
) -> dict[str, Any]:
    """Holes of the coming days."""
    _belongs(asked)
    span = ahead or asked.desk.roster.look_ahead
    with asked.deps.database.reading() as session:
        found = holes(session, asked.desk, roles_of(asked.deps.rules.values()), asked.now, span)
    return {"items": views(found, asked.now), "days": span}


@router.get("/overrides", summary="Changes to the roster")
def overrides(asked: Who, team: Annotated[str, Query(max_length=64)] = "") -> dict[str, Any]:
    """Those that are not over, the withdrawn included, of teams whose cases the bearer may see, and his own."""
    _belongs(asked)
    with asked.deps.database.reading() as session:
        found = substitutes.overrides_of(session, asked.desk, asked.actor, asked.now, team)
        return {"items": [questions.override_view(each) for each in found]}


@router.post("/overrides", status_code=201, responses=CHANGED, summary="Somebody else is on duty for a while")
def add_override(asked: Who, request: Request, body: OverrideAsked, key: IdempotencyKey = None) -> Any:
    """The override, which counts from now on."""
    for each in (body.starts, body.ends):
        sane(each)

    def act(session: Session) -> dict[str, Any]:
        return questions.override_view(
            substitutes.override(session, asked.desk, asked.actor, asked.now, **body.model_dump())
        )

    return once(asked, key, request, body.model_dump(mode="json"), act, 201)


@router.post("/overrides/{override_id}/withdraw", responses=CHANGED, summary="It holds no more")
def withdraw(asked: Who, request: Request, override_id: Id, key: IdempotencyKey = None) -> Any:
    """The override as it is on record; a swap is withdrawn as a whole."""

    def act(session: Session) -> dict[str, Any]:
        done = substitutes.withdraw(session, asked.desk, asked.actor, asked.now, override_id)
        return questions.override_view(done)

    return once(asked, key, request, {}, act)


@router.post("/swaps", status_code=201, responses=CHANGED, summary="Two turns change hands")
def add_swap(asked: Who, request: Request, body: SwapAsked, key: IdempotencyKey = None) -> Any:
    """The two overrides that make up the swap."""
    for each in (body.one, body.other):
        sane(each)

    def act(session: Session) -> dict[str, Any]:
        pair = substitutes.swap(session, asked.desk, asked.actor, asked.now, **body.model_dump())
        return {"items": [questions.override_view(each) for each in pair]}

    return once(asked, key, request, body.model_dump(mode="json"), act, 201)


@router.post("/handovers", status_code=201, responses=CHANGED, summary="Hand the duty over")
def add_handover(asked: Who, request: Request, body: HandoverAsked, key: IdempotencyKey = None) -> Any:
    """The giver's open cases go to the next one, who acknowledges each."""

    def act(session: Session) -> dict[str, Any]:
        done = substitutes.handover(session, asked.desk, asked.actor, asked.now, **body.model_dump())
        return questions.handover_view(session, done)

    return once(asked, key, request, body.model_dump(mode="json"), act, 201)


@router.get("/handovers", summary="The latest handovers of a team", responses=responses(404))
def handovers(asked: Who, team: Annotated[str, Query(min_length=1, max_length=64)]) -> dict[str, Any]:
    """The newest first: of teams whose cases the bearer may see, and those he gave or took himself."""
    _belongs(asked)
    substitutes.team_named(asked.desk, team)
    with asked.deps.database.reading() as session:
        found = substitutes.handovers_of(session, asked.desk, asked.actor, team)
        return {"items": [questions.handover_view(session, each) for each in found]}


CALENDAR: dict[int | str, dict[str, Any]] = {200: {"content": {"text/calendar": {}}}, **responses(404)}
CalendarToken = Annotated[
    str,
    Query(max_length=200, description="A token of scope `calendar`, for clients that send no header."),
]


@router.get(
    "/calendar/teams/{team}.ics", responses=CALENDAR, response_class=Response, summary="A team's turns"
)
def team_calendar(request: Request, team: str, token: CalendarToken = "") -> Response:
    """ICalendar (RFC 5545): a month back, half a year ahead."""
    asked = _calendar_reader(request, token)
    substitutes.team_named(asked.desk, team)
    with asked.deps.database.reading() as session:
        return _ics(questions.calendar(session, asked.desk, asked.now, team=team))


@router.get(
    "/calendar/officers/{login}.ics",
    responses=CALENDAR,
    response_class=Response,
    summary="An officer's turns",
)
def officer_calendar(request: Request, login: str, token: CalendarToken = "") -> Response:
    """ICalendar (RFC 5545): a month back, half a year ahead."""
    asked = _calendar_reader(request, token)
    with asked.deps.database.reading() as session:
        find(session, login)
        return _ics(questions.calendar(session, asked.desk, asked.now, login=login))


def _calendar_reader(request: Request, token: str) -> RequestContext:
    asked = reader(request, "calendar", token)
    _belongs(asked)
    return asked


def _belongs(asked: RequestContext) -> None:
    """Rosters are for officers with any role at all."""
    if not asked.actor.grants:
        raise Forbidden(f"{asked.actor.who} holds no role")


def sane(value: datetime) -> datetime:
    """The moment, where a roster could reach it."""
    if not 1970 < value.year < 2100:
        raise NotFound("no roster reaches beyond 1971 to 2099", "time")
    return value


def _ics(content: bytes) -> Response:
    return Response(content, media_type="text/calendar; charset=utf-8")
