"""`liaowang ranking`: periodic publication of rankings (晾晒)."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from dagster_project.days.periods import FORMS, parse
from dagster_project.ranking.pdf import check_printing
from dagster_project.ranking.publish import (
    PDF,
    current_release,
    folder_of,
    latest_day,
    period_of,
    read,
    write,
)
from dagster_project.warehouse import warehouse
from deploy.environment import load_settings
from schemas.errors import Misdeclared
from schemas.regions import load_regions

app = typer.Typer(help="Rankings of cities and counties, period by period.", no_args_is_help=True)


@app.command()
def publish(
    period: Annotated[str, typer.Option(help=f"{FORMS}; the latest with figures if not given")] = "",
    release: Annotated[
        int | None, typer.Option(help="As of this release; the current one if not given.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write to; <home>/docs/rankings if not given.")
    ] = None,
    pdf: Annotated[bool, typer.Option("--pdf", help="Print it as PDF, too.")] = False,
) -> None:
    """Write the page and the table of a period: places, rises and falls against the period before."""
    if pdf:
        check_printing()
    settings, regions = load_settings(), load_regions()
    every, day = _period(period) if period else (period_of(settings), None)
    with warehouse(settings) as open:
        seq = current_release(open) if release is None else release
        day = day or latest_day(open, seq)
        if day is None:
            raise Misdeclared(
                "rankings", "release", f"release {seq} has no figures; liaowang build makes some"
            )
        found = read(open, regions, every, day, seq)
    page = write(out or folder_of(settings), found, regions, pdf)
    printed = f" and {page.with_name(PDF)}" if pdf else ""
    typer.echo(f"{found.label}: {len(found.sheets)} indicators of release {seq} in {page}{printed}")


def _period(text: str) -> tuple[str, date]:
    try:
        return parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


@app.command("list")
def list_() -> None:
    """List the publications of this home, newest first."""
    pages = sorted(folder_of(load_settings()).glob("*/index.html"), reverse=True)
    for page in pages:
        typer.echo(f"{page.parent.name}  {page}")
    if not pages:
        typer.echo("nothing published yet")
