"""What a token opens follows from the declaration: own feeds, those of what an office is part of, own regions."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.decoder import Decoder
from schemas.department_yaml import parse_departments
from schemas.event import encode_event
from schemas.regions import load_regions
from streams.intake.batch import Fault, check_batch
from streams.intake.rights import Rights
from tests.streams.intake.feeds import AIR, HEALTH, NOON

TEXT = """departments:
  - {department: ecology, name: {zh: 生态, en: Ecology}, regions: ["330000"], contact: {stewards: [a]}}
  - {department: ecology-hangzhou, name: {zh: 杭州生态, en: Hangzhou}, regions: ["330100"], part_of: ecology,
     contact: {stewards: [b]}}
  - {department: hospital, name: {zh: 医院, en: Hospital}, regions: ["330110"], contact: {stewards: [c]}}
"""
RIGHTS = Rights(parse_departments(TEXT, Path("departments.yaml")))
REGIONS = load_regions()
BARE = replace(
    AIR, region_field="", region_levels=(), fields=tuple(f for f in AIR.fields if f.name != "region")
)


def event(id: str, region: str) -> bytes:
    data: dict[str, Any] = {"station": "S1", "region": region, "averaging": "1h", "pm25": 20.5}
    return encode_event(id=id, source="/t", type=AIR.event_type, time=NOON, data=data)


@pytest.mark.parametrize(
    ("department", "contract", "said"),
    [
        ("ecology", AIR, ""),
        ("ecology-hangzhou", AIR, ""),
        ("hospital", AIR, "the feed belongs to the department ecology, not hospital"),
        (
            "ecology",
            replace(AIR, department="ecology-hangzhou"),
            "belongs to the department ecology-hangzhou",
        ),
        ("ecology-hangzhou", HEALTH, "the feed belongs to the department health, not ecology-hangzhou"),
        ("health", HEALTH, ""),
        ("ecology-hangzhou", BARE, "the feed says no region, so ecology sends it itself"),
        ("ecology", BARE, ""),
        ("hospital", replace(BARE, department="hospital"), ""),
    ],
)
def test_who_sends_a_feed(department: str, contract: Any, said: str) -> None:
    found = RIGHTS.refusal(department, contract)
    assert said in found and bool(found) == bool(said)


def test_a_whole_province_is_no_scope_and_nor_is_a_feed_without_regions() -> None:
    assert RIGHTS.scope("ecology", AIR) is None and RIGHTS.scope("health", HEALTH) is None
    assert RIGHTS.scope("hospital", replace(BARE, department="hospital")) is None
    scope = RIGHTS.scope("ecology-hangzhou", AIR)
    assert scope is not None and scope.column == "region"
    assert scope.outside({"region": "330110"}) is None and scope.outside({"region": "330203"}) == "330203"
    assert scope.outside({}) == "" == scope.outside({"region": None}), "no region is the province's alone"


def test_a_field_by_the_name_of_region_says_it_too() -> None:
    named = replace(AIR, region_field="", region_levels=())
    scope = RIGHTS.scope("ecology-hangzhou", named)
    assert scope is not None and scope.column == "region" and not RIGHTS.refusal("ecology-hangzhou", named)


def test_an_event_of_another_region_is_named_and_nothing_is_sent() -> None:
    scope = RIGHTS.scope("ecology-hangzhou", AIR)
    items = [event("1", "330110"), event("2", "330203"), event("3", "330100")]
    records, faults = check_batch(AIR, Decoder(AIR), items, NOON, scope)
    assert len(records) == 2 and faults == [Fault(1, "2", "region", "scope", "330203")]
    assert check_batch(AIR, Decoder(AIR), items, NOON)[1] == []
    broken = json.loads(items[1]) | {"data": {"region": "330203"}}
    _, faults = check_batch(AIR, Decoder(AIR), [json.dumps(broken).encode()], NOON, scope)
    assert faults[0].rule == "required", "what breaks the contract is told as that"


@given(st.sampled_from([each.code for each in (*REGIONS.cities, *REGIONS.counties)]))
def test_an_office_of_a_city_sends_of_the_city_and_its_counties_alone(code: str) -> None:
    city = REGIONS.city_of(code)
    _, faults = check_batch(
        AIR, Decoder(AIR), [event("1", code)], NOON, RIGHTS.scope("ecology-hangzhou", AIR)
    )
    assert (not faults) == (city is not None and city.code == "330100")
