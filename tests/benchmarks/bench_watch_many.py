"""Rule events a second and core with 200 rules over 20 feeds, ten rules each, all with recoverable state.

Of ten rules of a feed eight are of the feed's own key (four thresholds, two sliding means, an absence, a change),
two are re-keyed counts. The events of a feed are those of `bench_watch`; the figure is events by CPU second, each
judged by the ten rules of its feed. The baseline is a bare aiokafka fetch loop over the same topics.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer

from deploy.environment import load_settings
from schemas.contract import FEEDS, Contract, load_contracts
from schemas.event import encode_tick
from schemas.settings import Settings
from schemas.topics import feed_topic
from streams.watch.worker.watcher import Watcher
from tests.benchmarks.bench_watch import STATIONS, values
from tests.benchmarks.stack import RESULT, broker, in_child
from tests.benchmarks.watching import Mark, fetch, publish, watch_until

COUNT = 20
NAMES = [f"bench.feed-{number:02}" for number in range(COUNT)]
TOPICS = [feed_topic(name) for name in NAMES]
THRESHOLDS = [
    ("station", "{kind: threshold, field: pm25}", f"{{blue: {bound}}}") for bound in (115, 150, 250, 350)
]
RULES = [
    *THRESHOLDS,
    (
        "station",
        "{kind: aggregate, aggregate: mean, field: pm25, window: PT3H, windows: sliding}",
        "{blue: 115}",
    ),
    (
        "station",
        "{kind: aggregate, aggregate: mean, field: pm25, window: PT6H, windows: sliding}",
        "{blue: 115}",
    ),
    ("station", "{kind: absence}", "{yellow: PT6H}"),
    ("station", "{kind: change, field: pm25, over: PT1H}", "{yellow: 200}"),
    ("region", "{kind: count, window: PT1H}", "{yellow: 1000}"),
    ("region", "{kind: count, window: PT6H}", "{yellow: 9000}"),
]


def contracts_in(home: Path) -> dict[str, Contract]:
    """Twenty copies of the contract of air quality."""
    whole = (FEEDS / "ecology" / "air-quality.yaml").read_text(encoding="utf-8")
    text = whole.replace(
        whole[whole.index("  - property: intake") : whole.index("  - property: examples")], ""
    )
    folder = home / "feeds" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        copy = text.replace("ecology.air-quality", name).replace("domain: ecology", "domain: bench")
        (folder / f"{name.partition('.')[2]}.yaml").write_text(copy, encoding="utf-8")
    return load_contracts(folder.parent)


async def produce(settings: Settings, number: int) -> None:
    """`number` events to each feed, with ticks every 5,000."""
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka, linger_ms=50, max_batch_size=1 << 18)
    await producer.start()
    for at, (key, value) in enumerate(values(number), 1):
        for name, topic in zip(NAMES, TOPICS, strict=True):
            await producer.send(topic, value.replace(b"ecology.air-quality", name.encode()), key.encode())
        if at % 5000 == 0 or at == number:
            clock = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=at // STATIONS)
            for topic in TOPICS:
                for partition in range(settings.partitions):
                    await producer.send(topic, encode_tick(id=f"t{at}", clock=clock), partition=partition)
    await producer.stop()


def watch(settings: Settings, number: int) -> None:
    """Run the real worker until all is judged and its last checkpoint is written."""
    contracts = contracts_in(settings.home)
    rules = [
        (f"rule-{at:02}-{each}", feed, rule)
        for at, feed in enumerate(NAMES)
        for each, rule in enumerate(RULES)
    ]
    publish(settings, contracts, rules)
    total = number * COUNT

    def done(watcher: Watcher) -> bool:
        return watcher.seen() >= total and watcher.gathered() >= 2 * total

    def figure(_: Watcher, begun: Mark, end: Mark) -> float:
        return (total - begun.seen) / (end.cpu - begun.cpu)

    watch_until(settings, contracts, done, figure)


CHILDREN: dict[str, Callable[[Settings, int], Any]] = {
    "produce": lambda settings, number: asyncio.run(produce(settings, number)),
    "fetch": lambda settings, number: asyncio.run(fetch(settings, TOPICS, number * COUNT)),
    "watch": watch,
}


def main(number: int = 15_000) -> None:
    """Print one JSON object: the figure beside its baseline."""
    with broker(TOPICS) as settings:
        in_child(__name__, "produce", settings, number)
        baseline = in_child(__name__, "fetch", settings, number)
        figure = in_child(__name__, "watch", settings, number)
    line = {
        "name": "watch, 200 rules over 20 feeds", "value": round(figure),
        "unit": "events/s a core", "target": 50_000,
        "baseline": round(baseline), "baseline_name": "bare aiokafka fetch of the same topics, records/s a core",
        "events": number * COUNT,
    }  # fmt: skip
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(RESULT + json.dumps(CHILDREN[sys.argv[1]](load_settings(), int(sys.argv[2]))))
    else:
        main()
