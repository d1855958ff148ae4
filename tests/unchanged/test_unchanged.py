"""Transitions and figures of a made-up fortnight are the same to the byte as they have ever been.

The digests in `golden.json` were taken before the platform was laid out anew; a rule or table that differs is
named. Where a change is meant: `python -m tests.unchanged`.
"""

from __future__ import annotations

import pytest

from tests.benchmarks.house import own_warehouse
from tests.unchanged.arrivals import Arrived, records
from tests.unchanged.figures import rows
from tests.unchanged.golden import digests, input_lines, load
from tests.unchanged.transitions import Said, by_rule, told, warnings

WAYS = {b'"opened"', b'"raised"', b'"lowered"', b'"recovered"', b'"cancelled"'}


@pytest.fixture(scope="module")
def arrived() -> list[Arrived]:
    """The records."""
    return records()


@pytest.fixture(scope="module")
def said(arrived: list[Arrived]) -> Said:
    """What the rules say of them."""
    return told(arrived)


def differing(part: str, now: dict[str, str]) -> str:
    """The names of a part whose lines are other ones than they were, each with the number of both."""
    was = load()[part]
    names = [name for name in sorted(was.keys() | now.keys()) if was.get(name) != now.get(name)]
    return "\n".join(
        f"{part} of {name}: {was.get(name, 'none')} before, {now.get(name, 'none')} now" for name in names
    )


def test_the_records_are_those_the_digests_were_taken_of(arrived: list[Arrived]) -> None:
    assert differing("records", digests(input_lines(arrived))) == ""


def test_every_rule_says_something_and_all_ways_of_moving_are_there(said: Said) -> None:
    lines = by_rule(said)
    assert all(any(b'"kind":"opened"' in line for line in each) for each in lines.values())
    assert {
        way for each in lines.values() for line in each for way in WAYS if b'"kind":' + way in line
    } == WAYS


def test_transitions_are_the_same_to_the_byte(said: Said) -> None:
    assert differing("transitions", digests(by_rule(said))) == ""


@pytest.mark.journey
@pytest.mark.timeout(1800)
def test_tables_and_figures_are_the_same_to_the_byte(arrived: list[Arrived], said: Said) -> None:
    with own_warehouse() as (settings, open):
        found = rows(settings, open, [*arrived, *warnings(said)])
    assert all(found.values()), "no table is empty, so that each is held"
    assert differing("tables", digests(found)) == ""
