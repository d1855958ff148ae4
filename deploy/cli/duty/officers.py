"""`liaowang duty officer …` and `liaowang duty token`: accounts, roles, passwords, tokens.

No password and no token is ever an argument: it is asked for, or made and shown once.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any

import sqlalchemy as sa
import typer

from deploy.cli.duty.desk import As, AsJson, at_work, local, say_json, table
from streams.duty.accounts import officers
from streams.duty.accounts.rights import Grant, may
from streams.duty.cases import leaving
from streams.duty.cases.queries import moment
from streams.duty.database.models import Officer, Token
from streams.duty.refusals import Forbidden, Invalid

officer = typer.Typer(no_args_is_help=True, help="Officers: accounts, roles in regions, passwords.")
Login = Annotated[str, typer.Argument(metavar="LOGIN")]
Role = Annotated[str, typer.Option(help="Duty role, or admin, supervisor, viewer.")]
Region = Annotated[str, typer.Option(help="Region code; the role holds there and below.")]
Prompt = Annotated[bool, typer.Option("--prompt", help="Ask for the password instead of making one.")]


@officer.command("add")
def add(
    login: Login,
    name: Annotated[str, typer.Option(help="The officer's name.")],
    role: Annotated[list[str], typer.Option(help="Duty role, or admin, supervisor, viewer; several times.")],
    region: Annotated[list[str], typer.Option(help="Region code of each role, or one for all.")],
    phone: Annotated[str, typer.Option()] = "",
    email: Annotated[str, typer.Option()] = "",
    prompt: Prompt = False,
    no_password: Annotated[bool, typer.Option("--no-password", help="No sign-in until one is set.")] = False,
    acting: As = "",
    as_json: AsJson = False,
) -> None:
    """Make an account with a role in a region. Its password is made and shown once, or asked for."""
    if len(region) not in (1, len(role)):
        raise Invalid("give one for all roles, or one for each", "--region")
    regions = region if len(region) == len(role) else region * len(role)
    grants = [Grant(*pair) for pair in zip(role, regions, strict=True)]
    password = "" if no_password else _password(prompt)
    with at_work(acting) as work, work.database.writing() as session:
        made = officers.add_officer(
            session,
            work.actor,
            work.now,
            work.desk.regions,
            login=login,
            name=name,
            grants=grants,
            phone=phone,
            email=email,
            roles=work.desk.roles,
        )
        if password:
            officers.set_password(session, made, password, work.now)
        view = _view(made)
    _say(view, "" if prompt else password, as_json)


@officer.command("list")
def list_all(as_json: AsJson = False) -> None:
    """Show all officers with their roles."""
    with at_work() as work, work.database.reading() as session:
        found = [_view(each) for each in session.scalars(sa.select(Officer).order_by(Officer.login))]
    if as_json:
        say_json({"items": found})
        return
    rows = [
        {**each, "roles": ", ".join(f"{g['role']} {g['region']}" for g in each["grants"])} for each in found
    ]
    table(rows, {name: name for name in ("login", "name", "active", "password", "roles")})


@officer.command("password")
def password(login: Login, prompt: Prompt = False, acting: As = "", as_json: AsJson = False) -> None:
    """Set a new password: made and shown once, or asked for. His sessions and tokens end."""
    text = _password(prompt)
    with at_work(acting) as work, work.database.writing() as session:
        found = officers.find(session, login)
        for grant in officers.grants_of(found):
            if not may(work.actor.grants, "admin", grant.role, grant.region, work.desk.regions):
                raise Forbidden(f"{work.actor.who} does not administer {grant.region}")
        officers.set_password(session, found, text, work.now)
        view = _view(found)
    _say(view, "" if prompt else text, as_json)


@officer.command("grant")
def grant(login: Login, role: Role, region: Region, acting: As = "", as_json: AsJson = False) -> None:
    """Give one more role."""
    with at_work(acting) as work, work.database.writing() as session:
        found = officers.find(session, login)
        officers.give(
            session, work.actor, work.now, work.desk.regions, found, Grant(role, region), work.desk.roles
        )
        view = _view(found)
    _say(view, "", as_json)


@officer.command("revoke")
def revoke(login: Login, role: Role, region: Region, acting: As = "", as_json: AsJson = False) -> None:
    """Take a role away; that he held it stays on record. Open cases it alone gave him go on to others."""
    with at_work(acting) as work, work.database.writing() as session:
        found = officers.find(session, login)
        moved = leaving.take(session, work.desk, work.actor, work.now, found, Grant(role, region))
        view = _view(found)
    _say(view, "", as_json, moved)


@officer.command("deactivate")
def deactivate(login: Login, acting: As = "", as_json: AsJson = False) -> None:
    """End an account: no sign-in, its turns are holes, and its open cases go on to others."""
    _set_active(login, False, acting, as_json)


@officer.command("activate")
def activate(login: Login, acting: As = "", as_json: AsJson = False) -> None:
    """Let an account be used again."""
    _set_active(login, True, acting, as_json)


def token(
    login: Login,
    scope: Annotated[str, typer.Option(help="api; only rosters: calendar; only the CAP feed: cap.")] = "api",
    label: Annotated[str, typer.Option(help="What it is for.")] = "",
    days: Annotated[int, typer.Option(min=0, max=3660, help="How long it is good; 0: until revoked.")] = 365,
    listed: Annotated[
        bool, typer.Option("--list", help="Show the tokens there are; never their text.")
    ] = False,
    revoked: Annotated[int, typer.Option("--revoke", metavar="ID", help="Revoke this token.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Make a bearer token of an officer for the API and show it once; only its hash is kept."""
    with at_work() as work, work.database.writing() as session:
        found = officers.find(session, login, active=not (listed or revoked))
        if revoked:
            if revoked not in session.scalars(sa.select(Token.id).where(Token.officer_id == found.id)).all():
                raise Invalid(f"{login} has no token {revoked}", "--revoke")
            officers.revoke_token(session, work.now, revoked)
        if listed or revoked:
            tokens = session.scalars(sa.select(Token).where(Token.officer_id == found.id).order_by(Token.id))
            _say_tokens([_token(each) for each in tokens], as_json)
            return
        lasts = timedelta(days=days) if days else None
        text = officers.add_token(
            session,
            work.actor,
            work.now,
            found,
            secrets.token_urlsafe(32),
            scope=scope,
            label=label,
            lasts=lasts,
        )
    if as_json:
        expires = moment(work.now + lasts) if lasts else None
        say_json({"login": login, "scope": scope, "token": text, "expires": expires})
    else:
        typer.echo(text)


