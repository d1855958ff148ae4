"""The watch of one input partition: rows in, transitions out; nothing here reads a clock or a network.

Time is data. Each timeline (live, or one replay) has a watermark: the latest event time or tick seen, where an
event counts at most as its arrival plus SKEW, so one fast clock makes nobody else late. An event below the
watermark by more than the feed's lateness is late and judged by no rule; what a rule makes of one that is merely
out of order is the condition's to say. Ids are remembered as long as a copy could count again. The transitions
are a function of the log alone, whatever the frames were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from schemas.contract import Contract
from schemas.errors import Rejected
from schemas.event import SKEW, decode_tick
from streams.watch.conditions import Condition, Row, condition
from streams.watch.episode import Emit
from streams.watch.rule import Rule

_BEGINNING = -(1 << 62)


class LogRecord(Protocol):
    """What is needed of a Kafka record: place, LogAppendTime in ms, bytes."""

    @property
    def offset(self) -> int:
        """Its place in the partition."""

    @property
    def timestamp(self) -> int:
        """Its LogAppendTime, ms."""

    @property
    def value(self) -> bytes | None:
        """The event as received."""


@dataclass
class Lane:
    """One timeline of a partition: its watermark, the ids it remembers, a condition for each rule."""

    conditions: list[Condition]
    watermark: int = _BEGINNING
    seen: dict[str, int] = field(default_factory=dict)
    forget_at: int = 10_000

    def forget(self, horizon: int) -> None:
        """Drop the ids of events before the horizon, of which no copy could count again."""
        self.seen = {key: time for key, time in self.seen.items() if time >= horizon}
        self.forget_at = 2 * len(self.seen) + 10_000


@dataclass
class Tally:
    """What has become of the records since the start, for the log."""

    events: int = 0
    ticks: int = 0
    rejected: int = 0
    duplicates: int = 0
    late: int = 0


class Partition:
    """All rules over one partition of a feed, and the last offset applied."""

    def __init__(
        self,
        contract: Contract,
        decode: Callable[[bytes], Any],
        rules: Sequence[Rule],
        topic: str,
        partition: int,
    ) -> None:
        self.topic, self.partition = topic, partition
        self.rules = tuple(rules)
        self.offset = -1
        self.arrival = _BEGINNING
        self.lanes: dict[str, Lane] = {}
        self.tally = Tally()
        self._decode = decode
        self._region_field, self._feed = contract.region_field, contract.feed
        lateness = int(contract.lateness.total_seconds())
        self._horizon = max([lateness, *(rule.wait for rule in rules)]) * 1000
        self._memory = self._horizon if any(rule.remembers for rule in rules) else 0

    def observe(self, records: Iterable[LogRecord], emit: Emit) -> None:
        """Apply the records not applied yet, in log order; emit what the rules decide."""
        rows: dict[str, list[Row]] = {}
        decode, tally = self._decode, self.tally
        for record in records:
            offset = record.offset
            if offset <= self.offset:
                continue
            self.offset = offset
            if record.timestamp > self.arrival:
                self.arrival = record.timestamp
            raw = record.value or b""
            try:
                event = decode(raw)
            except Rejected:
                self._tick(raw, offset, rows)
                continue
            tally.events += 1
            timeline = event.timeline
            lane = self.lanes.get(timeline) or self.lane(timeline)
            time = milliseconds(event.time)
            if time < lane.watermark - self._horizon:
                tally.late += 1
                continue
            seen, key = lane.seen, ""
            if time >= lane.watermark - self._memory:
                key = f"{event.source}\x1f{event.id}"
                if key in seen:
                    tally.duplicates += 1
                    continue
                seen[key] = time
            if time > lane.watermark:
                lane.watermark = max(lane.watermark, min(time, self.arrival + SKEW))
                if len(seen) > lane.forget_at:
                    lane.forget(lane.watermark - self._memory)
            row = (event.data, time, lane.watermark, offset, key, self._feed)
            if timeline in rows:
                rows[timeline].append(row)
            else:
                rows[timeline] = [row]
        for timeline, column in rows.items():
            for each in self.lanes[timeline].conditions:
                each.observe(column, emit)

    def _tick(self, raw: bytes, offset: int, rows: dict[str, list[Row]]) -> None:
        """Let a tick move its timeline's clock; anything else the contract rejects is counted only."""
        tick = decode_tick(raw)
        if tick is None:
            self.tally.rejected += 1
            return
        self.tally.ticks += 1
        lane = self.lanes.get(tick.timeline) or self.lane(tick.timeline)
        clock = min(milliseconds(tick.data.clock), self.arrival + SKEW)
        lane.watermark = max(lane.watermark, clock)
        rows.setdefault(tick.timeline, []).append((None, clock, lane.watermark, offset, "", self._feed))

    def lane(self, timeline: str) -> Lane:
        """The lane of a timeline; a new one starts with nothing seen."""
        if timeline not in self.lanes:
            self.lanes[timeline] = Lane(
                [
                    condition(rule, self.topic, self.partition, timeline, self._region_field)
                    for rule in self.rules
                ]
            )
        return self.lanes[timeline]

    def forget_late(self) -> None:
        """Drop ids that no copy can come of any more; done before the state is written."""
        for lane in self.lanes.values():
            lane.forget(lane.watermark - self._memory)


def milliseconds(time: datetime) -> int:
    """Milliseconds since the Unix epoch, rounded down."""
    return int(time.timestamp() * 1000 // 1)
