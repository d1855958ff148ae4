"""What a figure was made of is recorded with it, and enough to count it again."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from dagster_project.build.indicator_build import count
from dagster_project.build.provenance import Input, inputs, recorded
from dagster_project.days.spans import Span
from tests.dagster_project.house import INDICATORS, House, reading

DAY = date(2024, 3, 1)
ONE = timedelta(days=1)
GOOD = INDICATORS["ecology.good-air-days"]


def test_neighbouring_days_of_one_build_are_one_input() -> None:
    candidates = [
        ("t", DAY, "x"),
        ("t", DAY + ONE, "x"),
        ("t", DAY + 2 * ONE, "y"),
        ("t", DAY + 3 * ONE, "x"),
    ]
    assert inputs([*candidates, ("u", DAY + ONE, "x")]) == [
        Input("t", "x", Span(DAY, DAY + ONE)),
        Input("t", "y", Span(DAY + 2 * ONE, DAY + 2 * ONE)),
        Input("t", "x", Span(DAY + 3 * ONE, DAY + 3 * ONE)),
        Input("u", "x", Span(DAY + ONE, DAY + ONE)),
    ]


@pytest.mark.stack
def test_a_figure_names_the_builds_it_read_and_they_count_to_the_same(house: House) -> None:
    house.land(reading("a", DAY, 30), reading("b", DAY + ONE, 90))
    first = house.attempt(Span(DAY, DAY + ONE))
    house.build(first)
    house.figure(first, GOOD)
    house.publish(first)
    house.land(reading("c", DAY + 2 * ONE, 30))
    second = house.attempt(Span(DAY + 2 * ONE, DAY + 2 * ONE))
    house.build(second)
    house.figure(second, GOOD)
    found = recorded(house.warehouse, GOOD.table, DAY + 2 * ONE, second.build_id)
    assert found == [
        Input("ecology_air_quality", first.build_id, Span(DAY, DAY + ONE)),
        Input("ecology_air_quality", second.build_id, Span(DAY + 2 * ONE, DAY + 2 * ONE)),
        Input(GOOD.table, first.build_id, Span(DAY + ONE, DAY + ONE)),
    ]
    read = [(item.table, day, item.build_id) for item in found for day in item.span.days]
    (again,) = count(house.warehouse, GOOD, read, [DAY + 2 * ONE])
    assert (again.region, again.numerator, again.denominator) == ("330100", 2.0, 3.0)
