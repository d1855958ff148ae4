"""One million subjects for one rule: memory of the worker, and how long a new one needs to recover them.

The rule is a threshold that remembers the newest event of every subject; the first has a warning open. A worker
that recovers must know as many subjects as were sent, and that open warning, or there is no figure. Recovery is
from the start of the process to all partitions open again with their state, read from the changelog, as after the
loss of the local disk. The baseline is a bare aiokafka loop that reads the same changelog.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from deploy.environment import load_settings
from schemas.contract import load_contracts
from schemas.event import encode_event, encode_tick
from schemas.settings import Settings
from schemas.topics import feed_topic
from streams.watch.episodes.episode import LEVEL
from streams.watch.worker.watcher import Watcher
from tests.benchmarks.stack import RESULT, broker, in_child
from tests.benchmarks.watching import AIR, Mark, publish, watch_until

FEED = AIR
TOPIC = feed_topic(FEED)
CHANGELOG = "liaowang-watch-state-changelog"
HIGH = 200.0
START = datetime(2026, 1, 1, tzinfo=UTC)


async def produce(settings: Settings, number: int) -> None:
    """One event of each subject; with 0 one tick a partition, to wake a worker."""
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka, linger_ms=50, max_batch_size=1 << 18)
    await producer.start()
    for each in range(number):
        data = {"station": f"S{each:07}", "region": "330106", "averaging": "1h", "pm25": 20.0 + each % 60}
        if each == 0:
            data["pm25"] = HIGH
        raw = encode_event(id=str(each), source="/t", type=f"{FEED}.v1", time=START, data=data)
        await producer.send(TOPIC, raw, data["station"].encode())
    for partition in range(settings.partitions):
        await producer.send(TOPIC, encode_tick(id=f"t{number}", clock=START), partition=partition)
    await producer.stop()


async def read_changelog(settings: Settings, number: int) -> float:
    """Seconds of a loop that only reads the changelog."""
    begun = time.monotonic()
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka, enable_auto_commit=False)
    await consumer.start()
    partitions = [TopicPartition(CHANGELOG, each) for each in range(settings.partitions)]
    consumer.assign(partitions)
    await consumer.seek_to_beginning(*partitions)
    ends = await consumer.end_offsets(partitions)
    while [tp for tp in partitions if await consumer.position(tp) < ends[tp]]:
        await consumer.getmany(timeout_ms=500)
    await consumer.stop()
    return time.monotonic() - begun


def resident() -> int:
    """Resident memory of this process, bytes."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def kept(watcher: Watcher) -> dict[str, int]:
    """How many subjects the worker knows, and how many of them have a warning open."""
    conditions = [each for feed in watcher.feeds() for _, each in feed.conditions()]
    records = [record for each in conditions for record in each.records.values()]
    return {"subjects": len(records), "open": sum(1 for record in records if record[LEVEL])}


def watch(settings: Settings, number: int) -> None:
    """Run the worker until `number` events are watched and kept (0: until all partitions are open again)."""
    began, contracts = time.monotonic(), load_contracts()
    publish(
        settings, contracts, [("many", FEED, ("station", "{kind: threshold, field: pm25}", "{blue: 115}"))]
    )

    def done(watcher: Watcher) -> bool:
        opened = [tp for tp in watcher.keepers if tp.topic == TOPIC]
        return watcher.seen() >= number and len(opened) >= settings.partitions

    def figure(watcher: Watcher, _: Mark, end: Mark) -> dict[str, float]:
        return {"seconds": end.wall - began, "resident": resident(), **kept(watcher)}

    watch_until(settings, contracts, done, figure)


CHILDREN: dict[str, Callable[[Settings, int], Any]] = {
    "produce": lambda settings, number: asyncio.run(produce(settings, number)),
    "changelog": lambda settings, number: asyncio.run(read_changelog(settings, number)),
    "watch": watch,
}


def main(number: int = 1_000_000) -> None:
    """Print one JSON object: the figure beside its baseline."""
    with broker([TOPIC]) as settings:
        in_child(__name__, "produce", settings, number)
        first = in_child(__name__, "watch", settings, number)
        in_child(__name__, "produce", settings, 0)
        baseline = in_child(__name__, "changelog", settings, 0)
        again = in_child(__name__, "watch", settings, 0)
    for told in (first, again):
        if (told["subjects"], told["open"]) != (number, 1):
            raise SystemExit(f"of {number} subjects and 1 open warning there are {told}")
    line = {
        "name": f"watch, recovery of {number:,} subjects", "value": round(again["seconds"], 1), "unit": "s",
        "baseline": round(baseline, 1), "baseline_name": "bare aiokafka read of the changelog, s",
        "resident_bytes": first["resident"], "resident_bytes_recovered": again["resident"],
        "subjects_recovered": again["subjects"], "warnings_open_recovered": again["open"],
        "bytes_a_subject": round(first["resident"] / number),
    }  # fmt: skip
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(RESULT + json.dumps(CHILDREN[sys.argv[1]](load_settings(), int(sys.argv[2]))))
    else:
        main()
