"""From landing to built, on the real engine."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagster_project.build.feed import build_feed
from dagster_project.days.spans import Span
from dagster_project.warehouse import Warehouse
from tests.dagster_project.house import AIR, Event, House, reading

pytestmark = pytest.mark.stack
DAY = date(2024, 3, 1)
NEXT = date(2024, 3, 2)


def test_the_first_copy_in_log_order_wins(house: House) -> None:
    house.land(reading("a", DAY, 1), reading("b", DAY, 2))
    house.land(reading("a", DAY, 99), reading("b", DAY, 98, source="/other"))
    attempt = house.attempt()
    built, judged = house.build(attempt)
    assert house.built(attempt) == [("a", 1.0), ("b", 2.0), ("b", 98.0)]
    assert (built[0].rows, built[0].duplicates) == (3, 1)
    assert judged.passed


def test_a_copy_on_another_day_is_a_duplicate_in_any_range(house: House) -> None:
    house.land(reading("a", DAY, 1))
    house.land(reading("a", NEXT, 99), reading("b", NEXT, 2))
    for span in (Span(NEXT, NEXT), Span(DAY, NEXT)):
        attempt = house.attempt(span)
        house.build(attempt)
        assert [row for row in house.built(attempt) if row != ("a", 1.0)] == [("b", 2.0)]


def test_rows_beyond_the_fixed_offsets_are_not_read(house: House) -> None:
    house.land(reading("a", DAY, 1))
    attempt = house.attempt()
    house.land(reading("b", DAY, 2), reading("c", DAY, 3, partition=1))
    house.build(attempt)
    assert house.built(attempt) == [("a", 1.0)]


def test_a_correction_keeps_the_original_s_id_and_goes_where_its_time_says(house: House) -> None:
    house.land(reading("a", DAY, 1), reading("b", DAY, 2))
    house.land(reading("a2", NEXT, 10, corrects="a"), reading("b2", DAY, 20, corrects="b"))
    house.land(reading("b3", DAY, 21, corrects="b2"), reading("x2", DAY, 5, corrects="x"))
    attempt = house.attempt(Span(DAY, NEXT))
    built, judged = house.build(attempt)
    assert house.built(attempt, "event_day, id, pm25") == [
        (DAY, "b", 21.0),
        (DAY, "x", 5.0),
        (NEXT, "a", 10.0),
    ]
    assert [(item.day, item.corrected, item.duplicates) for item in built] == [(DAY, 2, 0), (NEXT, 1, 0)]
    assert judged.passed


def test_a_row_that_breaks_a_rule_is_quarantined_and_comes_back_by_a_correction(house: House) -> None:
    good = [reading(f"g{n}", DAY, 10) for n in range(20)]
    house.land(*good, reading("bad", DAY, 5000), Event("odd", DAY, {"region": "310101", "averaging": "8h"}))
    attempt = house.attempt()
    built, judged = house.build(attempt)
    assert (built[0].rows, built[0].quarantined) == (20, 2)
    assert judged.passed
    quarantined = house.warehouse.rows("SELECT id, reasons, raw FROM quality.quarantine ORDER BY id")
    assert quarantined == [
        ("bad", ["pm25: maximum"], "{}"),
        ("odd", ["averaging: enum", "region: region"], "{}"),
    ]
    house.land(reading("bad-2", DAY, 50, corrects="bad"))
    again = house.attempt()
    house.build(again)
    assert ("bad", 50.0) in house.built(again)


def test_a_day_of_nothing_but_copies_is_built_blank(house: House) -> None:
    house.land(reading("a", DAY, 1))
    house.land(reading("a", NEXT, 9))
    built, judged = house.build(house.attempt(Span(DAY, NEXT)))
    assert [(item.day, item.blank) for item in built] == [(DAY, False), (NEXT, True)]
    assert [verdict.day for verdict in judged.verdicts] == [DAY]


def test_three_years_are_one_run(house: House) -> None:
    first = date(2014, 1, 1)
    span = Span(first, first + timedelta(days=1094))
    house.land(*(reading(f"e{n}", day, 10 + n % 50) for n, day in enumerate(span.days)))
    attempt = house.attempt(span)
    built, judged = house.build(attempt)
    assert len(built) == len(judged.verdicts) == 1095
    assert sum(item.rows for item in built) == 1095
    assert judged.passed


def test_the_content_hash_is_of_the_events_alone(house: House, open_warehouse: Warehouse) -> None:
    events = [reading(f"e{n}", DAY, n + 1) for n in range(30)]
    house.land(*events)
    (first,), _ = house.build(house.attempt())
    (same,), _ = house.build(house.attempt())
    for table in (f"landing.{AIR.table}", "landing.ledger"):
        open_warehouse.rows(f"TRUNCATE TABLE {table}")
    house.ends.clear()
    house.now += timedelta(days=1)
    for event in reversed(events):
        house.land(reading(event.id, DAY, event.data["pm25"], partition=int(event.data["pm25"]) % 3))
    (moved,), _ = house.build(house.attempt())
    house.land(reading("e30", DAY, 1))
    (more,), _ = house.build(house.attempt())
    assert first.content_hash == same.content_hash == moved.content_hash != more.content_hash


EVENTS = st.lists(
    st.tuples(
        st.sampled_from("abcd"),
        st.sampled_from(["", "", "", *"abcd"]),
        st.sampled_from([DAY, NEXT]),
        st.integers(1, 1000),
    ),
    max_size=14,
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    derandomize=True,
)
@given(EVENTS)
def test_the_sql_agrees_with_a_plain_reading_of_the_rules(
    house: House, open_warehouse: Warehouse, events: Sequence[tuple[str, str, date, int]]
) -> None:
    for table in (f"landing.{AIR.table}", "landing.ledger"):
        open_warehouse.rows(f"TRUNCATE TABLE {table}")
    house.ends.clear()
    for id, corrects, day, value in events:
        house.land(reading(id, day, value, corrects=corrects))
    attempt = house.attempt(Span(DAY, NEXT))
    build_feed(open_warehouse, AIR, attempt)
    assert house.built(attempt, "id, event_day, pm25") == sorted(plain(events))


def plain(events: Sequence[tuple[str, str, date, int]]) -> list[tuple[str, date, float]]:
    """First copies; then, for each event, the latest correction that leads back to it."""
    first: dict[str, tuple[str, date, int]] = {}
    order: dict[str, int] = {}
    for id, corrects, day, value in events:
        if id not in first:
            order[id] = len(order)
            first[id] = ("" if corrects == id else corrects, day, value)

    def root(id: str) -> str:
        way = [id]
        while way[-1] in first and first[way[-1]][0]:
            following = first[way[-1]][0]
            if following in way:
                return min(way[way.index(following) :], key=order.__getitem__)
            way.append(following)
        return way[-1]

    latest: dict[str, str] = {}
    for id in sorted(first, key=order.__getitem__):
        if first[id][0] or root(id) not in latest:
            latest[root(id)] = id
    return [(origin, first[id][1], float(first[id][2])) for origin, id in latest.items()]
