"""`liaowang contracts`: what changed since the contracts were last released, and whether it may."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from deploy.cli.output import say_json
from deploy.environment import declared
from schemas.contract import RELEASED, Contract, load_contracts
from schemas.errors import Misdeclared
from schemas.evolution import Evolution, evolve

app = typer.Typer(help="Contracts against the last released ones.", no_args_is_help=True)
Feeds = Annotated[
    Path,
    typer.Option(
        help="Folder of the contracts.", default_factory=lambda: declared().feeds, show_default=False
    ),
]
Released = Annotated[
    Path, typer.Option(help="Folder of the last released contracts.", show_default="schemas/released")
]


@app.command()
def check(
    feeds: Feeds,
    released: Released = RELEASED,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of lines.")] = False,
) -> None:
    """Compare each contract with its last release; exit code 1 where one may not change so."""
    found = evolve(_load(released), load_contracts(feeds))
    if as_json:
        say_json([asdict(item) for item in found])
    else:
        _show(found)
    if any(item.problems for item in found):
        raise typer.Exit(1)


@app.command()
def release(
    feeds: Feeds,
    feed: Annotated[list[str] | None, typer.Argument(help="Only these feeds; else all.")] = None,
    released: Released = RELEASED,
) -> None:
    """Record contracts as released, once they pass the check and have a version of their own."""
    contracts = load_contracts(feeds)
    found = {item.feed: item for item in evolve(_load(released), contracts)}
    for name in feed or ():
        if name not in found:
            raise Misdeclared("contracts release", name, f"no such feed; there are {', '.join(found)}")
    chosen = [item for name, item in found.items() if not feed or name in feed]
    for item in chosen:
        for reason in (*item.problems, *([f"needs {item.needs}"] if item.needs else [])):
            raise Misdeclared(item.feed, "version", reason)
    for item in chosen:
        _record(item, contracts.get(item.feed), released)


def _load(root: Path) -> Mapping[str, Contract]:
    """The released contracts; how they were made up then concerns nobody, whatever words it was told in."""
    return load_contracts(root, simulated=False) if any(root.glob("*/*.yaml")) else {}


def _record(item: Evolution, contract: Contract | None, root: Path) -> None:
    domain, name = item.feed.split(".", 1)
    path = root / domain / f"{name}.yaml"
    if contract is None:
        path.unlink()
        typer.echo(f"{item.feed}: retired, removed")
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(contract.path, path)
    typer.echo(f"{item.feed}: {contract.version} is released")


def _show(found: Sequence[Evolution]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for item in found:
        versions = f"{item.released or 'not released yet'} -> {item.version or 'removed'}"
        same = item.released == item.version and not item.changes
        console.print(f"{item.feed} {item.version if same else escape(versions)}: {_verdict(item)}")
        for change in item.changes:
            word = "[red]breaking[/]" if change.breaking else "compatible"
            console.print(f"  {word}: {escape(change.where)}: {escape(change.what)}")
        for problem in item.problems:
            console.print(f"  [red]{escape(problem)}[/]")


def _verdict(item: Evolution) -> str:
    if item.problems:
        return "[red]may not stand so[/]"
    if not item.released:
        return "new"
    if item.needs:
        return f"may change so; before it is released it needs {item.needs}"
    return "may change so" if item.changes else "as released"
