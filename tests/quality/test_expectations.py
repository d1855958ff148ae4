"""Expectations that cost less: they ask, find and tell what the library's own do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import pytest
from clickhouse_driver import Client
from great_expectations.expectations.expectation import Expectation as Library

from quality import gx
from quality.expectations import Counting, expectation_class
from quality.suites import Expectation, Suite
from schemas.settings import Settings

SUITE = Suite(
    "suite",
    tuple(
        Expectation(f"expect_{kind}", given)
        for kind, given in (
            ("column_values_to_not_be_null", {"column": "station"}),
            (
                "column_values_to_be_between",
                {"column": "pm25", "min_value": 0, "max_value": 90, "strict_min": True},
            ),
            ("column_values_to_be_between", {"column": "aqi", "min_value": 10, "mostly": 0.5}),
            ("column_values_to_be_in_set", {"column": "region", "value_set": ["330110", "330106"]}),
            ("column_values_to_not_be_in_set", {"column": "station", "value_set": ["B2"]}),
            ("column_values_to_match_regex", {"column": "station", "regex": "^A[0-9]$"}),
            ("column_value_lengths_to_be_between", {"column": "station", "min_value": 1, "max_value": 2}),
            ("column_values_to_be_unique", {"column": "id"}),
            (
                "column_pair_values_a_to_be_greater_than_b",
                {"column_A": "pm25", "column_B": "aqi", "or_equal": True},
            ),
            ("column_values_to_not_be_null", {"column": "nothing"}),
        )
    ),
)
"""The last is of a column that is not there: what fails inside the library is told the same, too."""
ROWS = """
    SELECT '/t' AS source, tupleElement(each, 1) AS id, tupleElement(each, 2) AS station,
           tupleElement(each, 3) AS region, tupleElement(each, 4) AS pm25, tupleElement(each, 5) AS aqi
    FROM (SELECT arrayJoin([('1', 'A1', '330110', 30.0, 20.0), {more}]) AS each)
"""
GOOD = "('2', 'A2', '330106', 40.0, 40.0)"
BAD = "('1', 'B2', '330199', 99.0, 100.0), ('3', 'A33', '330110', 0.0, 1.0)"
"""Breaks each, but that a station is there and that half of the indices are of 10 or more."""


def _own(kind: str) -> type[Library]:
    """The library's own class."""
    library: type[Library] = expectation_class(kind).__mro__[2]
    assert not issubclass(library, Counting)
    return library


@pytest.fixture
def asked(warehouse: Settings) -> Iterator[Client]:
    """Run SQL as `service`."""
    client = Client(**warehouse.warehouse("service"))
    yield client
    client.disconnect()


def _told(warehouse: Settings, client: Client, more: str) -> tuple[Any, Any]:
    """What is found, and what the library keeps of it, without what differs from run to run."""
    with gx.RowChecks(warehouse, client.execute, SUITE) as checks:
        found = checks.run(f"rows {uuid4().hex}", ROWS.format(more=more))
    results = [each.to_json_dict() for each in found.result.results]
    for each in results:
        each["expectation_config"]["kwargs"].pop("batch_id")
        for info in each["exception_info"].values():
            if isinstance(info, dict):
                info.pop("exception_traceback", None)
                info.pop("exception_message", None)  # names the view, which is of this run
        each["exception_info"] = list(map(str, sorted(map(str, each["exception_info"].values()))))
    return {(each.check, each.found) for each in found.failed}, json.loads(json.dumps(results, default=str))


@pytest.mark.stack
@pytest.mark.parametrize("more", [GOOD, BAD], ids=["good rows", "bad rows"])
def test_they_find_and_tell_what_the_librarys_own_do(warehouse: Settings, asked: Client, more: str) -> None:
    failed, results = _told(warehouse, asked, more)
    with patch.object(gx, "expectation_class", _own):
        own_failed, own = _told(warehouse, asked, more)
    assert results == own
    assert failed == own_failed
    assert len(failed) == (1 if more == GOOD else len(SUITE.expectations) - 2)


def test_a_configuration_is_made_once_and_follows_what_is_changed() -> None:
    made = expectation_class("expect_column_values_to_not_be_null")(column="a")
    first = made.configuration
    first.kwargs["column"] = "spoiled by a caller"
    assert made.configuration.kwargs["column"] == "a"
    made.column = "b"
    assert made.configuration.kwargs["column"] == "b"


def test_the_library_still_makes_what_is_made_once_here() -> None:
    """Where a version no longer has these, `Counting` does nothing, or does harm."""
    for name in ("configuration", "get_validation_dependencies", "_validate"):
        assert hasattr(Library, name), name
