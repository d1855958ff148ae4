"""`liaowang release`: what is published, what changed, and how to go back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Annotated

import typer
from rich.table import Table

from dagster_project.build.index import all_figures
from dagster_project.build.indicator import Indicator
from dagster_project.days.spans import gather
from dagster_project.release import catalogue, expiry
from dagster_project.release.diff import Difference, FigureChange, difference
from dagster_project.warehouse import warehouse
from deploy.cli.output import calm, say_json, screen
from deploy.environment import declared, load_settings
from schemas.contract import load_contracts
from schemas.declaration import parse_duration
from schemas.errors import Misdeclared
from schemas.regions import load_regions

app = typer.Typer(help="What is published.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="JSON instead of tables.")]
Seq = Annotated[int, typer.Argument(min=1, help="Number of the release.")]
SHOWN = 50


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 20,
    as_json: Json = False,
) -> None:
    """List the latest releases, newest first."""
    calm()
    with warehouse(load_settings()) as open:
        found = catalogue.releases(open, limit)
    if as_json:
        say_json([item.as_json() | {"state": item.state} for item in found])
        return
    columns = (
        "release",
        "published",
        "days of tables",
        "tables",
        "from",
        "to",
        "incomplete",
        "kind",
        "state",
    )
    table = Table(*columns)
    for item in found:
        table.add_row(
            str(item.seq),
            f"{item.released:%Y-%m-%d %H:%M:%S}",
            *(str(item.days), str(len(item.tables)), str(item.first), str(item.last), str(item.incomplete)),
            f"{item.kind} {item.note}".strip(),
            item.state,
        )
    screen().print(table if found else "no release yet")


@app.command()
def show(seq: Seq, as_json: Json = False) -> None:
    """Show a release's manifest: tables, days, builds, offsets, contract versions, suites, verdicts."""
    calm()
    with warehouse(load_settings()) as open:
        item, lines = catalogue.release(open, seq), catalogue.manifest(open, seq)
    if as_json:
        say_json(item.as_json() | {"state": item.state, "manifest": [line.as_json() for line in lines]})
        return
    console = screen(highlight=False)
    console.print(
        f"release {item.seq} of {item.released:%Y-%m-%d %H:%M:%S}, after {item.parent}: {item.kind} {item.note}"
        f" by code {item.code} {f'({item.state})' if item.state else ''}"
    )
    table = Table("table", "day", "rows", "build", "offsets", "version", "suite", "verdict", "complete")
    for line in lines:
        entry = line.entry
        places = ", ".join(f"{place}:{first}..{last}" for place, (first, last) in entry.offsets.items())
        complete = "yes" if entry.complete else "no"
        names = (entry.build_id[:8], places, entry.version, entry.suite_hash[:8], line.verdict, complete)
        table.add_row(entry.table, str(entry.day), f"{entry.rows:,}", *names)
    console.print(table)


@app.command()
def diff(
    first: Annotated[int, typer.Argument(min=1, help="The earlier release.")],
    second: Annotated[
        int | None, typer.Argument(min=1, help="The later one; the current if not given.")
    ] = None,
    indicator: Annotated[str, typer.Option(help="Only this indicator, such as ecology.good-air-days.")] = "",
    region: Annotated[str, typer.Option(help="Only this region, by code.")] = "",
    limit: Annotated[int, typer.Option(min=0, help="How many figures to show; 0: all.")] = SHOWN,
    as_json: Json = False,
) -> None:
    """Show the days, figures and ranks that differ between two releases."""
    calm()
    known = _indicators()
    if indicator and indicator not in {item.id for item in known}:
        raise Misdeclared("release diff", "--indicator", f"there are {', '.join(item.id for item in known)}")
    with warehouse(load_settings()) as open:
        if second is None:
            current = catalogue.releases(open, 1)
            second = current[0].seq if current else first
        found = difference(open, first, second, known)
    figures = [
        item for item in found.figures if indicator in ("", item.indicator) and region in ("", item.region)
    ]
    if as_json:
        say_json(found.as_json() | {"figures": Difference(0, 0, (), tuple(figures)).as_json()["figures"]})
        return
    console = screen(highlight=False)
    console.print(_days(found))
    console.print(_figures(figures[: limit or None], {item.id: item for item in known}))
    if limit and len(figures) > limit:
        console.print(f"… and {len(figures) - limit:,} more figures (--limit 0 shows all)")


