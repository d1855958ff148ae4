"""The checks that GX cannot say."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

import pytest

from quality.beyond import (
    drift,
    expectations,
    freshness,
    quarantine_share,
    ranking_observed,
    regions_complete,
)
from schemas.findings import Finding, Found, words_of
from schemas.gate import Gate
from schemas.regions import load_regions

DAY = date(2024, 3, 8)
REGIONS = load_regions()
CITIES = [city.code for city in REGIONS.cities]
COUNTIES = [county.code for county in REGIONS.counties]


def told(findings: Iterable[Finding]) -> list[str]:
    return list(map(words_of, findings))


def test_the_quarantine_has_a_limit_of_its_own() -> None:
    assert quarantine_share(Gate(), 90, 10) == []
    assert told(quarantine_share(Gate(), 89, 11)) == ["quarantine_share: 11 of 100 rows are in quarantine"]
    assert quarantine_share(Gate(quarantine=0.2), 89, 11) == []
    assert quarantine_share(Gate(quarantine=0.0), 1000, 1) != []


def test_a_day_may_not_drift_from_the_day_or_the_week_before() -> None:
    amounts = {DAY: 150.0, DAY - timedelta(days=1): 100.0, DAY - timedelta(days=7): 140.0}
    assert drift(Gate(), amounts, DAY, "rows") == []
    assert drift(Gate(drift_day=0.5, drift_week=0.1), amounts, DAY, "rows") == []
    assert told(drift(Gate(drift_day=0.4), amounts, DAY, "rows")) == [
        "drift_day: 150 rows, 100 on 2024-03-07: 50% apart"
    ]
    (weekly,) = drift(Gate(drift_week=0.05), amounts, DAY, "rows")
    assert (weekly.check, weekly.found, weekly.given["day"]) == ("drift_week", Found.DRIFTED, "2024-03-01")
    assert drift(Gate(drift_day=0.1), {DAY: 5.0}, DAY, "rows") == []
    (from_nothing,) = drift(Gate(drift_day=9), {DAY: 5.0, DAY - timedelta(days=1): 0.0}, DAY, "rows")
    assert from_nothing.found is Found.DRIFTED_FROM_NOTHING
    endless = Gate(drift_day=float("inf"))
    assert drift(endless, {DAY: 5.0, DAY - timedelta(days=1): 0.0}, DAY, "rows") == []


def test_eleven_of_eleven_cities_and_ninety_of_ninety_counties() -> None:
    both = Gate(complete=("city", "county"))
    assert regions_complete(both, COUNTIES, REGIONS) == []
    (counties,) = regions_complete(both, CITIES, REGIONS)
    assert {**counties.given, "missing": 0} == {"there": 0, "wanted": 90, "level": "county", "missing": 0}
    assert regions_complete(Gate(complete=("city",)), CITIES, REGIONS) == []
    (words,) = told(regions_complete(Gate(complete=("city",)), CITIES[1:], REGIONS))
    assert words == "regions_complete: 10 of 11 city regions; missing 330100 杭州市"
    (words,) = told(regions_complete(Gate(complete=("county",)), COUNTIES[10:], REGIONS))
    assert words.endswith("and 5 more")
    assert regions_complete(Gate(), [], REGIONS) == []


def test_every_partition_must_be_fresh() -> None:
    gate = Gate(freshness=timedelta(hours=1))
    end = datetime(2024, 3, 8, 16, tzinfo=UTC)  # midnight in Asia/Shanghai
    partitions = [(0, end - timedelta(minutes=59)), (1, end - timedelta(minutes=61))]
    (words,) = told(freshness(gate, DAY, partitions, end + timedelta(days=1)))
    assert words.startswith("freshness: partition 1 last had something at 2024-03-08 14:59")
    assert freshness(gate, DAY, partitions, end - timedelta(hours=3)) == []
    assert freshness(Gate(), DAY, partitions, end) == []


@pytest.mark.parametrize(
    ("rows", "holds"),
    [
        ([("a", 9.0, 1, 3, False), ("b", 9.0, 1, 3, False), ("c", 5.0, 3, 3, False)], True),
        ([("a", 9.0, 1, 1, False), ("b", None, None, 1, True)], True),
        ([("a", 9.0, 1, 1, False), ("b", 10.0, None, 1, True)], True),
        ([("a", 9.0, 2, 2, False), ("b", 10.0, 1, 2, True)], False),
        ([("a", 9.0, 2, 1, False), ("b", 10.0, None, 1, True)], False),
        ([("a", 9.0, 1, 2, False), ("b", None, None, 2, True)], False),
        ([("a", 9.0, 2, 2, False), ("b", 5.0, 1, 2, False)], False),
        ([("a", 9.0, None, 2, False), ("b", 5.0, 1, 2, False)], False),
    ],
)
def test_no_ranking_is_decided_by_a_missing_or_imputed_region(
    rows: list[tuple[str, float | None, int | None, int, bool]], holds: bool
) -> None:
    assert (ranking_observed(rows, sign=1) == []) is holds


def test_what_is_asked_is_part_of_the_suite() -> None:
    gate = Gate(drift_day=0.5, complete=("city",), freshness=timedelta(hours=6))
    assert [item.kind for item in expectations(gate)] == [
        *("quarantine_share", "drift_day", "regions_complete", "freshness"),
    ]
