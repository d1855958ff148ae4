"""Both stages of `watch` in one process, without Kafka: for examples, offline evaluation and back-tests.

The same code as the workers', with batches handed over as they are cut. Which transitions come does not depend on
the order in which partitions are fed; re-keyed ones come out when every partition of their feeds has had a tick.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from schemas.contract import Contract
from schemas.decoder import Decoder
from streams.watch.declare.rule import Rule
from streams.watch.engine.batches import Batch, encode_batches
from streams.watch.engine.log import LogRecord
from streams.watch.engine.partition import Book, Partition, SupplyBaselines
from streams.watch.engine.second import SecondStage
from streams.watch.episodes.episode import Emit
from streams.watch.publish.published import fixed


@dataclass(frozen=True)
class Handed:
    """A batch as the second stage reads it: a record of `partials`."""

    offset: int
    timestamp: int
    value: bytes | None


class Flow:
    """All partitions of the feeds that rules read, and one partition of the second stage.

    `partitions`: how many of each feed will be fed. With a `book`, ticks change the rules as they do in a worker.
    """

    def __init__(
        self,
        contracts: Mapping[str, Contract],
        rules: Sequence[Rule],
        partitions: Mapping[str, int],
        *,
        epoch: int = 0,
        book: Book | None = None,
        supply_baselines: SupplyBaselines = lambda condition: None,
    ) -> None:
        self._parts: dict[tuple[str, int], Partition] = {}
        for feed, count in partitions.items():
            decode = Decoder(contracts[feed]).decode
            for number in range(count):
                self._parts[feed, number] = Partition(
                    contracts[feed], decode, rules, contracts[feed].topic, number,
                    epoch=epoch, book=book, supply_baselines=supply_baselines,
                )  # fmt: skip
        self.second = SecondStage(
            contracts,
            book or fixed(rules),
            0,
            targets=1,
            partitions=partitions,
            supply_baselines=supply_baselines,
        )
        self._handed: list[Batch] = []
        self._offset = 0

    def partition(self, feed: str, number: int) -> Partition:
        """One input partition."""
        return self._parts[feed, number]

    def observe(self, feed: str, partition: int, records: Iterable[LogRecord], emit: Emit) -> None:
        """Feed records of one partition, in log order; emits what rules of both stages decide."""
        self._parts[feed, partition].observe(records, emit, self._take)
        self._hand_over(emit)

    def _take(self, target: int, batch: Batch) -> None:
        self._handed.append(batch)

    def _hand_over(self, emit: Emit) -> None:
        """Give the second stage its batches; what it ships to composites comes back to it."""
        while self._handed:
            handed, self._handed = self._handed, []
            records = [
                Handed(self._offset + at, 0, encode_batches([batch])) for at, batch in enumerate(handed)
            ]
            self._offset += len(records)
            self.second.observe(records, emit, self._take)
