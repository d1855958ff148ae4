"""`liaowang export`: a dataset as CSV and Parquet with a data package, for the open-data catalogue."""

from __future__ import annotations

import logging
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from dagster_project.build.index import all_figures
from dagster_project.share.export import FORMATS
from dagster_project.share.export import export as write
from dagster_project.share.open_data import WORDS, datasets
from dagster_project.warehouse import warehouse
from deploy.cli.output import screen
from deploy.environment import declared, load_settings
from schemas.contract import load_contracts
from schemas.errors import Misdeclared
from schemas.in_use import departments_of


class Format(StrEnum):
    """In which formats to write."""

    csv = "csv"
    parquet = "parquet"
    both = "both"


def export(
    dataset: Annotated[str, typer.Argument(help="An indicator or a feed; --list shows them.")] = "",
    out: Annotated[Path | None, typer.Option(help="Folder to write to; else <home>/export/DATASET.")] = None,
    format: Annotated[Format, typer.Option(help="csv, parquet or both.")] = Format.both,
    release: Annotated[int | None, typer.Option(min=1, help="As of this release; else the current.")] = None,
    show: Annotated[bool, typer.Option("--list", help="List what can be exported.")] = False,
) -> None:
    """Write a dataset's public fields as CSV and Parquet with a Frictionless data package (公共数据开放)."""
    logging.getLogger("clickhouse_driver").setLevel(logging.CRITICAL)
    settings = load_settings()
    contracts = load_contracts(declared().feeds)
    indicators = all_figures([contract.table for contract in contracts.values()], declared())
    departments = departments_of(declared())
    known = datasets(list(contracts.values()), list(indicators.values()), departments)
    if show:
        table = Table("dataset", "title", "owner", "licence", "updated", "fields")
        for item in known.values():
            updated = WORDS[item.period]
            owner, fields = departments.titled(item.owner), str(len(item.columns))
            table.add_row(item.id, item.title_zh, owner, item.licence, updated, fields)
        screen().print(table)
        return
    if dataset not in known:
        told = "has no public field, or is unknown" if dataset else "say which dataset"
        raise Misdeclared("liaowang export", dataset or "DATASET", f"{told}; there are {', '.join(known)}")
    formats = list(FORMATS) if format is Format.both else [format.value]
    folder = out or settings.home / "export" / dataset
    with warehouse(settings) as open:
        done = write(open, known[dataset], folder, formats, release)
    typer.echo(f"{done.rows} rows of release {done.release} in {done.folder}: {', '.join(done.files)}")
