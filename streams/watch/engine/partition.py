"""The watch of one input partition: rows in, transitions out; nothing here reads a clock or a network.

Time is data. Each timeline (live, or one replay) has a watermark: the latest event time or tick seen. An event
counts at most as its arrival, for its own subject as well; one that is further ahead than the contract's skew is
rejected. So a fast clock makes nobody late, lets nothing be due too early, and silences not even itself.
An event below the watermark by more than the feed's lateness is late and judged by no rule; what a rule makes of
one that is merely out of order is the condition's to say. Ids are remembered as long as a copy could count again.
What rules of the second stage need is gathered and shipped. What comes out is a function of the log alone, not of
frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

import msgspec

from schemas.contract import Contract
from schemas.errors import Rejected
from schemas.event import Tick, decode_tick
from schemas.fields import milliseconds
from schemas.skew import future
from streams.faults import Faults
from streams.watch.conditions import Column, Condition, condition
from streams.watch.declare.rule import Rule
from streams.watch.declare.spec import WindowSpec
from streams.watch.engine.batches import BEGINNING
from streams.watch.engine.failing import Failing, Tell, ending
from streams.watch.engine.gather import Gathering, Ship, without
from streams.watch.engine.log import LogRecord
from streams.watch.engine.switch import compare_with, switched
from streams.watch.episodes.corrected import SEPARATOR, key_of
from streams.watch.episodes.episode import Emit, Moment, Transition
from streams.watch.episodes.ids import Ids
from streams.watch.episodes.timers import NEVER
from streams.watch.publish.published import NeverPublished, RuleSet, UnknownRuleEpoch, fixed, standing

NO_TIME = datetime.min.replace(tzinfo=UTC)
"""No event's time: before the first event of a frame."""

Book = Callable[[int], RuleSet]
SupplyBaselines = Callable[[Condition], None]
"""Gives a fresh condition what it is to compare with: its baseline."""


@dataclass
class Lane:
    """One timeline of a partition: its watermark, epoch, the ids it remembers, a condition for each rule.

    A copy could count again as far back as `memory` for rules judged here, and for gathered ones to `gathered`,
    which is `rekeyed_wait` before the last tick; ids of events from `remembered` on are known (dedup horizon).
    That follows from the log alone: an older id counts as unknown, for after a restart it might not be there.
    """

    gathering: Gathering
    failing: Failing
    conditions: dict[str, Condition] = field(default_factory=dict)
    watermark: int = BEGINNING
    epoch: int = -1
    horizon: int = 0
    memory: int = 0
    rekeyed_wait: int = 0
    ticked: int = BEGINNING
    gathered: int = NEVER
    remembered: int = BEGINNING
    ids: Ids = field(default_factory=Ids)
    repeats: set[int] = field(default_factory=set)
    """Offsets, among the rows not judged yet, of corrections of events that have counted."""

    def move_memory(self) -> None:
        """Bring `remembered` up to date with the watermark and the last tick."""
        self.gathered = self.ticked - self.rekeyed_wait if self.gathering.gathers else NEVER
        self.remembered = min(self.watermark - self.memory, self.gathered)


class LaneHead(msgspec.Struct, array_like=True):
    """What a timeline needs besides records and pages."""

    watermark: int
    epoch: int
    cut: int
    ticked: int = BEGINNING
    aside: dict[str, int] = {}
    """Rules set aside, with their versions."""


class Head(msgspec.Struct, array_like=True):
    """The small part of a partition's state."""

    arrival: int
    epoch: int
    lanes: dict[str, LaneHead]


@dataclass
class Tally:
    """What has become of the records since the start, for log and metrics; seconds by rule."""

    events: int = 0
    ticks: int = 0
    rejected: int = 0
    duplicates: int = 0
    late: int = 0
    seconds: dict[str, float] = field(default_factory=dict)


