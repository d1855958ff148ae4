"""`liaowang rules review`: what rules should have warned of, by complete data, beside what they did."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from dagster_project.mart.rule_quality import RuleWarning, stored
from dagster_project.warehouse import warehouse
from deploy.cli.output import screen
from deploy.cli.progress_bar import progress_bars
from deploy.environment import declared, load_settings
from deploy.rule_history.kept_review import review_and_keep, unknown_rule_epochs
from deploy.rule_history.review import Asked, Outcome
from schemas.contract import load_contracts
from schemas.errors import Misdeclared
from schemas.fields import SHANGHAI
from schemas.settings import Settings
from streams.watch.trial.review import AGREED, VERDICTS

SHOWN = 100


def review(
    day: Annotated[str, typer.Option(help="The day (Asia/Shanghai); yesterday without it.")] = "",
    since: Annotated[str, typer.Option("--from", help="First of several days.")] = "",
    until: Annotated[str, typer.Option("--to", help="Last of several days.")] = "",
    rule: Annotated[str, typer.Option(help="Only this rule, by its id.")] = "",
    warm_up: Annotated[
        int | None,
        typer.Option(min=0, help="Days read before the first; as far as the rules look back without it."),
    ] = None,
    show: Annotated[
        bool, typer.Option("--stored", help="Show what the latest reviews found; decide nothing.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="One JSON object instead of tables.")] = False,
) -> None:
    """Decide again on complete data what rules in force should have warned of, and keep how they did.

    All landed events count, late ones too, each once and as last corrected, in order of event time. Each warning
    there should have been or was is agreed, earlier, later, missed or spurious, by level. Reviewed again, a day's
    figures replace those before: mart.rule_quality, mart.reviewed_warning. Every night Dagster does this.
    """
    settings = load_settings()
    asked = _asked(day, since, until, rule, warm_up)
    begun = time.monotonic()
    found = _stored(settings, asked) if show else _review(settings, asked)
    if json_:
        typer.echo(json.dumps(_plain(asked, found, time.monotonic() - begun), ensure_ascii=False))
    else:
        _show(screen(), asked, found)


def _asked(day: str, since: str, until: str, rule: str, warm_up: int | None) -> Asked:
    if day and (since or until):
        raise Misdeclared(
            "arguments", "--day", "is one day; --from and --to are several: give one or the other"
        )
    if bool(since) != bool(until):
        raise Misdeclared(
            "arguments", "--to" if since else "--from", "is missing: --from and --to go together"
        )
    yesterday = datetime.now(SHANGHAI).date() - timedelta(days=1)
    first = _day(day or since, "--day" if day else "--from") or yesterday
    last = _day(until, "--to") or first
    if last < first:
        raise Misdeclared("arguments", "--to", f"{last} is before {first}")
    return Asked(first, last, rule, warm_up)


def _day(text: str, name: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise Misdeclared("arguments", name, f"{text!r} must be a day such as 2025-06-30") from None


def _review(settings: Settings, asked: Asked) -> Outcome:
    with progress_bars(Console(stderr=True)) as bars:
        task = bars.add_task("review", total=None)

        def told(done: int, total: int) -> None:
            bars.update(task, advance=done, total=total)

        contracts = load_contracts(declared().feeds)
        found = review_and_keep(settings, contracts, asked, datetime.now(UTC), told)
    if note := unknown_rule_epochs(found):
        typer.echo(f"note: {note}", err=True)
    return found


def _stored(settings: Settings, asked: Asked) -> Outcome:
    with warehouse(settings) as open:
        days, warnings = stored(open, asked.first, asked.last, asked.rule)
    return Outcome(tuple(days), tuple(warnings), 0)


def _plain(asked: Asked, found: Outcome, seconds: float) -> dict[str, object]:
    return {
        "from": asked.first.isoformat(),
        "to": asked.last.isoformat(),
        "rules": [each.as_json() for each in found.days],
        "warnings": [each.as_json() for each in found.warnings],
        "events": found.events,
        "seconds": round(seconds, 3),
    }


def _show(console: Console, asked: Asked, found: Outcome) -> None:
    span = f"{asked.first}" if asked.first == asked.last else f"{asked.first} to {asked.last}"
    busy = [each for each in found.days if any(getattr(each, name) for name in VERDICTS)]
    table = Table(title=f"What rules should have warned of and did, {span}")
    for name in ("day", "rule", "level", *VERDICTS, "median delay"):
        table.add_column(name, justify="right" if name in VERDICTS else "left", overflow="fold")
    for each in busy:
        named = f"{each.rule} v{each.version}{f' ({each.timeline})' if each.timeline else ''}"
        delay = each.as_json()["median_delay_seconds"]
        counts = [str(getattr(each, name)) for name in VERDICTS]
        table.add_row(f"{each.day}", named, each.level, *counts, _length(delay))
    console.print(table)
    _differences(console, [each for each in found.warnings if each.verdict != AGREED])
    rules = {(each.rule, each.day, each.timeline) for each in found.days}
    quiet = len(rules - {(each.rule, each.day, each.timeline) for each in busy})
    early = sorted({f"{each.day}" for each in found.days if not each.complete})
    console.print(f"{len(rules)} rule-days reviewed, {quiet} of them without any warning", highlight=False)
    if early:
        console.print(f"more is due of {', '.join(early)}: review again when it has come", highlight=False)


def _differences(console: Console, different: Sequence[RuleWarning]) -> None:
    if not different:
        return
    first = f", the first {SHOWN}" if len(different) > SHOWN else ""
    table = Table(title=f"{len(different)} differences{first}")
    for name in ("what", "rule", "level", "subject", "should have been", "was"):
        table.add_column(name, overflow="fold")
    for each in different[:SHOWN]:
        table.add_row(
            each.verdict,
            each.rule,
            each.level,
            each.subject,
            _moment(each.known_now),
            _moment(each.known_then),
        )
    console.print(table)


def _moment(at: datetime | None) -> str:
    return "" if at is None else at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")


def _length(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{'-' if seconds < 0 else '+'}{timedelta(seconds=abs(round(seconds)))}"
