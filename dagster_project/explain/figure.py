"""From a figure back to what it was made of: release, build, verdicts, days, offsets, messages.

An index goes one step more, by way of the indicators it is made of: `explain_index`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from dagster_project.build.figures import NAMES, Figure
from dagster_project.build.indicator import Indicator
from dagster_project.build.indicator_build import compared, count, external_tables
from dagster_project.build.provenance import Input, recorded
from dagster_project.days import periods
from dagster_project.explain import statements
from dagster_project.explain.explanation import (
    Build,
    Compared,
    Explanation,
    Message,
    Offsets,
    Part,
    Published,
    Source,
    Verdict,
)
from dagster_project.warehouse import Warehouse
from quality.rows import quote
from schemas.contract import Contract
from schemas.errors import Misdeclared
from schemas.pseudonyms import Pseudonyms
from schemas.regions import PROVINCE, Regions

COMMAND = "liaowang explain"
Candidates = Sequence[tuple[str, date, str]]


@dataclass(frozen=True)
class Question:
    """Which figure: of an indicator, a region, the period that ends on `day`; as of a release, or the current.

    With a `build` it is the figure that build holds, whichever release shows. `everywhere` asks for the
    messages of all regions.
    """

    indicator: Indicator
    region: str
    day: date
    release: int | None = None
    build: str = ""
    everywhere: bool = False


@dataclass(frozen=True)
class Known:
    """What an answer is told by: contracts by table, the regions, and the key of pseudonyms for a replay."""

    contracts: Mapping[str, Contract]
    regions: Regions
    pseudonyms: Pseudonyms | None = None


def explain(warehouse: Warehouse, known: Known, question: Question, limit: int | None = None) -> Explanation:
    """Everything about one figure; at most `limit` of its messages. Misdeclared where there is no such figure."""
    found, read = frame(warehouse, known, question)
    candidates = [(item.table, each, item.build_id) for item in read for each in item.span.days]
    narrow, sufficient = _narrow(warehouse, known, question, found.figure, candidates)
    offsets = _offsets(warehouse, known, candidates, narrow)
    return replace(
        found,
        sources=tuple(
            _source(warehouse, known.contracts[table], [item for item in read if item.table == table], places)
            for table, places in sorted(offsets.items())
        ),
        sufficient=sufficient,
        messages_total=sum(item.messages for places in offsets.values() for item in places),
        messages=tuple(_messages(warehouse, known, candidates, narrow, limit)),
    )


def frame(warehouse: Warehouse, known: Known, question: Question) -> tuple[Explanation, list[Input]]:
    """The figure with its release, build and verdict, still without sources; and what its build read."""
    indicator, day = question.indicator, question.day
    seen_in, build_id, figure = _figure(warehouse, known, question)
    made_of = recorded(warehouse, indicator.table, day, build_id)
    region = known.regions.get(question.region)
    own = periods.whole(indicator.period, day)
    found = Explanation(
        indicator=indicator.id,
        title_zh=indicator.title_zh,
        title_en=indicator.title_en,
        unit=indicator.unit,
        decimals=indicator.decimals,
        owner=indicator.owner,
        description=indicator.description,
        limits=indicator.limits,
        sql=indicator.sql,
        region=question.region,
        region_name=region.name if region else "",
        period=periods.label(indicator.period, day),
        first=own.first,
        last=own.last,
        figure={name: getattr(figure, name) for name in NAMES if name not in ("event_day", "region")},
        release=_published(warehouse, indicator, day, build_id, seen_in),
        build=_build(warehouse, build_id),
        compared=_compared(warehouse, question, made_of),
        sources=(),
        sufficient=True,
        messages_total=0,
        messages=(),
    )
    return found, [item for item in made_of if item.table != indicator.table]


def _figure(warehouse: Warehouse, known: Known, question: Question) -> tuple[int, str, Figure]:
    """The release looked at, the build the figure is of, and the figure itself."""
    indicator, day = question.indicator, question.day
    if known.regions.get(question.region) is None:
        raise Misdeclared(COMMAND, "--region", f"no region {question.region}; 330000 is the province")
    seen_in = question.release
    if seen_in is None:
        ((seen_in,),) = warehouse.rows("SELECT max(seq) FROM release.pointer")
    rows = warehouse.rows(
        statements.figure(indicator, question.build),
        release=seen_in,
        day=day,
        region=question.region,
        table=indicator.table,
        build=question.build,
    )
    if not rows:
        raise Misdeclared(COMMAND, "--period", _absent(warehouse, question, seen_in))
    ((build_id, *values),) = rows
    return seen_in, str(build_id), Figure(**dict(zip(NAMES, values, strict=True)))


def _absent(warehouse: Warehouse, question: Question, seen_in: int) -> str:
    indicator = question.indicator
    where = f"release {seen_in} has no figure of {indicator.id} for {question.region}"
    label = periods.label(indicator.period, question.day)
    ((first, last, days),) = warehouse.rows(
        "SELECT min(day), max(day), count() FROM release.pointer"
        " WHERE table = {table:String} AND seq <= {release:UInt64}",
        table=indicator.table,
        release=seen_in,
    )
    if not days:
        return f"{where}: nothing of this indicator is published; liaowang build makes it"
    known = f"{periods.label(indicator.period, first)} to {periods.label(indicator.period, last)}"
    return f"{where} in {label}; there are figures from {known}, of {', '.join(indicator.regions)} regions"


def _published(
    warehouse: Warehouse, indicator: Indicator, day: date, build_id: str, seen_in: int
) -> Published:
    rows = warehouse.rows(
        statements.MANIFEST, table=indicator.table, day=day, build=build_id, release=seen_in
    )
    seq, parent, released, code, version, content, complete = rows[0] if rows else (0, 0, None, "", "", "", 0)
    return Published(
        seen_in=seen_in,
        seq=seq,
        parent=parent,
        released=released,
        code=code,
        version=version,
        content_hash=content,
        complete=bool(complete),
        verdict=_verdict(warehouse, indicator, day, build_id),
    )


def _verdict(warehouse: Warehouse, indicator: Indicator, day: date, build_id: str) -> Verdict:
    rows = warehouse.rows(statements.VERDICT, table=indicator.table, day=day, build=build_id)
    if not rows:
        return Verdict(None, "", "", 0, (), None)
    passed, suite, suite_hash, expectations, failed, decided = rows[0]
    return Verdict(bool(passed), suite, suite_hash, expectations, tuple(failed), decided)


def _build(warehouse: Warehouse, build_id: str) -> Build:
    rows = warehouse.rows(statements.ATTEMPT, build=build_id)
    if not rows:
        return Build(build_id, None, date(1970, 1, 1), date(1970, 1, 1), 0, {})
    started, first, last, parent, offsets = rows[0]
    return Build(build_id, started, first, last, parent, dict(offsets))


def _compared(warehouse: Warehouse, question: Question, made_of: Iterable[Input]) -> tuple[Compared, ...]:
    indicator = question.indicator
    builds = {
        day: item.build_id for item in made_of if item.table == indicator.table for day in item.span.days
    }
    wanted = [day for day in sorted(compared(indicator, question.day)) if day in builds]
    values = dict(
        warehouse.rows(
            statements.values(indicator),
            external_tables([(indicator.table, day, builds[day]) for day in wanted], wanted),
            region=question.region,
        )
    )
    return tuple(
        Compared(periods.label(indicator.period, day), day, builds[day], values.get(day)) for day in wanted
    )


def _narrow(
    warehouse: Warehouse,
    known: Known,
    question: Question,
    figure: Mapping[str, Any],
    candidates: Candidates,
) -> tuple[dict[str, str], bool]:
    """Conditions that keep the region's own rows, by table; whether they count to its figure, which is tried."""
    narrow = {} if question.everywhere else _of_region(known, question)
    if question.region == PROVINCE or not narrow or not candidates:
        return {}, question.region == PROVINCE
    counts = count(warehouse, question.indicator, candidates, [question.day], narrow=narrow)
    codes = _codes(known.regions, question.region)
    sums = [sum(getattr(item, name) for item in counts if item.region in codes) for name in _COUNTED]
    wanted = [figure[name] or 0.0 for name in _COUNTED]
    same = all(abs(mine - its) <= 1e-6 * max(1.0, abs(its)) for mine, its in zip(sums, wanted, strict=True))
    return (narrow, True) if same else ({}, False)


