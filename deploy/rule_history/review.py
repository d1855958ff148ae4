"""Rules decided again on complete data and held against what they said: `liaowang rules review`.

One pass a timeline over all days asked for. It starts as far before the first of them as its rules can look back
(`streams/watch/publish/reach.py`), and further where a warning of theirs was open then; it goes a day on, so that
a warning just before midnight finds the one it meets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime

from dagster_project.days.spans import DAY
from dagster_project.mart.rule_quality import RuleDay, RuleWarning
from dagster_project.warehouse import Warehouse, warehouse
from deploy.rule_history.clocks import Clocks, clocks, complete_days
from deploy.rule_history.days import day_of, milliseconds
from deploy.rule_history.final_log import events, final_events
from deploy.rule_history.in_force import EARLIEST, InForce, in_force, oldest_open
from deploy.rule_history.known_then import said
from deploy.rule_history.landed_log import Connection
from deploy.rule_history.review_rows import Ground, Place
from schemas.contract import Contract
from schemas.errors import Misdeclared
from schemas.event import LIVE
from schemas.settings import Settings
from streams.watch.declare.calendar import DAY as DAY_MS
from streams.watch.episodes.episode import Transition
from streams.watch.publish.newest import rule_book
from streams.watch.publish.published import History, RuleSet
from streams.watch.trial.known_now import Course, Event, decide
from streams.watch.trial.offline import with_members
from streams.watch.trial.review import Reviewed, compare

OPEN_DAYS = 35
"""How far before that a warning that is still open is looked for."""

TOLD_EVERY = 10_000
Progress = Callable[[int, int], None]
"""Hears how many events more are judged, and of how many as far as is known."""


@dataclass(frozen=True)
class Asked:
    """Which days are reviewed (first to last), of one rule or all; `warm_up`: days read before, if given."""

    first: date
    last: date
    rule: str = ""
    warm_up: int | None = None

    @property
    def days(self) -> list[date]:
        """Every day."""
        return [self.first + DAY * number for number in range((self.last - self.first).days + 1)]


@dataclass(frozen=True)
class Outcome:
    """What was found, and how many events were judged for it.

    `unknown` are epochs that landed ticks name and that were never published here (their rules' topic is gone).
    """

    days: tuple[RuleDay, ...]
    warnings: tuple[RuleWarning, ...]
    events: int
    unknown: tuple[int, ...] = ()


def review(
    settings: Settings,
    contracts: Mapping[str, Contract],
    history: History,
    asked: Asked,
    now: datetime,
    progress: Progress = lambda done, total: None,
) -> Outcome:
    """Review rules in force on these days; Misdeclared where the one asked for never was."""
    if asked.rule and not history.versions(asked.rule):
        known = sorted({entry.rule for _, entry in history.records if entry.kind == "rule"})
        raise Misdeclared(asked.rule, "rule", f"was never published; there are {', '.join(known) or 'none'}")
    with warehouse(settings) as open, closing(Connection(settings)) as log:
        reviewer = _Reviewer(open, log, contracts, history, asked, now, progress)
        parts = [reviewer.timeline(name) for name in reviewer.timelines()]
    return Outcome(
        tuple(row for part in parts for row in part.days),
        tuple(row for part in parts for row in part.warnings),
        sum(part.events for part in parts),
        reviewer.unknown,
    )


class _Reviewer:
    """One review: everything read once, then one timeline after the other."""

    def __init__(
        self,
        open: Warehouse,
        log: Connection,
        contracts: Mapping[str, Contract],
        history: History,
        asked: Asked,
        now: datetime,
        progress: Progress,
    ) -> None:
        self._open, self._log, self._contracts = open, log, contracts
        self._asked, self._now, self._progress = asked, now, progress
        self._book = rule_book(history, contracts)
        self._first_epoch = history.first
        self._sets: dict[int, RuleSet] = {}
        self._clocks: Clocks = clocks(open, history.epoch)
        self.unknown = tuple(sorted(self._clocks.unknown))
        self._total = 0

    def rule_set(self, epoch: int) -> RuleSet:
        """The rules of an epoch, cut down to the one asked for and its members."""
        if epoch not in self._sets:
            whole = self._book.rule_set(epoch)
            rules = list(whole.rules)
            if self._asked.rule:
                wanted = [rule for rule in rules if rule.id == self._asked.rule]
                rules = with_members(rules, wanted[0]) if wanted else []
            self._sets[epoch] = RuleSet(epoch, tuple(rules), whole.tables)
        return self._sets[epoch]

    def timelines(self) -> list[str]:
        """Live, and the replays that play on these days."""
        if not self._first_epoch:
            return []
        first, last = milliseconds(self._asked.first), milliseconds(self._asked.last + 2 * DAY)
        known = self._clocks.began.items()
        playing = {
            name
            for name, began in known
            if began < last and first <= max(self._clocks.reached[name].values())
        }
        return sorted(playing | {LIVE})

    def timeline(self, name: str) -> Outcome:
        """Review one timeline."""
        epochs = self._clocks.epochs.get(name) or [(0, self._first_epoch)]
        rules = in_force(name, epochs, self._asked.days, self.rule_set)
        if not rules.by_day:
            return Outcome((), (), 0)
        starts, until = self._starts(name, rules), self._asked.last + DAY
        logs = {
            feed: final_events(self._log.client, self._contracts[feed], day_of(starts[feed]), until)
            for feed in rules.feeds
        }
        ground = Ground(name, rules, logs, self._clocks.reached.get(name, {}))
        places = ground.places(self._asked.rule)
        if not places:
            return Outcome((), (), 0)
        found, count = self._decided(ground, starts, until)
        ids = {rule for _, rule, _ in places}
        then = said(self._open, ids, name, day_of(min(starts.values())), until)
        reviewed = compare([each for each in found if each.rule in ids], then, rules.ranks(ids))
        return self._outcome(ground, places, reviewed, count)

    def _starts(self, timeline: str, rules: InForce) -> dict[str, int]:
        """From when on (ms) each feed is read: further back where a warning was open when its rule is begun."""
        first, warm_up = milliseconds(self._asked.first), self._asked.warm_up
        if warm_up is not None:
            return rules.starts(dict.fromkeys(rules.versions, first - warm_up * DAY_MS), first)
        back = rules.reaches()
        begins = {id: first - span for id, span in back.items()}
        since = day_of(max(min(begins.values()), milliseconds(EARLIEST)))
        told = said(self._open, begins.keys(), timeline, since, self._asked.last)
        for id, opened in oldest_open(told, begins).items():
            begins[id] = max(opened, begins[id] - OPEN_DAYS * DAY_MS) - back[id]
        return rules.starts(begins, first)

    def _decided(
        self, ground: Ground, starts: Mapping[str, int], until: date
    ) -> tuple[list[Transition], int]:
        """What the rules say of all of it, and of how many events."""
        name, logs = ground.timeline, ground.logs
        self._total += sum(log.total(name) for log in logs.values())
        told = {feed: self._told(events(self._log.client, log, name)) for feed, log in logs.items()}
        found: list[Transition] = []
        course = self._course(ground, starts, until)
        return found, decide(self._contracts, self.rule_set, course, told, found.append)

    def _told(self, found: Iterator[Event]) -> Iterator[Event]:
        """The events, told to whoever watches."""
        untold = 0
        for each in found:
            yield each
            untold += 1
            if untold == TOLD_EVERY:
                self._progress(untold, self._total)
                untold = 0
        self._progress(untold, self._total)

    def _course(self, ground: Ground, starts: Mapping[str, int], until: date) -> Course:
        """Ticks go as far as the feed's own have come: beyond that silence says nothing yet."""
        stop, ends = milliseconds(until + DAY), {}
        for feed, log in ground.logs.items():
            clock = ground.reached.get(log.contract.topic, log.newest.get(ground.timeline, -1) + 1)
            if clock > starts[feed]:
                ends[feed] = min(stop, clock)
        first, epochs = milliseconds(self._asked.first), ground.rules.epochs
        return Course(ground.timeline, min(starts.values()), first, ends, epochs)

    def _outcome(
        self, ground: Ground, places: Sequence[Place], reviewed: Sequence[Reviewed], count: int
    ) -> Outcome:
        contracts = [self._contracts[feed] for feed in ground.rules.feeds]
        done = complete_days(self._open, contracts, self._clocks.ended, ground.timeline, self._asked.days)
        days = ground.days(reviewed, places, done, self._now)
        return Outcome(tuple(days), tuple(ground.warnings(reviewed, places, self._now)), count)
