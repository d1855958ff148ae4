"""Composite indices of released indicators: their own examples, what a wrong one is told, and a whole build."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from dagster_project.build.figures import Count, figures
from dagster_project.build.index import (
    INDEXES,
    Index,
    IndexExample,
    build_index,
    load_index,
    load_indexes,
    scores,
)
from dagster_project.days.spans import Span
from dagster_project.gate.judge import judge_indicator
from dagster_project.mart.tables import index_tables
from dagster_project.share.lineage import values_lineage
from schemas.errors import Misdeclared
from schemas.regions import load_regions
from tests.dagster_project.house import AIR, HEALTH, INDICATORS, REQUESTS, Event, House, noon

REGIONS = load_regions()
ALL = load_indexes(INDICATORS)
CASES = [(index, example) for index in ALL.values() for example in index.examples]
CITIES = ALL["prosperity.cities"]
GOOD = (INDEXES / "prosperity" / "cities.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(("index", "example"), CASES, ids=[f"{i.indicator.id}: {e.name}" for i, e in CASES])
def test_example(index: Index, example: IndexExample) -> None:
    made_of = scores(index, example.given, REGIONS)
    counts = [Count(example.day, region, score, 1.0) for region, score in made_of.items()]
    made = figures(index.indicator, REGIONS, counts, {}, {example.day: example.day})
    found = {figure.region: figure for figure in made}
    for region, expected in example.expect.items():
        got = {name: getattr(found[region], name) for name in expected}
        assert got == {name: pytest.approx(value) for name, value in expected.items()}, region


def test_an_index_is_made_of_the_figures_of_indicators_and_depends_on_them() -> None:
    indicator = CITIES.indicator
    assert indicator.reads == (
        "ecology_good_air_days",
        "governance_resolved_in_time",
        "health_infectious_incidence",
    )
    assert indicator.lookback == 365
    assert (indicator.table, indicator.regions, indicator.direction) == (
        "prosperity_cities",
        ("city",),
        "higher",
    )


def test_the_lineage_of_an_index_leads_to_the_values_of_its_indicators() -> None:
    traced = values_lineage(CITIES.indicator.reads).deps_by_column
    assert [dep.column_name for dep in traced["rank"]] == ["value"] * 3
    assert [dep.asset_key.path[0] for dep in traced["region"]] == list(CITIES.indicator.reads)
    assert traced["target"] == []


def test_county_users_see_indices_without_a_thread_started_before_the_sandbox() -> None:
    assert index_tables() == [index.indicator.table for index in ALL.values()]
    code = "import sys; from dagster_project.mart.tables import visible; visible(); print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_period_without_one_of_the_indicators_has_no_scores() -> None:
    assert scores(CITIES, {"ecology.good-air-days": {"330100": 93.0}}, REGIONS) == {}


def test_an_index_may_say_how_much_may_be_missing(tmp_path: Path) -> None:
    text = GOOD.replace("aggregate: arithmetic", "aggregate: {method: arithmetic, available: 0.5}")
    example = CITIES.examples[0]
    found = scores(_index(tmp_path, text), example.given, REGIONS)
    assert found["330300"] == pytest.approx(0.4 * 30 / 43 * 100 + 0.6 * 30 / 45 * 100)


@pytest.mark.parametrize(
    ("old", "new", "key", "said"),
    [
        (
            "id: prosperity.cities",
            "id: prosperity.towns",
            "id",
            "must stand in indexes/prosperity/towns.yaml",
        ),
        ("ecology.good-air-days, goal", "ecology.nothing, goal", "index.tree", "no indicator has the id"),
        ("period: day", "period: month", "period", "must be one of day"),
        (
            "health.infectious-incidence, weight",
            "health.monthly-incidence, weight",
            "period",
            "of the period month",
        ),
        ("regions: city", "regions: county", "regions", "has no figures of the level county"),
        ("normalise: goalposts", "normalise: goalpost\n  impute: mean", "index.impute", "is for tables"),
        ("normalise: goalposts", "normalise: nope", "index.normalise", "must be one of"),
        ('day: "2024-03-10"', "day: soon", "examples[0].day", "is no period"),
        (
            "ecology.good-air-days: {",
            "ecology.pm25-quarterly: {",
            "examples[0].given.ecology.pm25-quarterly",
            "no such",
        ),
        ("owner: common", "ower: common", "ower", "no such key"),
    ],
)
def test_a_wrong_declaration_names_file_and_key(
    tmp_path: Path, old: str, new: str, key: str, said: str
) -> None:
    assert old in GOOD
    with pytest.raises(Misdeclared, match=said) as error:
        _index(tmp_path, GOOD.replace(old, new))
    assert error.value.key == key
    assert error.value.where == str(tmp_path / "prosperity" / "cities.yaml")


def test_the_version_changes_with_the_declaration(tmp_path: Path) -> None:
    other = _index(tmp_path, GOOD.replace("weight: 40", "weight: 41"))
    assert other.indicator.version != CITIES.indicator.version


def _index(folder: Path, text: str) -> Index:
    path = folder / "prosperity" / "cities.yaml"
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    return load_index(path, INDICATORS)


@pytest.mark.stack
def test_an_index_is_built_judged_and_released_with_its_indicators(house: House) -> None:
    """Hangzhou has all three figures, Ningbo no request that was due: it has no score and no place."""
    day, cities = date(2024, 3, 1), ("330100", "330200")
    house.land(*(Event(f"a{code}", day, {"region": code, "station": code}) for code in cities))
    reports = (Event(f"h{code}", day, {"region": code}) for code in cities)
    house.land(*reports, contract=HEALTH, base={"disease": "influenza", "date": day, "cases": 0})
    received = {**dict.fromkeys(field.name for field in REQUESTS.fields), **REQUEST, "received_at": noon(day)}
    house.land(Event("r1", day), Event("r2", day, {"stage": "handled"}), contract=REQUESTS, base=received)
    attempt = house.attempt(Span(day, day))
    for contract in (AIR, HEALTH, REQUESTS):
        house.build(attempt, contract)
    for item in CITIES.inputs.values():
        house.figure(attempt, item)
    built = build_index(house.warehouse, CITIES, attempt)
    judged = judge_indicator(house.settings, house.warehouse, CITIES.indicator, attempt, built, house.now)
    assert judged.passed, judged.verdicts
    house.publish(attempt)
    assert house.warehouse.rows(
        "SELECT title_zh, region, value, rank, missing FROM mart.indicator"
        " WHERE indicator = 'prosperity.cities' AND region IN ('330000', '330100', '330200') ORDER BY region"
    ) == [
        (CITIES.indicator.title_zh, *row)
        for row in (("330000", 100, None, 0), ("330100", 100, 1, 0), ("330200", None, None, 1))
    ]
    assert house.warehouse.rows(
        "SELECT rank FROM mart.ranking WHERE indicator = 'prosperity.cities'"
        " AND every = 'month' AND region = '330100'"
    ) == [(1,)]
    inputs = house.warehouse.rows(
        "SELECT DISTINCT input FROM release.input WHERE table = 'prosperity_cities' ORDER BY 1"
    )
    assert [name for (name,) in inputs] == list(CITIES.indicator.reads)


REQUEST = {
    "request": "R1",
    "region": "330110",
    "channel": "hotline",
    "category": "housing",
    "stage": "received",
    "limit_hours": 2,
}
