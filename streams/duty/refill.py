"""Filling the outbox from the topic of warnings, by hand: what it does not have is written down, by its key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from schemas.contract import load_contracts
from schemas.decoder import Decoder
from schemas.errors import Rejected, Unavailable
from schemas.event import decode_tick
from schemas.topics import WARNINGS
from streams.duty.faults import Fault, fault_of
from streams.duty.outbox import Outbox
from streams.duty.push import Push, push_of
from streams.duty.read import Read

TIMEOUT_MS = 10_000
BATCH = 500


@dataclass(frozen=True)
class Refilled:
    """How many transitions were read, how many the outbox did not have, and how many can be no push."""

    read: int
    added: int
    unfit: int


def refill(broker: str, outbox: Outbox, since: datetime | None, now: float) -> Refilled:
    """Write down every transition that arrived since a moment (None: all there are) and is not in the outbox."""
    read = added = unfit = 0
    waiting: list[Push] = []
    for found in warnings_of(broker, since):
        read += 1
        try:
            waiting.append(push_of(found.warning))
        except Exception as error:
            if fault_of(error) not in (Fault.value, Fault.item):
                raise
            unfit += 1
        if len(waiting) >= BATCH:
            added += outbox.add(waiting, now)
            waiting = []
    return Refilled(read, added + outbox.add(waiting, now), unfit)


def warnings_of(broker: str, since: datetime | None = None) -> Iterator[Read]:
    """The warnings on their topic up to its end now, partition by partition; what is none is passed over."""
    decode = Decoder(load_contracts()["duty.warning"]).decode
    with _consumer(broker) as consumer:
        for partition, offset, value, arrived in _records(consumer, since):
            if value is None or decode_tick(value) is not None:
                continue
            try:
                warning = decode(value)
            except Rejected:
                continue
            yield Read(warning, f"{WARNINGS}, partition {partition}, offset {offset}", arrived)


def _records(consumer: KafkaConsumer, since: datetime | None) -> Iterator[tuple[int, int, bytes | None, int]]:
    partitions = [
        TopicPartition(WARNINGS, number) for number in consumer.partitions_for_topic(WARNINGS) or ()
    ]
    ends = consumer.end_offsets(partitions)
    consumer.assign(partitions)
    _go_to(consumer, partitions, since)
    open = {each for each in partitions if consumer.position(each) < ends[each]}
    while open:
        found = consumer.poll(timeout_ms=TIMEOUT_MS, max_records=BATCH)
        if not found and {each for each in open if consumer.position(each) < ends[each]} == open:
            raise Unavailable(f"the broker gave nothing of {WARNINGS} for {TIMEOUT_MS // 1000} s; try again")
        for records in found.values():
            for record in records:
                yield record.partition, record.offset, record.value, record.timestamp
        open = {each for each in open if consumer.position(each) < ends[each]}


def _go_to(consumer: KafkaConsumer, partitions: list[TopicPartition], since: datetime | None) -> None:
    """To the first that arrived since then; to the end where none did."""
    if since is None:
        consumer.seek_to_beginning(*partitions)
        return
    places = consumer.offsets_for_times(dict.fromkeys(partitions, int(since.timestamp() * 1000)))
    ends = consumer.end_offsets(partitions)
    for partition in partitions:
        place = places.get(partition)
        consumer.seek(partition, place.offset if place else ends[partition])


@contextmanager
def _consumer(broker: str) -> Iterator[KafkaConsumer]:
    try:
        consumer = KafkaConsumer(bootstrap_servers=broker, bootstrap_timeout_ms=TIMEOUT_MS)
        try:
            yield consumer
        finally:
            consumer.close()
    except (KafkaError, OSError) as error:
        raise Unavailable(f"broker {broker}: {error or type(error).__name__}") from error
