"""`liaowang duty silence|channels|notifications`: what goes to officers, by which way, and what is kept quiet."""

from __future__ import annotations

import asyncio
import getpass
import json
import secrets as random
from datetime import UTC, datetime
from typing import Annotated, Any

import sqlalchemy as sa
import typer
from rich.table import Table

from deploy.cli.output import screen
from deploy.environment import load_settings
from schemas.declaration import parse_duration
from schemas.errors import LiaowangError, Misdeclared
from schemas.fields import SHANGHAI
from schemas.regions import load_regions
from schemas.settings import Settings
from streams.duty.cases.known_rules import known_rules, published_at
from streams.duty.database.database import Database
from streams.duty.database.models import Notification, Officer, Silence
from streams.duty.home import open_database, operator
from streams.duty.notify.channels.config import Channels
from streams.duty.notify.channels.home import channels_path, open_channels
from streams.duty.notify.channels.message import Message, Recipient
from streams.duty.notify.channels.sender import Sender
from streams.duty.notify.notifications import counts
from streams.duty.notify.silencing import add_silence, end_silence, list_silences
from streams.duty.retry_policy import Answer
from streams.duty.shifts.roles import rules_now

silence = typer.Typer(no_args_is_help=True, help="Times in which notifications are not sent.")
Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]


def _now() -> datetime:
    return datetime.now(UTC)


def _database(settings: Settings) -> Database:
    return open_database(settings, _now(), load_regions())


def _moment(text: str, name: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Misdeclared("arguments", name, f"{text!r} must be a moment such as 2026-03-01T08:00") from None
    return found if found.tzinfo else found.replace(tzinfo=SHANGHAI)


@silence.command("add")
def add(
    reason: Annotated[str, typer.Option(help="Why; it stands with every notification kept quiet.")],
    lasting: Annotated[str, typer.Option("--for", help="How long, such as PT2H or P1D.")],
    rule: Annotated[list[str] | None, typer.Option(help="A rule; may stand several times.")] = None,
    region: Annotated[list[str] | None, typer.Option(help="A region's code, and all in it.")] = None,
    level: Annotated[list[str] | None, typer.Option(help="A level; all levels where none is given.")] = None,
    start: Annotated[str, typer.Option("--from", help="When it begins; now where not given.")] = "",
) -> None:
    """Keep notifications quiet for a time: maintenance, a calibration, a drill. Cases open all the same."""
    settings, regions, now = load_settings(), load_regions(), _now()
    length = parse_duration(lasting)
    if length is None:
        raise Misdeclared("arguments", "--for", f"{lasting!r} must be a duration such as PT2H")
    begin = _moment(start, "--from") if start else now
    database = _database(settings)
    declared = rules_now(settings).known if rule else ()
    known = known_rules(database, published_at(settings.kafka), rule or [], declared)
    with database.writing() as session:
        made = add_silence(
            session,
            regions,
            operator(f"operator:{getpass.getuser()}", "command line", regions),
            now,
            rules=rule or [],
            where=region or [],
            levels=level or [],
            starts=begin,
            ends=begin + length,
            reason=reason,
            known=known,
        )
        number, until = made.id, made.ends
    typer.echo(f"silence {number} holds until {until.astimezone(SHANGHAI):%Y-%m-%d %H:%M}")


@silence.command("end")
def end(number: Annotated[int, typer.Argument(help="Its number, as `list` shows it.")]) -> None:
    """End a silence now; it stays in the record."""
    regions = load_regions()
    actor = operator(f"operator:{getpass.getuser()}", "command line", regions)
    with _database(load_settings()).writing() as session:
        end_silence(session, regions, actor, _now(), number)
    typer.echo(f"silence {number} is over")


@silence.command("list")
def list_(
    all_: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    as_json: Json = False,
) -> None:
    """Show the silences that hold now or later."""
    with _database(load_settings()).reading() as session:
        rows = [_plain(row) for row in list_silences(session, _now(), all=all_)]
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))
    else:
        _table(("id", "starts", "ends", "rules", "regions", "levels", "reason", "by"), rows)


