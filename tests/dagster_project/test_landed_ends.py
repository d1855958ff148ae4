"""Ends as the warehouse sums them up are those of the intervals one by one, whatever the ledger looks like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dagster_project.days.landed_ends import landed_ends
from dagster_project.days.ledger import Interval, ends
from dagster_project.warehouse import Warehouse

pytestmark = pytest.mark.stack
BEGIN = datetime(2024, 3, 1, tzinfo=UTC)
COLUMNS = (
    *("topic", "log_epoch", "partition", "first", "last", "accepted", "arrived_last", "watermarks"),
    "rejected",
)
_topics = (f"feed.test.ends-{n}" for n in count())


@st.composite
def chains(draw: st.DrawFn) -> list[Interval]:
    """What some workers wrote of one partition: chains of their own, each with a gap or two or none."""
    place = (draw(st.integers(0, 1)), draw(st.integers(0, 1)))
    found = []
    for _ in range(draw(st.integers(1, 3))):
        first = draw(st.integers(0, 12))
        for length, gap in draw(
            st.lists(st.tuples(st.integers(1, 5), st.sampled_from([0, 0, 0, 1, 3])), max_size=6)
        ):
            last = first + length - 1
            arrived = BEGIN + timedelta(seconds=draw(st.integers(0, 20)))
            marks = {"": arrived, "replay": BEGIN} if draw(st.booleans()) else {}
            found.append(Interval(*place, first, last, draw(st.integers(0, length)), arrived, marks))
            first = last + 1 + gap
    return found


def write(open_warehouse: Warehouse, topic: str, intervals: Sequence[Interval]) -> None:
    rows = [(topic, *astuple(item), item.last - item.first + 1 - item.accepted) for item in intervals]
    open_warehouse.insert("landing.ledger", COLUMNS, rows)


def unique(intervals: Sequence[Interval]) -> list[Interval]:
    """As the table has them: of the same offsets the last that was written."""
    return list(
        {(item.log_epoch, item.partition, item.first, item.last): item for item in intervals}.values()
    )


@given(st.lists(st.lists(chains(), max_size=4), min_size=1, max_size=2), st.integers(0, 21))
@settings(
    max_examples=40, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_sums_are_those_of_the_intervals(
    open_warehouse: Warehouse, ledgers: list[list[list[Interval]]], seconds: int
) -> None:
    written = {next(_topics): [item for chain in ledger for item in chain] for ledger in ledgers}
    for topic, intervals in written.items():
        write(open_warehouse, topic, intervals)
    assert landed_ends(open_warehouse, list(written)) == {
        topic: ends(unique(intervals)) for topic, intervals in written.items()
    }
    before = BEGIN + timedelta(seconds=seconds)
    assert landed_ends(open_warehouse, list(written), before) == {
        topic: ends(item for item in unique(intervals) if item.arrived_last < before)
        for topic, intervals in written.items()
    }


def test_an_overlap_makes_up_for_no_gap(open_warehouse: Warehouse) -> None:
    """Lengths add up to the whole: 0..9 and 5..9 twice, 15..19 not at all... and still 10..14 is missing."""
    one = Interval(0, 0, 0, 9, 10, BEGIN)
    intervals = [one, replace(one, first=5, accepted=5), replace(one, first=15, last=19, accepted=5)]
    topic = next(_topics)
    write(open_warehouse, topic, intervals)
    (found,) = landed_ends(open_warehouse, [topic])[topic]
    assert (found.stop, found.accepted, found.hole) == (10, 10, True)
