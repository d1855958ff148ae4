"""Every indicator's own examples, on the real engine; and what a wrong declaration is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dagster_project.build.indicator import INDICATORS as FOLDER
from dagster_project.build.indicator import Example, Indicator, load_indicator, load_indicators
from dagster_project.build.indicator_trial import describe, example_problems, try_example
from dagster_project.warehouse import Warehouse, warehouse
from schemas.errors import Misdeclared
from schemas.regions import load_regions
from schemas.settings import Settings
from tests.dagster_project.house import CONTRACTS, INDICATORS

TABLES = [contract.table for contract in CONTRACTS.values()]
CASES = [(item, example) for item in INDICATORS.values() for example in item.examples]
GOOD = (FOLDER / "health" / "infectious-incidence.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def tried(engine: Settings) -> Iterator[Warehouse]:
    """A connection for all examples: each is a build of its own, so nothing is emptied between them."""
    with warehouse(engine) as open:
        yield open


@pytest.mark.stack
@pytest.mark.parametrize(("item", "example"), CASES, ids=[f"{i.id}: {e.name}" for i, e in CASES])
def test_example(tried: Warehouse, item: Indicator, example: Example) -> None:
    build = f"{item.id}: {example.name}"
    assert try_example(tried, item, example, CONTRACTS, load_regions(), build) == []


@pytest.mark.parametrize("item", INDICATORS.values(), ids=lambda item: item.id)
def test_the_examples_are_written_well(item: Indicator) -> None:
    assert list(example_problems(item, CONTRACTS, load_regions())) == []


def changed(folder: Path, old: str, new: str) -> Indicator:
    """The good indicator with a change."""
    path = folder / "health" / "infectious-incidence.yaml"
    path.parent.mkdir(exist_ok=True)
    assert old in GOOD
    path.write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    return load_indicator(path, TABLES)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("level: 落后", "level: 落後", "expect.330100.level: must be 领先, 持平, 落后 or \"\", not '落後'"),
        ("level: 落后", "rank: first", "expect.330100.rank: must be a number or null, not 'first'"),
        ("level: 落后", "rank: true", "expect.330100.rank: must be a number or null, not True"),
        ("level: 落后", "missing: 1", "expect.330100.missing: must be true, false or null, not 1"),
        ('"330200": {numer', '"331300": {numer', "expect.331300: is no region of city, nor the province"),
        ('"330200": {numer', '"330110": {numer', "expect.330110: is no region of city, nor the province"),
        ("health.infectious-disease:", "health.flu:", "given.health.flu: is no feed that the SQL reads"),
        ("health.infectious-disease:", "ecology.air-quality:", "given.ecology.air-quality: is no feed that"),
        ("cases: 500", "case: 500", "infectious-disease[0].case: no such field; there are event_day, time"),
        ("cases: 500", 'cases: "500"', "infectious-disease[0].cases: must be a integer, not '500'"),
        ("cases: 500", "cases: null", "infectious-disease[0].cases: must be a integer, not None"),
        ("cases: 500", "cases: 1.5", "infectious-disease[0].cases: must be a integer, not 1.5"),
        ('event_day: "2024-03-03", ', "", "infectious-disease[0]: must have an event_day"),
        ('{event_day: "2024-03-03"', '{event_day: "2024-03-33"', "[0].event_day: must be a date, not"),
    ],
)
def test_an_example_that_cannot_be_is_told_without_an_engine(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    (found,) = example_problems(changed(tmp_path, old, new), CONTRACTS, load_regions())
    assert found.startswith("examples[0].") and told in found


@pytest.mark.stack
@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("sum(cases) AS numerator", "sum(casses) AS numerator", "casses"),
        ("any(population) AS denominator", "any(population) AS people", "denominator"),
        ("SELECT day, region,", "SELECT day, region AS place,", "region"),
        ("event_day + arrayJoin(range(7)) AS day", "toString(event_day) AS day", "String"),
    ],
)
def test_sql_that_the_schema_does_not_have_is_told_in_one_line(
    tried: Warehouse, tmp_path: Path, old: str, new: str, told: str
) -> None:
    wrong = changed(tmp_path, old, new)
    with pytest.raises(Misdeclared) as error:
        describe(tried, wrong)
    assert (error.value.where, error.value.key) == (str(wrong.path), "sql")
    assert told in str(error.value) and "\n" not in str(error.value)
    assert "Stack trace" not in str(error.value) and "0x" not in str(error.value)


@pytest.mark.stack
def test_what_does_not_come_as_an_example_says_is_told(tried: Warehouse, tmp_path: Path) -> None:
    describe(tried, INDICATORS["health.infectious-incidence"])
    item = changed(tmp_path, "numerator: 120, denominator: 11936010", "numerator: 121, denominator: 11936010")
    (example,) = item.examples
    assert try_example(tried, item, example, CONTRACTS, load_regions(), "wrong number") == [
        "330100.numerator: expected 121, got 120.0"
    ]
    (example,) = changed(tmp_path, '"330200": {numerator', '"330300": {numerator').examples
    assert try_example(tried, item, example, CONTRACTS, load_regions(), "wrong region") == [
        "330300.numerator: expected 0, got None",
        "330300.denominator: expected 9404283, got None",
        "330300.value: expected 0, got None",
        "330300.level: expected '领先', got ''",
        "330200: has a value, 0.0, and is not expected",
    ]


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
