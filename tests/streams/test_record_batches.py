"""Batches give what aiokafka's own reader gives: the same records, the same next offset, nothing aborted."""

from __future__ import annotations

import itertools
from collections import OrderedDict

from aiokafka.consumer.fetcher import READ_COMMITTED, FetchResult, PartitionRecords
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from streams.record_batches import BatchedRecords, FetchedBatches

HERE = TP("feed", 0)


def batch(first: int, size: int, producer: int, transactional: bool) -> bytes:
    """One batch of records from offset `first`, as a broker stores it."""
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=0, is_transactional=int(transactional),
        producer_id=producer, producer_epoch=0, base_sequence=0, batch_size=1 << 20,
    )  # fmt: skip
    for number in range(size):
        builder.append(number, timestamp=1000 + first, key=None, value=b"%d" % (first + number), headers=[])
    raw = bytearray(builder.build())
    raw[:8] = first.to_bytes(8, "big")
    return bytes(raw)


def fetched(raw: bytes, at: int, aborted: list[tuple[int, int]]) -> PartitionRecords:
    return PartitionRecords(HERE, MemoryRecords(raw), aborted, at, None, None, True, READ_COMMITTED)


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 2)), min_size=1, max_size=6), st.integers(0, 3))
def test_the_same_records_as_aiokafka_reads(shapes: list[tuple[int, int]], at: int) -> None:
    at = min(at, shapes[0][0] - 1)  # a broker's answer begins with the batch that holds what was asked for
    starts = list(itertools.accumulate((size for size, _ in shapes), initial=0))
    raw = b"".join(
        batch(start, size, producer, transactional=producer > 0)
        for start, (size, producer) in zip(starts, shapes, strict=False)
    )
    aborted = [(2, 0)]  # everything of producer 2 was rolled back
    theirs, ours = fetched(raw, at, aborted), BatchedRecords.of(fetched(raw, at, aborted))
    wanted = [(record.offset, record.timestamp, record.value) for record in theirs]
    found = [(record.offset, record.timestamp, record.value) for records in ours for record in records]
    assert found == wanted
    assert ours.next_fetch_offset == theirs.next_fetch_offset


def test_only_framed_topics_give_batches() -> None:
    other = TP("changelog", 0)
    store: OrderedDict[TP, FetchResult] = OrderedDict()
    for tp in (HERE, other):
        records = fetched(batch(0, 3, 0, transactional=False), 0, [])
        store[tp] = FetchResult(tp, assignment=None, partition_records=records, backoff=0)
    kept = FetchedBatches({"feed"}, store)
    assert [len(list(kept[tp]._partition_records)) for tp in (HERE, other)] == [1, 3]
    assert isinstance(kept[HERE]._partition_records, BatchedRecords)
