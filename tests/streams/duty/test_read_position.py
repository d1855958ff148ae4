"""Where a reader of warnings goes on: by what is written down, whatever the broker says; what it takes again."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from streams.duty.database.models import Base
from streams.duty.inbox.read import Read
from streams.duty.inbox.read_position import AGAIN, Log, ReadPosition, rows_of, start_of, write_down
from streams.duty.inbox.redelivery import ENDS, Redelivery

NOW = 1_000_000_000_000
SINCE = NOW - int(AGAIN.total_seconds() * 1000)


def log(*offsets: tuple[int, int], committed: dict[int, int] | None = None, id: str = "a") -> Log:
    return Log(id, dict(enumerate(offsets)), committed or {})


def test_a_new_home_begins_at_the_beginning_and_says_nothing() -> None:
    start = start_of({}, True, log((0, 5), (2, 9)), NOW)
    assert (start.next, start.why, start.filling) == ({0: 0, 1: 2}, "", None)


def test_what_is_written_down_decides_not_what_was_committed() -> None:
    known = {"a": ReadPosition("a", {0: 3})}
    start = start_of(known, False, log((0, 5), (0, 9), committed={0: 5, 1: 9}), NOW)
    assert (start.next, start.why, start.filling) == ({0: 3, 1: 0}, "", None), (
        "a new partition from its beginning"
    )


def test_a_home_from_before_goes_on_where_its_group_stands() -> None:
    start = start_of({}, False, log((2, 5), (0, 9), committed={0: 4, 1: 99}), NOW)
    assert (start.next, start.why, start.filling) == ({0: 4, 1: 9}, "", None)


def test_what_is_gone_is_filled_again_to_the_end_there_is_now() -> None:
    start = start_of({}, True, log((0, 5), (2, 9), committed={0: 5}), NOW)
    assert (start.next, start.filling, start.until) == ({0: 0, 1: 2}, SINCE, {0: 5, 1: 9})
    assert "nothing is written down any more" in start.why


def test_filling_that_was_interrupted_goes_on_with_the_same_bound() -> None:
    known = {"a": ReadPosition("a", {0: 0}, 123)}
    start = start_of(known, False, log((0, 5)), NOW)
    assert (start.next, start.filling, start.until) == ({0: 0}, 123, {0: 5})


def test_a_log_that_is_shorter_than_what_was_read_is_read_from_its_beginning() -> None:
    start = start_of({"a": ReadPosition("a", {0: 7, 1: 1})}, False, log((0, 5), (0, 9)), NOW)
    assert start.next == {0: 0, 1: 0} and start.filling is None
    assert "partition 0 ends at offset 5, but 7 were read" in start.why


def test_a_topic_made_anew_is_read_from_its_beginning() -> None:
    start = start_of({"a": ReadPosition("a", {0: 7})}, False, log((0, 9), committed={0: 9}, id="b"), NOW)
    assert start.next == {0: 0} and "made anew" in start.why and start.filling is None


def test_what_retention_took_before_it_was_read_is_said() -> None:
    start = start_of({"a": ReadPosition("a", {0: 7})}, False, log((10, 12)), NOW)
    assert start.next == {0: 10} and start.why.startswith("3 messages were removed by retention")


@pytest.fixture
def connection() -> Iterator[sa.Connection]:
    engine = sa.create_engine("sqlite://")
    Base.metadata.tables["reached"].create(engine)
    with engine.begin() as open:
        yield open
    engine.dispose()


def test_how_far_was_read_is_kept_and_other_logs_are_forgotten(connection: sa.Connection) -> None:
    table = Base.metadata.tables["reached"]
    for each in (ReadPosition("a", {0: 1, 1: 2}), ReadPosition("a", {0: 5, 1: 2}, 77)):
        write_down(connection, table, each)
        assert rows_of(connection, table) == {"a": each}
    write_down(connection, table, ReadPosition("a", {0: 5, 1: 2}, floor=99))
    write_down(connection, table, ReadPosition("a", {0: 6}))
    assert rows_of(connection, table) == {"a": ReadPosition("a", {0: 6, 1: 2}, floor=99)}, "a floor stays"
    write_down(connection, table, ReadPosition("a", {0: 0, 1: 0}, 99))
    assert rows_of(connection, table) == {"a": ReadPosition("a", {0: 0, 1: 0}, 99, 99)}, (
        "also while it is filled again"
    )
    write_down(connection, table, ReadPosition("b", {0: 1}))
    assert rows_of(connection, table) == {"b": ReadPosition("b", {0: 1})}


def read(episode: str, kind: str, arrived: int) -> Read:
    return Read(
        SimpleNamespace(data=SimpleNamespace(episode=episode, kind=kind)), f"{episode} {kind}", arrived
    )


def places(found: list[Read]) -> list[str]:
    return [each.place for each in found]


def test_late_ones_are_taken_again_and_of_older_ones_what_is_open() -> None:
    again = Redelivery(100)
    found = [
        read("over", "opened", 1),
        read("open", "opened", 2),
        read("over", "recovered", 3),
        read("open", "raised", 4),
        read("late", "opened", 5),
        read("late", "raised", 100),
        read("new", "opened", 101),
        read("new", "recovered", 102),
    ]
    assert places(again.sort(found)) == ["late opened", "late raised", "new opened", "new recovered"]
    assert places(again.rest()) == ["open opened", "open raised"]
    assert (again.taken, again.left) == (4, 2)


TRANSITIONS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(("opened", "raised", *ENDS)), st.integers(0, 9))
)


@given(TRANSITIONS, st.integers(0, 10), st.integers(1, 5))
def test_each_is_taken_or_left_once_and_an_episode_keeps_its_order(
    found: list[tuple[str, str, int]], since: int, size: int
) -> None:
    again, reads = Redelivery(since), [read(*each) for each in sorted(found, key=lambda each: each[2])]
    taken = [each for at in range(0, len(reads), size) for each in again.sort(reads[at : at + size])]
    taken += again.rest()
    assert len(taken) + again.left == len(reads)
    assert {id(each) for each in reads if each.arrived >= since} <= {id(each) for each in taken}
    for episode in "abc":
        mine = [each.arrived for each in taken if each.warning.data.episode == episode]
        assert mine == sorted(mine)
