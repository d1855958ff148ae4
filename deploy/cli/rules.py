"""`liaowang rules`: look at the early-warning rules, check them, and try them without any server."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.table import Table

from deploy.cli.complaint import complain
from deploy.cli.screen import screen
from deploy.rule_trial import Trial, as_json, load_baselines
from deploy.rules import place_of
from schemas.contract import FEEDS, load_contracts
from schemas.errors import Misdeclared
from schemas.fields import SHANGHAI
from streams.watch.episode import Transition
from streams.watch.happenings import moment
from streams.watch.levels import LEVELS
from streams.watch.offline import said, spoken, try_example
from streams.watch.rule import RULES, Rule, load_rule, load_rules
from streams.watch.rule_form import FORMS
from streams.watch.rule_schema import rule_schema
from streams.watch.rule_set import check_members, check_roles
from streams.watch.warning import shown

app = typer.Typer(help="The early-warning rules.", no_args_is_help=True)

SOME_UNREADABLE = 3


class Order(StrEnum):
    """In which order the lines of a file came in."""

    FILE = "file"
    TIME = "time"


Folder = Annotated[Path, typer.Option("--rules", help="Folder of rules, <domain>/<rule>.yaml.")]
Contracts = Annotated[Path, typer.Option("--contracts", help="Folder of contracts, <domain>/<feed>.yaml.")]
Names = Annotated[
    list[str] | None,
    typer.Argument(help="Rule ids or files; all rules where none is named.", show_default=False),
]


@app.command("list")
def list_(rules: Folder = RULES, contracts: Contracts = FEEDS) -> None:
    """Show every rule: feed, condition and levels."""
    table = Table(title="Early-warning rules")
    for column in ("rule", "version", "title", "feed", "condition", "levels", "duty role", "status"):
        table.add_column(column, overflow="fold")
    for rule in load_rules(load_contracts(contracts), rules, drafts=True):
        levels = ", ".join(f"{LEVELS[rank]} {_bound(rule, bound)}" for rank, bound in reversed(rule.bounds))
        feeds = ", ".join(rule.feeds)
        row = (rule.id, str(rule.version), rule.title, feeds, rule.kind, levels, rule.duty_role, rule.status)
        table.add_row(*row)
    screen().print(table)


def _bound(rule: Rule, bound: float) -> str:
    """A bound as people read it: a span of time, or a figure."""
    if FORMS[rule.kind].bounds == "duration":
        return str(timedelta(seconds=bound)).removesuffix(", 0:00:00")
    return f"{'<= ' if rule.below else ''}{bound:g}"


@app.command()
def lint(names: Names = None, rules: Folder = RULES, contracts: Contracts = FEEDS) -> None:
    """Check the declarations: keys, values, feeds and fields, members, duty roles, examples that warn."""
    _, chosen = _chosen(names, rules, contracts)
    check_roles(chosen, _places(names, chosen, rules))
    wanting = [rule for rule in chosen if not any(example.warns for example in rule.examples)]
    for rule in wanting:
        complain(f"{rule.id}: examples: there must be at least one that warns")
    if wanting:
        raise typer.Exit(1)
    typer.echo(f"{len(chosen)} rules are declared well")


@app.command()
def test(names: Names = None, rules: Folder = RULES, contracts: Contracts = FEEDS) -> None:
    """Run the examples of rules; exit code 1 where one does not hold."""
    known, chosen = _chosen(names, rules, contracts)
    declared = load_contracts(contracts)
    failed = run = 0
    for rule in chosen:
        for example in rule.examples:
            run += 1
            found = said(try_example(declared, known, rule, example))
            if found != example.warns:
                failed += 1
                complain(f"{rule.id}: {example.name}: expected {spoken(example.warns)}, got {spoken(found)}")
    if failed:
        raise typer.Exit(1)
    typer.echo(f"{len(chosen)} rules do what their {run} examples say")


@app.command()
def schema() -> None:
    """Print the JSON Schema of rule files, for editors."""
    typer.echo(json.dumps(rule_schema(), ensure_ascii=False, indent=2))


@app.command()
def run(
    rule: Annotated[str, typer.Argument(help="A rule's id, or a YAML file anywhere.", show_default=False)],
    events: Annotated[
        str, typer.Option(help="File of events, one JSON document a line; - is standard input.")
    ],
    as_lines: Annotated[bool, typer.Option("--json", help="One JSON object a transition.")] = False,
    until: Annotated[
        str | None,
        typer.Option(
            help="Let the clock run on to this time (ISO 8601 with offset), so that silence counts."
        ),
    ] = None,
    rules: Folder = RULES,
    contracts: Contracts = FEEDS,
    baseline: Annotated[
        list[Path] | None, typer.Option(help="CSV of subject,slot,mean,sd; its name is the table's.")
    ] = None,
    states: Annotated[
        bool, typer.Option(help="After each event the state of its subject: inactive, pending or firing.")
    ] = False,
    order: Annotated[
        Order, typer.Option(help="In which order the lines came in: as they stand, or by their time.")
    ] = Order.FILE,
) -> None:
    """Evaluate one rule on a file of events, offline, and print the transitions it makes.

    Lines are CloudEvents, or {"time": …, "data": {…}} with "id", "source", and "feed" where the rule reads several
    feeds; or the data itself beside its "time"; or {"tick": …}, the clock. All events are judged; silence after
    the last one counts only up to --until. Lines that cannot be read or break the contract are told with their
    number and left out; exit code 3 then.
    """
    known, (chosen,) = _chosen([rule], rules, contracts)
    trial = Trial(load_contracts(contracts), known, chosen, load_baselines(baseline or ()))
    trial.states, trial.sort = states, order is Order.TIME
    end = _until(until)
    printed: list[Transition] = []
    with _opened(events) as file:
        for found in trial.run(file, end):
            if isinstance(found, Transition) and not as_lines:
                printed.append(found)
            else:
                typer.echo(json.dumps(as_json(found, chosen), ensure_ascii=False))
    if not as_lines and not states:
        screen().print(_table(chosen, printed))
    for bad in trial.bad:
        complain(f"{events}: line {bad.number} {bad.problem}")
    typer.echo(trial.summary(), err=True)
    if trial.bad:
        raise typer.Exit(SOME_UNREADABLE)


def _places(names: list[str] | None, chosen: list[Rule], folder: Path) -> dict[str, str]:
    """Where each rule stands, by its id: the file that was named, or its place in the folder."""
    if not names:
        return {rule.id: str(place_of(rule.id, folder)) for rule in chosen}
    return {
        rule.id: name if name != rule.id else str(place_of(rule.id, folder))
        for name, rule in zip(names, chosen, strict=True)
    }


def _until(text: str | None) -> datetime | None:
    try:
        return None if text is None else moment(text, "--until")
    except ValueError as error:
        raise Misdeclared("liaowang rules run", "--until", str(error).removeprefix('"--until" ')) from None


@contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    """The file, or standard input."""
    if name == "-":
        yield sys.stdin.buffer
        return
    try:
        file = Path(name).open("rb")  # noqa: SIM115 - what is done with it may fail for other reasons
    except OSError as error:
        raise Misdeclared("liaowang rules run", "--events", f"{name}: {error.strerror or error}") from None
    with file:
        yield file


def _chosen(names: list[str] | None, folder: Path, feeds: Path) -> tuple[list[Rule], list[Rule]]:
    """(all rules there are, those named): by id in the folder, or by file wherever it lies."""
    contracts = load_contracts(feeds)
    known = {rule.id: rule for rule in load_rules(contracts, folder, drafts=True)}
    chosen, files = [], {}
    for name in names or ():
        path = Path(name)
        if path.suffix in (".yaml", ".yml") or path.is_file():
            rule = load_rule(path, contracts, folder)
            files[rule.id] = name
        elif name in known:
            rule = known[name]
        else:
            there = ", ".join(known) or "none"
            raise Misdeclared(str(folder), name, f"no such rule and no such file; there are {there}")
        known[rule.id] = rule
        chosen.append(rule)
    check_members(known.values(), files)
    return list(known.values()), chosen if names else list(known.values())


def _table(rule: Rule, transitions: Iterable[Transition]) -> Table:
    table = Table(title=f"{rule.id}, version {rule.version}")
    for column in ("at (Asia/Shanghai)", "subject", "transition", "level"):
        table.add_column(column, overflow="fold")
    table.add_column("value", justify="right")
    table.add_column("threshold", justify="right")
    for each in transitions:
        at = datetime.fromtimestamp(each.at / 1000, SHANGHAI).isoformat(sep=" ", timespec="seconds")[:19]
        table.add_row(at, each.subject, each.kind, each.level, shown(each.value), shown(each.threshold))
    return table
