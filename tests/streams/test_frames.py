"""Frames on a real broker: what is not done is read again and nothing else; seeks beside fetches lose nothing."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from streams.frames import FETCH_WAIT_MS, QUIET_WAIT_MS

pytestmark = pytest.mark.stack
ROOT = Path(__file__).parents[2]


async def create(broker: str, name: str, partitions: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    await admin.create_topics([NewTopic(name, partitions, 1)])
    await admin.close()


async def produce(broker: str, topic: str, numbers: range, partitions: int = 1) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=broker)
    await producer.start()
    for number in numbers:
        for partition in range(partitions):
            await producer.send(topic, b"%d" % number, partition=partition)
    await producer.stop()


async def committed(broker: str, topic: str, offset: int) -> None:
    """Wait until the app of the scenes has committed so far."""
    consumer = AIOKafkaConsumer(bootstrap_servers=broker, group_id=f"{topic}-app", enable_auto_commit=False)
    await consumer.start()
    async with asyncio.timeout(30):
        while await consumer.committed(TopicPartition(topic, 0)) != offset:
            await asyncio.sleep(0.1)
    await consumer.stop()


def topic_of(broker: str, values: int, partitions: int = 1) -> str:
    """A new topic with so many records in each partition, which hold their offsets."""
    name = f"frames-{uuid4().hex[:8]}"
    asyncio.run(create(broker, name, partitions))
    asyncio.run(produce(broker, name, range(values), partitions))
    return name


@contextmanager
def scene(name: str, broker: str, topic: str, home: Path) -> Iterator[Iterator[list[int]]]:
    """What a scene prints, line by line; it is killed at the end."""
    command = [sys.executable, "-m", "tests.streams.frames_scenes", name, broker, topic, str(home)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield map(json.loads, process.stdout)
        finally:
            process.kill()


def until(frames: Iterator[list[int]], last: int) -> list[int]:
    """All values up to the frame that ends with `last`."""
    found: list[int] = []
    for frame in frames:
        found += frame
        if frame[-1] == last:
            return found
    raise AssertionError(f"ended after {found[-1:]}, before {last}")


def test_what_is_not_done_is_read_again_and_nothing_else(kafka: str, tmp_path: Path) -> None:
    topic = topic_of(kafka, 500)
    with scene("tell", kafka, topic, tmp_path) as frames:
        assert until(frames, 499) == list(range(500))
        asyncio.run(committed(kafka, topic, 500))
        asyncio.run(produce(kafka, topic, range(500, 502)))
        until(frames, 501)
        asyncio.run(produce(kafka, topic, range(502, 600)))  # done, behind one that is not
        until(frames, 599)
        asyncio.run(produce(kafka, topic, range(600, 601)))
        until(frames, 600)
    with scene("tell", kafka, topic, tmp_path) as frames:
        assert until(frames, 600) == list(range(500, 601))


def test_frames_rewound_while_they_are_read_leave_no_gap(kafka: str, tmp_path: Path) -> None:
    topic = topic_of(kafka, 2000, partitions=2)
    frames: dict[int, list[list[int]]] = {0: [], 1: []}
    with scene("rewound", kafka, topic, tmp_path) as told:
        for partition, *values in told:
            assert values == list(range(values[0], values[-1] + 1))
            frames[partition].append(values)
    back = max(number for number, values in enumerate(frames[0]) if values[0] == 700)
    assert [value for values in frames[0][back:] for value in values] == list(range(700, 2000))
    assert [value for values in frames[1] for value in values] == list(range(2000))


def test_a_seek_beside_a_held_fetch_loses_nothing(kafka: str, tmp_path: Path) -> None:
    """A flow that is stopped drops what its last fetch brings: that must not be from the new position."""
    topic = topic_of(kafka, 100)
    with scene("held", kafka, topic, tmp_path) as told:
        assert list(told) == [list(range(100))]


def test_a_seek_while_records_are_handed_over_loses_nothing(kafka: str, tmp_path: Path) -> None:
    topic = topic_of(kafka, 100)
    with scene("handed", kafka, topic, tmp_path) as told:
        assert list(told) == [[70, *range(100)]]


def test_a_fetch_waits_longer_only_where_no_partition_waits_for_it(kafka: str, tmp_path: Path) -> None:
    """A partition that is held back waits for the next fetch; at rest each costs milliseconds for nothing."""
    topic = topic_of(kafka, 2000, partitions=2)
    with scene("waits", kafka, topic, tmp_path) as told:
        assert list(told) == [[FETCH_WAIT_MS], [QUIET_WAIT_MS]]
