"""An indicator tried before it is used: its examples as they are written, its SQL against the schema, and run.

Each example is a build of its own, so many are tried in one warehouse without emptying a table between them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from math import isclose
from typing import Any

from clickhouse_driver.errors import ServerException

from dagster_project.build.figures import AHEAD, BEHIND, EVEN, Count, Figure, figures
from dagster_project.build.index import Index, IndexExample, scores
from dagster_project.build.indicator import Example, Indicator
from dagster_project.build.indicator_build import count, last_input
from dagster_project.warehouse import Warehouse
from schemas.contract import Contract
from schemas.errors import Misdeclared
from schemas.fields import SHANGHAI
from schemas.regions import Regions
from schemas.tables import built_columns

LEVELS = (AHEAD, EVEN, BEHIND, "")
TRUTHS = ("reached", "faster", "missing", "imputed")
KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,), "integer": (int,), "number": (int, float), "date": (str, date), "timestamp": (str, datetime),
    "boolean": (bool,),
}  # fmt: skip
OWN = {"event_day": "date", "time": "timestamp", "source": "string", "id": "string", "timeline": "string"}
"""Columns beside the fields of a feed that a row of an example may give."""
Contracts = Mapping[str, Contract]


def example_problems(indicator: Indicator, contracts: Contracts, regions: Regions) -> Iterator[str]:
    """What is wrong with the examples of an indicator, each with its place; nothing is run."""
    for number, example in enumerate(indicator.examples):
        where = f"examples[{number}]"
        for feed, rows in example.given.items():
            yield from (
                f"{where}.given.{feed}{each}" for each in _given(indicator, contracts.get(feed), rows)
            )
        yield from (f"{where}.expect.{each}" for each in _expect(indicator, example.expect, regions))


def index_problems(index: Index, regions: Regions) -> Iterator[str]:
    """The same of an index; what it is made of is looked at as it is read."""
    for number, example in enumerate(index.examples):
        found = _expect(index.indicator, example.expect, regions)
        yield from (f"examples[{number}].expect.{each}" for each in found)


def _given(
    indicator: Indicator, contract: Contract | None, rows: Iterable[Mapping[str, Any]]
) -> Iterator[str]:
    if contract is None or contract.table not in indicator.reads:
        yield f": is no feed that the SQL reads; it reads {', '.join(indicator.reads)}"
        return
    kinds = OWN | {field.name: field.kind for field in contract.fields}
    optional = {field.name for field in contract.fields if not field.required}
    for at, row in enumerate(rows):
        if "event_day" not in row:
            yield f"[{at}]: must have an event_day"
        for name, value in row.items():
            if name not in kinds:
                yield f"[{at}].{name}: no such field; there are {', '.join(kinds)}"
            elif not (value is None and name in optional) and not _is(value, kinds[name]):
                yield f"[{at}].{name}: must be a {kinds[name]}, not {value!r}"


def _is(value: Any, kind: str) -> bool:
    """Whether a value of YAML is one of this kind."""
    if not isinstance(value, KINDS[kind]) or (isinstance(value, bool) and kind != "boolean"):
        return False
    try:
        _value(kind, value)
    except ValueError:
        return False
    return True


def _expect(indicator: Indicator, expect: Mapping[str, Mapping[str, Any]], regions: Regions) -> Iterator[str]:
    codes = regions.codes((*indicator.regions, "province"))
    for region, figure in expect.items():
        if region not in codes:
            yield f"{region}: is no region of {', '.join(indicator.regions)}, nor the province"
        for name, value in figure.items():
            if name == "level":
                if value not in LEVELS:
                    known = ", ".join(filter(None, LEVELS))
                    yield f'{region}.level: must be {known} or "", not {value!r}'
            elif name in TRUTHS:
                if value is not None and not isinstance(value, bool):
                    yield f"{region}.{name}: must be true, false or null, not {value!r}"
            elif value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
                yield f"{region}.{name}: must be a number or null, not {value!r}"


def describe(open: Warehouse, indicator: Indicator) -> None:
    """Have the engine look at the SQL as it will run it, over no rows; Misdeclared with what it says is wrong."""
    day = indicator.examples[0].day
    try:
        count(open, indicator, [], [day])
    except ServerException as error:
        raise Misdeclared(str(indicator.path), "sql", _said(error)) from None


def _said(error: ServerException) -> str:
    """What the engine says, without its trace and the query."""
    text = str(error.message).partition("Stack trace")[0].partition("DB::Exception: ")
    told = " ".join((text[2] or text[0]).split())
    for mark in (" In scope ", ": While processing", ": In scope ", ". Stack"):
        told = told.partition(mark)[0]
    return told.rstrip(". ")[:400]


def try_example(
    open: Warehouse,
    indicator: Indicator,
    example: Example,
    contracts: Contracts,
    regions: Regions,
    build: str,
) -> list[str]:
    """What does not come as an example says; its rows are written as a build of this id."""
    candidates = [(table, day, build) for table, day in sorted(_write(open, contracts, example, build))]
    counts = count(open, indicator, candidates, [example.day])
    through = last_input(indicator, candidates, [example.day])
    return differences(figures(indicator, regions, counts, example.earlier, through), example.expect)


def try_index(index: Index, example: IndexExample, regions: Regions) -> list[str]:
    """The same of an index, which needs no warehouse."""
    made_of = scores(index, example.given, regions)
    counts = [Count(example.day, region, score, 1.0) for region, score in made_of.items()]
    made = figures(index.indicator, regions, counts, {}, {example.day: example.day})
    return differences(made, example.expect, whole=False)


def differences(
    made: Iterable[Figure], expect: Mapping[str, Mapping[str, Any]], whole: bool = True
) -> list[str]:
    """Where figures are not those expected, in words; `whole`: no region has one that is not expected."""
    found = {figure.region: figure for figure in made}
    told = []
    for region, figure in expect.items():
        if region not in found:
            told.append(f"{region}: there is no figure")
            continue
        for name, value in figure.items():
            got = getattr(found[region], name)
            if not _same(got, value):
                told.append(f"{region}.{name}: expected {value!r}, got {got!r}")
    if whole:
        more = sorted(
            region for region, figure in found.items() if not figure.missing and region not in expect
        )
        told += [f"{region}: has a value, {found[region].value!r}, and is not expected" for region in more]
    return told


def _same(got: Any, expected: Any) -> bool:
    if isinstance(got, float) and isinstance(expected, int | float):
        return isclose(got, expected, rel_tol=1e-6, abs_tol=1e-12)
    return bool(got == expected)


def _write(open: Warehouse, contracts: Contracts, example: Example, build: str) -> set[tuple[str, date]]:
    """Write an example's rows; the tables and days they lie in."""
    places = set()
    for feed, events in example.given.items():
        contract = contracts[feed]
        columns = [name for name, _ in built_columns(contract)]
        kinds = OWN | {field.name: field.kind for field in contract.fields}
        rows = []
        for offset, event in enumerate(events):
            values = {name: _value(kinds[name], value) for name, value in event.items()}
            noon = datetime.combine(values["event_day"], datetime.min.time(), SHANGHAI) + timedelta(hours=12)
            filled: Mapping[str, Any] = {
                **dict.fromkeys(columns),
                **{"build_id": build, "log_epoch": 0, "partition": 0, "offset": offset, "late": 0},
                **{"arrived": noon, "time": noon, "source": "/example", "id": f"e{offset}"},
                **{"timeline": "", "corrects": ""},
                **values,
            }
            rows.append([filled[name] for name in columns])
            places.add((contract.table, values["event_day"]))
        open.insert(f"built.{contract.table}", columns, rows)
    return places


def _value(kind: str, value: Any) -> Any:
    """A value of YAML as the warehouse takes it; times without offset are of Shanghai."""
    if kind == "date" and isinstance(value, str):
        return date.fromisoformat(value)
    if kind == "timestamp":
        at = datetime.fromisoformat(value) if isinstance(value, str) else value
        return at if value is None or at.tzinfo else at.replace(tzinfo=SHANGHAI)
    return value
