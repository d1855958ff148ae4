"""Feeds are flushed by their own size, all of them in time, and what waits is bounded."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from schemas.contract import load_contracts
from schemas.decoder import Decoder
from streams.land.classification import Feed, Position, check
from streams.land.columns import Landed
from streams.land.write_buffer import Limits, Taken, WriteBuffer
from tests.streams.land.records import air, log

CONTRACT = load_contracts()["ecology.air-quality"]
JUDGED = Feed(Decoder(CONTRACT).decode, 0, CONTRACT.skew_ms)
LIMITS = Limits(rows=10, held=30, seconds=2.0)


def taken(topic: str, rows: int, first: int = 0, partition: int = 0) -> Taken:
    """A batch of so many rows of a feed."""
    _, batch = check(JUDGED, Position(first), log(*[air(f"e{n}") for n in range(rows)], first=first))
    assert batch is not None
    return Taken(Landed(topic, topic, 0, partition, batch), lambda: None)


def sizes(found: Sequence[Taken]) -> dict[str, int]:
    rows: dict[str, int] = {}
    for item in found:
        rows[item.landed.topic] = rows.get(item.landed.topic, 0) + len(item.landed.batch.accepted)
    return rows


def test_a_feed_with_rows_enough_is_flushed_by_itself_and_the_others_in_time() -> None:
    gathered = WriteBuffer(LIMITS)
    gathered.add(taken("small", 3), 0.0)
    gathered.add(taken("large", 6), 1.0)
    assert not gathered.full and gathered.room("large") and gathered.take(1.0) == []
    gathered.add(taken("large", 6, first=6), 1.5)
    assert gathered.full and not gathered.room("large") and gathered.room("small")
    assert sizes(gathered.take(1.5)) == {"large": 12}
    assert not gathered.full
    gathered.add(taken("large", 1, first=12), 1.9)
    assert (gathered.wait(1.9), gathered.wait(9.0)) == (0.10000000000000009, 0.0)
    assert sizes(gathered.take(2.0)) == {"small": 3, "large": 1}, "whatever waits goes along"
    assert gathered.take(9.0) == [] and gathered.wait(9.0) == LIMITS.seconds


def test_where_all_feeds_are_too_many_the_largest_go_until_half_is_left() -> None:
    gathered = WriteBuffer(LIMITS)
    for topic, rows in {"a": 4, "b": 9, "c": 8, "d": 2, "e": 7}.items():
        assert gathered.room(topic)
        gathered.add(taken(topic, rows), 0.0)
    assert gathered.full and not gathered.room("new")
    assert sizes(gathered.take(0.5)) == {"b": 9, "c": 8}
    assert gathered.room("new") and not gathered.full


def test_bytes_are_bounded_too() -> None:
    gathered = WriteBuffer(Limits(rows=100, size=1000, held=100))
    gathered.add(taken("a", 3), 0.0)
    gathered.add(taken("b", 1), 0.0)
    assert gathered.full and not gathered.room("c")
    assert sizes(gathered.take(0.0)) == {"a": 3}


def test_what_is_forgotten_is_not_flushed() -> None:
    gathered = WriteBuffer(LIMITS)
    gathered.add(taken("a", 5), 0.0)
    gathered.add(taken("a", 5, partition=1), 1.0)
    gathered.add(taken("b", 2), 1.0)
    assert gathered.full
    gathered.forget({("a", 0), ("b", 0)})
    assert not gathered.full and gathered.wait(1.0) == 1.0
    assert sizes(gathered.take(2.0)) == {"a": 5}


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(1, 9), st.floats(0, 1)), max_size=30))
def test_each_partition_is_flushed_in_order_once_and_no_more_waits_than_may(
    steps: list[tuple[str, int, float]],
) -> None:
    gathered, now, ends = WriteBuffer(LIMITS), 0.0, dict.fromkeys("abcd", 0)
    given, found = [], list[Taken]()
    for topic, rows, later in steps:
        while not gathered.room(topic):
            some = gathered.take(now)
            assert some, "what is full can be flushed"
            found += some
        item = taken(topic, rows, first=ends[topic])
        ends[topic] += rows
        given.append(item)
        gathered.add(item, now)
        now += later
    found += gathered.take(now + LIMITS.seconds)
    for topic in "abcd":
        assert [each for each in found if each.landed.topic == topic] == [
            each for each in given if each.landed.topic == topic
        ]
