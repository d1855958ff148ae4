"""Suites derived from contracts: what they expect, and that the engine knows every expectation."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from quality.suites import Expectation, suite_for
from schemas.contract import Contract, Field, load_contracts
from schemas.regions import load_regions
from schemas.tables import built_columns

CONTRACTS = load_contracts()
AIR = CONTRACTS["ecology.air-quality"]


@pytest.fixture(scope="module")
def expectation() -> Callable[[str], Any]:
    """The engine's class of an expectation; importing the engine warns of the Python standard library."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import great_expectations.expectations.core
        from great_expectations.expectations.registry import get_expectation_impl
    assert great_expectations.expectations.core
    return get_expectation_impl


def of(contract: Contract, column: str) -> list[tuple[str, dict[str, object]]]:
    return [
        (
            item.kind.removeprefix("expect_column_values_to_"),
            {k: v for k, v in item.kwargs.items() if k != "column"},
        )
        for item in suite_for(contract).expectations
        if item.kwargs.get("column") == column
    ]


def test_air_quality() -> None:
    assert of(AIR, "pm25") == [
        ("not_be_null", {}),
        ("be_between", {"min_value": 0, "max_value": 1000, "strict_min": True}),
        ("not_be_in_set", {"value_set": [0]}),
    ]
    assert of(AIR, "aqi") == [("be_between", {"min_value": 0, "max_value": 500})]
    assert of(AIR, "averaging") == [("not_be_null", {}), ("be_in_set", {"value_set": ["1h", "24h"]})]
    assert of(AIR, "station")[1] == ("match_regex", {"regex": "^[0-9A-Za-z-]{1,32}$"})
    codes = sorted(load_regions().codes(["city", "county"]))
    assert of(AIR, "region") == [("not_be_null", {}), ("be_in_set", {"value_set": codes})]


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=lambda contract: contract.feed)
def test_every_suite(contract: Contract, expectation: Callable[[str], Any]) -> None:
    suite = suite_for(contract)
    columns = {name for name, _ in built_columns(contract)}
    assert suite.name == f"contract.{contract.feed}.v{contract.version}"
    assert (
        Expectation("expect_compound_columns_to_be_unique", {"column_list": ["source", "id"]})
        in suite.expectations
    )
    assert [item.kind for item in suite.expectations if not item.by_row] == [
        "expect_table_row_count_to_be_between",
        "expect_compound_columns_to_be_unique",
    ]
    for item in suite.expectations:
        assert item.kwargs.get("column", "id") in columns
        assert expectation(item.kind)(**item.kwargs)


def test_the_hash_is_that_of_the_expectations() -> None:
    suite = suite_for(AIR)
    assert suite.hash == suite_for(AIR, load_regions()).hash
    grown = suite_for(replace(AIR, fields=(*AIR.fields, Field("ozone", "number", required=True))))
    assert grown.hash != suite.hash
    assert suite_for(replace(AIR, version="1.0.1")).hash != suite.hash
