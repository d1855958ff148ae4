"""The watch worker: frames in, warnings out, state kept in a Faust table with its changelog.

Order of things: transitions are sent when decided; a checkpoint waits until those are acknowledged, writes the
dirty buckets, then the header, and only then declares its frames done, so that Faust commits their offsets.
After a crash the warnings already on the topic since the last checkpoint are read back and not sent again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import faust
from aiokafka.errors import KafkaError
from faust.types import TP

from schemas.contract import Contract, load_contracts
from schemas.decoder import Decoder
from schemas.errors import Unavailable
from schemas.settings import Settings
from schemas.topics import WARNINGS
from streams.frames import FrameApp
from streams.watch.episode import Transition
from streams.watch.partition import Partition
from streams.watch.rule import RULES, Rule, load_rules
from streams.watch.sent import already_sent, ends
from streams.watch.state import StateKeeper
from streams.watch.warning import encode_warning
from streams.worker import heartbeat, run_worker, start_logging

log = logging.getLogger("liaowang.watch")

CHECKPOINT_SECONDS = 1.0
WAIT_SECONDS = 1.0
CHECKPOINT_SHARE = 0.1
"""A checkpoint may take a tenth of the time: the next one waits ten times as long as the last one took."""


class Watcher:
    """All watched partitions of this worker."""

    def __init__(self, app: FrameApp, contracts: dict[str, Contract], rules: Sequence[Rule]) -> None:
        self.app = app
        self.rules = {rule.id: rule for rule in rules}
        self._contracts = {contract.topic: contract for contract in contracts.values()}
        self._decoders = {topic: Decoder(contract).decode for topic, contract in self._contracts.items()}
        self._keepers: dict[TP, StateKeeper] = {}
        self._silenced: dict[TP, set[str]] = {}
        self._frames: dict[TP, list[Any]] = {}
        self._pending: list[Any] = []
        self._sending: set[TP] = set()
        self._warned: dict[int, int] = {}
        self._sent: tuple[int, dict[int, int], set[str]] = (-1, {}, set())
        self.table: Any = app.Table("state", key_type=bytes, value_type=bytes)
        self._warnings = app.topic(WARNINGS, key_serializer="raw", value_serializer="raw", acks=False)

    async def observe(self, event: Any) -> None:
        """Apply one frame and send what the rules decide."""
        tp, generation = event.message.tp, event.message.generation_id
        if not self._keepers:
            self._warned = await ends(self.app.bootstrap)
        keeper = self._keepers.get(tp) or await self._open(tp)
        if generation != self.app.consumer_generation_id:  # revoked meanwhile; it will be read again
            return
        decided: list[Transition] = []
        silenced = self._silenced[tp]
        self._sending.add(tp)  # no checkpoint of this partition before all it decided is on its way
        try:
            keeper.partition.observe(event.value, decided.append)
            self._frames[tp].append(event.message)
            for transition in decided:
                if transition.id not in silenced:
                    await self._send(transition)
        finally:
            self._sending.discard(tp)

    async def _send(self, transition: Transition) -> None:
        value = encode_warning(transition, self.rules)
        self._pending.append(await self._warnings.send(key=transition.subject.encode(), value=value))

    async def _open(self, tp: TP) -> StateKeeper:
        """The state of a partition as of its last checkpoint, from the table Faust has recovered."""
        generation = self.app.consumer_generation_id
        contract = self._contracts[tp.topic]
        rules = [rule for rule in self.rules.values() if rule.feed == contract.feed]
        partition = Partition(contract, self._decoders[tp.topic], rules, tp.topic, tp.partition)
        keeper = StateKeeper(partition)
        warned = keeper.restore(dict(self.table.data.items()))
        silenced = await self._already_sent(warned)
        if generation != self.app.consumer_generation_id:
            return keeper
        self._silenced[tp] = silenced
        self._frames[tp] = []
        self._keepers[tp] = keeper
        log.info(
            "%s[%d]: watching from offset %d, %d warnings already sent since the checkpoint",
            tp.topic, tp.partition, partition.offset + 1, len(self._silenced[tp]),
        )  # fmt: skip
        return keeper

    async def _already_sent(self, since: dict[int, int]) -> set[str]:
        """Ids on `warnings` since then; what was read for another partition since the rebalance serves again."""
        generation, start, found = self._sent
        now = self.app.consumer_generation_id
        if generation != now or any(since.get(number, 0) < offset for number, offset in start.items()):
            found = await already_sent(self.app.bootstrap, since)
            self._sent = (now, since, found)
        return found

    def close(self, revoked: set[TP]) -> None:
        """Forget revoked partitions; whoever gets them starts from the last checkpoint."""
        for tp in revoked:
            self._keepers.pop(tp, None)
            self._silenced.pop(tp, None)
            self._frames.pop(tp, None)

    async def checkpoint(self) -> int:
        """Write what has changed and declare the frames up to it done; returns the number of buckets written."""
        generation = self.app.consumer_generation_id
        points = []
        for tp, keeper in self._keepers.items():
            if tp in self._sending:
                continue
            point = keeper.checkpoint(self._warned)
            frames, self._frames[tp] = self._frames[tp], []
            if point is not None:
                points.append((tp, point, frames))
            else:  # read a second time: the last checkpoint holds them already
                self._done(frames)
        pending, self._pending = self._pending, []
        for sent in await asyncio.gather(*pending):
            self._warned[sent.partition] = max(self._warned.get(sent.partition, 0), sent.offset + 1)
        if generation != self.app.consumer_generation_id:
            return 0
        buckets = [(tp, key, value) for tp, point, _ in points for key, value in point.buckets]
        await asyncio.gather(*(self._write(*bucket) for bucket in buckets))
        await asyncio.gather(*(self._write(tp, *point.header) for tp, point, _ in points))
        for _, _, frames in points:
            self._done(frames)
        return len(buckets)

    def _done(self, frames: list[Any]) -> None:
        for message in frames:
            self.app.frame_done(message)

    async def _write(self, tp: TP, key: bytes, value: bytes | None) -> None:
        if value is None:
            self.table.data.pop(key, None)
        else:
            self.table.data[key] = value
        await self.table.send_changelog(tp.partition, key, value)

    def seen(self) -> int:
        """Events applied since the start, by all partitions open now."""
        return sum(keeper.partition.tally.events for keeper in self._keepers.values())

    def tally(self) -> str:
        """What has been seen since the start, for the log."""
        tallies = [keeper.partition.tally for keeper in self._keepers.values()]
        names = ("events", "ticks", "rejected", "duplicates", "late")
        return " ".join(f"{name}={sum(getattr(tally, name) for tally in tallies)}" for name in names)


def make_app(settings: Settings, folder: Path = RULES) -> tuple[FrameApp, Watcher]:
    """The Faust app of the watch worker with the rules of a folder, wired; nothing is started."""
    contracts = load_contracts()
    rules = load_rules(contracts, folder)
    watched = sorted({contracts[rule.feed].topic for rule in rules})
    app = FrameApp(
        "liaowang-watch",
        broker=settings.kafka,
        framed=watched,
        datadir=str(settings.home / "faust" / "watch"),
        topic_partitions=settings.partitions,
        topic_replication_factor=1,
    )
    watcher = Watcher(app, contracts, rules)
    for topic in watched:
        _watch(app, watcher, topic)

    @app.on_partitions_revoked.connect  # type: ignore[untyped-decorator]
    async def on_revoked(app: Any, revoked: set[TP], **_: Any) -> None:
        watcher.close(revoked)

    @app.task  # type: ignore[untyped-decorator]
    async def keep_checkpoints() -> None:
        beat = heartbeat(settings, "watch")
        spoken = time.monotonic()
        pause = CHECKPOINT_SECONDS
        while not app.should_stop:
            await asyncio.sleep(pause)
            started = time.monotonic()
            await watcher.checkpoint()
            if not (
                app.in_recovery or app.rebalancing
            ):  # neither may last; the health probe sees that it does
                beat()
            pause = max(CHECKPOINT_SECONDS, (time.monotonic() - started) / CHECKPOINT_SHARE)
            if started - spoken >= 60:
                spoken = started
                log.info("since the start: %s", watcher.tally())

    return app, watcher


def _watch(app: FrameApp, watcher: Watcher, topic: str) -> None:
    @app.agent(app.frames_topic(topic), name=f"watch-{topic}")  # type: ignore[untyped-decorator]
    async def watch(stream: faust.Stream) -> None:
        async for event in stream.noack().events():
            await watcher.observe(event)


async def _wait_for_broker(broker: str, beat: Callable[[], None]) -> None:
    """Return when the broker answers: Faust's own start would end in an error instead."""
    said = False
    while True:
        try:
            await ends(broker)
            return
        except (KafkaError, OSError, Unavailable) as error:
            if not said:
                log.warning("%s; waiting for it", error or type(error).__name__)
            said = True
        beat()
        await asyncio.sleep(WAIT_SECONDS)


def main(settings: Settings) -> None:
    """Watch all feeds with rules until SIGTERM. Waits for a broker that is away."""
    start_logging()
    asyncio.run(_wait_for_broker(settings.kafka, heartbeat(settings, "watch")))
    app, _ = make_app(settings)
    run_worker(app, settings)
