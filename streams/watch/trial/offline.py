"""Rules tried on a list of events, without any server: the same code as the worker's, on a log made up here."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from schemas.contract import Contract
from schemas.declaration import parse_duration
from schemas.decoder import Decoder
from schemas.errors import Misdeclared, Rejected
from schemas.event import encode_event
from schemas.fields import milliseconds
from schemas.levels import BY_RANK
from schemas.majors import named
from schemas.topics import WARNING_FEED
from streams.watch.conditions import Condition
from streams.watch.conditions.baseline import Baseline
from streams.watch.declare.baseline import BaselineTable, read_table
from streams.watch.declare.rule import Example, Rule
from streams.watch.engine.flow import Flow
from streams.watch.engine.partition import Partition
from streams.watch.engine.trial_events import TrialEvent, tick
from streams.watch.episodes.dwell import PENDING
from streams.watch.episodes.episode import DWELL, LEVEL, Emit, Record, Transition


@dataclass(frozen=True)
class OfflineRecord:
    """One record of a log that was never in Kafka."""

    offset: int
    timestamp: int
    value: bytes | None


def evaluate(contract: Contract, rules: Sequence[Rule], log: Iterable[OfflineRecord]) -> list[Transition]:
    """The transitions rules make on a log of one partition."""
    found: list[Transition] = []
    Partition(contract, Decoder(contract).decode, rules, contract.topic, 0).observe(log, found.append)
    return found


@dataclass(frozen=True)
class State:
    """How a subject stands after an event: inactive, pending or firing, and its level where a warning is open."""

    subject: str
    at: int
    state: str
    level: str


class Offline:
    """Some rules over one partition of each of their feeds; events arrive when they occurred or say they did.

    Events are taken one at a time, in the order they are told. `finish` moves the clocks past all of them, so
    that each is judged; silence after the last one counts as far as `until`.
    """

    def __init__(
        self,
        contracts: Mapping[str, Contract],
        rules: Sequence[Rule],
        baselines: Mapping[str, BaselineTable] | None = None,
    ) -> None:
        self.rules = tuple(rules)
        self.feeds = tuple(sorted({feed for rule in rules for feed in rule.feeds if feed != WARNING_FEED}))
        self._contracts = {feed: contracts[feed] for feed in self.feeds}
        self._decoders = {feed: Decoder(each).decode for feed, each in self._contracts.items()}
        self._baselines = dict(baselines or {})
        one_each = dict.fromkeys(self.feeds, 1)
        self._flow = Flow(contracts, rules, one_each, supply_baselines=self._supply_baselines)
        self.parts = {feed: self._flow.partition(feed, 0) for feed in self.feeds}
        self._clock = max((part.arrival for part in self.parts.values()), default=0)
        self._newest: int | None = None
        self._timelines: set[str] = set()

    def take(self, trial_event: TrialEvent, emit: Emit) -> None:
        """Take one event or tick; emit what is decided by it."""
        part = self.parts.get(trial_event.feed)
        if part is None:
            return
        came = trial_event.at if trial_event.arrival is None else trial_event.arrival
        self._clock = max(self._clock, came)
        self._timelines.add(trial_event.timeline)
        if not trial_event.tick:
            reached = min(trial_event.at, came)
            self._newest = reached if self._newest is None else max(self._newest, reached)
        self._flow.observe(
            trial_event.feed, 0, [OfflineRecord(part.offset + 1, self._clock, trial_event.raw)], emit
        )

    @property
    def disorder(self) -> dict[str, int]:
        """By feed, how far (ms) its events may be out of order here: its lateness, or the longest `wait`."""
        wait = max((rule.wait for rule in self.rules), default=0)
        late = {feed: int(each.lateness.total_seconds()) for feed, each in self._contracts.items()}
        skew = {feed: each.skew_ms for feed, each in self._contracts.items()}
        return {feed: max(late[feed] * 1000, wait * 1000, skew[feed]) for feed in self.feeds}

    def check(self, trial_event: TrialEvent, where: str) -> None:
        """Refuse an event that breaks its contract or is of a feed that no rule here reads."""
        if trial_event.feed not in self._decoders:
            raise Misdeclared(where, "feed", f"{trial_event.feed} is none of {', '.join(self.feeds)}")
        try:
            self._decoders[trial_event.feed](trial_event.raw)
        except Rejected as error:
            raise Misdeclared(
                where, "events", f"must keep the contract of {trial_event.feed}: {error}"
            ) from None

    def finish(self, emit: Emit, until: datetime | None = None) -> int | None:
        """Move all clocks on: past the last event and the longest `wait`, or to `until` where that is later.

        Returns where they stand then, in ms; None where there was nothing and no `until`.
        """
        ends = [] if until is None else [milliseconds(until)]
        if self._newest is not None:
            ends.append(self._newest + max(rule.wait for rule in self.rules) * 1000 + 1)
        if not ends:
            return None
        clock = datetime.fromtimestamp(max(ends) / 1000, UTC)
        for _ in range(2):
            for feed, timeline in itertools.product(self.feeds, sorted(self._timelines)):
                self.take(tick(feed, clock, "end", timeline), emit)
        return max(ends)

    def _supply_baselines(self, condition: Condition) -> None:
        """Give a baseline rule its table."""
        if self._baselines and isinstance(condition, Baseline):
            condition.supply_baselines(self._baselines)

    def states(self, rule: Rule, trial_event: TrialEvent) -> list[State]:
        """How a rule that is judged where its events come in stands after an event with the event's subject.

        After a tick with all subjects it remembers: any of them may have changed with time.
        """
        part = self.parts[trial_event.feed]
        timeline, told = trial_event.timeline, None
        if not trial_event.tick:
            event = self._decoders[trial_event.feed](trial_event.raw)
            timeline, told = event.timeline, event.data
        found = []
        for each in part.lane(timeline).conditions.values():
            if each.rule.id == rule.id:
                records = each.records.items() if told is None else each.about(told)
                found += [State(name, trial_event.at, *_standing(record)) for name, record in records]
        return found


def _standing(record: Record) -> tuple[str, str]:
    """(state, level) of a record, as Prometheus names them; a pending level beside an open one is not told."""
    if record[LEVEL]:
        return "firing", BY_RANK[record[LEVEL]]
    dwell = record[DWELL]
    return ("pending", "") if dwell is not None and dwell[PENDING] else ("inactive", "")


def try_example(
    contracts: Mapping[str, Contract], rules: Sequence[Rule], rule: Rule, example: Example
) -> list[Transition]:
    """The transitions a rule makes on one of its examples; `rules` holds its members, where it has some."""
    baselines = {}
    if example.baseline:
        table = read_table(1, example.baseline, f"{rule.id}: {example.name}: baseline")
        baselines[getattr(rule.spec, "table", rule.id)] = table
    found: list[Transition] = []
    offline = Offline(contracts, with_members(rules, rule), baselines)
    if not offline.feeds:
        raise Misdeclared(rule.id, "condition.of", f"no such rule: {', '.join(rule.members)}")
    for trial_event in _example_trial_events(contracts, rule, offline.feeds, example):
        offline.check(trial_event, f"{rule.id}: {example.name}")
        offline.take(trial_event, found.append)
    offline.finish(found.append, datetime.fromisoformat(example.until) if example.until else None)
    return [transition for transition in found if transition.rule == rule.id]


def with_members(rules: Iterable[Rule], rule: Rule) -> list[Rule]:
    """A rule with the rules it is made of, and those they are made of, members first."""
    known = {each.id: each for each in rules}
    wanted: dict[str, Rule] = {}

    def add(each: Rule) -> None:
        for member in each.members:
            if member in known:
                add(known[member])
        wanted.setdefault(each.id, each)

    add(rule)
    return list(wanted.values())


def said(transitions: Iterable[Transition]) -> tuple[tuple[str, str, str], ...]:
    """Transitions as an example states them."""
    return tuple(
        (each.subject, each.kind, "" if each.kind == "recovered" else each.level) for each in transitions
    )


def spoken(steps: Iterable[tuple[str, str, str]]) -> str:
    """The same as people read it."""
    return ", ".join(" ".join(filter(None, step)) for step in steps) or "nothing"


def example_log(contract: Contract, example: Example) -> list[OfflineRecord]:
    """An example of a rule with one feed as a log, each event arriving when it occurred."""
    trial_events = list(_example_events({contract.feed: contract}, contract.feed, example))
    if example.until:
        trial_events.append(tick(contract.feed, datetime.fromisoformat(example.until), "until"))
    return [OfflineRecord(offset, each.at, each.raw) for offset, each in enumerate(trial_events)]


def _example_trial_events(
    contracts: Mapping[str, Contract], rule: Rule, feeds: Sequence[str], example: Example
) -> Iterator[TrialEvent]:
    first = rule.feed if rule.feed in feeds else feeds[0]
    yield from _example_events(contracts, first, example)


def _example_events(contracts: Mapping[str, Contract], feed: str, example: Example) -> Iterator[TrialEvent]:
    for number, event in enumerate(example.events):
        start = datetime.fromisoformat(event["time"])
        step = parse_duration(event.get("every", "PT0S")) or timedelta(0)
        contract = named(contracts, event.get("feed", feed)) or contracts[feed]
        for again in range(event.get("repeat", 1)):
            at = start + again * step
            raw = encode_event(
                id=f"{number}-{again}",
                source="/example",
                type=contract.event_type,
                time=at,
                data=event["data"],
            )
            yield TrialEvent(contract.feed, milliseconds(at), raw)
