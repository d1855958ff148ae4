"""`liaowang generate`: write generated feeds and the list of what was planted in them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress, TaskID
from rich.table import Table

from deploy.cli.complaint import complain
from deploy.cli.output import screen
from deploy.cli.progress_bar import progress_bars
from deploy.environment import load_settings
from schemas.contract import FEEDS, load_contracts
from schemas.contract_model import Contract
from schemas.errors import Misdeclared
from schemas.in_use import files_of
from schemas.majors import named
from schemas.nearest import unknown_names
from schemas.regions import load_regions
from streams.generate.model import Places, Span, Tally
from streams.generate.report import planted
from streams.generate.world import Feed, World, make_world

CHUNK = 2000
DEFAULT_UNTIL = date(2025, 6, 30)


def generate(
    days: Annotated[int, typer.Option(min=1, max=3660, help="Number of days.")] = 30,
    seed: Annotated[int, typer.Option(help="Same seed, days and until: same bytes.")] = 1,
    until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last day (2025-06-30).")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write to (<home>/generated).")] = None,
    feed: Annotated[list[str] | None, typer.Option(help="Only this feed; may stand several times.")] = None,
) -> None:
    """Write events of every feed whose contract says how (simulate), and planted.json: the anomalies and dirt."""
    settings = load_settings()
    folder = out or settings.home / "generated"
    span = Span(days, until.date() if until else DEFAULT_UNTIL, seed)
    console = screen()
    world = make_world(generated_feeds(feed or [], files_of(settings).feeds), all_places(), span)
    bars = progress_bars(console)
    try:
        with bars:
            tallies = write_world(world, span, folder, _follow(bars))
    except OSError as error:
        complain(f"cannot write to {folder}: {error.strerror or error}")
        raise typer.Exit(1) from error
    console.print(_summary(tallies, len(world.anomalies), folder))


def generated_feeds(wanted: list[str], root: Path = FEEDS) -> list[Contract]:
    """The contracts with a `simulate` block, or those of them that are wanted."""
    known = {feed: contract for feed, contract in load_contracts(root).items() if contract.simulate}
    if unknown := [name for name in wanted if named(known, name) is None]:
        said = f"no feed with a simulate block: {unknown_names(unknown, known)}; there are {', '.join(known)}"
        raise Misdeclared("generate", "feed", said)
    return [each for each in known.values() if not wanted or {each.feed, each.event_type} & {*wanted}]


def all_places() -> Places:
    """Every city and county of the region tree, with the inhabitants of the 2020 census."""
    regions = load_regions()
    return Places(regions.cities, regions.counties, regions.province)


def write_world(
    world: World, span: Span, folder: Path, advance: Callable[[Feed, int], None]
) -> dict[str, Tally]:
    """Write `<feed>.jsonl` for each feed and planted.json; each file appears only when it is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    tallies = {feed.name: _write_feed(feed, folder, advance) for feed in world.feeds}
    text = json.dumps(planted(span, world.anomalies, tallies), ensure_ascii=False, indent=1)
    part = folder / "planted.json.part"
    part.write_text(text + "\n", encoding="utf-8")
    part.replace(folder / "planted.json")
    return tallies


def _write_feed(feed: Feed, folder: Path, advance: Callable[[Feed, int], None]) -> Tally:
    tally = Tally()
    part = folder / f"{feed.name}.jsonl.part"
    with part.open("wb") as file:
        for chunk in _chunks(feed, tally):
            file.writelines(chunk)
            advance(feed, len(chunk))
    part.replace(folder / f"{feed.name}.jsonl")
    return tally


def _chunks(feed: Feed, tally: Tally) -> Iterator[list[bytes]]:
    chunk: list[bytes] = []
    for line in feed.lines:
        tally.count(line)
        chunk.append(line.raw + b"\n")
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    yield chunk


def _follow(bars: Progress) -> Callable[[Feed, int], None]:
    """A progress bar for each feed; its end is an estimate, put right by what came."""
    tasks: dict[str, TaskID] = {}

    def advance(feed: Feed, lines: int) -> None:
        if feed.name not in tasks:
            tasks[feed.name] = bars.add_task(feed.name, total=feed.expected_lines)
        task = tasks[feed.name]
        bars.update(task, advance=lines)
        if lines < CHUNK:
            bars.update(task, total=bars.tasks[task].completed)

    return advance


def _summary(tallies: dict[str, Tally], anomalies: int, folder: Path) -> Table:
    table = Table(title=f"Generated feeds in {folder}, {anomalies} anomalies planted")
    table.add_column("feed", no_wrap=True)
    for name in ("lines", "valid and unique", "duplicates", "rejected", "late"):
        table.add_column(name, justify="right")
    for feed, tally in tallies.items():
        figures = (tally.lines, tally.valid_unique, tally.duplicates, tally.rejected, tally.late)
        table.add_row(feed, *(f"{figure:,}" for figure in figures))
    return table
