"""`liaowang explain`: one figure, back to the messages it was made of."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from dagster_project.build.index import Index, load_indexes
from dagster_project.build.indicator import Indicator, load_indicators
from dagster_project.days import periods
from dagster_project.explain.explanation import Explanation, Message
from dagster_project.explain.figure import COMMAND, Known, Question
from dagster_project.explain.figure import explain as find
from dagster_project.explain.index import explain_index, replay_index
from dagster_project.explain.page import explain_page, page_path, shown
from dagster_project.explain.replay import Replayed, replay
from dagster_project.warehouse import Warehouse, warehouse
from deploy.cli.output import screen
from deploy.environment import declared, load_settings
from schemas.contract import load_contracts
from schemas.errors import LiaowangError, Misdeclared
from schemas.in_use import departments_of
from schemas.pseudonyms import Pseudonyms
from schemas.regions import Regions, load_regions
from schemas.settings import HOST


def explain(
    indicator: Annotated[str, typer.Argument(help="Its id, such as ecology.good-air-days, or an index's.")],
    region: Annotated[str, typer.Option(help="GB/T 2260 code or name; 330000 is the province.")],
    period: Annotated[str, typer.Option(help=f"Which period: {periods.FORMS}.")],
    release: Annotated[int | None, typer.Option(min=1, help="As of this release; else the current.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of tables.")] = False,
    messages: Annotated[int, typer.Option(min=0, help="How many messages to list; 0 lists all.")] = 20,
    page: Annotated[bool, typer.Option("--page", help="Write it as a page beside the Data Docs.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write the page to this file.")] = None,
    again: Annotated[
        bool,
        typer.Option("--replay", help="Make the figure again from its messages; exit code 1 if it differs."),
    ] = False,
) -> None:
    """Tell where a figure came from: release, build, verdicts, offsets, departments, messages."""
    logging.getLogger("clickhouse_driver").setLevel(logging.CRITICAL)
    settings = load_settings()
    contracts = {contract.table: contract for contract in load_contracts(declared().feeds).values()}
    key = Pseudonyms(settings.pseudonym_key) if settings.pseudonym_key else None
    known = Known(contracts, load_regions(), key)
    asked, index = _asked(load_indicators(contracts, declared().indicators), indicator)
    question = Question(asked, _region(known.regions, region), _day(asked, period), release)
    with warehouse(settings) as open:
        found, replayed = _find(
            open, known, question, index, None if again or not messages else messages, again
        )
    found = _listed(found, messages or None)
    target = html or (page_path(settings.home, found) if page else None)
    if target is not None:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(explain_page(found, departments_of(declared())), encoding="utf-8")
    if as_json:
        typer.echo(to_json(found, replayed))
    else:
        show(screen(highlight=False), found)
        if target is not None:
            served = target.relative_to(settings.home / "docs") if page and html is None else None
            typer.echo(f"page: http://{HOST}:{settings.docs_port}/{served}" if served else f"page: {target}")
    if replayed is not None:
        _demand_same(found, replayed, quiet=as_json)


def _find(
    open: Warehouse, known: Known, question: Question, index: Index | None, limit: int | None, again: bool
) -> tuple[Explanation, Replayed | None]:
    """The figure explained, and made again where that is asked for."""
    if index is None:
        found = find(open, known, question, limit)
        return found, replay(open, known, question, found.messages) if again else None
    found = explain_index(open, known, index, question, limit)
    return found, replay_index(open, known, index, question, found) if again else None


def _listed(found: Explanation, most: int | None) -> Explanation:
    """With so many of its messages at most, and of each figure it is made of; None: all."""
    inputs = tuple(_listed(item, most) for item in found.inputs)
    return replace(found, messages=found.messages[:most], inputs=inputs)


def to_json(found: Explanation, replayed: Replayed | None = None) -> str:
    """The explanation as one JSON object; days and moments in ISO 8601, offsets as numbers."""
    plain: dict[str, Any] = asdict(found)
    if replayed is not None:
        plain["replay"] = asdict(replayed) | {"same": same(found, replayed)}
    return msgspec.json.format(msgspec.json.encode(plain), indent=2).decode()


def show(console: Console, found: Explanation) -> None:
    """Tables for a person."""
    console.print(f"[bold]{found.title_zh}[/] {found.title_en}")
    figure, release, build = found.figure, found.release, found.build
    where = f"{found.region_name} ({found.region}), {found.period}"
    console.print(f"{where}: [bold]{shown(figure['value'])} {found.unit}[/]")
    table = Table(show_header=False)
    parts = f"{shown(figure['numerator'])} / {shown(figure['denominator'])}"
    table.add_row("made of", f"{parts}, through {figure['through']}")
    for name in ("province", "level", "target", "achievement", "year_on_year", "period_on_period"):
        table.add_row(name, shown(figure[name]) or "–")
    table.add_row("rank", f"{figure['rank']} of {figure['ranked']}" if figure["rank"] else "not ranked")
    flags = [name for name in ("missing", "imputed") if figure[name]]
    table.add_row("flags", ", ".join(flags) or "none")
    table.add_row("release", f"{release.seq}, {release.released}, after {release.parent}")
    table.add_row("code", f"liaowang {release.code}, indicator {release.version}")
    table.add_row("content", release.content_hash + ("" if release.complete else " (input not complete)"))
    verdict = {True: "[green]passed[/]", False: "[red]failed[/]", None: "[red]no verdict[/]"}
    words = f"{release.verdict.expectations} expectations of {release.verdict.suite}"
    table.add_row("gate", f"{verdict[release.verdict.passed]}: {words}")
    span = f"{build.first}..{build.last}"
    table.add_row("build", f"{build.build_id} of {span}, other days from release {build.parent}")
    for item in found.compared:
        table.add_row("compared with", f"{item.period}: {shown(item.value)}, build {item.build_id}")
    console.print(table)
    if found.shares:
        console.print(_shares(found))
    _show_sources(console, found)
    console.print(_messages(found.messages, found))


def same(found: Explanation, replayed: Replayed) -> bool:
    """Whether the replay came to the figure that is published."""
    value, again = found.figure["value"], replayed.value
    if value is None or again is None or found.figure["imputed"]:
        return value is again or bool(found.figure["imputed"])
    return abs(float(value) - again) <= 1e-8 * max(1.0, abs(float(value)))


def _shares(found: Explanation) -> Table:
    title = "what the score is made of" + ("" if found.sufficient else ", placed among all regions")
    table = Table("indicator", "figure", "score", "weight", "contribution", "build", title=title)
    builds = {item.indicator: item.build.build_id for item in found.inputs}
    for one in found.shares:
        numbers = (shown(number) for number in (one.value, one.score, one.weight, one.contribution))
        table.add_row(f"{one.title_zh} {one.indicator}", *numbers, builds[one.indicator])
    return table


def _show_sources(console: Console, found: Explanation) -> None:
    departments = departments_of(declared())
    for source in found.sources:
        who = departments.titled(source.department)
        title = f"{source.feed}, department {who}, {source.first}..{source.last}"
        table = Table("build", "days", "contract", "gate", "rows", "quarantined", title=title)
        for part in source.parts[-10:]:
            days = f"{part.first}..{part.last}"
            gate = "passed" if part.passed else "[red]not passed"
            versions = ", ".join(part.contract_versions)
            table.add_row(part.build_id, days, versions, gate, str(part.rows), str(part.quarantined))
        if len(source.parts) > 10:
            table.caption = f"the latest 10 of {len(source.parts)} builds; --json has all"
        console.print(table)
        offsets = Table("topic", "partition", "first offset", "last offset", "messages")
        for item in source.offsets:
            numbers = (item.partition, item.first, item.last, item.messages)
            offsets.add_row(source.topic, *map(str, numbers))
        console.print(offsets)


def _messages(listed: Sequence[Message], found: Explanation) -> Table:
    title = f"{len(listed)} of {found.messages_total} messages"
    if not found.sufficient:
        title += " of all regions (the region's alone do not count to its figure)"
    table = Table("topic", "partition", "offset", "source", "id", "time", title=title)
    for item in listed:
        named = item.id if item.id == item.event else f"{item.id} (corrects {item.event})"
        place = (item.topic, str(item.partition), str(item.offset))
        table.add_row(*place, item.source, named, f"{item.time:%Y-%m-%d %H:%M:%S}")
    return table


def _demand_same(found: Explanation, replayed: Replayed, quiet: bool) -> None:
    told = f"replay of {replayed.messages} messages: {shown(replayed.value)}"
    if replayed.absent:
        told += f" ({replayed.absent} are no longer in landing)"
    if not same(found, replayed):
        raise LiaowangError(f"{told}, but {shown(found.figure['value'])} is published")
    if not quiet:
        typer.echo(f"{told}, the same")


def _asked(known: dict[str, Indicator], id: str) -> tuple[Indicator, Index | None]:
    """The indicator asked for, and the index it is, if it is one."""
    if id in known:
        return known[id], None
    indexes = load_indexes(known, declared().indexes)
    if id not in indexes:
        raise Misdeclared(COMMAND, id, f"is no indicator; there are {', '.join((*known, *indexes))}")
    return indexes[id].indicator, indexes[id]


def _region(regions: Regions, text: str) -> str:
    named = [region.code for region in regions.all if text in (region.code, region.name, region.name_en)]
    if len(named) != 1:
        told = "is no region" if not named else f"is the name of {', '.join(named)}"
        raise Misdeclared(COMMAND, "--region", f"{text!r} {told}; give a code such as 330100")
    return named[0]


def _day(indicator: Indicator, text: str) -> date:
    try:
        period, day = periods.parse(text)
    except ValueError as error:
        raise Misdeclared(COMMAND, "--period", str(error)) from None
    if period != indicator.period:
        like = periods.label(indicator.period, periods.whole(indicator.period, day).last)
        raise Misdeclared(COMMAND, "--period", f"{indicator.id} is by {indicator.period}; write {like}")
    return day