@app.command()
def rollback(seq: Seq) -> None:
    """Show again what an earlier release showed, as a new release; later builds are kept and can come back."""
    calm()
    settings = load_settings()
    with warehouse(settings) as open:
        made, entries = catalogue.roll_back(
            open, seq, settings.home / "release.lock", version("liaowang"), datetime.now(UTC)
        )
    if made is None:
        typer.echo(f"nothing to do: the current release shows what release {seq} showed")
    else:
        typer.echo(f"release {made} shows what release {seq} showed: {len(entries)} days of tables changed")


@app.command()
def pin(
    seq: Seq,
    reason: Annotated[str, typer.Option(help="Why it is to be kept, for those who come later.")] = "",
) -> None:
    """Keep a release from expiring."""
    _pin(seq, True, reason)
    typer.echo(f"release {seq} is pinned: it does not expire")


@app.command()
def unpin(seq: Seq) -> None:
    """Let a release expire by age again."""
    _pin(seq, False, "")
    typer.echo(f"release {seq} is not pinned any more")


@app.command()
def expire(
    older_than: Annotated[
        str, typer.Option(help="Age as an ISO 8601 duration; the setting release_days if not given.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    as_json: Json = False,
) -> None:
    """Let old releases expire unless pinned or current; events that only they show are deleted."""
    calm()
    settings = load_settings()
    age = parse_duration(older_than) if older_than else timedelta(days=settings.release_days)
    if not age or age < timedelta(days=1):
        raise Misdeclared(
            "release expire", "--older-than", "must be a duration of a day or more, such as P90D"
        )
    feeds = [contract.table for contract in load_contracts(declared().feeds).values()]
    with warehouse(settings) as open:
        gone = expiry.expire(
            *(open, feeds, [item.table for item in _indicators()], age, settings.home / "release.lock"),
            now=datetime.now(UTC),
            dry=dry_run,
        )
    if as_json:
        say_json({"releases": gone.releases, "builds": gone.builds, "dry_run": dry_run})
        return
    verb = "would expire" if dry_run else "expired"
    numbers = ", ".join(map(str, gone.releases)) or "no release"
    typer.echo(f"{verb}: {numbers}; builds {'to delete' if dry_run else 'deleted'}: {len(gone.builds)}")


def _pin(seq: int, pinned: bool, reason: str) -> None:
    calm()
    with warehouse(load_settings()) as open:
        expiry.pin(open, seq, pinned, reason, datetime.now(UTC))


def _indicators() -> list[Indicator]:
    return list(
        all_figures(
            [contract.table for contract in load_contracts(declared().feeds).values()], declared()
        ).values()
    )


def _days(found: Difference) -> Table:
    table = Table(
        "table", "days changed", "rows before", "rows after", title=f"{found.first} -> {found.second}"
    )
    for name in dict.fromkeys(item.table for item in found.days):
        mine = [item for item in found.days if item.table == name]
        spans = ", ".join(str(span) for span in gather((item.day for item in mine), 5))
        before, after = (sum(getattr(item, side) or 0 for item in mine) for side in ("before", "after"))
        table.add_row(name, f"{len(mine)}: {spans}", f"{before:,}", f"{after:,}")
    return table


def _figures(figures: Sequence[FigureChange], indicators: dict[str, Indicator]) -> Table:
    regions = load_regions()
    table = Table("indicator", "day", "region", "value", "rank", "level", title="Figures")
    for item in figures:
        decimals = indicators[item.indicator].decimals
        value = _arrow(
            *(None if side is None else f"{side:.{decimals}f}" for side in (item.before, item.after))
        )
        ranks = _arrow(*(None if side is None else str(side) for side in (item.rank_before, item.rank_after)))
        level = _arrow(item.level_before, item.level_after)
        name = getattr(regions.get(item.region), "name", item.region)
        table.add_row(item.indicator, str(item.day), name, value, ranks, level)
    return table


def _arrow(before: str | None, after: str | None) -> str:
    return before or "" if before == after else f"{before or '-'} -> {after or '-'}"
