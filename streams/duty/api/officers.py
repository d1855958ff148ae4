"""Routes of officers: who there is, and what administrators change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from streams.duty.accounts import officers
from streams.duty.accounts.rights import ADMIN, Grant, may
from streams.duty.api.cases import Login, Region
from streams.duty.api.problems import responses
from streams.duty.cases import leaving
from streams.duty.database.models import Officer
from streams.duty.dependencies import IdempotencyKey, RequestContext, Who, once
from streams.duty.refusals import Forbidden
from streams.duty.wording import EMAIL, NAME_LENGTH, PHONE, SAID_IN_LINE

router = APIRouter(prefix="/api/v1", tags=["officers"], responses=responses(400, 401, 403, 422, 429, 503))
CHANGED = responses(404, 409)
OfficerLogin = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]


class GrantAsked(BaseModel):
    """A role in a region and all below it."""

    model_config = ConfigDict(extra="forbid")
    role: Login
    region: Region


class OfficerAsked(BaseModel):
    """A new officer; passwords are set on the command line only."""

    model_config = ConfigDict(extra="forbid")
    login: Login
    name: Annotated[str, Field(max_length=NAME_LENGTH, pattern=SAID_IN_LINE)]
    phone: Annotated[str, Field(max_length=30, pattern=PHONE)] = ""
    email: Annotated[str, Field(max_length=200, pattern=EMAIL)] = ""
    grants: Annotated[list[GrantAsked], Field(min_length=1, max_length=50)]


class ActiveAsked(BaseModel):
    """Whether the officer may sign in and be on duty."""

    model_config = ConfigDict(extra="forbid")
    active: bool


@router.get("/me", summary="Who the bearer is")
def me(asked: Who) -> dict[str, Any]:
    """Login and roles."""
    grants = [{"role": grant.role, "region": grant.region} for grant in asked.actor.grants]
    return {"login": asked.actor.who, "grants": grants}


@router.get("/officers", summary="Officers, to give cases and turns to")
def list_officers(asked: Who) -> dict[str, Any]:
    """Login, name, roles; phone and e-mail only where the bearer administers all their regions."""
    if not asked.actor.grants:
        raise Forbidden(f"{asked.actor.who} holds no role")
    with asked.deps.database.reading() as session:
        found = session.scalars(sa.select(Officer).order_by(Officer.login)).all()
        return {"items": [officer_view(asked, each) for each in found]}


@router.post("/officers", status_code=201, responses=CHANGED, summary="A new officer")
def add_officer(asked: Who, request: Request, body: OfficerAsked, key: IdempotencyKey = None) -> Any:
    """For administrators of the regions the roles are in."""

    def act(session: Session) -> dict[str, Any]:
        grants = [Grant(each.role, each.region) for each in body.grants]
        made = officers.add_officer(
            session,
            asked.actor,
            asked.now,
            asked.desk.regions,
            login=body.login,
            name=body.name,
            grants=grants,
            phone=body.phone,
            email=body.email,
            roles=asked.desk.roles,
        )
        return officer_view(asked, made)

    return once(asked, key, request, body.model_dump(), act, 201)


@router.post("/officers/{login}/grants", responses=CHANGED, summary="One more role")
def give(
    asked: Who, request: Request, login: OfficerLogin, body: GrantAsked, key: IdempotencyKey = None
) -> Any:
    """For administrators of the region."""

    def change(session: Session, officer: Officer, grant: Grant) -> None:
        officers.give(session, asked.actor, asked.now, asked.desk.regions, officer, grant, asked.desk.roles)

    return _with_grant(asked, request, login, body, key, change)


@router.post("/officers/{login}/grants/revoke", responses=CHANGED, summary="A role less")
def take(
    asked: Who, request: Request, login: OfficerLogin, body: GrantAsked, key: IdempotencyKey = None
) -> Any:
    """For administrators of the region. Open cases that only this role gave him go on to others."""

    def change(session: Session, officer: Officer, grant: Grant) -> None:
        leaving.take(session, asked.desk, asked.actor, asked.now, officer, grant)

    return _with_grant(asked, request, login, body, key, change)


def _with_grant(
    asked: Who,
    request: Request,
    login: OfficerLogin,
    body: GrantAsked,
    key: IdempotencyKey,
    change: Callable[[Session, Officer, Grant], None],
) -> Any:
    def act(session: Session) -> dict[str, Any]:
        officer = officers.find(session, login)
        change(session, officer, Grant(body.role, body.region))
        return officer_view(asked, officer)

    return once(asked, key, request, body.model_dump(), act)


@router.post("/officers/{login}/active", responses=CHANGED, summary="Active or not")
def set_active(
    asked: Who, request: Request, login: OfficerLogin, body: ActiveAsked, key: IdempotencyKey = None
) -> Any:
    """An officer who is not active cannot sign in, his turns are holes, and his open cases go on to others."""

    def act(session: Session) -> dict[str, Any]:
        officer = officers.find(session, login)
        leaving.set_active(session, asked.desk, asked.actor, asked.now, officer, body.active)
        return officer_view(asked, officer)

    return once(asked, key, request, body.model_dump(), act)


def officer_view(asked: RequestContext, officer: Officer) -> dict[str, Any]:
    """An officer as JSON values, contact details for administrators only."""
    grants = officers.grants_of(officer)
    shown: dict[str, Any] = {
        "login": officer.login,
        "name": officer.name,
        "active": officer.active,
        "grants": [{"role": grant.role, "region": grant.region} for grant in grants],
    }
    regions = asked.desk.regions
    held = grants or (Grant(ADMIN, regions.province.code),)
    if all(may(asked.actor.grants, "admin", grant.role, grant.region, regions) for grant in held):
        shown |= {"phone": officer.phone, "email": officer.email}
    return shown
