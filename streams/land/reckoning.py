"""The reckoning: what the broker gave out against what the ledger accounts for. A thin shell of `ledger`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kafka.admin import KafkaAdminClient

from schemas.errors import Misdeclared
from streams.land.broker import Topic, administration, describe
from streams.land.columns import Columns
from streams.land.ledger import Balance, Standing, balance, lineage, log_epoch_of
from streams.land.warehouse import Warehouse
from streams.retrying import until

PAUSE = 0.25


def reckon(broker: str, warehouse: Warehouse, names: Sequence[str], wait: float = 0.0) -> list[Balance]:
    """One balance a partition of these topics; waits so many seconds for what was produced before the call.

    What is produced and landed meanwhile is reckoned too. Unavailable when broker or warehouse is away.
    """
    with administration(broker) as admin:
        topics = describe(admin, names)
        standings: dict[str, Mapping[int, Standing]] = {}

        def landed() -> bool:
            standings.update({topic.name: _standings(warehouse, topic) for topic in topics})
            return all(_landed(topic, standings[topic.name]) for topic in topics)

        until(landed, wait, PAUSE)
        return _balances(admin, topics, standings)


def _standings(warehouse: Warehouse, topic: Topic) -> Mapping[int, Standing]:
    known = warehouse.log_epochs(topic.name)
    return warehouse.standings(topic.name, lineage(known, log_epoch_of(known, topic.topic_id)))


def _landed(topic: Topic, standings: Mapping[int, Standing]) -> bool:
    return all(
        start == end or (partition in standings and standings[partition].next >= end)
        for partition, (start, end) in topic.offsets.items()
    )


def _balances(
    admin: KafkaAdminClient, topics: Sequence[Topic], standings: Mapping[str, Mapping[int, Standing]]
) -> list[Balance]:
    later = {topic.name: topic for topic in describe(admin, [topic.name for topic in topics])}
    balances = []
    for topic in topics:
        for partition, (start, end) in topic.offsets.items():
            standing = standings[topic.name].get(partition)
            if standing is not None:
                end = min(max(end, standing.next), later[topic.name].offsets[partition][1])
            balances.append(balance(topic.name, partition, standing, start, end))
    return balances


def lose(broker: str, warehouse: Warehouse, feed: str, name: str, partition: int, to: int) -> tuple[int, int]:
    """Record that the offsets before `to` were lost, so that landing goes on there; gives first and last.

    Only what the broker has no more can be lost; anything else is Misdeclared. The balance of the partition
    shows the loss from now on.
    """
    with administration(broker) as admin:
        topic = describe(admin, [name])[0]
    where = f"{name}/{partition}"
    if partition not in topic.offsets:
        raise Misdeclared(where, "partition", f"there are {', '.join(map(str, topic.offsets))}")
    known = warehouse.log_epochs(name)
    standing = _standings(warehouse, topic).get(partition)
    start = topic.offsets[partition][0]
    if standing is None or not standing.next < to <= start:
        landed = "nothing" if standing is None else f"the offsets up to {standing.next - 1}"
        raise Misdeclared(
            where, "--to", f"the ledger has {landed} and the broker begins at {start}; no such loss"
        )
    row: Columns = {
        "topic": [name],
        "feed": [feed],
        "log_epoch": [log_epoch_of(known, topic.topic_id).number],
        "partition": [partition],
        "first": [standing.next],
        "last": [to - 1],
        "watermarks": [dict(standing.watermarks)],
    }
    warehouse.insert("ledger", row)
    return standing.next, to - 1
