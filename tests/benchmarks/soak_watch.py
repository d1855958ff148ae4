"""Ten minutes of the watch worker under load: its memory must stay flat.

2,000 events/s of 500 stations, a fifth of them sent twice, own-key and re-keyed rules, a tick each second. The
figure is the resident memory at the end by that after three minutes; beside it the slope of a line through the
minutes from then on. `make soak` runs it.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from datetime import UTC, datetime
from statistics import linear_regression

from aiokafka import AIOKafkaProducer

from schemas.contract import load_contracts
from schemas.event import encode_tick
from schemas.settings import Settings
from tests.benchmarks.bench_watch_latency import FEED, RULES, TICK, TOPIC, WORKER, event
from tests.benchmarks.stack import broker
from tests.benchmarks.watching import publish
from tests.programs import process

MINUTES, SETTLED, RATE = 10, 3, 2000


def resident(pid: int) -> int:
    """Resident memory of a process, bytes."""
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def load(settings: Settings, pid: int) -> list[int]:
    """Send events for ten minutes; gives the worker's memory each minute."""
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka, linger_ms=5)
    await producer.start()
    begun, sent, ticked = time.monotonic(), 0, 0.0
    found: list[int] = []
    while (passed := time.monotonic() - begun) < MINUTES * 60:
        now = datetime.now(UTC)
        if passed - ticked >= TICK:
            ticked = passed
            for partition in range(settings.partitions):
                await producer.send(TOPIC, encode_tick(id=f"t{sent}", clock=now), partition=partition)
        if passed >= 60 * (len(found) + 1):
            found.append(resident(pid))
        while sent < passed * RATE:
            key, raw = event(sent, now)
            for _ in range(2 if sent % 5 == 0 else 1):
                await producer.send(TOPIC, raw, key.encode())
            sent += 1
        await asyncio.sleep(0.01)
    await producer.stop()
    return [*found, resident(pid)]


def main() -> None:
    """Print one JSON object: memory at the end by that when settled, and each minute's."""
    with broker([TOPIC]) as settings:
        publish(settings, load_contracts(), [(name, FEED, rule) for name, rule in RULES.items()])
        with process(settings, WORKER, settings.home / "watch.log", signal.SIGTERM) as worker:
            minutes = asyncio.run(load(settings, worker.pid))
    settled = minutes[SETTLED - 1 :]
    line = {
        "name": f"watch, soak of {MINUTES} minutes at {RATE} events/s",
        "value": round(minutes[-1] / minutes[SETTLED - 1], 3),
        "unit": "memory at the end by that after three minutes", "mib": [size >> 20 for size in minutes],
        "kib_a_minute": round(linear_regression(range(len(settled)), settled).slope / 1024),
    }  # fmt: skip
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
