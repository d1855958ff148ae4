"""Intake mappings as declared: what they say, and one exact error for each way to get one wrong."""

from __future__ import annotations

import copy
import csv
from collections.abc import Callable
from datetime import time, timedelta
from typing import Any

import pytest

from schemas.contract import load_contracts
from schemas.declaration import Entry
from schemas.errors import Misdeclared
from schemas.increase import NEW_YEAR, Increase, Restart, read_increase
from schemas.intake import IntakeMapping, Skip, Value, read_intake

FIELDS = ("station", "region", "averaging", "pm25")
MAPPING: dict[str, Any] = {
    "name": "daily",
    "header": ["city_code", "city", "year", "day", "total"],
    "source": "/zhejiang/ecology/air",
    "id": "{city_code}-{year}-{day}",
    "time": {"format": "%Y %j", "columns": ["year", "day"], "offset": "+08:00", "at": "23:59:59"},
    "skip": [{"column": "city", "equals": ""}],
    "derive": {"fresh": {"increase_of": "total", "by": ["city"], "falls": "correct"}},
    "data": {
        "station": {"column": "city_code"},
        "region": {"first": ["city_code", "city"]},
        "averaging": {"constant": "24h"},
        "pm25": {"column": "fresh", "as": "number"},
    },
}
Edit = Callable[[dict[str, Any]], object]


def read(*mappings: dict[str, Any]) -> tuple[IntakeMapping, ...]:
    return read_intake(Entry("f.yaml", "intake", list(mappings)), FIELDS)


def test_a_mapping() -> None:
    (mapping,) = read(MAPPING)
    assert mapping.time.columns == ("year", "day")
    assert mapping.time.at == time(23, 59, 59)
    assert mapping.time.offset is not None
    assert mapping.time.offset.utcoffset(None) == timedelta(hours=8)
    assert mapping.skip == (Skip("city", ""),)
    assert mapping.derive == (Increase("fresh", "total", ("city",), "correct"),)
    assert mapping.data == (
        Value("station", ("city_code",)),
        Value("region", ("city_code", "city")),
        Value("averaging", constant="24h"),
        Value("pm25", ("fresh",), kind="number"),
    )


def test_an_iso_time_needs_one_column_only() -> None:
    (mapping,) = read({**MAPPING, "time": {"column": "day"}})
    assert (mapping.time.columns, mapping.time.format, mapping.time.offset) == (("day",), "", None)


def test_a_file_is_known_by_its_columns() -> None:
    (mapping,) = read(MAPPING)
    assert mapping.recognises(["lon", *MAPPING["header"]])
    assert not mapping.recognises(["city_code", "city", "year", "day"])


WRONG: list[tuple[str, Edit, str]] = [
    ("no name", lambda m: m.pop("name"), "intake[0].name: must be given"),
    ("unknown key", lambda m: m.update(rows=1), "intake[0].rows: no such key"),
    ("no header", lambda m: m.update(header=[]), "intake[0].header: must list one or more"),
    ("id of an unknown column", lambda m: m.update(id="{code}"), "intake[0].id: no column 'code'"),
    ("id of a derived column", lambda m: m.update(id="{fresh}"), "intake[0].id: no column 'fresh'"),
    ("constant id", lambda m: m.update(id="a"), "intake[0].id: must name at least one column"),
    (
        "columns that touch",
        lambda m: m.update(id="a{year}{day}"),
        "intake[0].id: nothing stands between {year} and {day}",
    ),
    ("broken template", lambda m: m.update(id="{a"), "intake[0].id: '{a': { stands alone at 1"),
    ("time without format", lambda m: m["time"].pop("format"), "intake[0].time.format: must be given"),
    ("time without offset", lambda m: m["time"].pop("offset"), "intake[0].time.offset: must be given"),
    ("bad offset", lambda m: m["time"].update(offset="8"), 'must be an offset such as "+08:00"'),
    ("offset as a number", lambda m: m["time"].update(offset=8), "intake[0].time.offset: must be text"),
    ("bad time of day", lambda m: m["time"].update(at="25:00"), 'must be a time of day such as "23:59:59"'),
    ("time of day with offset", lambda m: m["time"].update(at="23:59:59+08:00"), "must carry no offset"),
    ("sexagesimal number", lambda m: m["time"].update(at=86399), "intake[0].time.at: must be text"),
    ("skip of a number", lambda m: m["skip"][0].update(equals=0), "must be text in quotes"),
    ("skip of an unknown column", lambda m: m["skip"][0].update(column="x"), "no column 'x'"),
    (
        "derived over a column",
        lambda m: m.update(derive={"city": m["derive"]["fresh"]}),
        "is a column of the file",
    ),
    (
        "unknown fall",
        lambda m: m["derive"]["fresh"].update(falls="ignore"),
        "'ignore' must be one of correct",
    ),
    ("unknown series", lambda m: m["derive"]["fresh"].update(by=["x"]), "by: no column 'x'"),
    (
        "unknown field",
        lambda m: m["data"].update(aqi={"constant": 1}),
        "data.aqi: the contract has no such field",
    ),
    ("unknown column", lambda m: m["data"].update(pm25={"column": "x"}), "pm25.column: no column 'x'"),
    (
        "two sources",
        lambda m: m["data"].update(pm25={"column": "city", "constant": 1}),
        "must have exactly one of",
    ),
    ("no source", lambda m: m["data"].update(pm25={"as": "number"}), "must have exactly one of"),
    (
        "typed constant",
        lambda m: m["data"].update(pm25={"constant": 1, "as": "number"}),
        "a constant is a text",
    ),
    ("list as constant", lambda m: m["data"].update(pm25={"constant": [1]}), "a constant is a text"),
    ("unknown kind", lambda m: m["data"]["pm25"].update({"as": "float"}), "'float' must be one of string"),
]


