"""What two releases show differently."""

from __future__ import annotations

from datetime import date

import pytest

from dagster_project.days.spans import Span
from dagster_project.orchestrate.runs import run_span
from dagster_project.release.diff import difference
from tests.dagster_project.house import INDICATORS, House, reading

pytestmark = pytest.mark.stack
DAY = date(2024, 3, 1)


def test_figures_and_ranks_that_changed_are_told_and_no_others(house: House) -> None:
    regions = {"330100": (30, 30), "330200": (30, 90), "330300": (90, 90)}
    for region, values in regions.items():
        for n, value in enumerate(values):
            house.land(
                reading(f"{region}-{n}", date(2024, 3, 1 + n), value, data={"region": region, "pm25": value})
            )
    span = Span(DAY, date(2024, 3, 2))
    run_span(house.settings, span, lambda table, what: None)
    house.land(reading("fix", DAY, 30, corrects="330300-0", data={"region": "330300", "pm25": 30}))
    run_span(house.settings, span, lambda table, what: None)
    found = difference(house.warehouse, 1, 2, INDICATORS.values())
    changed = {
        (item.day.day, item.region): (item.before, item.after, item.rank_before, item.rank_after)
        for item in found.figures
        if item.indicator == "ecology.good-air-days"
    }
    assert changed[1, "330300"] == (0.0, 100.0, 3, 1)
    assert changed[2, "330300"] == (0.0, 50.0, 3, 2)
    assert (2, "330100") not in changed
    assert changed[1, "330000"][2:] == (None, None)
    days = {(item.table, item.day): (item.before, item.after) for item in found.days}
    assert days["ecology_air_quality", DAY] == (3, 3)
    assert difference(house.warehouse, 2, 2, INDICATORS.values()).figures == ()
