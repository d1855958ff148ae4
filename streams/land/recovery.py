"""Where partitions stand: the ledger against the broker. A thin shell; every call blocks.

Kafka's committed offsets only speed up a start; the ledger decides.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from kafka.errors import OffsetOutOfRangeError

from schemas.errors import LiaowangError
from streams.land.broker import Administrator, Probe
from streams.land.classification import Position
from streams.land.ledger import LogEpoch, incident, lineage, log_epoch_of
from streams.land.warehouse import Warehouse

log = logging.getLogger("liaowang.land")


class Incident(LiaowangError):
    """Log and ledger contradict each other; landing on would lose or mix events. A person must look."""


class Recovery:
    """What is known of the topics from outside; Unavailable while broker or warehouse are away."""

    def __init__(self, broker: str, warehouse: Warehouse) -> None:
        self._topics, self._warehouse = Administrator(broker), warehouse
        self._probe = Probe(broker)

    def stand(self, name: str) -> tuple[LogEpoch, dict[int, Position]]:
        """The topic's log epoch and the position of each of its partitions; Incident on a contradiction."""
        topic = self._topics.describe([name])[0]
        known = self._warehouse.log_epochs(name)
        log_epoch = log_epoch_of(known, topic.topic_id)
        if log_epoch not in known:
            log.info(
                "%s: log epoch %d begins, topic id/partitions %s", name, log_epoch.number, log_epoch.topic_id
            )
            self._warehouse.record(name, log_epoch)
        standings = self._warehouse.standings(name, lineage(known, log_epoch))
        positions = {}
        for partition, (start, end) in topic.offsets.items():
            standing = standings.get(partition)
            if standing is None:
                positions[partition] = Position(start)
                continue
            problem = incident(f"{name}/{partition}", standing, start, end)
            if problem:
                raise Incident(problem)
            positions[partition] = Position(standing.next, standing.watermarks)
        return log_epoch, positions

    def first_at(self, topic: str, partition: int, offset: int) -> int | None:
        """Offset of the first record there really is at `offset` or after it; Incident where it is gone."""
        try:
            return self._probe.first_at(topic, partition, offset)
        except OffsetOutOfRangeError:
            raise Incident(
                f"{topic}/{partition}: the broker has offset {offset} no more, and it was not landed yet; "
                "start the worker again for the details"
            ) from None

    def ids(self, names: Sequence[str]) -> dict[str, str]:
        """What identifies each topic now."""
        return {topic.name: topic.topic_id for topic in self._topics.describe(names)}
