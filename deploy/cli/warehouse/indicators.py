"""`liaowang indicators`: the figures; `lint` and `test` check declarations of indicators and indices."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from deploy.cli.complaint import complain
from deploy.cli.output import calm, screen
from deploy.environment import declared, load_settings
from schemas.contract import load_contracts
from schemas.errors import Misdeclared

if TYPE_CHECKING:
    from dagster_project.build.index import Index
    from dagster_project.build.indicator import Indicator

Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"])]
Names = Annotated[
    list[str] | None,
    typer.Argument(help="Indicators, indices or their files; all where none is named.", show_default=False),
]
app = typer.Typer()


@app.callback(invoke_without_command=True)
def indicators(
    context: typer.Context,
    release: Annotated[
        int | None, typer.Option(help="As of this release; the current one if not given.", min=1)
    ] = None,
    day: Day = None,
) -> None:
    """Show each indicator's figures of its latest day, or of a given one; or check declarations."""
    if context.invoked_subcommand is None:
        _show(release, day)


@app.command()
def lint(names: Names = None) -> None:
    """Check declarations: keys, values, examples, and the SQL against the tables it reads; exit code 1 or 2."""
    chosen, indexes = _chosen(names)
    wrong = _problems(chosen, indexes)
    if not wrong and chosen:
        wrong = _tried(chosen, examples=False)
    _end(wrong, f"{len(chosen) + len(indexes)} indicators are declared well")


@app.command()
def test(names: Names = None) -> None:
    """Run the examples on an engine of their own; exit code 1 where one does not hold."""
    from dagster_project.build.indicator_trial import try_index
    from schemas.regions import load_regions

    chosen, indexes = _chosen(names)
    wrong = _problems(chosen, indexes)
    if not wrong:
        wrong = [
            f"{index.indicator.id}: {example.name}: {each}"
            for index in indexes
            for example in index.examples
            for each in try_index(index, example, load_regions())
        ]
        wrong += _tried(chosen, examples=True) if chosen else []
    run = sum(len(item.examples) for item in chosen) + sum(len(index.examples) for index in indexes)
    _end(wrong, f"{len(chosen) + len(indexes)} indicators do what their {run} examples say")


def _end(wrong: Iterable[str], well: str) -> None:
    told = list(wrong)
    for line in told:
        complain(line)
    if told:
        raise typer.Exit(1)
    typer.echo(well)


def _problems(chosen: list[Indicator], indexes: list[Index]) -> list[str]:
    """What is seen without an engine."""
    from dagster_project.build.indicator_trial import example_problems, index_problems
    from schemas.regions import load_regions

    contracts, regions = load_contracts(declared().feeds), load_regions()
    found = [f"{item.path}: {each}" for item in chosen for each in example_problems(item, contracts, regions)]
    return found + [
        f"{item.indicator.path}: {each}" for item in indexes for each in index_problems(item, regions)
    ]


def _tried(chosen: list[Indicator], examples: bool) -> list[str]:
    """What an engine finds wrong with the SQL, and with the examples where they are to be run."""
    from dagster_project.build.indicator_trial import describe, try_example
    from deploy.local.trial_warehouse import trial_warehouse
    from schemas.regions import load_regions

    contracts, regions, found = load_contracts(declared().feeds), load_regions(), list[str]()
    tables = {table for item in chosen for table in item.reads}
    with trial_warehouse([each for each in contracts.values() if each.table in tables]) as open:
        for item in chosen:
            try:
                describe(open, item)
            except Misdeclared as error:
                found.append(str(error))
                continue
            for number, example in enumerate(item.examples if examples else ()):
                told = try_example(open, item, example, contracts, regions, f"{item.id} {number}")
                found += [f"{item.id}: {example.name}: {each}" for each in told]
    return found


def _chosen(names: list[str] | None) -> tuple[list[Indicator], list[Index]]:
    """The indicators and indices of these names or files, or all; of the folder only those named are read."""
    from dagster_project.build.index import load_index, load_indexes
    from dagster_project.build.indicator import load_indicator, load_indicators

    roots = declared()
    tables = [each.table for each in load_contracts(roots.feeds).values()]
    if not names:
        known = load_indicators(tables, roots.indicators)
        return list(known.values()), list(load_indexes(known, roots.indexes, tables).values())
    own, made = (
        {f"{path.parent.name}.{path.stem}": path for path in sorted(root.glob("*/*.yaml"))}
        for root in (roots.indicators, roots.indexes)
    )
    chosen, indexes = [], []
    for name in names:
        path = own.get(name) or made.get(name) or Path(name)
        if not path.is_file():
            raise Misdeclared(
                "indicators",
                name,
                f"no such indicator and no such file; there are {', '.join([*own, *made])}",
            )
        if path in made.values() or "\nindex:" in path.read_text(encoding="utf-8"):
            indexes.append(load_index(path, load_indicators(tables, roots.indicators)))
        else:
            chosen.append(load_indicator(path, tables))
    return chosen, indexes


def _show(release: int | None, day: datetime | None) -> None:
    """The figures as a table an indicator."""
    from dagster_project.warehouse import warehouse

    calm()
    source = "mart.indicator" if release is None else f"mart.indicator_at(release = {release})"
    chosen = "" if day is None else f" WHERE day = '{day:%Y-%m-%d}'"
    latest = f"SELECT indicator, max(day) FROM {source}{chosen} GROUP BY indicator"
    with warehouse(load_settings()) as open:
        rows = open.rows(
            "SELECT i.title_zh, i.unit, i.day, r.name, i.value, i.province, i.level, i.decimals,"
            f" i.release_seq FROM {source} AS i INNER JOIN mart.region AS r ON r.code = i.region"
            f" WHERE (i.indicator, i.day) IN ({latest}) ORDER BY i.indicator, i.region"
        )
    console = screen()
    titles = dict.fromkeys((row[0], row[1], row[2], row[8]) for row in rows)
    for title, unit, on, seq in titles:
        table = Table("region", "value", "province", "level", title=f"{title} ({unit}), {on}, release {seq}")
        for row in rows:
            if row[0] == title:
                table.add_row(row[3], _figure(row[4], row[7]), _figure(row[5], row[7]), row[6])
        console.print(table)
    if not titles:
        console.print("no figures: nothing is published for that")


def _figure(value: float | None, decimals: int) -> str:
    return "" if value is None else f"{value:.{decimals}f}"
