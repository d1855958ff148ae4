"""State that was kept is taken up only where it is of this log, and not further than the log goes."""

from __future__ import annotations

from datetime import timedelta

import pytest

from streams.watch.episodes.episode import Transition
from streams.watch.worker.state import StateKeeper
from tests.streams.watch.test_semantics import AIR, START, air_event, entries, fresh, write

LOG = entries([air_event(n, START + timedelta(hours=n), 1, 400 if n % 2 else 20) for n in range(10)])


def kept(log: str = "a", events: int = 10) -> dict[bytes, bytes]:
    """The state after so many events."""
    stored: dict[bytes, bytes] = {}
    keeper = StateKeeper(fresh(AIR), log)
    keeper.partition.observe(LOG[:events], lambda transition: None)
    point = keeper.checkpoint({0: 7})
    assert point is not None
    write(stored, [*point.buckets, point.header])
    return stored


@pytest.mark.parametrize("end", [None, 10, 11])
def test_what_the_log_still_has_is_taken_up(end: int | None) -> None:
    keeper = StateKeeper(fresh(AIR), "a", end)
    assert keeper.restore(kept()) == {0: 7}
    assert (keeper.begun_anew, keeper.partition.offset) == ("", 9)


@pytest.mark.parametrize("end", [0, 3, 9])
def test_a_log_that_ends_before_is_judged_anew_and_what_comes_is_not_skipped(end: int) -> None:
    keeper = StateKeeper(fresh(AIR), "a", end)
    assert keeper.restore(kept()) == {}
    assert keeper.begun_anew == f"it was judged up to offset 9, but the log ends at {end}: an older copy"
    assert (keeper.partition.offset, keeper.partition.base) == (-1, 10), (
        "its batches are later than those before"
    )
    told: list[Transition] = []
    keeper.partition.observe(LOG, told.append)
    assert told, "events at offsets that were judged once are judged"
    stored = kept()
    for _ in range(2):  # what is left over of the old state goes with the second checkpoint
        point = keeper.checkpoint({})
        if point is not None:
            write(stored, [*point.buckets, point.header])
    again = StateKeeper(fresh(AIR), "a", 10)
    again.restore(stored)
    assert (again.begun_anew, again.partition.offset) == ("", 9)


def test_another_log_is_another_world() -> None:
    keeper = StateKeeper(fresh(AIR), "b", 100)
    assert keeper.restore(kept()) == {} and keeper.begun_anew == "the topic was made anew"


def test_a_log_that_is_not_known_for_a_while_is_not_forgotten() -> None:
    stored = kept("a", 5)
    keeper = StateKeeper(fresh(AIR), "")
    keeper.restore(stored)
    keeper.partition.observe(LOG, lambda transition: None)
    point = keeper.checkpoint({})
    assert point is not None
    write(stored, [*point.buckets, point.header])
    other = StateKeeper(fresh(AIR), "b")
    other.restore(stored)
    assert other.begun_anew, "it still says which log it was"