@pytest.mark.parametrize(("edit", "message"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_a_wrong_mapping_is_misdeclared(edit: Edit, message: str) -> None:
    edited = copy.deepcopy(MAPPING)
    edit(edited)
    with pytest.raises(Misdeclared) as caught:
        read(edited)
    assert message in str(caught.value)


def test_two_mappings_of_one_name_are_misdeclared() -> None:
    with pytest.raises(Misdeclared, match="two mappings have one name"):
        read(MAPPING, MAPPING)


@pytest.mark.parametrize(
    ("feed", "header"),
    [
        ("ecology.air-quality", '"city_code","city","year","day_index","pm25","lon","lat"'),
        (
            "health.infectious-disease",
            "date,country,countryCode,province,provinceCode,city,cityCode,confirmed,suspected,cured,dead",
        ),
    ],
)
def test_the_published_files_are_recognised(feed: str, header: str) -> None:
    columns = next(csv.reader([header]))
    assert [mapping.recognises(columns) for mapping in load_contracts()[feed].intake] == [True]


@pytest.mark.parametrize(
    ("more", "restart"),
    [
        ({}, NEW_YEAR),
        ({"restart": "never"}, None),
        ({"restart": {"at": "month"}}, Restart("month")),
        ({"restart": {"below": 0.5}}, Restart("", 0.5)),
        ({"falls": "restart", "restart": {"at": "week", "below": 1}}, Restart("week", 1.0)),
        ({"falls": "reject"}, NEW_YEAR),
    ],
)
def test_what_a_fall_means(more: dict[str, Any], restart: Restart | None) -> None:
    entry = Entry("f", "fresh", {"increase_of": "total", "by": ["city"], "falls": "correct", **more})
    found = read_increase("fresh", entry, ("total", "city"))
    assert found == Increase("fresh", "total", ("city",), more.get("falls", "correct"), restart)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"falls": "restart"}, "fresh.restart: must be given"),
        ({"falls": "restart", "restart": "never"}, "fresh.restart: must say where it begins anew"),
        ({"restart": {}}, "fresh.restart: must hold at, below or both"),
        ({"restart": {"at": "quarter"}}, "fresh.restart.at: 'quarter' must be one of year, month, week, day"),
        ({"restart": {"below": 0}}, "fresh.restart.below: must be a share"),
        ({"restart": {"below": 1.5}}, "fresh.restart.below: must be a share"),
        ({"restart": {"below": float("nan")}}, "fresh.restart.below: must be a number"),
        ({"restart": "sometimes"}, "fresh.restart: must be a mapping"),
        ({"increase_of": "x"}, "fresh.increase_of: no column 'x'"),
    ],
)
def test_what_a_fall_cannot_mean(more: dict[str, Any], said: str) -> None:
    entry = Entry("f", "fresh", {"increase_of": "total", "by": ["city"], "falls": "correct", **more})
    with pytest.raises(Misdeclared) as caught:
        read_increase("fresh", entry, ("total", "city"))
    assert said in str(caught.value)


@pytest.mark.parametrize("form", ["%Y %Y", "%Y-%m-%d %Q", "%s", "%Y %", "%-d/%m/%Y", "%G-%m"])
def test_a_format_that_no_row_could_be_read_with_is_refused(form: str) -> None:
    time = {"format": form, "columns": ["year", "day"], "offset": "+08:00"}
    with pytest.raises(
        Misdeclared, match=r"intake\[0\]\.time\.format: .* is no format of a time: "
    ) as caught:
        read({**MAPPING, "time": time})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "form", ["%Y %j", "%Y-%m-%d %H:%M:%S", "%d.%m.%y", "%Y/%m/%d %I:%M %p", "%Y-%m-%dT%H:%M%z", "%c"]
)
def test_usual_formats_are_taken(form: str) -> None:
    (mapping,) = read({**MAPPING, "time": {"format": form, "columns": ["year", "day"], "offset": "+08:00"}})
    assert mapping.time.format == form
