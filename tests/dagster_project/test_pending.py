"""Which days wait to be built."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from dagster_project.build.unbuilt_days import pending
from dagster_project.days.spans import Span
from tests.dagster_project.house import AIR, House, reading

pytestmark = pytest.mark.stack
DAY = date(2024, 3, 1)
NEXT = date(2024, 3, 2)


def waiting(house: House) -> set[date]:
    return pending(house.warehouse, [AIR])


def test_days_wait_until_a_release_has_read_their_rows(house: House) -> None:
    house.land(reading("a", DAY, 1), reading("b", NEXT, 2))
    assert waiting(house) == {DAY, NEXT}
    house.build(house.attempt(Span(DAY, NEXT)))
    assert waiting(house) == {DAY, NEXT}
    house.release(Span(DAY, NEXT))
    assert waiting(house) == set()
    house.land(reading("c", NEXT, 3))
    assert waiting(house) == {NEXT}


def test_rows_that_change_nothing_do_not_wait_for_ever(house: House) -> None:
    house.land(reading("a", DAY, 1))
    house.release()
    house.land(reading("a", DAY, 1), reading("a", NEXT, 1))
    assert waiting(house) == {DAY, NEXT}
    assert house.release(Span(DAY, NEXT)).seq is None
    assert waiting(house) == set()


def test_rows_beyond_a_gap_in_the_ledger_do_not_wait(house: House) -> None:
    house.ends[AIR.topic, 0] = 0
    house.land(reading("a", DAY, 1))
    house.ends[AIR.topic, 0] += 1
    house.land(reading("b", NEXT, 1))
    assert waiting(house) == {DAY}


def test_a_correction_reopens_the_day_it_takes_a_row_from(house: House) -> None:
    last = DAY + timedelta(days=9)
    house.land(reading("a", DAY, 1), reading("b", NEXT, 2), reading("z", last, 2))
    house.release(Span(DAY, last))
    house.land(reading("a2", last, 5, corrects="a"))
    assert waiting(house) == {DAY, last}
    house.release(Span(DAY, last))
    assert waiting(house) == set()
