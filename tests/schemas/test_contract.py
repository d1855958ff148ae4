"""The loader: what a contract says, and one exact error for each way to get it wrong."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas.contract import FEEDS, load_contract, load_contracts, parse_contract
from schemas.declaration import parse_yaml
from schemas.errors import Misdeclared

PATH = FEEDS / "ecology" / "air-quality.yaml"
Edit = Callable[[dict[str, Any]], object]


MULTILINE = {"customProperties": [{"property": "multiline", "value": True}]}


def document() -> dict[str, Any]:
    value: dict[str, Any] = parse_yaml(PATH.read_text(encoding="utf-8"), str(PATH)).value
    return value


def custom(edited: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(item for item in edited["customProperties"] if item["property"] == name)
    return found


def field(edited: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(item for item in edited["schema"][0]["properties"] if item["name"] == name)
    return found


def test_the_air_quality_contract() -> None:
    contract = load_contract(PATH)
    assert contract.feed == "ecology.air-quality"
    assert contract.event_type == "ecology.air-quality.v1"
    assert contract.table == "ecology_air_quality"
    assert contract.topic == "feed.ecology.air-quality"
    assert contract.subject == ("station",)
    assert (contract.region_field, contract.region_levels) == ("region", ("city", "county"))
    assert contract.lateness == timedelta(hours=2)
    pm25 = contract.field("pm25")
    assert (pm25.kind, pm25.required, pm25.exclusive_minimum, pm25.maximum) == ("number", True, 0, 1000)
    assert (pm25.missing, pm25.unit) == ((0,), "µg/m3")
    with pytest.raises(KeyError):
        contract.field("ozone")


def test_all_contracts_are_sorted_by_feed() -> None:
    contracts = load_contracts()
    assert list(contracts) == [
        "duty.disposition",
        "duty.warning",
        "ecology.air-quality",
        "governance.citizen-request",
        "health.infectious-disease",
    ]
    assert contracts["duty.warning"].topic == "warnings"


WRONG: list[tuple[str, Edit, str]] = [
    ("old standard", lambda d: d.update(apiVersion="v2.2.2"), "apiVersion: 'v2.2.2' must be one of v3.1.0"),
    ("a team that is none", lambda d: d.update(team=1), "team.Team: Open Data Contract Standard"),
    ("no description", lambda d: d["description"].pop("purpose"), "description.purpose: must be given"),
    ("no semver", lambda d: d.update(version="1.0"), "version: '1.0' must be major.minor.patch"),
    ("unknown status", lambda d: d.update(status="live"), "status: 'live' must be one of proposed"),
    ("unknown top key", lambda d: d.update(fields=[]), "fields: Open Data Contract Standard: Extra inputs"),
    (
        "misspelt key of a field",
        lambda d: field(d, "aqi").update(requierd=True),
        "schema[0].properties[4].requierd: the Open Data Contract Standard has no such key",
    ),
    ("another domain", lambda d: d.update(domain="health"), "domain: must be ecology"),
    ("two tables", lambda d: d["schema"].append(d["schema"][0]), "schema: must hold one object"),
    ("no table", lambda d: d["schema"].clear(), "schema: must hold one object"),
    (
        "a field twice",
        lambda d: d["schema"][0]["properties"].append(field(d, "aqi")),
        "schema[0].properties: the field 'aqi' stands there twice",
    ),
    (
        "unknown type",
        lambda d: field(d, "aqi").update(logicalType="int"),
        "logicalType: 'int' must be one of",
    ),
    ("required left out", lambda d: field(d, "aqi").pop("required"), "properties[4].required: must be given"),
    ("required as text", lambda d: field(d, "aqi").update(required="no"), "required"),
    ("unclassified", lambda d: field(d, "aqi").pop("classification"), "classification: must be given"),
    ("unknown class", lambda d: field(d, "aqi").update(classification="top"), "'top' must be one of public"),
    ("reserved name", lambda d: field(d, "aqi").update(name="time"), "'time' is a column of the platform"),
    ("keyword name", lambda d: field(d, "aqi").update(name="class"), "'class' must be lower-case letters"),
    ("capital name", lambda d: field(d, "aqi").update(name="AQI"), "'AQI' must be lower-case letters"),
    (
        "option of another type",
        lambda d: field(d, "station").update(logicalTypeOptions={"minimum": 1}),
        "logicalTypeOptions.minimum: no such key; there are pattern, maxLength",
    ),
    (
        "bounds crossed",
        lambda d: field(d, "aqi").update(logicalTypeOptions={"minimum": 5, "maximum": 1}),
        "logicalTypeOptions.maximum: must not be below 5",
    ),
    (
        "two lower bounds",
        lambda d: field(d, "aqi").update(logicalTypeOptions={"minimum": 0, "exclusiveMinimum": 0}),
        "must have one of minimum and exclusiveMinimum",
    ),
    (
        "half a bound",
        lambda d: field(d, "aqi").update(logicalTypeOptions={"minimum": 0.5}),
        "minimum: must be a whole number",
    ),
    (
        "a bound of 65 bits",
        lambda d: field(d, "aqi").update(logicalTypeOptions={"maximum": 2**64}),
        "maximum: must fit 64 bits",
    ),
    (
        "broken pattern",
        lambda d: field(d, "station").update(logicalTypeOptions={"pattern": "("}),
        "pattern: must be a regular expression",
    ),
    (
        "pattern with lookahead",
        lambda d: field(d, "station").update(logicalTypeOptions={"pattern": "(?=a)a"}),
        "pattern: must do without lookaround",
    ),
    (
        "no length",
        lambda d: field(d, "station").update(logicalTypeOptions={"maxLength": 0}),
        "maxLength: must be 1 or more",
    ),
    (
        "values of a number",
        lambda d: field(d, "aqi").update(quality=field(d, "averaging")["quality"]),
        "metric: validValues are for strings only",
    ),
    (
        "a marker of another type",
        lambda d: field(d, "pm25")["quality"][0]["arguments"].update(missingValues=["-"]),
        "missingValues[0]: must be a number",
    ),
    (
        "missing values allowed",
        lambda d: field(d, "pm25")["quality"][0].update(mustBe=5),
        "mustBe: must be 0",
    ),
    (
        "unknown metric",
        lambda d: field(d, "pm25")["quality"][0].update(metric="rowCount"),
        "metric: 'rowCount' must be one of invalidValues, missingValues",
    ),
    (
        "no feed",
        lambda d: d["customProperties"].remove(custom(d, "feed")),
        "customProperties.feed: must be given: - {property: feed, value: …}",
    ),
    (
        "unknown property",
        lambda d: custom(d, "lateness").update(property="delay"),
        "property: 'delay' must be one of feed",
    ),
    (
        "property twice",
        lambda d: d["customProperties"].append(custom(d, "lateness")),
        "'lateness' stands there twice",
    ),
    (
        "another feed",
        lambda d: custom(d, "feed").update(value="ecology.air"),
        "must stand in feeds/ecology/air.yaml",
    ),
    ("no feed name", lambda d: custom(d, "feed").update(value="Air"), "'Air' must be <domain>.<feed>"),
    ("lateness", lambda d: custom(d, "lateness").update(value="2h"), "lateness: '2h' must be an ISO 8601"),
    ("no key field", lambda d: custom(d, "subject").update(value=["city"]), "subject: no field 'city'"),
    ("no key", lambda d: custom(d, "subject").update(value=[]), "subject: must list one or more"),
    ("optional key", lambda d: custom(d, "subject").update(value=["aqi"]), "'aqi' must be required"),
    (
        "region field",
        lambda d: custom(d, "region").update(value={"field": "pm25", "levels": ["city"]}),
        "region.field: 'pm25' must be a string",
    ),
    (
        "region level",
        lambda d: custom(d, "region").update(value={"field": "region", "levels": ["town"]}),
        "region.levels[0]: 'town' must be one of city, county",
    ),
    (
        "topic",
        lambda d: d["customProperties"].append({"property": "topic", "value": "a b"}),
        "topic: must be a Kafka topic",
    ),
    (
        "no rejected example",
        lambda d: custom(d, "examples")["value"]["rejected"].clear(),
        "examples: must hold at least one accepted and one rejected",
    ),
    (
        "example of an unknown rule",
        lambda d: custom(d, "examples")["value"]["rejected"][0].update(rule="bad"),
        "examples.rejected[0].rule: 'bad' must be one of json",
    ),
    (
        "example without reason",
        lambda d: custom(d, "examples")["value"]["rejected"][0].pop("rule"),
        "examples.rejected[0].rule: must be given",
    ),
    (
        "several lines in the Kafka key",
        lambda d: field(d, "station").update(MULTILINE),
        "the field 'station' is multiline; the Kafka key has one line",
    ),
    (
        "several lines in a number",
        lambda d: field(d, "pm25").update(MULTILINE),
        "multiline: is for strings",
    ),
    (
        "examples of one name",
        lambda d: custom(d, "examples")["value"]["accepted"][1].update(name="zero, which means missing"),
        "two examples have one name",
    ),
]


@pytest.mark.parametrize(("edit", "message"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_a_wrong_contract_is_misdeclared(edit: Edit, message: str) -> None:
    edited = document()
    edit(edited)
    with pytest.raises(Misdeclared) as caught:
        parse_contract(yaml.safe_dump(edited, allow_unicode=True), PATH)
    assert caught.value.where == str(PATH)
    assert message in str(caught.value)


def test_dumping_and_parsing_changes_nothing() -> None:
    text = yaml.safe_dump(document(), allow_unicode=True, sort_keys=False)
    assert parse_contract(text, PATH) == load_contract(PATH)


def test_an_unreadable_file_is_misdeclared(tmp_path: Path) -> None:
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("Lüfte".encode("latin-1"))
    for path in (tmp_path / "absent.yaml", latin, tmp_path):
        with pytest.raises(Misdeclared, match="cannot be read"):
            load_contract(path)


@pytest.mark.parametrize("text", ["", "[]", "a", "1"])
def test_a_file_that_is_no_mapping_is_misdeclared(text: str) -> None:
    with pytest.raises(Misdeclared, match="document: must be a mapping"):
        parse_contract(text, PATH)


def test_a_folder_without_feeds_is_misdeclared(tmp_path: Path) -> None:
    with pytest.raises(Misdeclared, match="holds no"):
        load_contracts(tmp_path)


def test_two_feeds_on_one_topic_are_misdeclared(tmp_path: Path) -> None:
    for name in ("air", "water"):
        edited = document()
        custom(edited, "feed")["value"] = f"ecology.{name}"
        edited["customProperties"].append({"property": "topic", "value": "readings"})
        path = tmp_path / "ecology" / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump(edited, allow_unicode=True), encoding="utf-8")
    with pytest.raises(Misdeclared, match=r"topic: readings belongs to ecology\.air already"):
        load_contracts(tmp_path)


def test_the_same_text_is_read_once_and_an_edited_file_anew(tmp_path: Path) -> None:
    path = tmp_path / "ecology" / "air-quality.yaml"
    path.parent.mkdir()
    text = (FEEDS / "ecology" / "air-quality.yaml").read_text(encoding="utf-8")
    path.write_text(text, encoding="utf-8")
    first = load_contract(path)
    assert load_contract(path) is first
    path.write_text(text.replace("lateness, value: PT2H", "lateness, value: PT3H"), encoding="utf-8")
    assert load_contract(path).lateness == first.lateness + timedelta(hours=1)
    other = tmp_path / "ecology" / "air.yaml"
    other.write_text(text, encoding="utf-8")
    with pytest.raises(Misdeclared, match=r"air\.yaml"):
        load_contract(other)
