"""Every indicator's own examples, on the real engine; and what a wrong declaration is told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from dagster_project.build.figures import figures
from dagster_project.build.indicator import INDICATORS as FOLDER
from dagster_project.build.indicator import Example, Indicator, load_indicator, load_indicators
from dagster_project.build.indicator_build import count, last_input
from dagster_project.warehouse import Warehouse
from schemas.errors import Misdeclared
from schemas.regions import load_regions
from schemas.tables import built_columns
from tests.dagster_project.house import CONTRACTS, INDICATORS, noon

TABLES = [contract.table for contract in CONTRACTS.values()]
CASES = [(item, example) for item in INDICATORS.values() for example in item.examples]
GOOD = (FOLDER / "health" / "infectious-incidence.yaml").read_text(encoding="utf-8")


@pytest.mark.stack
@pytest.mark.parametrize(("item", "example"), CASES, ids=[f"{i.id}: {e.name}" for i, e in CASES])
def test_example(open_warehouse: Warehouse, item: Indicator, example: Example) -> None:
    candidates = [(table, day, "example") for table, day in given_rows(open_warehouse, example)]
    counts = count(open_warehouse, item, candidates, [example.day])
    through = last_input(item, candidates, [example.day])
    made = figures(item, load_regions(), counts, example.earlier, through)
    found = {figure.region: figure for figure in made}
    assert {figure.region for figure in made if not figure.missing} <= set(example.expect)
    for region, figure in example.expect.items():
        got = {name: getattr(found[region], name) for name in figure}
        assert got == {name: pytest.approx(value) for name, value in figure.items()}, region


def given_rows(warehouse: Warehouse, example: Example) -> set[tuple[str, date]]:
    """Write an example's rows as a build named `example`; the tables and days they lie in."""
    places = set()
    for feed, events in example.given.items():
        contract = CONTRACTS[feed]
        columns = [name for name, _ in built_columns(contract)]
        kinds = {field.name: field.kind for field in contract.fields} | {
            "event_day": "date",
            "time": "timestamp",
        }
        rows = []
        for offset, event in enumerate(events):
            values = {name: _value(kinds[name], value) for name, value in event.items()}
            day = values["event_day"]
            filled: Mapping[str, Any] = {
                **dict.fromkeys(columns),
                **{"build_id": "example", "log_epoch": 0, "partition": 0, "offset": offset, "late": 0},
                **{"arrived": noon(day), "time": noon(day), "source": "/example", "id": f"e{offset}"},
                **{"timeline": "", "corrects": ""},
                **values,
            }
            rows.append([filled[name] for name in columns])
            places.add((contract.table, day))
        warehouse.insert(f"built.{contract.table}", columns, rows)
    return places


def _value(kind: str, value: Any) -> Any:
    if value is None:
        return None
    if kind == "date":
        return date.fromisoformat(value)
    if kind == "timestamp":
        return datetime.fromisoformat(f"{value}+08:00")
    return value


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("id: health.infectious-incidence", "id: health.other", "id"),
        ("direction: lower", "direction: down", "direction"),
        ("factor: 100000", "factor: 0", "factor"),
        ("built.health_infectious_disease", "built.health_nothing", "sql"),
        ("built.health_infectious_disease", "landing.health_infectious_disease", "sql"),
        ("owner: health", "ower: health", "ower"),
        ('day: "2024-03-10"', "day: soon", "examples[0].day"),
        ("lookback: 7", "lookback:", "lookback"),
        ("lookback: 7", "lookback: 0", "lookback"),
        ("regions: city", "regions: [city, village]", "regions[1]"),
        ("regions: city", "regions: []", "regions"),
        ("period: day", "period: week", "period"),
        ("period: day", "period: month\ntarget: {last: 3}", "target.last"),
        ("period: day", "period: day\ntarget: {}", "target"),
        ("period: day", "period: day\ntarget: {2025: much}", "target.2025"),
        ("period: day", "period: day\ntolerance: -1", "tolerance"),
        ("period: day", "period: day\nimpute: 0", "impute"),
        ('day: "2024-03-10"', "day: 2024-Q1", "examples[0].day"),
        ("level: 落后", "rnak: 1", "examples[0].expect.330100.rnak"),
    ],
)
def test_a_wrong_declaration_names_file_and_key(tmp_path: Path, old: str, new: str, key: str) -> None:
    path = tmp_path / "health" / "infectious-incidence.yaml"
    path.parent.mkdir()
    path.write_text(GOOD.replace(old, new), encoding="utf-8")
    with pytest.raises(Misdeclared) as error:
        load_indicator(path, TABLES)
    assert (error.value.where, error.value.key) == (str(path), key)


def test_an_indicator_named_like_a_feed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "health" / "infectious-disease.yaml"
    path.parent.mkdir()
    path.write_text(
        GOOD.replace("health.infectious-incidence", "health.infectious-disease"), encoding="utf-8"
    )
    with pytest.raises(Misdeclared, match="the table health_infectious_disease is that of a feed already"):
        load_indicators(TABLES, tmp_path)


def test_the_version_changes_with_what_changes_figures_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "health" / "infectious-incidence.yaml"
    path.parent.mkdir()
    versions = []
    for text in (
        GOOD,
        GOOD.replace("decimals: 2", "decimals: 3"),
        GOOD.replace("owner: health", "owner: me"),
    ):
        path.write_text(text, encoding="utf-8")
        versions.append(load_indicator(path, TABLES).version)
    assert versions[0] == versions[2] != versions[1]