def _plain(row: Silence) -> dict[str, Any]:
    return {
        "id": row.id,
        "starts": row.starts.astimezone(SHANGHAI).isoformat(timespec="minutes"),
        "ends": (row.ended or row.ends).astimezone(SHANGHAI).isoformat(timespec="minutes"),
        "rules": json.loads(row.rules),
        "regions": json.loads(row.regions),
        "levels": json.loads(row.levels),
        "reason": row.reason,
        "by": row.created_by,
    }


def notifications(
    last: Annotated[int, typer.Option(min=0, max=10_000, help="How many of the newest to show.")] = 20,
    as_json: Json = False,
) -> None:
    """Show what officers were told: pending, delivered, dead, suppressed, and the newest of them."""
    query = (
        sa.select(Notification, Officer.login)
        .outerjoin(Officer, Officer.id == Notification.officer_id)
        .order_by(Notification.id.desc())
        .limit(last)
    )
    with _database(load_settings()).reading() as session:
        states = counts(session)
        rows = [_told(row, login) for row, login in session.execute(query)]
    if as_json:
        typer.echo(json.dumps({"counts": states, "last": rows}, ensure_ascii=False))
        return
    typer.echo("  ".join(f"{state} {number:,}" for state, number in states.items()))
    _table(("created", "level", "kind", "case", "to", "channel", "state", "tries", "error"), rows)


def _told(row: Notification, login: str | None) -> dict[str, Any]:
    return {
        "created": row.created.astimezone(SHANGHAI).isoformat(timespec="seconds"),
        "level": row.level,
        "kind": row.kind,
        "case": row.case_id,
        "to": login,
        "channel": row.channel,
        "state": row.state,
        "tries": row.attempts,
        "error": row.last_error,
        "reason": json.loads(row.reason) if row.reason else None,
        "key": row.key,
    }


def channels(
    try_: Annotated[str, typer.Option("--try", help="Send a test message by this channel.")] = "",
    to: Annotated[str, typer.Option(help="The officer it goes to, by login.")] = "",
    as_json: Json = False,
) -> None:
    """Show the declared channels; with --try send a test message and say what the service answers."""
    settings = load_settings()
    found, secrets = open_channels(settings, strict=True)
    if try_:
        _try(settings, found, secrets, try_, to)
        return
    rows = [
        {
            "name": each.name,
            "kind": each.kind,
            "to": each.options.get("url") or f"{each.options.get('host')}:{each.options.get('port')}",
            "quota": f"{each.quota} in {each.per:g} s" if each.quota else "none",
            "instead": each.instead,
            "gathers": each.group,
        }
        for each in found.channels.values()
    ]
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))
    else:
        _table(("name", "kind", "to", "quota", "instead", "gathers"), rows, str(channels_path(settings)))


def _try(
    settings: Settings, found: Channels, secrets: dict[str, dict[str, str]], name: str, login: str
) -> None:
    if name not in found.channels:
        raise Misdeclared("arguments", "--try", f"no channel {name}; there are {', '.join(found.channels)}")
    recipient = _recipient(settings, login) if login else Recipient()
    now = _now()
    message = Message(
        key=f"try-{random.token_hex(8)}",
        level="blue",
        title="测试消息，请忽略 (a test, please ignore)",
        lines=(f"通道：{name}",),
        url="",
        at=now,
        to=recipient,
        labels={"rule": "duty.test"},
    )

    async def send() -> Answer:
        async with Sender(secrets, lambda: random.token_hex(16)) as sender:
            return await sender.send(found.channels[name], message, now.timestamp())

    answer = asyncio.run(send())
    if answer.status is None or not 200 <= answer.status < 300:
        raise LiaowangError(f"channel {name}: {answer.reason or answer.status}")
    typer.echo(f"channel {name} has taken the message")


def _recipient(settings: Settings, login: str) -> Recipient:
    with _database(settings).reading() as session:
        row = session.scalars(sa.select(Officer).where(Officer.login == login)).one_or_none()
    if row is None:
        raise Misdeclared("arguments", "--to", f"no officer {login}")
    return Recipient(row.login, row.name, row.phone, row.email)


def _table(columns: tuple[str, ...], rows: list[dict[str, Any]], title: str = "") -> None:
    table = Table(title=title or None)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row[column]) for column in columns))
    screen().print(table)


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)
