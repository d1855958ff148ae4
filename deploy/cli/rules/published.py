"""`liaowang rules publish|diff|history|retire`: rules change while events flow."""

from __future__ import annotations

import difflib
import json
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from deploy.cli.output import screen
from deploy.environment import declared, load_settings
from deploy.rules import files as files
from deploy.rules.rule_files import found
from schemas.contract import load_contracts
from schemas.declaration import read_text
from schemas.errors import Misdeclared
from schemas.fields import SHANGHAI
from streams.watch.declare.load import load_rule
from streams.watch.publish.published import NEWEST, History, RuleRecord

DIFFERENT = 1

Names = Annotated[
    list[str], typer.Argument(help="Rules by id (ecology.pm25-high) or file.", show_default=False)
]
Name = Annotated[str, typer.Argument(help="A rule by id or file.", show_default=False)]
Version = Annotated[int | None, typer.Argument(help="A published version.", show_default=False)]


def publish(rules: Names) -> None:
    """Publish rules: all workers change to them at the same tick. Several are one publication."""
    made = files.publish_these(load_settings(), load_contracts(declared().feeds), rules)
    for entry in made:
        typer.echo(f"{entry.rule}: version {entry.version} published; in force from the next tick on")
    if not made:
        typer.echo("nothing to publish: these versions are published already")


def diff(rule: Name, version: Version = None, other: Version = None) -> None:
    """Show the version in force (or VERSION) against the file, or against OTHER; exit code 1 if they differ."""
    history = files.history(load_settings())
    name = _id(rule)
    version = version or _in_force(history, name).version
    old = _text(history, name, version)
    if other is None:
        path = found(rule, declared().rules)
        new, there = read_text(path), str(path)
    else:
        new, there = _text(history, name, other), f"{name} version {other}"
    lines = list(difflib.unified_diff(
        old.splitlines(), new.splitlines(), f"{name} version {version}", there, lineterm=""
    ))  # fmt: skip
    if lines:
        typer.echo("\n".join(lines))
        raise typer.Exit(DIFFERENT)
    typer.echo(f"{name}: no difference")


def history(
    rule: Annotated[str, typer.Argument(help="Only this rule.", show_default=False)] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Show what was published and retired when, oldest first, and what is in force."""
    found = files.history(load_settings())
    records = [(offset, entry) for offset, entry in found.records if rule in ("", entry.rule)]
    if rule and not records:
        known = sorted({entry.rule for _, entry in found.records})
        raise Misdeclared(rule, "rule", f"was never published; there are {', '.join(known) or 'none'}")
    kinds = (found.in_force, found.baselines, found.newest_records)
    standing = [entry for kind in kinds for entry in kind().values()]
    told = [_told(found, offset, entry, any(entry is each for each in standing)) for offset, entry in records]
    if as_json:
        for each in told:
            typer.echo(json.dumps(each, ensure_ascii=False))
        return
    table = Table()
    for name in ("epoch", "rule", "version", "what", "when", "in force"):
        table.add_column(name, overflow="fold")
    for each in told:
        when = f"{datetime.fromisoformat(str(each['at'])).astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}"
        force = "yes" if each["in_force"] else ""
        table.add_row(
            str(each["epoch"]), str(each["rule"]), str(each["version"]), str(each["what"]), when, force
        )
    screen().print(table)


def retire(rule: Name) -> None:
    """Take a rule out of force at the next tick; its open warnings are cancelled. A higher version revives it."""
    entry = files.retire(load_settings(), load_contracts(declared().feeds), rule)
    typer.echo(f"{rule}: version {entry.version} retired; out of force from the next tick on")


def baseline(
    table: Annotated[str, typer.Argument(help="Name of the baseline, as rules name it.", show_default=False)],
    file: Annotated[Path, typer.Argument(help="CSV of subject,slot,mean,sd.", show_default=False)],
) -> None:
    """Publish the next version of a baseline: rules compare with it from the next tick on."""
    entry = files.publish_baseline(load_settings(), table, file)
    typer.echo(f"baseline {table}: version {entry.version} published; in force from the next tick on")


def _id(name: str) -> str:
    if name.endswith((".yaml", ".yml")):
        return load_rule(found(name, declared().rules), load_contracts(declared().feeds), declared().rules).id
    return name


def _in_force(history: History, rule: str) -> RuleRecord:
    entry = history.in_force().get(rule)
    if entry is None:
        known = ", ".join(sorted(history.in_force())) or "none"
        raise Misdeclared(rule, "rule", f"is not in force; name a version, or one of {known}")
    return entry


def _text(history: History, rule: str, version: int) -> str:
    text = history.text(rule, version)
    if text is None:
        known = ", ".join(str(entry.version) for _, entry in history.versions(rule) if entry.text) or "none"
        raise Misdeclared(rule, "version", f"{version} was never published; there are {known}")
    return text


def _what(entry: RuleRecord) -> str:
    if entry.kind == NEWEST:
        return f"rules read {entry.text} by this name"
    return f"{entry.kind} published" if entry.text else "rule retired"


def _told(history: History, offset: int, entry: RuleRecord, in_force: bool) -> dict[str, object]:
    epoch = min((at + 1 for at, each in history.records if at >= offset and not each.more), default=None)
    return {
        "epoch": epoch,
        "rule": entry.rule,
        "version": entry.version,
        "what": _what(entry),
        "at": entry.at.isoformat(),
        "in_force": in_force,
    }
