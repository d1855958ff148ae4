"""Frames: the records of one poll of one partition arrive as ONE Faust event.

Faust hands over events one at a time at about 0.2 ms each. A frame carries a whole poll of a partition instead:
its value is the list of records (`streams/record_batches.py`), its offset that of the last one. Topics that do
not ask for frames (changelogs, the leader topic) keep Faust's own way.

Offsets of framed topics are committed only for frames the agent has declared `done`, contiguously, and never on
Faust's own acknowledgement: Faust acknowledges events it skips while a rebalance is under way.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from itertools import chain
from typing import Any

import faust
from aiokafka.consumer.fetcher import Fetcher
from faust.transport.consumer import ensure_TPset
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, Message
from faust.types.tuples import ConsumerMessage

from streams.record_batches import FetchedBatches

SESSION_SECONDS = 8.0
"""After so long without a sign a worker's partitions go to another, also to itself after kill -9."""

FETCH_WAIT_MS = 100
"""How long the broker may hold a fetch that leaves partitions out: those wait for it (Faust: 1500 ms)."""
QUIET_WAIT_MS = 1000
"""The same of a fetch of all partitions: whatever comes ends it. A fetch of hundreds of partitions costs both
sides milliseconds; ten a second for nothing were much of what a platform at rest did."""

LINGER_SECONDS = 0.02
"""What a worker sends goes at once where it has just sent nothing; else it waits so long for more to go with."""
FULL_SECONDS = 0.02
"""How long to wait for records while some partitions are held back, since their agent has enough to do."""


class FrameSchema(faust.Schema):  # type: ignore[misc]
    """Passes a frame on as it is; records are decoded by whoever understands them."""

    def loads_key(self, app: Any, message: Message, **_: Any) -> Any:
        """Return None: a frame has many keys."""
        return None

    def loads_value(self, app: Any, message: Message, **_: Any) -> Any:
        """Return the frame itself."""
        return message.value


class QuietFetcher(Fetcher):  # type: ignore[misc]
    """aiokafka's fetcher, which lets the broker hold a fetch longer where it leaves out nothing that is wanted."""

    left_out: Callable[[Iterable[TP]], bool]
    """Whether some partition that is read is not fetched: it has records here (these partitions), or is full."""

    def _get_actions_per_node(self, assignment: Any) -> Any:
        self._fetch_max_wait_ms = FETCH_WAIT_MS if self.left_out(self._records) else QUIET_WAIT_MS
        return super()._get_actions_per_node(assignment)


class FrameConsumerThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """Faust's thread around aiokafka, with two settings that Faust does not let through, and batches."""

    _assigned: tuple[Any, frozenset[TP]] = (None, frozenset())

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        consumer._isolation_level = "read_committed"
        return consumer

    async def _fetch_records(self, consumer: Any, *args: Any, **kwargs: Any) -> Any:
        fetcher = consumer._fetcher
        if not isinstance(fetcher._records, FetchedBatches):
            fetcher._records = FetchedBatches(self.app.framed, fetcher._records)
            fetcher.__class__, fetcher.left_out = QuietFetcher, self.consumer.left_out
        return await super()._fetch_records(consumer, *args, **kwargs)

    def assignment(self) -> set[TP]:
        """The partitions of this worker; Faust asks once for each partition of a commit, and converts all."""
        given = self._ensure_consumer().assignment()
        known = self._assigned  # both at once: the loop asks and so does the consumer's thread
        if given is not known[0]:
            known = self._assigned = given, frozenset(ensure_TPset(given))
        return set(known[1])