def _set_active(login: str, active: bool, acting: str, as_json: bool) -> None:
    with at_work(acting) as work, work.database.writing() as session:
        found = officers.find(session, login)
        moved = leaving.set_active(session, work.desk, work.actor, work.now, found, active)
        view = _view(found)
    _say(view, "", as_json, moved)


def _password(prompt: bool) -> str:
    if prompt:
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    return secrets.token_urlsafe(15)


def _view(found: Officer) -> dict[str, Any]:
    return {
        "login": found.login,
        "name": found.name,
        "phone": found.phone,
        "email": found.email,
        "active": found.active,
        "password": "set" if found.password_hash else "none",
        "grants": [{"role": each.role, "region": each.region} for each in officers.grants_of(found)],
    }


def _say(view: dict[str, Any], password: str, as_json: bool, moved: Sequence[int] = ()) -> None:
    if as_json:
        say_json({**view, "password": password} if password else view)
        return
    roles = ", ".join(f"{each['role']} {each['region']}" for each in view["grants"]) or "no role"
    typer.echo(f"{view['login']} {view['name']}: {roles}{'' if view['active'] else ', not active'}")
    if moved:
        numbers = ", ".join(f"#{case}" for case in moved)
        typer.echo(f"{len(moved)} open cases go on to others: {numbers}")
    if password:
        typer.echo(f"password, shown once: {password}")


def _token(found: Token) -> dict[str, Any]:
    return {
        "id": found.id,
        "scope": found.scope,
        "label": found.label,
        "created": moment(found.created),
        "expires": moment(found.expires),
        "revoked": moment(found.revoked),
    }


def _say_tokens(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        say_json({"items": rows})
        return
    shown = [
        {**row, **{name: local(row[name]) for name in ("created", "expires", "revoked")}} for row in rows
    ]
    table(shown, {name: name for name in ("id", "scope", "label", "created", "expires", "revoked")})