_COUNTED = ("numerator", "denominator")


def _of_region(known: Known, question: Question) -> dict[str, str]:
    codes = ", ".join(quote(code) for code in sorted(_codes(known.regions, question.region)))
    fields = {table: known.contracts[table].region_field for table in question.indicator.reads}
    return {table: f"`{field}` IN ({codes})" for table, field in fields.items() if field}


def _codes(regions: Regions, code: str) -> set[str]:
    return {code, *(county.code for county in regions.counties_of(code))}


def _offsets(
    warehouse: Warehouse, known: Known, candidates: Candidates, narrow: Mapping[str, str]
) -> dict[str, tuple[Offsets, ...]]:
    found: dict[str, tuple[Offsets, ...]] = {}
    for table in sorted({table for table, _, _ in candidates}):
        rows = warehouse.rows(
            statements.offsets(table, narrow.get(table, "1")), external_tables(candidates, [])
        )
        found[table] = tuple(Offsets(*row) for row in rows)
    return found


def _source(
    warehouse: Warehouse, contract: Contract, read: Sequence[Input], offsets: tuple[Offsets, ...]
) -> Source:
    candidates = [(item.table, day, item.build_id) for item in read for day in item.span.days]
    rows = warehouse.rows(statements.PARTS, external_tables(candidates, []), table=contract.table)
    ends: dict[str, dict[str, int]] = defaultdict(dict)
    for build_id, read_to in warehouse.rows(statements.ENDS, external_tables(candidates, [])):
        ends[build_id] = {
            name: stop for name, stop in read_to.items() if name.rsplit("/", 2)[0] == contract.topic
        }
    parts = tuple(_part(row, ends) for row in rows)
    return Source(
        feed=contract.feed,
        table=contract.table,
        topic=contract.topic,
        department=contract.department,
        first=min(item.span.first for item in read),
        last=max(item.span.last for item in read),
        partitions=len(offsets),
        messages=sum(item.messages for item in offsets),
        parts=parts,
        offsets=offsets,
    )


def _part(row: Sequence[Any], ends: Mapping[str, Mapping[str, int]]) -> Part:
    build_id, first, last, days, versions, suites, passed, complete, *counted = row
    rows, duplicates, corrected, quarantined = counted
    return Part(
        build_id=build_id,
        first=first,
        last=last,
        days=days,
        contract_versions=tuple(sorted(versions)),
        suites=tuple(sorted(suites)),
        passed=bool(passed),
        complete=bool(complete),
        rows=rows,
        duplicates=duplicates,
        corrected=corrected,
        quarantined=quarantined,
        read_up_to=ends.get(build_id, {}),
    )


def _messages(
    warehouse: Warehouse, known: Known, candidates: Candidates, narrow: Mapping[str, str], limit: int | None
) -> Iterable[Message]:
    left = limit
    for table in sorted({table for table, _, _ in candidates}):
        contract = known.contracts[table]
        rows = warehouse.rows(
            statements.messages(table, narrow.get(table, "1"), left), external_tables(candidates, [])
        )
        for row in rows:
            yield Message(contract.feed, contract.topic, *row)
        left = None if left is None else left - len(rows)
