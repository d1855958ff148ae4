"""`liaowang duty cases` and what is done with one: ack, start, dispose, confirm, close, comment and the rest."""

from __future__ import annotations

import mimetypes
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.cli.duty.desk import As, AsJson, at_work, local, say_json, table
from schemas.levels import LEVELS
from streams.duty.cases import service
from streams.duty.cases.attachments import attach as attach_file
from streams.duty.cases.queries import (
    Filters,
    allowed,
    attachments_of,
    case_view,
    entries_of,
    entry_view,
    find_cases,
)
from streams.duty.database.models import Case
from streams.duty.lifecycle import STATES, VERDICTS
from streams.duty.refusals import Invalid

CaseId = Annotated[int, typer.Argument(metavar="CASE", help="The case's number.")]
Remark = Annotated[str, typer.Option("--text", help="A remark for the audit.")]
SHOWN = {
    "id": "case",
    "level": "level",
    "state": "state",
    "assignee": "officer",
    "region": "region",
    "title": "title",
    "opened_at": "opened",
    "verdict": "verdict",
}


def cases(
    state: Annotated[
        list[str] | None, typer.Option(help="Of these states; may be given several times.")
    ] = None,
    level: Annotated[
        list[str] | None, typer.Option(help="Of these levels; may be given several times.")
    ] = None,
    region: Annotated[str, typer.Option(help="In this region and all below it.")] = "",
    role: Annotated[str, typer.Option(help="Of this duty role.")] = "",
    rule: Annotated[str, typer.Option(help="Of this rule.")] = "",
    officer: Annotated[str, typer.Option(help="Waiting for or taken by this login.")] = "",
    every: Annotated[bool, typer.Option("--all", help="Closed ones, too.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    offset: Annotated[int, typer.Option(min=0)] = 0,
    login: As = "",
    as_json: AsJson = False,
) -> None:
    """Show cases that are not closed, the newest first."""
    for given, known, name in ((state, STATES, "--state"), (level, LEVELS, "--level")):
        for each in given or ():
            if each not in known:
                raise Invalid(f"{each!r} must be one of {', '.join(known)}", name)
    filters = Filters(
        states=tuple(state or ()),
        levels=tuple(level or ()),
        region=region,
        role=role,
        rule=rule,
        assignee=officer,
        open=None if every or state else True,
    )
    with at_work(login) as work, work.database.reading() as session:
        page = find_cases(session, work.actor, work.desk.regions, filters, limit, offset)
        items = [case_view(case) for case in page.items]
    if as_json:
        say_json({"items": items, "total": page.total, "limit": limit, "offset": offset})
    else:
        table([{**item, "opened_at": local(item["opened"])} for item in items], SHOWN)
        typer.echo(f"{len(items)} of {page.total}")


def show(case: CaseId, login: As = "", as_json: AsJson = False) -> None:
    """Show one case with its audit: who did what, when, from where."""
    with at_work(login) as work, work.database.reading() as session:
        found = service.visible(session, work.desk, work.actor, case)
        entries = [entry_view(entry) for entry in entries_of(session, found)]
        files = [
            {"id": each.id, "name": each.name, "size": each.size} for each in attachments_of(session, found)
        ]
        view = {
            **case_view(found),
            "entries": entries,
            "attachments": files,
            "allowed": list(allowed(work.actor, found, work.desk.regions)),
        }
    if as_json:
        say_json(view)
        return
    _say(view)
    for name in ("title", "runbook", "rule", "subject", "region", "role", "value", "threshold"):
        typer.echo(f"  {name}: {view[name]}")
    typer.echo(f"  to be closed by {local(view['close_by'])}")
    rows = [{**each, "at": local(each["at"]), "detail": _detail(each["detail"])} for each in entries]
    table(
        rows, {"at": "at", "kind": "what", "who": "who", "origin": "from", "text": "text", "detail": "detail"}
    )


def ack(case: CaseId, login: As = "", as_json: AsJson = False) -> None:
    """Acknowledge: the officer has it, and its escalation stops."""
    _do(login, as_json, case, service.acknowledge)


def start(case: CaseId, text: Remark = "", login: As = "", as_json: AsJson = False) -> None:
    """Say that disposal begins."""
    _do(login, as_json, case, service.start, text=text)


def dispose(
    case: CaseId,
    done: Annotated[str, typer.Option("--done", "--text", help="What was done.")],
    login: As = "",
    as_json: AsJson = False,
) -> None:
    """Say what was done."""
    _do(login, as_json, case, service.dispose, done=done)


def confirm(
    case: CaseId,
    verdict: Annotated[str, typer.Argument(metavar="VERDICT", help=", ".join(VERDICTS))],
    text: Remark = "",
    login: As = "",
    as_json: AsJson = False,
) -> None:
    """Say what the warning was: true, false, drill or duplicate."""
    _do(login, as_json, case, service.confirm, verdict=verdict, text=text)


def close(case: CaseId, text: Remark = "", login: As = "", as_json: AsJson = False) -> None:
    """Close: nothing is left to do."""
    _do(login, as_json, case, service.close, text=text)


def reopen(
    case: CaseId, text: Annotated[str, typer.Option(help="Why.")], login: As = "", as_json: AsJson = False
) -> None:
    """Reopen: it is to be dealt with again."""
    _do(login, as_json, case, service.reopen, text=text)


def comment(
    case: CaseId,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What is to be said.")],
    login: As = "",
    as_json: AsJson = False,
) -> None:
    """Add a remark."""
    _do(login, as_json, case, service.comment, text=text)


def reassign(
    case: CaseId,
    to: Annotated[str, typer.Option("--to", help="Login of the officer who gets it.")],
    text: Remark = "",
    login: As = "",
    as_json: AsJson = False,
) -> None:
    """Give it to another officer, who has to acknowledge it."""
    _do(login, as_json, case, service.reassign, to=to, text=text)


def escalate(case: CaseId, text: Remark = "", login: As = "", as_json: AsJson = False) -> None:
    """Take the next step of its chain now."""
    _do(login, as_json, case, service.escalate, text=text)


def merge(
    case: CaseId,
    into: Annotated[int, typer.Option(help="The case in which it is dealt with.")],
    text: Remark = "",
    login: As = "",
    as_json: AsJson = False,
) -> None:
    """Close it as a duplicate of another case."""
    _do(login, as_json, case, service.merge, into=into, text=text)


def attach(case: CaseId, file: Path, login: As = "", as_json: AsJson = False) -> None:
    """Attach a file: JPEG, PNG, PDF, text, CSV, Word or Excel, at most 10 MiB."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise Invalid(f"cannot be read: {error.strerror}", str(file)) from None
    kind = mimetypes.guess_type(file.name)[0] or "text/plain"
    with at_work(login) as work, work.database.writing() as session:
        made = attach_file(
            session, work.desk, work.actor, work.now, case, name=file.name, media_type=kind, content=content
        )
        said = {"id": made.id, "name": made.name, "media_type": made.media_type, "size": made.size}
    if as_json:
        say_json(said)
    else:
        typer.echo(f"attachment {said['id']}: {said['name']}, {said['size']} bytes")


def feedback(
    case: CaseId,
    question: Annotated[str, typer.Option(help="What is to be looked for.")],
    region: Annotated[list[str], typer.Option(help="Where; may be given several times.")],
    login: As = "",
    as_json: AsJson = False,
) -> None:
    """举一反三: open a follow-up case in each of these regions."""
    with at_work(login) as work, work.database.writing() as session:
        made = service.require_feedback(
            session, work.desk, work.actor, work.now, case, question=question, regions=region
        )
        views = [case_view(each) for each in made]
    if as_json:
        say_json({"items": views})
        return
    for view in views:
        _say(view)


def _do(login: str, as_json: bool, case: int, verb: Callable[..., Case], **given: Any) -> None:
    """One change of one case, in one transaction; then how the case stands."""
    with at_work(login) as work, work.database.writing() as session:
        view = case_view(verb(session, work.desk, work.actor, work.now, case, **given))
    if as_json:
        say_json(view)
    else:
        _say(view)


def _say(view: dict[str, Any]) -> None:
    verdict = f", {view['verdict']}" if view["verdict"] else ""
    officer = view["assignee"] or "nobody"
    typer.echo(f"case {view['id']}: {view['state']}{verdict}, {view['level']}, {officer}")


def _detail(detail: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in detail.items() if value is not None)
