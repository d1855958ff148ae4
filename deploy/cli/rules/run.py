"""`liaowang rules run`: try one rule on a file of events, without any server."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.table import Table

from deploy.cli.complaint import complain
from deploy.cli.output import screen
from deploy.cli.rules.named import Contracts, Folder, chosen_of
from deploy.rules.trial import Trial, as_json, load_baselines
from schemas.contract_files import ContractFiles
from schemas.errors import Misdeclared
from schemas.fields import SHANGHAI
from streams.watch.declare.rule import Rule
from streams.watch.engine.trial_events import NoMoment, moment
from streams.watch.episodes.episode import Transition
from streams.watch.episodes.warning import shown

SOME_UNREADABLE = 3


class Order(StrEnum):
    """In which order the lines of a file came in."""

    FILE = "file"
    TIME = "time"


def run(
    rule: Annotated[str, typer.Argument(help="A rule's id, or a YAML file anywhere.", show_default=False)],
    events: Annotated[
        str, typer.Option(help="File of events, one JSON document a line; - is standard input.")
    ],
    rules: Folder,
    contracts: Contracts,
    as_lines: Annotated[bool, typer.Option("--json", help="One JSON object a transition.")] = False,
    until: Annotated[
        str | None,
        typer.Option(
            help="Let the clock run on to this time (ISO 8601 with offset), so that silence counts."
        ),
    ] = None,
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
    feeds = ContractFiles(contracts)
    known, (chosen,) = chosen_of([rule], rules, feeds)
    trial = Trial(feeds, known, chosen, load_baselines(baseline or ()))
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


def _until(text: str | None) -> datetime | None:
    try:
        return None if text is None else moment(text, "--until")
    except NoMoment as error:
        raise Misdeclared("liaowang rules run", "--until", error.problem) from None


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
