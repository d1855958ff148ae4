"""The demo on the real files: out comes what plain Python finds in them, and a second demo adds nothing."""

from __future__ import annotations

import csv
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pytest

from schemas.regions import load_regions
from tests.journeys.stack import Stack

DATA = Path(__file__).parents[3] / "shared" / "data"
AIR, COVID = DATA / "pm25_daily_zhejiang_2014_2016.csv", DATA / "covid_zhejiang_city_daily_2020.csv"
GOOD = 75.0
LOOKBACK = 365

pytestmark = pytest.mark.skipif(
    not (AIR.exists() and COVID.exists()), reason=f"the real files are not there: {AIR.name}, {COVID.name}"
)


@pytest.mark.journey
@pytest.mark.timeout(1200)
def test_real_files_come_out_as_they_are(stack: Stack) -> None:
    said = stack.liaowang("demo", "--days", 5, "--data", DATA, seconds=600).stdout
    assert "Indicators of the current release" in said and "Where to look" in said
    _air_is_landed_and_missing_values_rejected(stack)
    _good_days_are_those_of_the_file(stack)
    _daily_cases_add_up_to_the_last_figure(stack)
    _units_that_are_no_cities_are_rejected(stack)
    stack.liaowang("ledger", "check")
    before = _counts(stack)
    again = stack.liaowang("demo", "--days", 5, "--data", DATA, seconds=600).stdout
    assert again.count("already sent on") == 5
    assert _counts(stack) == before


