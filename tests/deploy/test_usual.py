"""What is usual is worked out of landed events, each once and as its last correction says, and is kept."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from deploy.rule_history.baseline import keep, usual
from schemas.errors import Misdeclared
from schemas.fields import SHANGHAI
from schemas.settings import Settings
from streams.land.warehouse import Warehouse
from streams.watch.declare.baseline import read_table, slot_of
from streams.watch.declare.rule import Rule
from streams.watch.declare.templates import reader
from tests.streams.watch.trying import AIR, CONTRACTS, rule

pytestmark = pytest.mark.stack

START = datetime(2031, 3, 3, tzinfo=SHANGHAI)
DAYS = (date(2031, 3, 3), date(2031, 3, 9))
"""Days that no other test lands on."""


@pytest.fixture
def house(warehouse: Settings) -> Iterator[Warehouse]:
    connected = Warehouse(warehouse.warehouse("service"))
    yield connected
    connected.close()


def land(house: Warehouse, events: list[dict[str, Any]]) -> None:
    """Put events into landing.ecology_air_quality, offsets in the order given."""
    columns: dict[str, list[Any]] = {}
    for offset, each in enumerate(events):
        at = each["time"]
        row = {
            "event_day": at.astimezone(SHANGHAI).date(), "log_epoch": 9, "partition": 0, "offset": offset,
            "arrived": at, "timeline": "", "late": 0, "source": "/t", "corrects": "", "region": "330106",
            "averaging": "1h", "raw": "", **each,
        }  # fmt: skip
        for name, value in row.items():
            columns.setdefault(name, []).append(value)
    house.insert(CONTRACTS[AIR].table, columns)


def watched(**condition: Any) -> Rule:
    return rule({"kind": "baseline", "field": "pm25", **condition}, {"blue": 3}, where={"averaging": "1h"})


def test_mean_and_deviation_by_subject_and_slot(house: Warehouse) -> None:
    events = [
        {
            "id": f"{station}{hour}",
            "station": station,
            "time": START + timedelta(hours=hour),
            "pm25": 20.0 + hour % 31,
        }
        for station in ("U1", "U2")
        for hour in range(7 * 24)
    ]
    wrong = {"id": "U13", "station": "U1", "time": START + timedelta(hours=3)}
    land(
        house,
        [
            *events,
            dict(wrong, id="c1", corrects="U13", pm25=500.0),
            dict(wrong, id="c2", corrects="U13", pm25=40.0),
            dict(wrong, pm25=23.0),  # a copy of the corrected one
            {**events[5], "id": "other", "averaging": "24h", "pm25": 999.0},
            {**events[5], "id": "later", "time": START + timedelta(days=30), "pm25": 999.0},
        ],
    )
    found = usual(house, CONTRACTS[AIR], watched(slot="hour-of-week"), *DAYS)
    assert len(found) == 2 * 7 * 24 and {row["points"] for row in found} == {1}
    hourly = usual(house, CONTRACTS[AIR], watched(slot="hour-of-day"), *DAYS)
    values: dict[tuple[str, int], list[float]] = {}
    for each in events:
        slot = slot_of("hour-of-day", int(each["time"].timestamp() * 1000))
        value = 40.0 if each["id"] == "U13" else each["pm25"]
        values.setdefault((each["station"], slot), []).append(value)
    assert len(hourly) == len(values) == 48
    for row in hourly:
        mine = values[row["subject"], row["slot"]]
        assert math.isclose(row["mean"], statistics.fmean(mine), rel_tol=1e-12)
        assert math.isclose(row["sd"], statistics.stdev(mine), rel_tol=1e-9)
    assert len(read_table(1, hourly, "test").values) == 48
    computed = datetime(2031, 4, 1, tzinfo=UTC)
    keep(house, watched(slot="hour-of-day"), 3, computed, DAYS, hourly)
    kept = house.rows(
        "SELECT version, count(), sum(points) FROM landing.baseline WHERE name = 'test.rule' GROUP BY 1", {}
    )
    assert kept == [(3, 48, 2 * 7 * 24)]


def test_without_events_there_is_nothing_usual(house: Warehouse) -> None:
    with pytest.raises(Misdeclared, match="no landed events from 1999"):
        usual(house, CONTRACTS[AIR], watched(), date(1999, 1, 1), date(1999, 1, 2))


def test_a_rule_of_another_kind_compares_with_nothing(house: Warehouse) -> None:
    with pytest.raises(Misdeclared, match="name a baseline rule"):
        usual(house, CONTRACTS[AIR], rule({"kind": "count", "window": "PT1H"}, {"blue": 3}), *DAYS)


def test_subjects_are_the_texts_watch_gives_them_and_roll_ups_are_added_up(house: Warehouse) -> None:
    """A separator in a value is escaped; counties of one city are one subject; whole numbers do not overflow."""
    day = datetime(2031, 6, 2, tzinfo=SHANGHAI)
    days = (date(2031, 6, 2), date(2031, 6, 2))
    stations = [("a|b", "330106", 10.0), ("a", "330106", 20.0), ("a\\", "330108", 60.0), ("b", "330203", 5.0)]
    land(
        house,
        [
            {"id": f"s{n}", "station": station, "region": region, "time": day + timedelta(hours=n), "pm25": value,
             "aqi": 2**62}
            for n, (station, region, value) in enumerate(stations)
        ],
    )  # fmt: skip

    def means(subject: Any, field: str = "pm25") -> dict[str, float]:
        condition = {"kind": "baseline", "field": field, "slot": "none"}
        asked = rule(condition, {"blue": 3}, subject=subject, where={"averaging": "1h"})
        return {row["subject"]: row["mean"] for row in usual(house, CONTRACTS[AIR], asked, *days)}

    pairs = means(["station", "region"])
    watched_as = reader(("station", "region"))
    assert set(pairs) == {watched_as(SimpleNamespace(station=s, region=r)) for s, r, _ in stations}
    assert pairs["a\\|b|330106"] == 10.0
    assert means("{region:city}") == {"330100": 30.0, "330200": 5.0}
    assert means("in {region:city}") == {"in 330100": 30.0, "in 330200": 5.0}
    assert means("{region:city}", "aqi") == {"330100": 2.0**62, "330200": 2.0**62}
