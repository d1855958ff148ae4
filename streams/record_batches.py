"""Frames straight from Kafka's record batches: no object of aiokafka's own for each record.

aiokafka makes a ConsumerRecord of eleven fields of every record, one at a time through a generator; that alone
costs more than fetching and decompressing. Here the records of a batch are taken as its C parser gives them
(`offset`, `timestamp`, `key`, `value`), a whole batch at a time. What aiokafka checks is checked here as well:
the CRC, aborted transactions, control batches, offsets before the one that was asked for.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterator
from typing import Any

from aiokafka.consumer.fetcher import READ_COMMITTED, FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException
from faust.types import TP


class BatchedRecords(PartitionRecords):  # type: ignore[misc]
    """What a fetch brought of one partition; iterating gives lists, each the wanted records of one batch."""

    @classmethod
    def of(cls, fetched: PartitionRecords) -> BatchedRecords:
        """The same fetch, not read from yet, as batches."""
        return cls(
            fetched._tp,
            fetched._records,
            fetched._aborted_transactions,
            fetched.next_fetch_offset,
            None,
            None,
            fetched._check_crcs,
            fetched._isolation_level,
        )

    next_fetch_offset: int

    def _unpack_records(self) -> Iterator[list[Any]]:
        records = self._records
        while records.has_next():
            batch = records.next_batch()
            if self._check_crcs and not batch.validate_crc():
                raise CorruptRecordException(f"Invalid CRC - {self._tp}")
            if not self._hidden(batch):
                wanted = self.next_fetch_offset
                found = [record for record in batch if record.offset >= wanted]
                if found:
                    self.next_fetch_offset = max(batch.next_offset, wanted)
                    yield found
            self.next_fetch_offset = max(batch.next_offset, self.next_fetch_offset)

    def _hidden(self, batch: Any) -> bool:
        """Whether a batch holds nothing for readers: control records, or a transaction that was aborted."""
        if self._isolation_level == READ_COMMITTED and batch.producer_id is not None:
            self._consume_aborted_up_to(batch.base_offset)
            if batch.is_control_batch and self._contains_abort_marker(batch):
                self._aborted_producers.discard(batch.producer_id)
            if batch.is_transactional and batch.producer_id in self._aborted_producers:
                return True
        return bool(batch.is_control_batch)


class FetchedBatches(OrderedDict[Any, Any]):
    """aiokafka's store of fetched results, in which those of framed topics give batches."""

    def __init__(self, framed: Collection[str], results: OrderedDict[Any, Any]) -> None:
        super().__init__()
        self._framed = framed
        for tp, result in results.items():
            self[tp] = result

    def __setitem__(self, tp: TP, result: Any) -> None:
        """Keep a result; errors and topics without frames stay as they are."""
        if tp.topic in self._framed and type(result) is FetchResult:
            result._partition_records = BatchedRecords.of(result._partition_records)
        super().__setitem__(tp, result)
