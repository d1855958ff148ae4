"""The ledger is the union of its intervals, and knows when broker and ledger contradict each other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.land.ledger import (
    LedgerEntry,
    LogEpoch,
    balance,
    incident,
    lineage,
    log_epoch_of,
    topic_id,
    union,
)


def entry(first: int, last: int, rejected: int = 0, **marks: int) -> LedgerEntry:
    """An interval with nothing but accepted and some rejected events."""
    return LedgerEntry(first, last, last - first + 1 - rejected, rejected, 0, marks)


def standing(*entries: LedgerEntry):  # type: ignore[no-untyped-def]
    found = union(entries)
    assert found is not None
    return found


def test_no_intervals_are_no_standing() -> None:
    assert union([]) is None


def test_the_union_ends_at_the_first_hole() -> None:
    found = standing(entry(20, 29), entry(0, 9, a=1), entry(40, 49), entry(10, 14, a=2), entry(10, 14, a=2))
    assert (found.first, found.next, found.accepted, found.watermarks) == (0, 15, 15, {"a": 2})


def test_overlapping_workers_are_counted_once() -> None:
    one = [entry(0, 9, 1), entry(10, 19, 1), entry(20, 24, 2)]
    other = [entry(10, 12), entry(13, 24, 3), entry(25, 30, 4)]
    found = standing(*one, *other)
    assert (found.next, found.rejected, found.accepted) == (31, 8, 23)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.data())
def test_the_order_and_repetition_of_intervals_does_not_matter(
    lengths: list[int], data: st.DataObject
) -> None:
    entries, first = [], 5
    for length in lengths:
        entries.append(entry(first, first + length - 1, mark=first))
        first += length
    shuffled = data.draw(st.permutations([*entries, *data.draw(st.lists(st.sampled_from(entries)))]))
    assert union(shuffled) == union(entries)
    assert standing(*entries).accepted == sum(lengths)


def test_a_cut_log_and_overtaking_retention_are_incidents() -> None:
    found = standing(entry(0, 99))
    assert incident("feed.a/0", found, 0, 100) is None
    assert incident("feed.a/0", found, 100, 100) is None
    assert "already accounts for 100" in str(incident("feed.a/0", found, 0, 99))
    retention = str(incident("feed.a/0", found, 120, 200))
    assert "100..119" in retention
    assert "liaowang ledger lose feed.a 0 --to 120" in retention


def test_a_recreated_topic_and_new_partitions_begin_an_epoch() -> None:
    first, wider, again = topic_id("u1", 4), topic_id("u1", 8), topic_id("u2", 8)
    assert log_epoch_of([], first) == LogEpoch(first, 0)
    known = [LogEpoch(first, 0), LogEpoch(wider, 1)]
    assert log_epoch_of(known, first) == LogEpoch(first, 0)
    assert log_epoch_of(known, again) == LogEpoch(again, 2)
    assert lineage(known, LogEpoch(wider, 1)) == [0, 1]
    assert lineage(known, LogEpoch(again, 2)) == [2]


def test_the_balance_is_even_only_when_every_offset_is_accounted_for() -> None:
    found = standing(entry(0, 49, 5), LedgerEntry(50, 59, 0, 0, 10))
    even = balance("t", 0, found, 0, 60)
    assert (even.produced, even.accepted, even.rejected, even.control, even.even) == (60, 45, 5, 10, True)
    assert balance("t", 0, found, 30, 60).even, "retention after landing takes nothing away"
    assert (balance("t", 0, found, 0, 70).open, balance("t", 0, found, 0, 70).even) == (10, False)
    assert (balance("t", 0, found, 65, 70).lost, balance("t", 0, None, 3, 10).open) == (5, 7)
    assert balance("t", 0, None, 3, 3).even


def test_a_recorded_loss_never_balances() -> None:
    found = standing(entry(0, 9), LedgerEntry(10, 14, 0, 0, 0))
    assert (found.next, found.lost, balance("t", 0, found, 15, 15).even) == (15, 5, False)