class Partition:
    """All rules over one partition of a feed, and the last offset applied.

    Judges by `rules`; or, where a `book` is given, by its set of `epoch` until a tick carries a later one. Rules
    of the second stage are not judged here: what they need goes to `ship`, for `targets` partitions.
    """

    def __init__(
        self,
        contract: Contract,
        decode: Callable[[bytes], Any],
        rules: Sequence[Rule],
        topic: str,
        partition: int,
        *,
        targets: int = 1,
        epoch: int = 0,
        book: Book | None = None,
        supply_baselines: SupplyBaselines = lambda condition: None,
        min_lateness: int = 0,
        failing: Tell = ending,
    ) -> None:
        """`min_lateness`: seconds of lateness that is borne at least; rules not given here might wait for them.

        `failing` is told of each rule that ends in an error; where it does not raise it, the rule is set aside.
        """
        self.topic, self.partition = topic, partition
        self.offset = -1
        self.base = 0
        self.arrival = BEGINNING
        self.lanes: dict[str, Lane] = {}
        self.tally = Tally()
        self.strange: list[tuple[int, Exception]] = []
        """Records over which the program failed, that somebody has yet to be told of."""
        self._in_a_row = 0
        self._decode, self._contract, self._supply_baselines = decode, contract, supply_baselines
        self._targets, self._epoch = targets, epoch
        self._book = book or fixed(rules)
        self._switches = book is not None
        self._failing = failing
        self._skew = contract.skew_ms
        self._lateness = max(int(contract.lateness.total_seconds()), min_lateness)

    def observe(
        self, records: Iterable[LogRecord], emit: Emit, ship: Ship = lambda target, batch: None
    ) -> None:
        """Apply the records not applied yet, in log order; emit what the rules decide, ship what others need.

        Raises UnknownRuleEpoch, with all before it applied, at a tick whose rules are not known here yet.
        """
        rows: dict[str, Column] = {}
        decode, tally, feed, skew = self._decode, self.tally, self._contract.feed, self._skew
        offset, arrival, events = self.offset, self.arrival, 0
        faults, before = Faults(self._in_a_row), tally.events
        lane, now, append, seen, fresh = None, None, Column().append, dict[str, int](), list[str]()
        watermark = floor = remembered = at = BEGINNING
        moment = NO_TIME
        for record in records:
            place = record.offset
            if place <= offset:
                continue
            arrived = record.timestamp
            if arrived > arrival:
                self.arrival = arrival = arrived
            raw = record.value or b""
            try:
                event = decode(raw)
            except Exception as error:
                if not isinstance(error, Rejected):
                    self._strange(place, error)
                    faults.add(error, tally.events + events - before)
                self.offset = offset
                tally.events += events
                events = 0
                self._tick(raw, place, rows, emit, ship)
                offset, lane = place, None
                continue
            offset = place
            if event.time != moment:  # many feeds speak on the hour: the last one again is quickly known
                moment = event.time
                at = milliseconds(moment)
            time = at
            if time > arrived:
                if future(moment, arrived, skew):
                    tally.rejected += 1
                    continue
                time = arrived
            events += 1
            if lane is None or event.timeline != now:
                now = event.timeline
                lane, append = self.lane(now), rows.setdefault(now, Column()).append
                watermark, remembered = lane.watermark, lane.remembered
                floor, seen, fresh = watermark - lane.horizon, lane.ids.seen, lane.ids.fresh
            if time < floor:
                tally.late += 1
                continue
            key = f"{event.source}\x1f{event.id}"  # key_of, without the call
            if time >= remembered:
                known = seen.get(key)
                if known is not None and known >= remembered:
                    tally.duplicates += 1
                    continue
                seen[key] = time
                fresh.append(key)
            if event.corrects:
                key = _correction(lane, event, time, offset)
            if time > watermark:
                lane.watermark = watermark = time
                floor = watermark - lane.horizon
                lane.remembered = remembered = min(watermark - lane.memory, lane.gathered)
                if lane.ids.many:
                    lane.ids.forget(remembered)
                    seen = lane.ids.seen
            append((event.data, time, watermark, offset, key, feed))
        tally.events += events
        self.offset = offset
        self._in_a_row = faults.end(tally.events - before)
        self._judge(rows, emit, ship)

    def _strange(self, offset: int, error: Exception) -> None:
        """Note a record over which the program fails; landing refuses it as well."""
        if self._failing is ending:
            raise error
        self.strange.append((offset, error))

    def _judge(self, rows: dict[str, Column], emit: Emit, ship: Ship) -> None:
        """Give every rule the rows so far, as columns."""
        seconds = self.tally.seconds
        for timeline, column in rows.items():
            lane = self.lanes[timeline]
            told: list[Transition] = []
            counting = Column(without(column, lane.repeats)) if lane.repeats else column
            begun = perf_counter()
            for name, each in lane.conditions.items():
                if lane.failing.holds(each.rule):
                    continue
                try:
                    each.observe(counting if each.rule.accumulates else column, told.append)
                except Exception as error:
                    lane.failing.add(each.rule, error)
                ended = perf_counter()
                seconds[name] = seconds.get(name, 0.0) + ended - begun
                begun = ended
            for transition in told:
                emit(transition)
            if lane.gathering.gathers:
                lane.gathering.observe(column, told, lane.epoch, ship, lane.repeats)
            lane.repeats.clear()
        rows.clear()

    def _tick(self, raw: bytes, offset: int, rows: dict[str, Column], emit: Emit, ship: Ship) -> None:
        """Let a tick move its timeline's clock; anything else the contract rejects is counted only."""
        tick = decode_tick(raw)
        if tick is None:
            self.tally.rejected += 1
            return
        lane = self.lanes.get(tick.timeline) or self.lane(tick.timeline)
        changed = self._changed(tick, lane, rows, emit, ship)
        self.tally.ticks += 1
        clock = min(milliseconds(tick.data.clock), self.arrival)
        lane.watermark = lane.ticked = max(lane.watermark, clock)
        lane.move_memory()
        row = (None, clock, lane.watermark, offset, "", self._contract.feed)
        rows.setdefault(tick.timeline, Column()).append(row)
        if changed is not None:
            self._judge(rows, emit, ship)
            told: list[Transition] = []
            self._set_rules(tick.timeline, lane, changed, offset, told.append)
            lane.gathering.observe(Column(), told, lane.epoch, ship)
            for transition in told:
                emit(transition)

    def _changed(
        self, tick: Tick, lane: Lane, rows: dict[str, Column], emit: Emit, ship: Ship
    ) -> RuleSet | None:
        """The rules a tick brings, where they are others."""
        if not self._switches or tick.data.epoch <= lane.epoch:
            return None
        try:
            return self._book(tick.data.epoch)
        except NeverPublished:
            return None
        except UnknownRuleEpoch:
            self._judge(rows, emit, ship)
            raise

    def lane(self, timeline: str) -> Lane:
        """The lane of a timeline; a new one starts with nothing seen, under the partition's latest rules."""
        lane = self.lanes.get(timeline)
        if lane is None:
            lane = self.lanes[timeline] = self._lane(timeline)
            self._set_rules(timeline, lane, self._book(self._epoch), -1, lambda transition: None)
        return lane

    def _lane(self, timeline: str, aside: Mapping[str, int] | None = None) -> Lane:
        failing = Failing(self._failing, aside)
        place = (self.topic, self.partition, timeline)
        return Lane(Gathering(*place, self._targets, self.base, failing), failing)

    def _set_rules(self, timeline: str, lane: Lane, rules: RuleSet, offset: int, emit: Emit) -> None:
        """Put rules in force: those that stay keep all they know, the others take over what they can."""
        feed = self._contract.feed
        known = {rule.id: rule for rule in rules.rules}
        own = {name: rule for name, rule in known.items() if not rule.rekeyed and rule.feed == feed}
        now = Moment(self.topic, self.partition, timeline, offset, lane.watermark)
        names = [*own, *(lane.conditions.keys() - own.keys())]
        made = {
            name: switched(
                lane.conditions.get(name),
                own.get(name),
                lambda rule: self._condition(rule, timeline),
                now,
                emit,
                lane.failing,
                known.get(name),
            )
            for name in names
        }
        lane.conditions = {name: each for name, each in made.items() if each is not None}
        compare_with(rules.tables, lane.conditions, lane.failing)
        lane.gathering.set_rules(rules.rules, feed, own)
        lane.failing.keep(rules.rules)
        lane.epoch = rules.epoch
        self._epoch = max(self._epoch, rules.epoch)
        here = [rule for rule in rules.rules if feed in rule.feeds]
        lane.horizon = max([self._lateness, *(rule.wait for rule in here)]) * 1000
        lane.memory = max((self._memory(rule, lane.horizon) for rule in own.values()), default=0)
        lane.rekeyed_wait = max((rule.wait for rule in here if rule.rekeyed), default=0) * 1000
        lane.move_memory()

    def _memory(self, rule: Rule, horizon: int) -> int:
        """How far below the watermark (ms) a copy of an event could count again for a rule that is judged here."""
        if not rule.remembers:
            return 0
        if isinstance(rule.spec, WindowSpec) and not rule.spec.sliding:  # such a window is closed by then
            return min(horizon, rule.spec.length + rule.wait * 1000)
        return horizon

    def _condition(self, rule: Rule, timeline: str) -> Condition:
        made = condition(rule, self.topic, self.partition, timeline, self._contract.region_field)
        self._supply_baselines(made)
        return made

    # What is kept: see state.py.

    def conditions(self) -> Iterator[tuple[str, Condition]]:
        """(timeline, condition) of all rules."""
        for timeline, lane in self.lanes.items():
            yield from ((timeline, each) for each in lane.conditions.values())

    def asides(self) -> Iterator[Failing]:
        """What is set aside, by timeline."""
        yield from (lane.failing for lane in self.lanes.values())

    def failed(self, timeline: str, rule: Rule, error: Exception) -> None:
        """Set a rule aside whose records could not be put back."""
        self.lanes[timeline].failing.add(rule, error)

    def head(self) -> bytes:
        """The small part of the state, as bytes."""
        lanes = {
            timeline: LaneHead(
                lane.watermark, lane.epoch, lane.gathering.watermark, lane.ticked, lane.failing.rules
            )
            for timeline, lane in self.lanes.items()
        }
        return msgspec.msgpack.encode(Head(self.arrival, self._epoch, lanes))

    def restore_head(self, raw: bytes) -> None:
        """Put it back, with fresh conditions; raises UnknownRuleEpoch where their rules are not known here yet."""
        head = _heads.decode(raw)
        self.arrival, self._epoch = head.arrival, standing(self._book, head.epoch).epoch
        for timeline, kept in head.lanes.items():
            lane = self.lanes[timeline] = self._lane(timeline, kept.aside)
            lane.watermark, lane.gathering.watermark, lane.ticked = kept.watermark, kept.cut, kept.ticked
            self._set_rules(timeline, lane, standing(self._book, kept.epoch), -1, lambda transition: None)

    def pages(self) -> Iterator[tuple[str, bytes | None]]:
        """Remembered ids and rows gathered since the last cut; what changed since the last call, None: gone."""
        for timeline, lane in self.lanes.items():
            for number, raw in lane.ids.pages(lane.remembered):
                yield f"ids/{number}/{timeline}", raw
            gathering = lane.gathering
            dirty, gathering.dirty = gathering.dirty, set()
            for rule in sorted(dirty):
                gather = gathering.gathers.get(rule)
                yield f"rows/{rule}/{timeline}", gather.packed() if gather else None

    def restore_pages(self, pages: Mapping[str, bytes]) -> None:
        """Put them back."""
        for place, raw in pages.items():
            kind, name, timeline = place.split("/", 2)
            lane = self.lanes.get(timeline)
            if lane is None:
                continue
            if kind == "ids":
                lane.ids.restore(int(name), raw)
            elif name in lane.gathering.gathers:
                lane.gathering.gathers[name].restore(raw)


_heads = msgspec.msgpack.Decoder(Head)


def _correction(lane: Lane, event: Any, time: int, offset: int) -> str:
    """The key of a correction's row; that of an event which has counted is noted among the lane's repeats.

    A correction of an event never seen stands for it; its key says both. Else it comes right after the event.
    """
    original = key_of(event.source, event.corrects)
    if event.corrects == event.id:
        return original
    known = lane.ids.seen.get(original)
    if time >= lane.remembered and (known is None or known < lane.remembered):
        lane.ids.seen[original] = time
        lane.ids.fresh.append(original)
    else:
        lane.repeats.add(offset)
    return f"{original}{SEPARATOR}{event.id}"
