"""The watcher: frames in, warnings and batches out, state kept in a Faust table with its changelog.

Order of things: transitions and batches are sent when decided; a checkpoint waits until those are acknowledged,
writes the dirty buckets, then the header, and only then declares its frames done, so that Faust commits their
offsets. After a crash the warnings already on the topic since the last checkpoint are read back and not sent
again; batches are sent again, and the second stage knows them by their ids.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from faust.types import TP

from schemas.blanking import fault
from schemas.contract import Contract
from schemas.decoder import Decoder
from schemas.topics import PARTIALS, WARNINGS
from streams.frames import FrameApp
from streams.watch.declare.rule import Rule
from streams.watch.engine.batches import Batch, messages
from streams.watch.engine.gather import Ship
from streams.watch.engine.partition import Lane, Partition
from streams.watch.engine.second import SecondStage
from streams.watch.episodes.episode import Emit, Transition
from streams.watch.episodes.warning import encode_warning
from streams.watch.publish.logs import log_ends, log_ids
from streams.watch.publish.published import RuleBook, UnknownRuleEpoch
from streams.watch.publish.rule_topic import read_history
from streams.watch.worker.sent import already_sent, ends
from streams.watch.worker.state import StateKeeper
from streams.worker import Work

log = logging.getLogger("liaowang.watch")

Stage = Partition | SecondStage
LEARN_SECONDS = 10.0
"""After so long the topic of rules is read anew: does it have at all what a tick names?"""


class Watcher:
    """All watched partitions of this worker, of feeds and of the second stage."""

    def __init__(
        self,
        app: FrameApp,
        contracts: Mapping[str, Contract],
        book: RuleBook,
        news: asyncio.Event,
        targets: int,
        aside: Callable[[str, str], None] = lambda what, reason: None,
    ) -> None:
        """`news` is set whenever the book's history has grown; `targets` is the partitions of every topic.

        `aside` is told of messages that are passed over, since they are none of the platform's.
        """
        self.app, self.book = app, book
        self.work = Work()
        self.logs: dict[str, str] = {}
        self._aside = aside
        self.keepers: dict[TP, StateKeeper[Stage]] = {}
        self._news, self._targets = news, targets
        self._contracts = dict(contracts)
        self._by_topic = {contract.topic: contract for contract in contracts.values()}
        self._decoders: dict[str, Callable[[bytes], Any]] = {}
        self._silenced: dict[TP, set[str]] = {}
        self._frames: dict[TP, list[Any]] = {}
        self._pending: list[Any] = []
        self._shipped: list[Any] = []
        self._sending: set[TP] = set()
        self._stages: dict[TP, Stage] = {}
        self._failed_last: Exception | None = None
        self._warned: dict[int, int] = {}
        self._ends: tuple[int, dict[tuple[str, int], int]] = (-1, {})
        self._sent: tuple[int, dict[int, int], set[str]] = (-1, {}, set())
        self.table: Any = app.Table("state", key_type=bytes, value_type=bytes)
        self._warnings = app.topic(WARNINGS, key_serializer="raw", value_serializer="raw", acks=False)

    async def observe(self, event: Any) -> None:
        """Apply one frame; send what the rules decide and what the second stage needs."""
        with self.work.one():
            await self._observe(event)

    async def _observe(self, event: Any) -> None:
        tp, generation = event.message.tp, event.message.generation_id
        if not self.keepers:
            self._warned = await ends(self.app.bootstrap)
            self.logs = await log_ids(self.app.bootstrap, [*self.app.framed, WARNINGS])
        keeper = self.keepers.get(tp) or await self._open(tp)
        if generation != self.app.consumer_generation_id:  # revoked meanwhile; it will be read again
            return
        self._sending.add(tp)  # no checkpoint of this partition before all it decided is on its way
        try:
            while not await self._apply(keeper.partition, event.value, self._silenced[tp]):
                if generation != self.app.consumer_generation_id:
                    return
            self._frames[tp].append(event.message)
        finally:
            self._sending.discard(tp)

    async def _apply(self, stage: Stage, records: Any, silenced: set[str]) -> bool:
        """Apply records and send what comes of them; False where the rest must wait for rules under way."""
        decided: list[Transition] = []
        shipped: dict[int, list[Batch]] = {}
        missing: UnknownRuleEpoch | None = None
        try:
            self.judge(
                stage,
                records,
                decided.append,
                lambda target, batch: shipped.setdefault(target, []).append(batch),
            )
        except UnknownRuleEpoch as unknown:
            missing = unknown
        if isinstance(stage, SecondStage):
            while stage.strange:
                self._aside(
                    f"{PARTIALS}/{stage.partition} at {stage.strange.pop(0)}", "holds no batches of rows"
                )
        if isinstance(stage, Partition) and stage.strange:
            contract = self._by_topic[stage.topic]
            for offset, error in stage.strange:
                self._aside(f"{stage.topic}/{stage.partition} at {offset}", fault((contract,), error))
            stage.strange.clear()
        for target, batches in shipped.items():
            await self._ship(target, batches)
        for transition in decided:
            if transition.id not in silenced:
                await self._send(transition)
        if missing is not None:
            await self._learn(missing)
        return missing is None

    def judge(self, stage: Stage, records: Any, emit: Emit, ship: Ship) -> None:
        """Apply records; raises the error of the last rule that was set aside over them where none is left."""
        stage.observe(records, emit, ship)
        self._or_end()

    def _or_end(self) -> None:
        """End where what fails has taken every rule along: that is no fault of an item.

        A watch in which no rule is judged must not look alive. With a single rule nobody can tell whose fault it
        is; it is set aside, and `status` says so.
        """
        error, self._failed_last = self._failed_last, None
        stages = self._stages.values()
        if error is None or _judged(stages):
            return
        if len({name for stage in stages for each in stage.asides() for name in each.rules}) > 1:
            raise error

    async def _learn(self, missing: UnknownRuleEpoch) -> None:
        """Wait for rules that a tick names and that are not here yet."""
        log.info("%s; waiting for them", missing)
        while self.book.history.epoch < missing.epoch:
            self._news.clear()
            if self.book.history.epoch < missing.epoch:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), LEARN_SECONDS)
                    continue
                if (await read_history(self.app.bootstrap)).epoch < missing.epoch:
                    self.book.pass_over(missing.epoch)
                    return

    async def _send(self, transition: Transition) -> None:
        rule = self.book.rule(transition.rule, transition.rule_version)
        value = encode_warning(
            transition, {rule.id: rule}, self.logs.get(transition.topic, "") if transition.offset >= 0 else ""
        )
        self._pending.append(await self._warnings.send(key=transition.subject.encode(), value=value))

    async def _ship(self, target: int, batches: Iterable[Batch]) -> None:
        producer = self.app.producer
        for message in messages(batches):
            self._shipped.append(await producer.send(PARTIALS, None, message, target, None, None))

    async def _open(self, tp: TP) -> StateKeeper[Stage]:
        """The state of a partition as of its last checkpoint, from the table Faust has recovered."""
        generation = self.app.consumer_generation_id
        while True:
            keeper = StateKeeper(self._stage(tp), self.logs.get(tp.topic, ""), await self._end(tp))
            try:
                warned = keeper.restore(self.table.data)
                break
            except UnknownRuleEpoch as unknown:
                await self._learn(unknown)
        self._or_end()
        self._say_aside(tp, keeper.partition)
        silenced = await self._already_sent(warned)
        if generation != self.app.consumer_generation_id:
            return keeper
        if keeper.begun_anew:
            self._aside(
                f"{tp.topic}/{tp.partition}",
                f"{keeper.begun_anew}; it is judged anew, and what was open before stays so",
            )
        self._silenced[tp] = silenced
        self._frames[tp] = []
        self.keepers[tp] = keeper
        log.info(
            "%s[%d]: watching from offset %d, %d warnings already sent since the checkpoint",
            tp.topic, tp.partition, keeper.partition.offset + 1, len(silenced),
        )  # fmt: skip
        return keeper

    def _say_aside(self, tp: TP, stage: Stage) -> None:
        """Say in the log what stays set aside, since its status may have been cleared."""
        kept = sorted(
            {f"{name}@{version}" for each in stage.asides() for name, version in each.rules.items()}
        )
        if kept:
            log.warning(
                "%s[%d]: not judged until another version is published: %s",
                tp.topic, tp.partition, ", ".join(kept),
            )  # fmt: skip

    async def _end(self, tp: TP) -> int | None:
        """Where a partition ends, asked once since the rebalance: whatever was kept before is not further."""
        generation = self.app.consumer_generation_id
        if self._ends[0] != generation:
            self._ends = (generation, await log_ends(self.app.bootstrap, self.app.framed))
        return self._ends[1].get((tp.topic, tp.partition))

    def _stage(self, tp: TP) -> Stage:
        """A partition as it is before its first record: under the first rules that were published."""
        made = self._stages[tp] = self._made(tp)
        return made

    def _made(self, tp: TP) -> Stage:
        rule_set, failing = self.book.rule_set, partial(self._failed, tp)
        if tp.topic == PARTIALS:
            partitions = dict.fromkeys(self._contracts, self._targets)
            return SecondStage(
                self._contracts, rule_set, tp.partition, targets=self._targets, partitions=partitions,
                failing=failing,
            )  # fmt: skip
        contract = self._by_topic[tp.topic]
        if tp.topic not in self._decoders:
            self._decoders[tp.topic] = Decoder(contract).decode
        first = self.book.history.first
        return Partition(
            contract, self._decoders[tp.topic], rule_set(first).rules, tp.topic, tp.partition,
            targets=self._targets, epoch=first, book=rule_set, failing=failing,
        )  # fmt: skip

    def _failed(self, tp: TP, rule: Rule, error: Exception) -> None:
        """Go on without a rule that ended in an error; `_or_end` sees whether any is left."""
        self._failed_last = error
        why = fault((self._contracts[feed] for feed in rule.feeds if feed in self._contracts), error)
        self._aside(
            f"rule {rule.id} in {tp.topic}/{tp.partition}",
            f"{why}; version {rule.version} is not judged there until another version is published",
        )

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
            self.keepers.pop(tp, None)
            self._silenced.pop(tp, None)
            self._frames.pop(tp, None)
            self._stages.pop(tp, None)

    async def checkpoint(self) -> int:
        """Write what has changed and declare the frames up to it done; returns the number of buckets written."""
        generation = self.app.consumer_generation_id
        points = []
        for tp, keeper in self.keepers.items():
            if tp in self._sending:
                continue
            point = keeper.checkpoint(self._warned)
            frames, self._frames[tp] = self._frames[tp], []
            if point is not None:
                points.append((tp, point, frames))
            else:  # read a second time: the last checkpoint holds them already
                self._done(frames)
        pending, self._pending = self._pending, []
        shipped, self._shipped = self._shipped, []
        for sent in await asyncio.gather(*pending):
            self._warned[sent.partition] = max(self._warned.get(sent.partition, 0), sent.offset + 1)
        await asyncio.gather(*shipped)
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

    def positions(self) -> dict[TP, int | None]:
        """The next record to apply in each watched partition of this worker; None where none was applied ever.

        A partition is opened at its first frame; until then it stands where it was committed.
        """
        mine = [tp for tp in self.app.consumer.assignment() if tp.topic in self.app.framed]
        found = {tp: self.keepers.get(tp) for tp in mine}
        return {
            tp: keeper.partition.offset + 1 if keeper else self.app.committed_of(tp)
            for tp, keeper in found.items()
        }

    def feeds(self) -> list[Partition]:
        """The feed partitions open now."""
        return [each.partition for each in self.keepers.values() if isinstance(each.partition, Partition)]

    def seen(self) -> int:
        """Events applied since the start, by all partitions open now."""
        return sum(partition.tally.events for partition in self.feeds())

    def seconds(self) -> list[SecondStage]:
        """The second-stage partitions open now."""
        return [each.partition for each in self.keepers.values() if isinstance(each.partition, SecondStage)]

    def gathered(self) -> int:
        """Rows the second stage has got since the start."""
        return sum(stage.tally.rows for stage in self.seconds())

    def epoch(self) -> int:
        """The rule epoch of the newest rules known here."""
        return self.book.history.epoch

    def tally(self) -> str:
        """What has been seen since the start, for the log."""
        names = ("events", "ticks", "rejected", "duplicates", "late")
        counts = [(name, sum(getattr(each.tally, name) for each in self.feeds())) for name in names]
        return " ".join(f"{name}={count}" for name, count in counts)


def _judged(stages: Iterable[Stage]) -> set[str]:
    """The rules that are judged in some of these partitions, or gathered to be judged elsewhere."""
    judged, gathered, failing = set[str](), set[str](), set[str]()
    for stage in stages:
        for lane in stage.lanes.values():
            judged |= {name for name, each in lane.conditions.items() if not lane.failing.holds(each.rule)}
            if isinstance(lane, Lane):
                gathers = lane.gathering.gathers.items()
                gathered |= {name for name, each in gathers if not lane.failing.holds(each.rule)}
            else:
                failing |= lane.failing.rules.keys()
    return judged | (gathered - failing)