class FrameConsumer(driver.Consumer):  # type: ignore[misc]
    """A Faust consumer that makes one message of each poll of a framed partition."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_flight: defaultdict[TP, deque[Message]] = defaultdict(deque)
        self._rewound: dict[TP, int] = {}
        self._fetching = asyncio.Lock()
        self._sought: Counter[TP] = Counter()
        self._sought_before: Counter[TP] = Counter()

    def _new_consumer_thread(self) -> FrameConsumerThread:
        return FrameConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def left_out(self, here: Iterable[TP]) -> bool:
        """Whether a fetch now leaves out some partition that is read: one that has records here, or is held back.

        Changelogs have records here, too, that nobody reads any more once the table is recovered.
        """
        if not self.flow_active or self._buffered_partitions:
            return True
        active = self._get_active_partitions()
        return any(tp in active for tp in here)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:
        """Fetch; what was fetched before a seek is dropped after it, for it will be fetched again.

        Faust notes the offset of a message when it has handed it over, also over a seek that came meanwhile, and
        would drop whatever is fetched again before it. So what it noted is forgotten then.
        """
        async for tp, message in super().getmany(timeout):
            if self._overtaken(tp):
                continue
            if tp.topic in self.app.framed:
                self._in_flight[tp].append(message)
            yield tp, message
            if self._overtaken(tp):
                self._read_offset[tp] = None

    def _overtaken(self, tp: TP) -> bool:
        """Whether there was a seek after the fetch whose records are being handed over."""
        return self._sought[tp] != self._sought_before[tp]

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:
        async with self._fetching:
            self._sought_before = self._sought.copy()
            return await super()._getmany(active_partitions, timeout)

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """Go to an offset of each partition, as recovery does with changelogs.

        As every seek here, between two fetches and never beside one: nobody knows which of the two came first,
        else. And a fetch that a rebalance cut short could take records of a changelog from the new position and
        have them dropped, for the flow is stopped: recovery would wait for them until the next rebalance.
        """
        async with self._fetching:
            self._sought.update(list(partitions))
            await super().seek_wait(partitions)

    async def perform_seek(self) -> None:
        """Go back to the committed offsets, or to what was rewound; frames in flight will be read again."""
        async with self._fetching:  # what is assigned may change while a fetch is waited for
            framed = [tp for tp in self.assignment() if tp.topic in self.app.framed]
            self._sought.update(framed)
            await super().perform_seek()
            for tp in framed:
                if not self._committed_offset.get(tp):
                    await super().seek(tp, 0)  # where nothing is committed Faust does not seek
            for tp, offset in self._rewound.items():
                await super().seek(tp, offset)
            self._in_flight.clear()

    async def seek(self, partition: TP, offset: int) -> None:
        """Go to an offset of one partition; its frames in flight will be read again."""
        async with self._fetching:
            self._sought[partition] += 1
            await super().seek(partition, offset)
            self._in_flight.pop(partition, None)

    async def rewind(self, partition: TP, offset: int) -> None:
        """Go to an offset that may be before the committed one, and stay there until a frame is done."""
        self._rewound[partition] = offset
        await self.seek(partition, offset)

    async def _wait_next_records(self, timeout: float) -> Any:
        if self.flow_active and self._buffered_partitions:  # Faust would wait a whole second beside them
            if not self._get_active_partitions():
                await self.sleep(FULL_SECONDS)
                return {}, set()
            timeout = min(timeout, FULL_SECONDS)
        records, active = await super()._wait_next_records(timeout)
        framed = self.app.framed
        joined = {
            tp: [list(chain.from_iterable(rs))] if tp.topic in framed and rs else rs
            for tp, rs in (records or {}).items()
        }
        return joined, active

    def _to_message(self, tp: TP, record: Any) -> Any:
        if not isinstance(record, list):
            return super()._to_message(tp, record)
        last = record[-1]
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            last.offset,
            last.timestamp / 1000,
            last.timestamp_type,
            (),
            None,
            record,
            None,
            tp=tp,
            generation_id=self.app.consumer_generation_id,
        )

    def done(self, message: Message) -> None:
        """Declare a frame fully processed: its offset may be committed once all before it are."""
        message.acked = True
        if message.offset >= self._rewound.get(message.tp, message.offset):
            self._rewound.pop(message.tp, None)
        self._acked.setdefault(message.tp, [])  # the commit loop visits the partitions named here
        self._unacked_messages.discard(message)

    def ack(self, message: Message) -> bool:
        """Acknowledge as Faust does, except for frames: those are committed by `done` alone."""
        return message.topic not in self.app.framed and bool(super().ack(message))

    def _new_offset(self, tp: TP) -> int | None:
        if tp.topic not in self.app.framed:
            offset: int | None = super()._new_offset(tp)
            return offset
        last = None
        frames = self._in_flight[tp]
        while frames and frames[0].acked:
            last = frames.popleft()
        return None if last is None else last.offset + 1

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        if tp.topic not in self.app.framed:
            await super()._add_gap(tp, offset_from, offset_to)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Forget the frames of revoked partitions after Faust's own revocation; they will be read again."""
        await super().on_partitions_revoked(revoked)
        for tp in revoked:
            self._in_flight.pop(tp, None)
            self._rewound.pop(tp, None)


class FrameTransport(driver.Transport):  # type: ignore[misc]
    """Faust's aiokafka transport with frames."""

    Consumer = FrameConsumer


class FrameApp(faust.App):  # type: ignore[misc]
    """A Faust app whose `framed` topics deliver frames.

    Faust's web server is off; everything a worker tells goes through its log and heartbeat.
    """

    def __init__(self, id: str, *, broker: str, framed: Iterable[str], **conf: Any) -> None:
        self.framed = frozenset(framed)
        self.bootstrap = broker
        defaults: dict[str, Any] = {
            "web_enabled": False,
            "topic_disable_leader": True,
            "consumer_auto_offset_reset": "earliest",
            "stream_buffer_maxsize": 16,
            "broker_commit_interval": 1.0,
            "broker_session_timeout": SESSION_SECONDS,
            "broker_heartbeat_interval": SESSION_SECONDS / 4,
            "producer_acks": -1,
            "producer_linger": LINGER_SECONDS,
            "consumer_max_fetch_size": 1 << 20,
        }
        super().__init__(id, broker=f"kafka://{broker}", **(defaults | conf))

    def _new_transport(self) -> Any:
        return FrameTransport(self.conf.broker_consumer, self)

    def _new_producer(self) -> Any:
        """Faust's, which lets a record of each partition wait to be sent before it warns that it is full.

        A round of ticks makes that many checkpoints at once.
        """
        producer = super()._new_producer()
        partitions = len(self.framed) * (self.conf.topic_partitions or 1)
        producer.buffer.max_messages = max(producer.buffer.max_messages, 2 * partitions)
        return producer

    def frames_topic(self, name: str) -> Any:
        """The Faust topic that delivers the frames of `name`; it must be one of `framed`."""
        if name not in self.framed:
            raise ValueError(f"{name} is not framed by {self.conf.id}")
        return self.topic(name, schema=FrameSchema())

    def frame_done(self, message: Message) -> None:
        """Declare one frame fully processed."""
        self.consumer.done(message)

    def end_of(self, tp: TP) -> int | None:
        """Where a partition ended when it was last fetched."""
        end: int | None = self.monitor.tp_end_offsets.get(tp)
        return end

    def committed_of(self, tp: TP) -> int | None:
        """The offset a partition goes on from, as it was committed; None where it is not known (yet)."""
        committed: int | None = self.consumer._committed_offset.get(tp)
        return committed

    async def rewind(self, tp: TP, offset: int) -> None:
        """Read a framed partition again from `offset`; frames already on their way still arrive."""
        await self.consumer.rewind(tp, offset)
