"""The second stage of one partition of `partials`: re-keyed, cross-feed and composite rules, on gathered rows.

A rule's rows are judged in order of (time, source and id), as far as the *minimum* watermark over all partitions
of all its streams, less its `wait`. Before that nothing is judged; after that nothing older can come. So what is
decided does not depend on which batch came first, and evidence names no place in `partials`: the offset is -1, the
watermark the event time that every input had to reach (`at` and `wait`).

Rules change here as well where their inputs changed: at the latest watermark any of their input partitions had
when its tick said so. Rows before that are judged by the old version, rows after it by the new.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from operator import itemgetter
from time import perf_counter
from typing import Any

import msgspec

from schemas.contract import Contract
from schemas.topics import PARTIALS, WARNING_FEED
from streams.watch.conditions import Column, Condition, condition
from streams.watch.declare.rule import Rule
from streams.watch.declare.templates import region_template
from streams.watch.engine.batches import BEGINNING, Batch, Portion, cut_in_parts, decode_batches, rule_stream
from streams.watch.engine.failing import Failing, Tell, ending
from streams.watch.engine.gather import TRANSITION, Gather, Ship, record_of
from streams.watch.engine.log import LogRecord
from streams.watch.engine.rule_index import RuleIndexes
from streams.watch.engine.switch import compare_with, same, switched
from streams.watch.episodes.corrected import latest_versions
from streams.watch.episodes.episode import Emit, Moment, Transition
from streams.watch.publish.published import RuleSet, standing

Source = tuple[str, int]
"""A stream and the number of its partition."""


Waiting = tuple[int, str, Any, str, int]
"""A row that waits for the watermark: time, source and id, data, feed, and the message it came in."""

_ORDER = itemgetter(0, 1)
_TIME, _KEY, _GATHERED, _FEED, _PAGE = (itemgetter(place) for place in range(5))


class Mark(msgspec.Struct, array_like=True):
    """How far one source is: its last cut, its watermark, and the epochs it came to with the watermark then."""

    place: tuple[int, int]
    watermark: int
    epochs: list[tuple[int, int]]


class Progress(msgspec.Struct, array_like=True):
    """How far one rule is: version (0: none), epoch, the watermark it began at and the one it was judged up to."""

    version: int
    epoch: int
    since: int
    watermark: int


class LaneHead(msgspec.Struct, array_like=True):
    """What a timeline needs besides its records and pages."""

    marks: list[tuple[str, int, Mark]]
    progress: dict[str, Progress]
    aside: dict[str, int] = {}
    """Rules set aside, with their versions."""


@dataclass
class SecondLane:
    """One timeline: how far its sources and rules are, and the rows that wait, by rule.

    Derived from the rest, so that a batch costs what it concerns: `epochs`, those that sources are in (`pruned`:
    each source in one); `through`, those that every rule has gone through; `sources` of each rule, and the rules
    by source.
    """

    failing: Failing
    marks: dict[Source, Mark] = field(default_factory=dict)
    progress: dict[str, Progress] = field(default_factory=dict)
    conditions: dict[str, Condition] = field(default_factory=dict)
    waiting: dict[str, list[Waiting]] = field(default_factory=dict)
    epochs: list[int] | None = None
    pruned: bool = False
    through: set[int] = field(default_factory=set)
    sources: dict[str, list[Source]] = field(default_factory=dict)
    by_source: dict[Source, list[str]] | None = None


@dataclass
class SecondTally:
    """What has become of the batches since the start, for the log."""

    batches: int = 0
    repeated: int = 0
    rows: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    stranded: int = 0
    """Rows gathered for a version that reads other fields than the one in force at their time."""


class SecondStage:
    """All rules of the second stage over one partition of `partials`, and the last offset applied."""

    topic = PARTIALS

    def __init__(
        self,
        contracts: Mapping[str, Contract],
        book: Callable[[int], RuleSet],
        partition: int,
        *,
        targets: int,
        partitions: Mapping[str, int],
        supply_baselines: Callable[[Condition], None] = lambda condition: None,
        failing: Tell = ending,
    ) -> None:
        """`targets`: partitions of `partials`; `partitions`: those of each feed.

        `failing` is told of each rule that ends in an error; where it does not raise it, the rule is set aside.
        `strange` gathers the offsets of messages that hold no batches and are passed over; somebody tells of them.
        """
        self.partition = partition
        self.offset = -1
        self.base = 0
        self.lanes: dict[str, SecondLane] = {}
        self.tally = SecondTally()
        self.strange: list[int] = []
        self._contracts, self._supply_baselines = contracts, supply_baselines
        self._names: dict[str, str] = {}
        self._book = partial(standing, book)
        self._rules = RuleIndexes(self._book)
        self._targets, self._partitions = targets, partitions
        self._failing = failing
        self._pages: dict[int, tuple[bytes, int]] = {}
        self._changed: set[int] = set()

    def observe(self, records: Iterable[LogRecord], emit: Emit, ship: Ship) -> None:
        """Apply the messages not applied yet, in log order; emit what the rules decide, ship it to composites.

        Raises UnknownRuleEpoch, with all before it applied, at a batch whose rules are not known here yet.
        """
        for record in records:
            if record.offset <= self.offset:
                continue
            raw = record.value or b""
            batches = decode_batches(raw)
            if batches is None:
                self.offset = record.offset
                self.strange.append(record.offset)
                continue
            for batch in batches:
                self._book(batch.epoch)
            self.offset = record.offset
            moved: dict[str, set[Source]] = {}
            rows = 0
            for batch in batches:
                came, told = self._apply(batch)
                rows += came
                if told:
                    moved.setdefault(batch.timeline, set()).add((batch.stream, batch.number))
            if rows:
                self.tally.rows += rows
                self._pages[self.offset] = (raw, rows)
                self._changed.add(self.offset)
            for timeline, sources in moved.items():
                self._advance(timeline, self.lanes[timeline], sources, emit, ship)

    def _apply(self, batch: Batch) -> tuple[int, bool]:
        """Take one batch; gives its number of rows and whether it moved time. One that came before is skipped."""
        lane = self._lane(batch.timeline)
        source, epoch = (batch.stream, batch.number), self._book(batch.epoch).epoch
        mark = lane.marks.get(source)
        if mark is None:
            mark = lane.marks[source] = Mark((-1, 0), BEGINNING, [(epoch, BEGINNING)])
            lane.epochs = None
        elif (batch.offset, batch.part) <= mark.place:
            self.tally.repeated += 1
            return 0, False
        self.tally.batches += 1
        mark.place = (batch.offset, batch.part)
        for portion in batch.portions:
            rows = _waiting(portion, self._feed_of(batch, portion), self.offset)
            lane.waiting.setdefault(portion.rule, []).extend(rows)
        if batch.watermark is not None:
            mark.watermark = max(mark.watermark, batch.watermark)
            if epoch > mark.epochs[-1][0]:
                since = mark.watermark if batch.since is None else batch.since
                mark.epochs.append((epoch, since))
                lane.epochs = None
        return sum(portion.size for portion in batch.portions), batch.watermark is not None

    def _feed_of(self, batch: Batch, portion: Portion) -> str:
        """What the feed of gathered rows is called now: another major version may have had the name then.

        Each has a topic of its own. What is of none that is declared is of no feed, and no rule reads it.
        """
        if portion.feed == WARNING_FEED:
            return portion.feed
        name = self._names.get(batch.stream)
        if name is None:
            own = self._contracts.get(portion.feed)
            candidates = self._contracts.values() if own is None or own.topic != batch.stream else (own,)
            name = next((each.feed for each in candidates if each.topic == batch.stream), "")
            self._names[batch.stream] = name
        return name

    def _lane(self, timeline: str) -> SecondLane:
        lane = self.lanes.get(timeline)
        if lane is None:
            lane = self.lanes[timeline] = SecondLane(Failing(self._failing))
        return lane

    def _advance(
        self, timeline: str, lane: SecondLane, moved: Collection[Source], emit: Emit, ship: Ship
    ) -> None:
        """Bring every rule to the epochs its sources have come to, and judge those whose sources have moved."""
        epochs = self._epochs(lane)
        told: dict[str, list[Transition]] = {}
        before = {name: progress.watermark for name, progress in lane.progress.items()}
        for epoch in epochs:
            if epoch not in lane.through:
                self._go_through(timeline, lane, epoch, self._noting(told, emit))
        concerned = self._concerned(lane, moved)
        for name in concerned:
            self._judge(timeline, lane, name, self._noting(told, emit))
        for name in concerned:
            self._tell(timeline, lane, name, told.get(name, []), before.get(name, BEGINNING), ship)
        self._let_go(lane, epochs)
        self._prune(lane, epochs)

    def _epochs(self, lane: SecondLane) -> list[int]:
        """The epochs its sources are in, sorted."""
        if lane.epochs is None:
            lane.epochs = sorted({epoch for mark in lane.marks.values() for epoch, _ in mark.epochs})
            lane.pruned = all(len(mark.epochs) == 1 for mark in lane.marks.values())
        return lane.epochs

    def _go_through(self, timeline: str, lane: SecondLane, epoch: int, emit: Emit) -> None:
        """Bring the rules to an epoch that can be."""
        names = self._rules(epoch).rekeyed | lane.progress.keys()
        for name in sorted(names):
            self._reach(timeline, lane, name, epoch, emit)
        if all(name in lane.progress and lane.progress[name].epoch >= epoch for name in names):
            lane.through.add(epoch)

    def _concerned(self, lane: SecondLane, moved: Collection[Source]) -> list[str]:
        """The rules that may be further since these sources moved, in order; all where rules have just changed."""
        if lane.by_source is None:
            lane.by_source, lane.sources = {}, {}
            for name, each in lane.conditions.items():
                rules = self._rules(lane.progress[name].epoch).by_id
                lane.sources[name] = self._sources(each.rule, rules)
                for source in lane.sources[name]:
                    lane.by_source.setdefault(source, []).append(name)
            return list(lane.conditions)
        names = {name for source in moved for name in lane.by_source.get(source, ())}
        return [name for name in lane.conditions if name in names]

    def _let_go(self, lane: SecondLane, epochs: Sequence[int]) -> None:
        """Let rows go of rules that are in force no more: retired, and read again after a crash."""
        strays = lane.waiting.keys() - lane.conditions.keys()
        if strays:
            strays -= {name for epoch in epochs for name in self._rules(epoch).by_id}
        for name in strays:
            self._release(lane.waiting.pop(name))

    def _noting(self, told: dict[str, list[Transition]], emit: Emit) -> Emit:
        """Emit transitions, and note them by rule for the composites."""

        def note(transition: Transition) -> None:
            told.setdefault(transition.rule, []).append(transition)
            emit(transition)

        return note

    def _reach(self, timeline: str, lane: SecondLane, name: str, epoch: int, emit: Emit) -> None:
        """Bring a rule to an epoch, once all its sources are there and the watermark has passed the change."""
        progress = lane.progress.get(name, Progress(0, -1, BEGINNING, BEGINNING))
        if progress.epoch >= epoch:
            return
        rules = self._rules(epoch).by_id
        new, old = rules.get(name), lane.conditions.get(name)
        new = new if new is not None and new.rekeyed else None
        sources = self._sources(new or (old.rule if old else None), rules)
        since = [_since(lane.marks.get(source), epoch) for source in sources]
        if not since or any(at is None for at in since):
            return
        change = max(at for at in since if at is not None)
        if min(lane.marks[source].watermark for source in sources) < change:
            return
        if old is not None and not same(old.rule, new):
            self._run(lane, old, change, emit)
        now = Moment(PARTIALS, -1, timeline, -1, max(change, progress.watermark))
        make = partial(self._condition, timeline=timeline)
        made = switched(old, new, make, now, emit, lane.failing, rules.get(name))
        if new is None or not lane.failing.holds(new):
            lane.failing.rules.pop(name, None)
        lane.by_source = None
        if name not in lane.progress:  # it has to go through the later epochs as well
            lane.through.clear()
        if made is None:
            lane.conditions.pop(name, None)
            lane.progress[name] = Progress(0, epoch, change, progress.watermark)
            self._release(lane.waiting.pop(name, []))
        else:
            compare_with(self._book(epoch).tables, {name: made}, lane.failing)
            lane.conditions[name] = made
            lane.progress[name] = Progress(made.rule.version, epoch, change, progress.watermark)

    def _judge(self, timeline: str, lane: SecondLane, name: str, emit: Emit) -> None:
        """Judge a rule up to the minimum watermark of its sources."""
        each = lane.conditions[name]
        marks = [lane.marks.get(source) for source in lane.sources[name]]
        watermark = min((mark.watermark if mark else BEGINNING for mark in marks), default=BEGINNING)
        if watermark > lane.progress[name].watermark:
            self._run(lane, each, watermark, emit)

    def _run(self, lane: SecondLane, each: Condition, watermark: int, emit: Emit) -> None:
        """Give a condition all rows before the watermark less `wait`, in order, then the watermark itself.

        The rows of one that is set aside go by, so that they are not kept for ever and composites go on.
        """
        name, until = each.rule.id, watermark - each.rule.wait * 1000
        rows, progress = lane.waiting.get(name, []), lane.progress[name]
        ripe = [row for row in rows if row[0] < until]
        if ripe:
            rows[:] = [row for row in rows if row[0] >= until]
        reached, progress.watermark = progress.watermark, watermark
        begun = perf_counter()
        if not lane.failing.holds(each.rule):
            try:
                self._give(each, ripe, reached, watermark, emit)
            except Exception as error:
                lane.failing.add(each.rule, error)
        self.tally.seconds[name] = self.tally.seconds.get(name, 0.0) + perf_counter() - begun
        self._release(ripe)

    def _give(self, each: Condition, ripe: list[Waiting], reached: int, watermark: int, emit: Emit) -> None:
        wait = each.rule.wait * 1000
        named = any(map(_KEY, ripe))  # rows of which only the times matter come without source and id
        ripe.sort(key=_ORDER if named else self._unnamed_order(each.rule))
        column = self._rows(each.rule, latest_versions(ripe) if named else ripe, reached, wait)
        column.append((None, watermark - wait, watermark, -1, "", each.rule.feed))

        def canonical(transition: Transition) -> None:
            at = transition.at + wait
            emit(replace(transition, topic=PARTIALS, partition=-1, offset=-1, watermark=at))

        each.observe(column, canonical)

    def _unnamed_order(self, rule: Rule) -> Callable[[Waiting], Any]:
        """The order of rows without source and id: by time, and by their fields where the first one is shown."""
        fields = {source.feed: self._contracts[source.feed].region_field for source in rule.inputs}
        if all(each.region or region_template(each.key, fields[each.feed]) for each in rule.inputs):
            return _TIME
        return lambda row: (row[0], tuple(map(str, row[2])))

    def _rows(self, rule: Rule, ripe: Sequence[Waiting], reached: int, wait: int) -> Column:
        """Rows as a condition takes them; those gathered for a version that read too little are left out."""
        wanted = {feed: set(_reads(rule, feed)) for feed in rule.feeds}
        kinds: set[tuple[Any, str]] = set(zip(map(type, map(_GATHERED, ripe)), map(_FEED, ripe), strict=True))
        useless = {(kind, feed) for kind, feed in kinds if not wanted.get(feed, {""}) <= set(kind._fields)}
        if useless:
            whole = len(ripe)
            ripe = [row for row in ripe if (type(row[2]), row[3]) not in useless]
            self.tally.stranded += whole - len(ripe)
        return Column(
            [
                (data, time, time + wait if time + wait > reached else reached, -1, key, feed)
                for time, key, data, feed, _ in ripe
            ]
        )

    def _tell(
        self, timeline: str, lane: SecondLane, name: str, told: Sequence[Transition], before: int, ship: Ship
    ) -> None:
        """Ship a rule's transitions, and how far it is, to the composites it is a member of."""
        progress = lane.progress[name]
        watermark, epoch = progress.watermark, progress.epoch
        composites = self._rules(epoch).composites.get(name)
        if not composites or (watermark == before and not told):
            return
        portions: dict[int, list[Portion]] = {target: [] for target in range(self._targets)}
        for rule in composites:
            gather = Gather(rule, rule.feed, self._targets)
            for transition in told:
                gather.tell(max(transition.at, before), transition)
            for target, portion in gather.cut().items():
                portions[target].append(portion)
        place = (rule_stream(name), self.partition, self.offset, timeline)
        for target, each in portions.items():
            for batch in cut_in_parts(place, epoch, watermark, each, progress.since):
                ship(target, batch)

    def _sources(self, rule: Rule | None, rules: Mapping[str, Rule]) -> list[Source]:
        """The partitions a rule waits for: of its feeds, or of what its members are made from."""
        if rule is None:
            return []
        found: set[Source] = set()
        if not rule.members:
            return [source for feed in rule.feeds for source in self._feed(feed)]
        for member in (rules[name] for name in rule.members if name in rules):
            if member.rekeyed:
                found |= {(rule_stream(member.id), number) for number in range(self._targets)}
            else:
                found |= set(self._feed(member.feed))
        return sorted(found)

    def _feed(self, feed: str) -> list[Source]:
        topic = self._contracts[feed].topic
        return [(topic, number) for number in range(self._partitions[feed])]

    def _condition(self, rule: Rule, timeline: str) -> Condition:
        fields = {self._contracts[feed].region_field for feed in rule.feeds if not rule.members}
        region = fields.pop() if len(fields) == 1 else ""
        made = condition(rule, PARTIALS, -1, timeline, region)
        self._supply_baselines(made)
        return made

    def _release(self, rows: Iterable[Waiting]) -> None:
        """Rows that have been judged need not be kept."""
        for page, count in Counter(map(_PAGE, rows)).items():
            raw, left = self._pages[page]
            self._pages[page] = (raw, left - count)
            if left == count:
                self._changed.add(page)

    def _prune(self, lane: SecondLane, epochs: Sequence[int]) -> None:
        """Forget changes of epoch that every rule has gone through, those too that wait for a first source."""
        if len(epochs) == 1 and lane.pruned:
            return
        done = epochs[0]
        for epoch in epochs:
            rekeyed = self._rules(epoch).rekeyed
            reached = [lane.progress.get(name) for name in rekeyed | lane.conditions.keys()]
            if any(each is None or each.epoch < epoch for each in reached):
                break
            done = epoch
        for mark in lane.marks.values():
            while len(mark.epochs) > 1 and mark.epochs[1][0] <= done:
                del mark.epochs[0]
        lane.epochs = None
        lane.through &= set(self._epochs(lane))
        self._rules.forget(done)

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
        return msgspec.msgpack.encode({
            timeline: LaneHead(
                [(stream, number, mark) for (stream, number), mark in lane.marks.items()],
                lane.progress,
                lane.failing.rules,
            )
            for timeline, lane in self.lanes.items()
        })  # fmt: skip

    def restore_head(self, raw: bytes) -> None:
        """Put it back, with fresh conditions; raises UnknownRuleEpoch where their rules are not known here yet."""
        for timeline, head in _heads.decode(raw).items():
            marks = {(stream, number): self._now(mark) for stream, number, mark in head.marks}
            lane = SecondLane(Failing(self._failing, head.aside), marks)
            for name, progress in head.progress.items():
                known = self._book(progress.epoch)
                rule = self._rules(known.epoch).by_id.get(name) if progress.version else None
                version = progress.version if rule is not None else 0
                lane.progress[name] = Progress(version, known.epoch, progress.since, progress.watermark)
                if rule is not None:
                    self._begin(timeline, lane, rule, known)
            self.lanes[timeline] = lane

    def _begin(self, timeline: str, lane: SecondLane, rule: Rule, known: RuleSet) -> None:
        """A fresh condition, whose records are put back afterwards."""
        try:
            made = self._condition(rule, timeline)
        except Exception as error:
            lane.failing.add(rule, error)
            return
        lane.conditions[rule.id] = made
        compare_with(known.tables, {rule.id: made}, lane.failing)

    def _now(self, mark: Mark) -> Mark:
        """A mark by the epochs there are: where `rules` was made anew, those after its end are its last."""
        epochs = [(self._book(epoch).epoch, since) for epoch, since in mark.epochs]
        return Mark(mark.place, mark.watermark, epochs)

    def pages(self) -> Iterator[tuple[str, bytes | None]]:
        """Batches whose rows wait, as they came; None for those done with. What changed since the last call."""
        changed, self._changed = self._changed, set()
        for page in sorted(changed):
            raw, left = self._pages[page]
            if left == 0:
                del self._pages[page]
            yield str(page), raw if left else None

    def restore_pages(self, pages: Mapping[str, bytes]) -> None:
        """Put the waiting rows back; those that were judged before the checkpoint are left out."""
        for name, raw in sorted(pages.items(), key=lambda item: int(item[0])):
            page, left = int(name), 0
            for batch in decode_batches(raw) or ():
                lane = self._lane(batch.timeline)
                for portion in batch.portions:
                    judged = self._judged(lane, portion.rule)
                    came = _waiting(portion, self._feed_of(batch, portion), page)
                    rows = [row for row in came if row[0] >= judged]
                    lane.waiting.setdefault(portion.rule, []).extend(rows)
                    left += len(rows)
            self._pages[page] = (raw, left)
            if left == 0:
                self._changed.add(page)

    def _judged(self, lane: SecondLane, rule: str) -> int:
        """All rows of a rule before this have been judged."""
        if rule not in lane.conditions:
            return BEGINNING
        return lane.progress[rule].watermark - lane.conditions[rule].rule.wait * 1000


_heads = msgspec.msgpack.Decoder(dict[str, LaneHead])


def _waiting(portion: Portion, feed: str, page: int) -> list[Waiting]:
    record = record_of(portion.names)
    found: list[Waiting] = [(time, key, record(*values), feed, page) for time, key, values in portion.rows]
    for values, times in portion.groups:
        data = record(*values)
        found += [(time, "", data, feed, page) for time in times]
    return found


def _since(mark: Mark | None, epoch: int) -> int | None:
    """The watermark at which a source came to an epoch; None where it has not."""
    if mark is None:
        return None
    return min((at for reached, at in mark.epochs if reached >= epoch), default=None)


def _reads(rule: Rule, feed: str) -> tuple[str, ...]:
    return TRANSITION if rule.members else rule.reads(feed)
