"""The watch worker: the watcher in a Faust app, its checkpoints, and the rules it follows."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import faust
from aiokafka.errors import KafkaError
from faust.types import TP

from schemas.contract import Contract, load_contracts
from schemas.errors import Unavailable
from schemas.in_use import in_use
from schemas.settings import Settings
from schemas.topics import PARTIALS, RULES, WARNINGS, WATCH_GROUP
from streams.aside import Aside
from streams.frames import FrameApp
from streams.http_guard import guard_of
from streams.metrics_port import serve
from streams.retrying import Backoff, Outage
from streams.waits import Held, Waits, unheld
from streams.watch.publish.logs import log_ids
from streams.watch.publish.newest import rule_book
from streams.watch.publish.published import History
from streams.watch.publish.rule_topic import follow, read_history
from streams.watch.worker.metrics import WatchMetrics
from streams.watch.worker.sent import ends
from streams.watch.worker.watcher import Watcher
from streams.worker import heartbeat, run_worker, start_logging

log = logging.getLogger("liaowang.watch")

CHECKPOINT_SECONDS = 1.0
WAIT_SECONDS, LONGEST_PAUSE = 1.0, 5.0
VERIFY_SECONDS = 30.0
CHECKPOINT_SHARE = 0.1
"""A checkpoint may take a tenth of the processor: the next one waits ten times as long as the last one worked."""
CHECKPOINT_MOST = 30.0
"""And no longer than this: so much is read again after a crash, and so long an offset stays uncommitted."""


def make_app(
    settings: Settings, history: History, contracts: Mapping[str, Contract]
) -> tuple[FrameApp, Watcher]:
    """The Faust app of the watch worker, wired; nothing is started. `history` holds at least one publication."""
    watched = sorted(contract.topic for contract in contracts.values() if contract.topic != WARNINGS)
    app = FrameApp(
        WATCH_GROUP,
        broker=settings.kafka,
        framed=[*watched, PARTIALS],
        datadir=str(settings.home / "faust" / "watch"),
        topic_partitions=settings.partitions,
        topic_replication_factor=1,
    )
    aside = Aside(settings.home, "watch", time.time).add
    waits, beat = Waits(settings.home, "watch", time.time), heartbeat(settings, "watch")
    book = rule_book(history, contracts, aside)
    news = asyncio.Event()
    watcher = Watcher(app, contracts, book, news, settings.partitions, aside)
    for topic in [*watched, PARTIALS]:
        _watch(app, watcher, topic)

    @app.on_partitions_revoked.connect  # type: ignore[untyped-decorator]
    async def on_revoked(app: Any, revoked: set[TP], **_: Any) -> None:
        watcher.close(revoked)

    @app.task  # type: ignore[untyped-decorator]
    async def follow_rules() -> None:
        await _vital(app, follow(settings.kafka, history, news, waits.of("rules")))

    @app.task  # type: ignore[untyped-decorator]
    async def keep_checkpoints() -> None:
        await _vital(app, _keep_checkpoints(app, watcher, beat))

    @app.task  # type: ignore[untyped-decorator]
    async def verify_logs() -> None:
        await _vital(app, _verify_logs(app, watcher, beat, waits.of("topics")))

    return app, watcher


async def _verify_logs(app: FrameApp, watcher: Watcher, beat: Callable[[], None], held: Held) -> None:
    """Check now and then that the topics are those that are watched; an error where one was made anew.

    One that is gone is waited for, alive, though nothing that goes there can be sent meanwhile.
    """
    outage = Outage(
        log, waits="what goes there waits", over="all topics that are watched are there", held=held
    )
    while not app.should_stop:
        await asyncio.sleep(VERIFY_SECONDS)
        known = {**watcher.logs, RULES: watcher.book.history.log}
        try:
            found = await log_ids(app.bootstrap, known)
        except Unavailable as error:
            outage.failed(error)
            continue
        anew = sorted(topic for topic, log in known.items() if log and found.get(topic, log) != log)
        if anew:
            raise Unavailable(
                f"{', '.join(anew)}: the topic was made anew; the worker starts again on its new log"
            )
        gone = ", ".join(sorted(known.keys() - found.keys()))
        if gone:
            outage.failed(f"{gone}: no such topic at the broker; `liaowang up` makes it")
            beat()
        else:
            outage.ended()


async def _vital(app: FrameApp, work: Awaitable[Any]) -> None:
    """Await work without which nothing is judged: an error ends the worker, and the supervisor starts it again.

    Faust alone would start an agent again and again, with a worker that looks alive.
    """
    try:
        await work
    except Exception as error:
        log.critical("watching stops: %r", error)
        await app.crash(error)
        raise


async def _keep_checkpoints(app: FrameApp, watcher: Watcher, beat: Callable[[], None]) -> None:
    spoken = time.monotonic()
    pause = CHECKPOINT_SECONDS
    while not app.should_stop:
        await asyncio.sleep(pause)
        started, worked = time.monotonic(), time.thread_time()
        await watcher.checkpoint()
        if not (app.in_recovery or app.rebalancing) and watcher.work.moving():
            beat()  # none of these may last; the health probe sees that it does
        pause = pause_after(time.thread_time() - worked)
        if started - spoken >= 60:
            spoken = started
            log.info("since the start: %s", watcher.tally())


def pause_after(worked: float) -> float:
    """Seconds until the next checkpoint, after one during which this thread used so much of the processor.

    Not by the clock: on a busy machine a checkpoint may take long without costing much.
    """
    return min(CHECKPOINT_MOST, max(CHECKPOINT_SECONDS, worked / CHECKPOINT_SHARE))


def _watch(app: FrameApp, watcher: Watcher, topic: str) -> None:
    @app.agent(app.frames_topic(topic), name=f"watch-{topic}")  # type: ignore[untyped-decorator]
    async def watch(stream: faust.Stream) -> None:
        async for event in stream.noack().events():
            await _vital(app, watcher.observe(event))


async def first_rules(broker: str, beat: Callable[[], None], held: Held = unheld) -> History:
    """What has been published, once there is a broker and a publication; Faust itself would end in an error."""
    backoff = Backoff(WAIT_SECONDS, LONGEST_PAUSE)
    outage = Outage(log, waits="waiting", over="there are rules to watch by", backoff=backoff, held=held)
    reason: Exception | str
    while True:
        try:
            await ends(broker)
            history = await read_history(broker)
            if history.first:
                outage.ended()
                return history
            reason = "no rules are published yet; `liaowang up` and `liaowang rules publish` do it"
        except (KafkaError, OSError, Unavailable) as error:
            reason = error
        beat()
        await asyncio.sleep(outage.failed(reason))


def main(settings: Settings) -> None:
    """Watch all feeds under the published rules until SIGTERM. Waits for a broker that is away."""
    start_logging()
    held = Waits(settings.home, "watch", time.time).of("rules")
    history = asyncio.run(first_rules(settings.kafka, heartbeat(settings, "watch"), held))
    app, watcher = make_app(settings, history, load_contracts(in_use(settings).feeds))
    guard = guard_of(settings, password=True)
    serve(WatchMetrics(watcher, app.end_of), settings.metrics_port, guard)
    run_worker(app, settings)
