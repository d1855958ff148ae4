"""What the benchmarks of `watch` share: their rules, the worker until it is done, the bare fetch beside it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.rules.files import history, publish_files
from schemas.contract import Contract
from schemas.in_use import FILES
from schemas.settings import Settings
from streams.watch.worker.watcher import Watcher
from streams.watch.worker.worker import make_app
from streams.worker import run_worker
from tests.benchmarks.stack import RESULT

AIR = "ecology.air-quality"
RULE = """
rule: bench.{name}
version: 1
title: {{zh: 基准, en: benchmark}}
feed: {feed}
subject: [{subject}]
condition: {condition}
levels: {levels}
runbook: none
duty_role: duty-desk
"""
Ruled = tuple[str, str, str]
"""(subject, condition, levels) as YAML."""


def rule_text(name: str, feed: str, rule: Ruled) -> str:
    """A rule of the benchmarks as YAML."""
    subject, condition, levels = rule
    return RULE.format(name=name, feed=feed, subject=subject, condition=condition, levels=levels)


def publish(
    settings: Settings, contracts: Mapping[str, Contract], rules: Iterable[tuple[str, str, Ruled]]
) -> None:
    """Put rules (name, feed, what it says) in force."""
    folder = settings.home / "rules" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    for name, feed, rule in rules:
        (folder / f"{name}.yaml").write_text(rule_text(name, feed, rule))
    publish_files(settings, contracts, replace(FILES, rules=folder.parent))


@dataclass(frozen=True)
class Mark:
    """CPU and wall seconds at a moment, and how many events the worker had seen by then."""

    cpu: float
    wall: float
    seen: int

    @staticmethod
    def of(watcher: Watcher) -> Mark:
        """Now."""
        return Mark(time.process_time(), time.monotonic(), watcher.seen())


def watch_until(
    settings: Settings,
    contracts: Mapping[str, Contract],
    done: Callable[[Watcher], bool],
    figure: Callable[[Watcher, Mark, Mark], Any],
) -> None:
    """Run the real worker until it is done and has written its last checkpoint; print its figure.

    The figure is told when the worker had seen something first, and the end.
    """
    app, watcher = make_app(settings, history(settings), contracts)

    @app.task
    async def measure() -> None:
        begun = Mark.of(watcher)
        while True:
            await asyncio.sleep(0.01)
            if not begun.seen:
                begun = Mark.of(watcher)
            if done(watcher):
                await watcher.checkpoint()
                print(RESULT + json.dumps(figure(watcher, begun, Mark.of(watcher))), flush=True)
                os.kill(os.getpid(), signal.SIGTERM)
                return

    run_worker(app, settings)


async def fetch(settings: Settings, topics: Sequence[str], number: int) -> float:
    """Records by CPU second of a loop that only fetches."""
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka, enable_auto_commit=False)
    await consumer.start()
    partitions = [TopicPartition(topic, each) for topic in topics for each in range(settings.partitions)]
    consumer.assign(partitions)
    await consumer.seek_to_beginning(*partitions)
    seen, started = 0, time.process_time()
    while seen < number:
        seen += sum(len(records) for records in (await consumer.getmany(timeout_ms=500)).values())
    rate = seen / (time.process_time() - started)
    await consumer.stop()
    return rate
