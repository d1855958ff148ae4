"""The ledger as builds read it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from dagster_project.days.ledger import End, Interval, complete, ends, offsets

NOON = datetime(2024, 3, 2, 12, tzinfo=UTC)
DAY = date(2024, 3, 1)  # ends 2024-02-29T16:00Z + 24 h


def interval(first: int, last: int, partition: int = 0, log_epoch: int = 0) -> Interval:
    return Interval(log_epoch, partition, first, last, last - first + 1, NOON + timedelta(seconds=last))


def end(
    arrived: datetime, clocks: dict[str, datetime] | None = None, hole: bool = False, epoch: int = 0
) -> End:
    return End(epoch, 0, 10, 10, arrived, clocks or {}, hole)


def test_a_chain_of_intervals_reaches_its_last_offset() -> None:
    (found,) = ends([interval(5, 9), interval(0, 4)])
    assert (found.stop, found.accepted, found.hole) == (10, 10, False)
    assert found.arrived_last == NOON + timedelta(seconds=9)


def test_what_lies_beyond_a_gap_is_not_read() -> None:
    (found,) = ends([interval(0, 4), interval(6, 9)])
    assert (found.stop, found.accepted, found.hole) == (5, 5, True)


def test_intervals_written_twice_count_once() -> None:
    (found,) = ends([interval(0, 4), interval(0, 4), interval(0, 2), interval(3, 9), interval(5, 7)])
    assert (found.stop, found.accepted, found.hole) == (10, 10, False)


def test_each_partition_and_epoch_has_its_own_end() -> None:
    found = ends([interval(0, 4), interval(7, 8, partition=1), interval(5, 6, log_epoch=1)])
    assert offsets("t", found) == {"t/0/0": 5, "t/0/1": 9, "t/1/0": 7}


@pytest.mark.parametrize(
    ("hours", "done"), [(17, False), (18, True), (30, True)], ids=["too early", "just then", "later"]
)
def test_a_day_is_complete_when_its_end_and_the_lateness_have_passed(hours: int, done: bool) -> None:
    arrived = datetime(2024, 3, 1, tzinfo=UTC) + timedelta(hours=hours)
    assert complete(DAY, [end(arrived)], timedelta(hours=2)) is done


def test_no_partition_may_lag_behind_and_none_may_have_a_gap() -> None:
    late, early = NOON, datetime(2024, 3, 1, tzinfo=UTC)
    assert not complete(DAY, [end(late), end(early)], timedelta(0))
    assert not complete(DAY, [end(late, hole=True)], timedelta(0))
    assert not complete(DAY, [], timedelta(0))


def test_an_older_epoch_is_over_and_holds_nothing_up() -> None:
    assert complete(DAY, [end(datetime(2020, 1, 1, tzinfo=UTC)), end(NOON, epoch=1)], timedelta(0))


def test_a_replay_that_has_not_passed_the_day_holds_it_up_until_it_ends() -> None:
    vector = [end(NOON, {"": NOON, "old": datetime(2014, 1, 1, tzinfo=UTC)})]
    assert not complete(DAY, vector, timedelta(0))
    assert complete(DAY, vector, timedelta(0), ended=["old"])
    assert complete(date(2013, 1, 1), vector, timedelta(0))
