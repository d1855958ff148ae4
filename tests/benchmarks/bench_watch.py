"""Rule events a second and core: five stateful rules with recoverable state, from a real topic, JSON checked.

The figure is events by process CPU second of the worker (all its threads, both stages), from the first frame
until every event has been judged by every rule and the last checkpoint is written. All five rules watch every
event; the count by county is re-keyed. A tick comes in every partition each 5,000 events. The baseline is a bare
aiokafka fetch loop over the same topic in the same run.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from aiokafka import AIOKafkaProducer

from deploy.environment import load_settings
from schemas.contract import load_contracts
from schemas.event import encode_event, encode_tick
from schemas.settings import Settings
from schemas.topics import feed_topic
from streams.watch.worker.watcher import Watcher
from tests.benchmarks.stack import RESULT, broker, in_child
from tests.benchmarks.watching import AIR, Mark, fetch, publish, watch_until

FEED = AIR
TOPIC = feed_topic(FEED)
STATIONS = 1000

RULES = {
    "threshold": ("station", "{kind: threshold, field: pm25}", "{blue: 115, red: 350}\nrecovery: 100"),
    "mean": (
        "station",
        "{kind: aggregate, aggregate: mean, field: pm25, window: PT6H, windows: sliding}",
        "{blue: 115, red: 350}\nrecovery: 100",
    ),
    "county": ("region", "{kind: count, window: PT1H}", "{yellow: 1000}"),
    "absence": ("station", "{kind: absence}", "{yellow: PT6H, orange: P1D}"),
    "ewma": (
        "station",
        "{kind: surge, method: ewma, field: pm25, aggregate: mean, every: PT1H, measure: statistic}",
        "{yellow: 115}",
    ),
}
"""Threshold with hysteresis, sliding mean, count by county (re-keyed), absence, EWMA of hourly means."""

COUNTIES = (
    "330106",
    "330203",
    "330302",
    "330402",
    "330502",
    "330602",
    "330702",
    "330802",
    "330902",
    "331002",
)
TICK_EVERY = 5000


def values(number: int) -> Any:
    """Hourly events of 1,000 stations; one in a thousand is high, one in 10,000 is missing for long."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for each in range(number):
        hour, station = divmod(each, STATIONS)
        value = 120.0 + hour % 200 if (each * 7919) % 1000 == 0 else 20.0 + each % 60
        data = {
            "station": f"3301{station:04}",
            "region": COUNTIES[station % len(COUNTIES)],
            "averaging": "1h",
            "pm25": value,
        }
        yield (
            data["station"],
            encode_event(
                id=f"{each}",
                source="/air",
                type=f"{FEED}.v1",
                time=start + timedelta(hours=hour),
                data=data,
            ),
        )


async def produce(settings: Settings, number: int) -> int:
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka, linger_ms=50, max_batch_size=1 << 18)
    await producer.start()
    size = 0
    for at, (key, value) in enumerate(values(number), 1):
        await producer.send(TOPIC, value, key.encode())
        size += len(value)
        if at % TICK_EVERY == 0 or at == number:
            clock = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=at // STATIONS)
            for partition in range(settings.partitions):
                await producer.send(TOPIC, encode_tick(id=f"t{at}", clock=clock), partition=partition)
    await producer.stop()
    return size // number


def watch(settings: Settings, number: int) -> None:
    """Run the real worker until it has watched all and written its last checkpoint."""
    contracts = load_contracts()
    publish(settings, contracts, [(name, FEED, rule) for name, rule in RULES.items()])

    def figure(_: Watcher, begun: Mark, end: Mark) -> dict[str, float]:
        judged = number - begun.seen
        return {"cpu": judged / (end.cpu - begun.cpu), "wall": judged / (end.wall - begun.wall)}

    watch_until(settings, contracts, lambda watcher: watcher.gathered() >= number, figure)


CHILDREN: dict[str, Callable[[Settings, int], Any]] = {
    "produce": lambda settings, number: asyncio.run(produce(settings, number)),
    "fetch": lambda settings, number: asyncio.run(fetch(settings, [TOPIC], number)),
    "watch": watch,
}


def main(number: int = 400_000) -> None:
    """Print one JSON object: the figure beside its baseline."""
    with broker([TOPIC]) as settings:
        size = in_child(__name__, "produce", settings, number)
        baseline = in_child(__name__, "fetch", settings, number)
        figure = in_child(__name__, "watch", settings, number)
    line = {
        "name": "watch, 5 rules, one re-keyed", "value": round(figure["cpu"]),
        "unit": "events/s a core", "target": 100_000,
        "baseline": round(baseline), "baseline_name": "bare aiokafka fetch of the same topic, records/s a core",
        "events": number, "bytes_an_event": size, "wall_events_per_s": round(figure["wall"]),
    }  # fmt: skip
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        result = CHILDREN[sys.argv[1]](load_settings(), int(sys.argv[2]))
        if result is not None:
            print(RESULT + json.dumps(result))
    else:
        main()
