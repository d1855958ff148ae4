"""`liaowang send`: files of a department become events of a feed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from deploy.cli.complaint import complain
from deploy.cli.output import screen
from deploy.cli.progress_bar import progress_bars
from deploy.environment import declared, load_settings
from schemas.contract import Contract, load_contracts
from schemas.declaration import parse_duration
from schemas.errors import Misdeclared, Unavailable
from schemas.fields import SHANGHAI
from schemas.in_use import taken
from schemas.majors import named, upgraders
from schemas.upgrade import Upgrader
from streams.intake.increase import CORRECTED, RESTARTED
from streams.intake.retry_policy import Clock, RetryPolicy
from streams.intake.sending import Outcome, Request, carry_out

FALLS = {CORRECTED: "falls corrected in earlier rows", RESTARTED: "cumulative figures begun anew"}
WRONG_INPUT, UNREADABLE_ROWS, BROKER_AWAY = 2, 3, 4


class Order(StrEnum):
    """In which order the events of a file are sent."""

    time = "time"
    file = "file"


def send(
    feed: Annotated[str, typer.Argument(help="The feed, e.g. ecology.air-quality.")],
    files: Annotated[list[Path], typer.Argument(help="CSV, known by its header, or JSON lines.")],
    speed: Annotated[
        float, typer.Option(min=0, help="Seconds of data a second; 0: as fast as possible.")
    ] = 0.0,
    timeline: Annotated[
        str, typer.Option(help="The replay's name (the mapping's name, or the file's).")
    ] = "",
    order: Annotated[Order, typer.Option(help="By event time, or as the file stands.")] = Order.time,
    again: Annotated[bool, typer.Option("--again", help="Send files that have been sent before.")] = False,
    horizon: Annotated[
        datetime | None,
        typer.Option(help="Where its time ends, UTC+8 (the last event plus the lateness of the feed)."),
    ] = None,
    tick: Annotated[str, typer.Option(help="Smallest step between ticks on the replay's clock.")] = "PT1H",
    timeout: Annotated[float, typer.Option(min=0, help="Seconds to wait for a broker that is away.")] = 120.0,
    live: Annotated[
        bool, typer.Option("--live", help="Its warnings open cases and officers are told: for a drill.")
    ] = False,
) -> None:
    """Send files as events of a feed, in order of event time, with ticks on the replay's own clock.

    A replay opens no case and tells no officer unless it is live; its warnings are seen everywhere as a replay's.
    A file is sent once; a sending cut short is just sent again: ids are the same, nothing counts twice.
    Ends with 2 for wrong input, 3 where rows were unreadable (the rest is sent), 4 for a broker away.
    """
    console = screen(highlight=False)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        contract, upgrades = _contract(feed)
        request = Request(
            contract=contract,
            paths=tuple(files),
            now=datetime.now(UTC),
            timeline=timeline,
            speed=speed,
            in_file_order=order is Order.file,
            again=again,
            horizon=horizon.replace(tzinfo=SHANGHAI) if horizon else None,
            step=_step(tick),
            live=live,
            upgrades=upgrades,
        )
        outcomes = run(request, load_settings().kafka, timeout, console)
    except Misdeclared as error:
        complain(str(error))
        raise typer.Exit(WRONG_INPUT) from error
    except Unavailable as error:
        complain(f"{error}; send again when it is back, nothing counts twice")
        raise typer.Exit(BROKER_AWAY) from error
    if any(outcome.tally.unreadable for outcome in outcomes):
        raise typer.Exit(UNREADABLE_ROWS)


def run(request: Request, kafka: str, timeout: float, console: Console) -> list[Outcome]:
    """Carry a sending out and show it: a progress bar, then a table a timeline."""
    with progress_bars(console) as bars:
        watcher = _Screen(bars)
        retry = RetryPolicy(Clock(time.monotonic, asyncio.sleep), timeout, watcher.say)
        outcomes = asyncio.run(carry_out(request, kafka, retry, watcher))
    for outcome in outcomes:
        _show(outcome, console)
    return outcomes


class _Screen:
    """Shows a sending on the terminal."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars

    def say(self, text: str) -> None:
        self._bars.console.print(escape(text))

    def begin(self, timeline: str, total: int | None) -> Callable[[int], None]:
        task = self._bars.add_task(timeline, total=total)
        return lambda sent: self._bars.advance(task, sent)


def _contract(feed: str) -> tuple[Contract, tuple[Upgrader, ...]]:
    """The contract, and what makes its events those of newer major versions too."""
    contracts = _contracts()
    contract = named(contracts, feed)
    if contract is None:
        raise Misdeclared("send", "FEED", f"no feed {feed!r}; there are {', '.join(contracts)}")
    return contract, upgraders(contracts, contract)


def _contracts() -> dict[str, Contract]:
    """The contracts of the files; where one is wrong it is said, and those that are in use will do."""
    try:
        return load_contracts(declared().feeds)
    except Misdeclared as error:
        kept = taken(load_settings().home)
        if kept is None:
            raise
        complain(f"{error}; going on with the contracts in use")
        return load_contracts(kept.feeds)


def _step(tick: str) -> timedelta:
    step = parse_duration(tick)
    if not step:
        raise Misdeclared("send", "--tick", f"{tick!r} must be an ISO 8601 duration such as PT1H")
    return step


def _show(outcome: Outcome, console: Console) -> None:
    tally = outcome.tally
    table = Table("replay", outcome.timeline, title_justify="left")
    table.add_row("rows read", f"{tally.rows.total():,}")
    for reason, count in tally.skipped.most_common():
        table.add_row(f"skipped: {escape(reason)}", f"{count:,}")
    table.add_row("unreadable", f"{tally.unreadable:,}")
    table.add_row("events sent", f"{tally.events:,}")
    table.add_row("  of them corrections", f"{tally.corrections:,}")
    if tally.ahead:
        table.add_row("  of them ahead of now: landing rejects them (future)", f"{tally.ahead:,}")
    for what, label in FALLS.items():
        if count := tally.decided[what]:
            table.add_row(label, f"{count:,}")
    table.add_row("ticks", f"{tally.ticks:,}")
    table.add_row("events/s", f"{tally.events / outcome.seconds:,.0f}")
    console.print(table)
    for file, bad in tally.first_unreadable:
        console.print(f"{escape(file)}:{bad.line}: {escape(bad.reason)}", style="yellow")
    for file, fall in tally.first_decided:
        console.print(f"{escape(file)}:{fall.line}: {escape(fall.text)}")
    if (more := tally.decided.total() - len(tally.first_decided)) > 0:
        console.print(f"… and {more:,} more falls or new beginnings")
    if tally.unreadable > len(tally.first_unreadable):
        console.print(f"… and {tally.unreadable - len(tally.first_unreadable):,} more unreadable rows")
