"""`liaowang demo`: the main job from end to end, and what came of it."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from deploy.cli.data import generate, intake
from deploy.cli.output import screen
from deploy.cli.progress_bar import progress_bars
from deploy.cli.stack import stack
from deploy.cli.stack.caught_up import behind, catch_up, ends
from deploy.cli.stack.summary import summary
from deploy.cli.warehouse import warehouse
from deploy.environment import declared, load_settings
from schemas.contract import load_contracts
from schemas.errors import LiaowangError
from schemas.settings import Settings
from schemas.topics import DISPOSITIONS, PARTIALS, WARNINGS, WATCH_GROUP
from streams.duty.push_worker import outbox_path
from streams.duty.systems.outbox import Outbox

DAYS, SEED, TIMELINE = 32, 1, "generated"
STALL_TIMEOUT = 60.0
"""Seconds without any movement after which a worker is said to be stuck."""


def demo(
    data: Annotated[Path | None, typer.Option(help="A folder with real files; they come on top.")] = None,
    days: Annotated[int, typer.Option(min=5, help="Days of generated feeds.")] = DAYS,
    seed: Annotated[int, typer.Option(help="Seed of the generated feeds.")] = SEED,
) -> None:
    """Start the stack, take feeds in, warn, push, build, judge, release; then show it. Safe to run again.

    The generated days are sent live, so that cases are there to work on: they are a drill, and the one screen
    shows them apart (`/screen?drill=yes`). Real files are old ones and open no case.
    """
    console, begun = screen(highlight=False), time.monotonic()
    real = real_files(data) if data is not None else []
    stack.up()
    settings = load_settings()
    folder = settings.home / "generated" / f"{days}-{seed}"
    if not (folder / "planted.json").exists():
        generate.generate(days=days, seed=seed, out=folder)
    for path in sorted(folder.glob("*.jsonl")):
        _send(path.stem, path, timeline=f"{TIMELINE}-{days}-{seed}", order=intake.Order.file, live=True)
    for feed, path in real:
        _send(feed, path)
    _await_quiet(settings, console)
    warehouse.build(pending=True, approve=True)
    for table in summary(settings):
        console.print(table)
    console.print("the cases of the generated days are a drill: /screen?drill=yes of the console shows them")
    console.print(f"done in {time.monotonic() - begun:.0f} s; `make down` stops the stack, its data stay")


def real_files(folder: Path) -> list[tuple[str, Path]]:
    """The CSV files of a folder that a contract's mapping recognises, with their feeds."""
    if not folder.is_dir():
        raise LiaowangError(f"{folder}: there is no such folder; DATA must name one with CSV files")
    mappings = [(c.feed, mapping) for c in load_contracts(declared().feeds).values() for mapping in c.intake]
    found = []
    for path in sorted(folder.glob("*.csv")):
        with path.open(newline="", encoding="utf-8-sig") as file:
            header = next(csv.reader(file), [])
        found += [(feed, path) for feed, mapping in mappings if mapping.recognises(header)]
    return found


def _send(
    feed: str, path: Path, timeline: str = "", order: intake.Order = intake.Order.time, *, live: bool = False
) -> None:
    intake.send(feed, [path], timeline=timeline, order=order, live=live)


def _await_quiet(settings: Settings, console: Console) -> None:
    """Wait, showing it, until everything sent is landed, watched and pushed."""
    topics = {contract.topic for contract in load_contracts(declared().feeds).values()}
    sent = ends(settings, sorted(topics - {WARNINGS, DISPOSITIONS}))
    with progress_bars(console) as bars:
        _follow(bars, "watched", lambda: behind(settings, WATCH_GROUP, sent))
        gathered = ends(settings, [PARTIALS])
        _follow(bars, "watched, second stage", lambda: behind(settings, WATCH_GROUP, gathered))
        warned = ends(settings, [WARNINGS])
        _follow(bars, "landed", lambda: behind(settings, "liaowang-land", sent | warned))
        _follow(bars, "warnings taken to push", lambda: behind(settings, "push", warned))
        _follow(bars, "pushed", lambda: _pending(settings))


def _follow(bars: Progress, what: str, remaining: Callable[[], int]) -> None:
    bar = bars.add_task(what, total=None)
    catch_up(
        remaining, lambda done, total: bars.update(bar, completed=done, total=total), STALL_TIMEOUT, what
    )


def _pending(settings: Settings) -> int:
    outbox = Outbox(outbox_path(settings))
    try:
        return outbox.counts().get("pending", 0)
    finally:
        outbox.close()
