"""From an event to its warning on the topic, at 5,000 events/s: own key with `wait` 0, and re-keyed.

The real worker runs in a process of its own. Events carry the moment they are sent; one in fifty makes a station's
warning open or end. A tick comes each second. The latency of a transition is the moment a consumer has it less the
event time it was decided for. The baseline is the same way without any worker: an event produced and consumed.
"""

from __future__ import annotations

import asyncio
import json
import signal
import time
from datetime import UTC, datetime
from statistics import quantiles

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from schemas.contract import load_contracts
from schemas.event import encode_event, encode_tick
from schemas.settings import Settings
from schemas.topics import WARNINGS, feed_topic
from tests.benchmarks.bench_watch import COUNTIES
from tests.benchmarks.stack import broker
from tests.benchmarks.watching import publish
from tests.programs import process, program

FEED = "ecology.air-quality"
TOPIC = feed_topic(FEED)
RATE, SECONDS, WARM_UP, TICK = 5000, 20, 6, 1.0
RULES = {
    "own": ("station", "{kind: threshold, field: pm25}", "{blue: 115}"),
    "rekeyed": ("region", "{kind: threshold, field: aqi}", "{blue: 300}"),
}
WORKER = program("streams.watch.worker.worker")
Found = dict[str, list[float]]


def event(number: int, now: datetime) -> tuple[str, bytes]:
    """One of 500 stations; every fiftieth event toggles its station, every 499th is a county's only."""
    station, high = number % 500, (number // 500) % 2
    pm25 = 20.0 if number % 50 else 20.0 + 200 * high
    data = {"station": f"S{station}", "region": COUNTIES[station % 10], "averaging": "1h", "pm25": pm25}
    data["aqi"] = 400 if number % 499 == 0 else 60
    return f"S{station}", encode_event(id=str(number), source="/t", type=f"{FEED}.v1", time=now, data=data)


async def produce(producer: AIOKafkaProducer, partitions: int) -> None:
    """Events at the rate, with a tick in every partition each second."""
    begun, sent, ticked = time.monotonic(), 0, 0.0
    while (passed := time.monotonic() - begun) < SECONDS + WARM_UP:
        now = datetime.now(UTC)
        if passed - ticked >= TICK:
            ticked = passed
            for partition in range(partitions):
                await producer.send(TOPIC, encode_tick(id=f"t{sent}", clock=now), partition=partition)
        while sent < passed * RATE:
            key, raw = event(sent, datetime.now(UTC))
            await producer.send(TOPIC, raw, key.encode())
            sent += 1
        await asyncio.sleep(0.005)


async def consume(settings: Settings, topic: str, found: Found, stop: asyncio.Event) -> None:
    """Note the latency of each message by rule, as soon as it is there."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=settings.kafka, auto_offset_reset="latest")
    await consumer.start()
    begun = time.time()
    while not stop.is_set():
        for records in (await consumer.getmany(timeout_ms=200)).values():
            now = time.time()
            for record in records:
                message = json.loads(record.value)
                at = datetime.fromisoformat(message["time"]).timestamp()
                if at > begun + WARM_UP:
                    rule = message["data"].get("rule", "bare")
                    found.setdefault(rule, []).append(now - at)
    await consumer.stop()


async def measure(settings: Settings, topic: str) -> Found:
    """Latencies by rule on a topic while events flow."""
    found: Found = {}
    stop = asyncio.Event()
    reader = asyncio.create_task(consume(settings, topic, found, stop))
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka, linger_ms=2)
    await producer.start()
    await produce(producer, settings.partitions)
    await asyncio.sleep(3 * TICK)
    stop.set()
    await reader
    await producer.stop()
    return found


def main() -> None:
    """Print one JSON object a rule: the figures beside the baseline."""
    with broker([TOPIC]) as settings:
        publish(settings, load_contracts(), [(name, FEED, rule) for name, rule in RULES.items()])
        bare = percentiles(asyncio.run(measure(settings, TOPIC))["bare"])
        with process(settings, WORKER, settings.home / "watch.log", signal.SIGTERM):
            time.sleep(8)  # the group forms; the warm-up is not counted either
            found = asyncio.run(measure(settings, WARNINGS))
    for rule, latencies in sorted(found.items()):
        p50, p99 = percentiles(latencies)
        line = {
            "name": f"watch, event to warning at {RATE} events/s, {rule.removeprefix('bench.')}", "value": p50,
            "p99": p99, "unit": "ms", "baseline": bare[0], "baseline_p99": bare[1],
            "baseline_name": "bare produce and consume of an event, ms", "tick_ms": TICK * 1000,
            "warnings": len(latencies),
        }  # fmt: skip
        print(json.dumps(line), flush=True)


def percentiles(latencies: list[float]) -> tuple[int, int]:
    """(p50, p99) in ms."""
    cuts = quantiles(latencies, n=100)
    return round(cuts[49] * 1000), round(cuts[98] * 1000)


if __name__ == "__main__":
    main()
