"""Warning on the topic to push received: at 50 warnings a second, and a burst of 10,000.

Two ways end at one receiver: the signed push of each transition, and the message to the officer whom the duty
service has assigned (through the case database). Beside it: the same messages through Kafka alone, produced and
consumed. To reach: p50 < 100 ms, p99 < 400 ms; of a burst none lost, red first.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from random import Random
from statistics import quantiles
from typing import Any

from kafka import KafkaConsumer, KafkaProducer

from deploy.ports import free_port
from schemas.levels import LEVELS
from schemas.settings import Settings
from schemas.topics import DISPOSITIONS, WARNINGS
from tests.benchmarks.stack import broker
from tests.programs import process, service
from tests.streams.duty.moments import warning_bytes

RATE, SECONDS, BURST = 50, 20, 10_000
PATIENCE = 90.0
PROGRAMS = ("receiver", "duty", "push")


@contextmanager
def running(settings: Settings) -> Iterator[None]:
    """The three programs as processes of their own."""
    log = settings.home / "programs.log"
    with ExitStack() as stack:
        for name in PROGRAMS:
            stack.enter_context(process(settings, service(name), log, signal.SIGTERM))
        time.sleep(8)
        yield


def of(sorted_ms: list[float]) -> dict[str, float]:
    """p50, p99 and the largest, milliseconds."""
    cuts = quantiles(sorted_ms, n=100)
    return {"p50": round(cuts[49], 1), "p99": round(cuts[98], 1), "max": round(max(sorted_ms), 1)}


def received(settings: Settings) -> tuple[dict[str, float], dict[str, tuple[float, str]]]:
    """Pushes by episode, and messages to officers by episode with their level: when each came."""
    import sqlite3

    found: list[list[tuple[Any, float]]] = []
    for name in ("receiver.sqlite", "notices.sqlite"):
        path = settings.home / "duty" / name
        with sqlite3.connect(path) as connection:
            rows = connection.execute("SELECT payload, received_at FROM received").fetchall()
        found.append([(json.loads(payload), at) for payload, at in rows])
    pushes = {push["episode"]: at for push, at in found[0]}
    told = {notice["labels"]["episode"]: (at, notice["level"]) for notice, at in found[1]}
    return pushes, told


def produce(settings: Settings, names: list[tuple[str, str]], rate: float) -> dict[str, float]:
    """Put warnings on the topic at so many a second (0: at once); when each was sent."""
    producer = KafkaProducer(bootstrap_servers=settings.kafka, acks="all", linger_ms=1)
    start, sent = time.time(), {}
    for number, (name, level) in enumerate(names):
        if rate:
            time.sleep(max(0.0, start + number / rate - time.time()))
        region = f"33{number % 11 + 1:02}00"
        value = warning_bytes(name, level=level, region=region, rule=f"bench.rule-{number % 7}")
        sent[name] = time.time()
        producer.send(WARNINGS, key=name.encode(), value=value)
    producer.flush()
    producer.close()
    return sent


def bare(settings: Settings, number: int) -> dict[str, float]:
    """The same way through Kafka alone."""
    consumer = KafkaConsumer(WARNINGS, bootstrap_servers=settings.kafka, auto_offset_reset="latest")
    while not consumer.assignment():
        consumer.poll(100)
    consumer.poll(100)
    producer = KafkaProducer(bootstrap_servers=settings.kafka, acks="all", linger_ms=1)
    times: list[float] = []
    for at in range(number):
        producer.send(WARNINGS, key=b"bare", value=b"not a warning %f" % time.time())
        time.sleep(1 / RATE)
        del at
        for records in consumer.poll(0).values():
            times += [(time.time() - float(each.value.split()[-1])) * 1000 for each in records]
    producer.close()
    consumer.close()
    return of(times)


def waited(settings: Settings, wanted: int) -> None:
    """Until all have come both ways."""
    end = time.time() + PATIENCE
    while time.time() < end:
        pushes, told = received(settings)
        if len(pushes) >= wanted and len(told) >= wanted:
            return
        time.sleep(0.5)
    raise SystemExit(f"only {len(pushes)} pushes and {len(told)} messages of {wanted} came")


def main() -> None:
    """Print one JSON object a line."""
    rng = Random(5)
    with broker([DISPOSITIONS]) as base:
        settings = replace(
            base,
            receiver_port=free_port(),
            duty_port=free_port(),
            console_port=free_port(),
            webhook_key="bench",
            console_key="bench",
        )
        (settings.home / "duty").mkdir(exist_ok=True)
        (settings.home / "duty" / "channels.yaml").write_text("channels: {webhook: {kind: webhook}}\n")
        with running(settings):
            beside = bare(settings, 200)
            steady = [(f"s{number}", LEVELS[-1 - number % 4]) for number in range(RATE * SECONDS)]
            sent = produce(settings, steady, RATE)
            waited(settings, len(steady))
            pushes, told = received(settings)
            ways = {
                "push": {name: pushes[name] for name in sent},
                "officer": {name: at for name, (at, _) in told.items() if name in sent},
            }
            for way, came in ways.items():
                spent = sorted((at - sent[name]) * 1000 for name, at in came.items())
                line = {"name": f"warning to {way}, {RATE}/s", "milliseconds": of(spent), "beside": beside}
                print(json.dumps({**line, "number": len(spent), "target": {"p50": 100, "p99": 400}}))
            burst = [(f"b{number}", rng.choice(LEVELS)) for number in range(BURST)]
            sent = produce(settings, burst, 0)
            waited(settings, len(steady) + BURST)
            pushes, told = received(settings)
            began = min(sent.values())
            last = {
                level: round(max(told[name][0] - began for name, its in burst if its == level), 1)
                for level in LEVELS
            }
            print(
                json.dumps(
                    {
                        "name": f"burst of {BURST}",
                        "lost": BURST - sum(name in told and name in pushes for name in sent),
                        "all_pushed_seconds": round(max(pushes[name] - began for name in sent), 1),
                        "last_told_by_level_seconds": last,
                    }
                )
            )


if __name__ == "__main__":
    main()
