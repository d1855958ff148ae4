"""`liaowang index`: composite indices from any table, without a server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from dagster_project.composite.compute import Computed, compute
from dagster_project.composite.report import summary, summary_html, summary_json
from dagster_project.composite.results import files
from dagster_project.composite.schema import spec_schema
from dagster_project.composite.sensitivity import Spread, analyse
from dagster_project.composite.source import Source, join, read_source
from dagster_project.composite.spec import Spec, read_spec
from dagster_project.composite.table import show
from deploy.cli.output import screen
from schemas.errors import Misdeclared

FAILED_RUNS = 3
"""Exit code: results are there, but some runs of the sensitivity analysis could not be computed."""

app = typer.Typer(help="Composite indices: scores and ranks from any table.", no_args_is_help=True)


@app.command("compute")
def compute_(
    spec: Annotated[Path, typer.Argument(help="the index: a YAML file, see docs/composite-index.md")],
    out: Annotated[Path, typer.Option(help="folder to write results to; made where it is not there")],
    data: Annotated[
        list[Path] | None,
        typer.Option(help="CSV table, a row a unit; further tables are joined by the unit's code"),
    ] = None,
) -> None:
    """Compute an index: every step as CSV, a summary as JSON and as a page, into a folder.

    Exit code 3: the results are there, but runs of the sensitivity analysis could not be computed.
    """
    declared = read_spec(_text(spec, spec), str(spec), lambda name: _text(_beside(spec, name), spec))
    tables = data or ([spec.parent / declared.data] if declared.data else [])
    if not tables:
        raise Misdeclared(str(spec), "data.file", "must be given where --data is not: the table to read")
    source = _source(tables, declared)
    computed = compute(declared, source)
    spread = analyse(computed, source, declared.sensitivity) if declared.sensitivity else None
    found = summary(computed, spread, tuple(str(table) for table in tables))
    texts = {
        **files(computed, spread),
        "summary.json": summary_json(found),
        "summary.html": summary_html(computed, spread, found),
    }
    _write(out, texts)
    _tell(computed, out, len(texts))
    if spread is not None and spread.failed:
        _tell_failed(spread, declared)
        raise typer.Exit(FAILED_RUNS)


@app.command()
def schema(
    out: Annotated[Path | None, typer.Option(help="file to write to, instead of standard output")] = None,
) -> None:
    """Print the JSON Schema of an index's YAML file, for editors."""
    text = json.dumps(spec_schema(), indent=2, ensure_ascii=False) + "\n"
    if out is None:
        typer.echo(text, nl=False)
    else:
        _write(out.parent, {out.name: text})


def _source(tables: list[Path], spec: Spec) -> Source:
    source = read_source(_text(tables[0], tables[0]), str(tables[0]), spec.reading)
    for path in tables[1:]:
        source = join(source, read_source(_text(path, path), str(path), spec.reading))
    return source


def _beside(spec: Path, name: str) -> Path:
    """A file a spec names: beside the spec, or else from where the command is run."""
    near = spec.parent / name
    return Path(name) if not near.exists() and Path(name).exists() else near


def _text(path: Path, named_by: Path) -> str:
    """The text of a file, UTF-8 or, as spreadsheets in China write it, GB 18030."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        raise Misdeclared(
            str(named_by), "file", f"{path} {problem}" if path != named_by else problem
        ) from None
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Misdeclared(str(path), "file", "must be UTF-8 or GB 18030 text")


def _write(out: Path, texts: dict[str, str]) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (out / name).write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise Misdeclared(str(out), "--out", f"cannot be written: {error.strerror}") from None


def _tell_failed(spread: Spread, declared: Spec) -> None:
    plan = declared.sensitivity
    lost = ", and no sensitivity indices were made" if plan and plan.indices else ""
    typer.echo(
        f"sensitivity: {spread.failed} of {spread.tried} runs could not be computed;"
        f" their ranks are missing{lost}. The first: {spread.why}"
    )


def _tell(computed: Computed, out: Path, written: int) -> None:
    spec = computed.spec
    found = summary(computed, None, ())
    table = Table(title=spec.title_zh)
    for column in ("rank", "unit", "name", "score"):
        table.add_column(column, justify="right" if column in ("rank", "score") else "left")
    for row in found["results"][:10]:
        score = "" if row["score"] is None else show(round(row["score"], 4))
        table.add_row("" if row["rank"] is None else str(row["rank"]), row["code"], row["name"], score)
    console = screen()
    console.print(table)
    for warning in computed.warnings:
        console.print(f"note: {warning}", soft_wrap=True, markup=False, highlight=False)
    typer.echo(f"{found['units']} units, {found['indicators']} indicators; {written} files in {out}")