def read(path: Path) -> list[dict[str, str]]:
    """The rows of a file, as its makers wrote them."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def measured() -> dict[str, dict[date, float]]:
    """The daily mean of each city and day with a valid measurement."""
    found: dict[str, dict[date, float]] = {}
    for row in read(AIR):
        day = date(int(row["year"]), 1, 1) + timedelta(days=int(row["day_index"]) - 1)
        if float(row["pm25"]) != 0:
            found.setdefault(row["city_code"], {})[day] = float(row["pm25"])
    return found


def _air_is_landed_and_missing_values_rejected(stack: Stack) -> None:
    rows = read(AIR)
    valid = {(city, day, value) for city, days in measured().items() for day, value in days.items()}
    assert (len(rows), len(rows) - len(valid)) == (10_950, 960)
    landed = stack.rows(
        "SELECT station, event_day, pm25 FROM landing.ecology_air_quality FINAL WHERE timeline = 'cnemc-daily'"
    )
    assert len(landed) == len(valid) and set(landed) == valid
    shown = stack.rows(
        "SELECT station, day, pm25 FROM mart.ecology_air_quality WHERE averaging = '24h' AND day < '2017-01-01'",
        user="bi",
    )
    assert len(shown) == len(valid) and set(shown) == valid
    assert _rejections(stack, "ecology.air-quality", "cnemc-daily") == {("pm25", "missing"): 960}


def _good_days_are_those_of_the_file(stack: Stack) -> None:
    cities = measured()
    last = max(day for days in cities.values() for day in days)
    for end in (date(2014, 12, 31), date(2015, 12, 31), last):
        found = stack.rows(
            "SELECT region, value, numerator, denominator FROM mart.indicator"
            f" WHERE indicator = 'ecology.good-air-days' AND day = '{end}' AND NOT missing",
            user="bi",
        )
        missing = stack.rows(
            "SELECT region, value FROM mart.indicator"
            f" WHERE indicator = 'ecology.good-air-days' AND day = '{end}' AND missing",
            user="bi",
        )
        assert sorted(missing) == [
            (city.code, None) for city in load_regions().cities if city.code not in cities
        ]
        expected = {city: _share(days, end) for city, days in cities.items()}
        total = [sum(figures) for figures in zip(*expected.values(), strict=True)]
        expected["330000"] = (total[0], total[1])
        assert {region for region, *_ in found} == expected.keys()
        for region, value, numerator, denominator in found:
            good, days = expected[region]
            assert (numerator, denominator) == (good, days), (region, end)
            assert abs(value - 100 * good / days) <= 1e-9, (region, end)


def _share(days: dict[date, float], end: date) -> tuple[int, int]:
    """Days with good air and days with a measurement, of the 365 up to this one."""
    seen = [value for day, value in days.items() if end - timedelta(days=LOOKBACK) < day <= end]
    return sum(value <= GOOD for value in seen), len(seen)


def _daily_cases_add_up_to_the_last_figure(stack: Stack) -> None:
    codes = _cities()
    figures = {code: [(r["date"], int(r["confirmed"])) for r in rows] for code, rows in codes.items()}
    last = {code: max(series)[1] for code, series in figures.items()}
    falls = sum(
        later < sooner
        for series in figures.values()
        for (_, sooner), (_, later) in zip(sorted(series), sorted(series)[1:], strict=False)
    )
    sums = stack.rows(
        "SELECT region, sum(cases), count(), uniqExact(date), min(cases) FROM mart.health_infectious_disease"
        " WHERE disease = 'covid-19' GROUP BY region",
        user="bi",
    )
    assert {region: cases for region, cases, *_ in sums} == last
    assert {region: rows for region, _, rows, *_ in sums} == {code: len(s) for code, s in figures.items()}
    assert all(rows == days and least >= 0 for _, _, rows, days, least in sums)
    ((originals, corrections),) = stack.rows(
        "SELECT countIf(corrects = ''), countIf(corrects != '') FROM landing.health_infectious_disease FINAL"
        " WHERE timeline = 'covid-city-daily'"
    )
    assert originals == sum(len(series) for series in figures.values())
    assert 0 < falls <= corrections


def _units_that_are_no_cities_are_rejected(stack: Stack) -> None:
    units = [row for row in read(COVID) if row["city"] and row["cityCode"] not in _cities()]
    expected = Counter(row["cityCode"] or row["city"] for row in units)
    assert len(units) > 800
    rows = stack.rows(
        "SELECT field, rule, value, countIf(JSONExtractString(raw, 'corrects') = '') FROM landing.rejected FINAL"
        " WHERE feed = 'health.infectious-disease' AND timeline = 'covid-city-daily' GROUP BY ALL"
    )
    assert {(field, rule) for field, rule, *_ in rows} == {("region", "region")}
    assert {value: number for _, _, value, number in rows} == expected


def _cities() -> dict[str, list[dict[str, str]]]:
    """The rows of each of the eleven cities, by code."""
    found: dict[str, list[dict[str, str]]] = {}
    for row in read(COVID):
        if row["cityCode"].isdigit():
            found.setdefault(row["cityCode"], []).append(row)
    assert len(found) == 11
    return found


def _rejections(stack: Stack, feed: str, timeline: str) -> dict[tuple[str, str], int]:
    rows = stack.rows(
        "SELECT field, rule, count() FROM landing.rejected FINAL"
        f" WHERE feed = '{feed}' AND timeline = '{timeline}' GROUP BY ALL"
    )
    return {(field, rule): number for field, rule, number in rows}


def _counts(stack: Stack) -> dict[str, int]:
    """Rows of every table that the main job fills; live ticks go on, and with them the ledger's control count."""
    counted = {
        f"{database}.{name}": "FINAL" if engine.startswith("Replacing") else ""
        for database, name, engine in stack.rows(
            "SELECT database, name, engine FROM system.tables"
            " WHERE database IN ('landing', 'built', 'quality', 'release', 'mart') AND name NOT LIKE '%_at'"
            " AND NOT (database = 'release' AND engine = 'View')"  # steps of other views, of no rows to count
        )
    }
    found = {
        table: int(stack.rows(f"SELECT count() FROM {table} {final}")[0][0])
        for table, final in counted.items()
        if table not in ("landing.tick", "landing.ledger")
    }
    ((ticks,),) = stack.rows("SELECT count() FROM landing.tick FINAL WHERE timeline != ''")
    ((accepted, rejected),) = stack.rows("SELECT sum(accepted), sum(rejected) FROM landing.ledger FINAL")
    ((seq,),) = stack.rows("SELECT seq FROM mart.current_release", user="bi")
    pushed = len(stack.received())
    assert len(found) > 20 and min(accepted, rejected, ticks, seq, pushed) > 0
    return {**found, "ticks": ticks, "accepted": accepted, "rejected": rejected, "seq": seq, "pushed": pushed}
