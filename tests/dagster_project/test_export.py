"""Exports: packages that Frictionless finds valid, of public fields alone, the same bytes for the same release."""

from __future__ import annotations

import csv
import warnings
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import frictionless

from dagster_project.days.spans import Span
from dagster_project.share.export import FORMATS, export, read_package
from dagster_project.share.open_data import datasets, descriptor
from schemas.contract_model import Contract, Field
from schemas.department_yaml import parse_departments
from schemas.errors import Misdeclared
from tests.dagster_project.house import AIR, CONTRACTS, INDICATORS, REQUESTS, House, reading
from tests.dagster_project.test_command import liaowang

DAY = date(2024, 3, 1)
NEXT = date(2024, 3, 2)
NOW = datetime(2024, 3, 3, tzinfo=UTC)
GOOD = INDICATORS["ecology.good-air-days"]
KNOWN = datasets(list(CONTRACTS.values()), list(INDICATORS.values()))


@pytest.fixture
def released(house: House) -> House:
    """Two days of air and their good days, as release 1."""
    house.land(*(reading(f"{n}", (DAY, NEXT)[n % 2], 20 + n * 7.1) for n in range(20)))
    attempt = house.attempt(Span(DAY, NEXT))
    house.build(attempt)
    house.figure(attempt, GOOD)
    house.publish(attempt)
    return house


@pytest.mark.stack
@pytest.mark.parametrize("id", [GOOD.id, AIR.feed])
def test_a_package_is_valid_and_says_what_a_catalogue_asks(released: House, tmp_path: Path, id: str) -> None:
    done = export(released.warehouse, KNOWN[id], tmp_path, FORMATS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = frictionless.validate(str(tmp_path / "datapackage.json"))
    assert report.valid, report.flatten(["title", "message"])
    package = read_package(tmp_path)
    assert (package["owner"], package["licenses"][0]["name"], package["release"]) == (
        "ecology",
        "CC-BY-4.0",
        1,
    )
    assert (package["updateFrequency"], package["accrualPeriodicity"]) == ("daily", "R/P1D")
    table, file, regions = package["resources"]
    assert (table["rows"], file["rowCount"], regions["rows"]) == (done.rows, done.rows, 102)
    assert all(field["description"] for field in table["schema"]["fields"])
    with (tmp_path / table["path"]).open(encoding="utf-8", newline="") as text:
        listed = list(csv.DictReader(text))
    columns = parquet.read_table(tmp_path / file["path"])
    assert columns.column_names == list(listed[0])
    assert columns.num_rows == len(listed) == done.rows
    number = "value" if id == GOOD.id else "pm25"
    assert columns[number].to_pylist() == [float(row[number]) if row[number] else None for row in listed]


@pytest.mark.stack
def test_the_same_release_gives_the_same_bytes_and_an_old_one_its_own(
    released: House, tmp_path: Path
) -> None:
    for folder in ("a", "b"):
        export(released.warehouse, KNOWN[AIR.feed], tmp_path / folder, FORMATS)
    released.land(reading("late", DAY, 99))
    released.release(Span(DAY, NEXT))
    export(released.warehouse, KNOWN[AIR.feed], tmp_path / "c", FORMATS, release=1)
    export(released.warehouse, KNOWN[AIR.feed], tmp_path / "d", FORMATS)
    held = {
        folder: {path.name: path.read_bytes() for path in sorted((tmp_path / folder).iterdir())}
        for folder in "abcd"
    }
    assert set(held["a"]) == {"datapackage.json", f"{AIR.feed}.csv", f"{AIR.feed}.parquet", "region.csv"}
    assert held["a"] == held["b"] == held["c"]
    assert held["a"][f"{AIR.feed}.csv"] != held["d"][f"{AIR.feed}.csv"]
    assert read_package(tmp_path / "d")["release"] == 2


@pytest.mark.stack
def test_the_command_lists_writes_and_refuses(released: House, tmp_path: Path) -> None:
    done = liaowang(released.settings, "export", GOOD.id, "--out", str(tmp_path), "--format", "csv")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"datapackage.json", f"{GOOD.id}.csv", "region.csv"}
    both = liaowang(released.settings, "export", GOOD.id, "--out", str(tmp_path))
    assert (both.returncode, (tmp_path / f"{GOOD.id}.parquet").exists()) == (0, True)
    liaowang(released.settings, "export", GOOD.id, "--out", str(tmp_path), "--format", "csv")
    assert not (tmp_path / f"{GOOD.id}.parquet").exists()
    unknown = liaowang(released.settings, "export", "ecology.water")
    assert (unknown.returncode, "there are" in unknown.stderr) == (2, True)


@pytest.mark.stack
def test_nothing_published_is_told(house: House, tmp_path: Path) -> None:
    with pytest.raises(Misdeclared, match="nothing is published"):
        export(house.warehouse, KNOWN[GOOD.id], tmp_path, FORMATS)


def test_only_public_fields_are_given_away() -> None:
    fields = (
        Field("open", "string", classification="public"),
        Field("inner", "string", classification="internal"),
        Field("phone", "string", classification="personal"),
    )
    mixed: Contract = replace(REQUESTS, fields=fields, region_field="")
    closed: Contract = replace(AIR, fields=fields[1:])
    known: dict[str, Any] = datasets([mixed, closed], [])
    assert list(known) == [REQUESTS.feed]
    assert [column.name for column in known[REQUESTS.feed].columns] == ["day", "time", "open"]


def test_a_publisher_has_its_name_and_address_where_it_is_declared() -> None:
    text = """departments:
  - department: governance
    name: {zh: 社会治理中心, en: Governance Centre}
    regions: ["330000"]
    contact: {stewards: [a], email: data@example.gov.cn}
"""
    departments = parse_departments(text, Path("departments.yaml"))
    known = datasets([REQUESTS, AIR], [], departments)
    package = descriptor(known[REQUESTS.feed], (1, NOW), [], [])
    assert package["owner"] == "governance" and package["contributors"] == [
        {"title": "Governance Centre", "role": "publisher", "email": "data@example.gov.cn"}
    ]
    (undeclared,) = descriptor(known[AIR.feed], (1, NOW), [], [])["contributors"]
    assert undeclared == {"title": "ecology", "role": "publisher"}
