"""Rules decided again on complete data and held against what they said: `liaowang rules review`.

One pass a timeline over all days asked for. It starts as far before the first of them as its rules can look back
(`streams/watch/reach.py`), and further where a warning of theirs was open then; it goes a day on, so that a
warning just before midnight finds the one it meets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from dagster_project.rule_quality import RuleDay, RuleWarning
from dagster_project.warehouse import Warehouse, warehouse
from deploy.clocks import Clocks, clocks, complete_days
from deploy.known_then import Said, said
from deploy.landed_log import Connection
from deploy.settled_log import Settled, events, settled
from schemas.contract import Contract
from schemas.errors import Misdeclared
from schemas.event import LIVE
from schemas.fields import SHANGHAI
from schemas.settings import Settings
from streams.watch.episode import Transition
from streams.watch.known_now import Course, Event, decide
from streams.watch.levels import LEVELS
from streams.watch.offline import WARNINGS_FEED, with_members
from streams.watch.published import History, RuleBook, RuleSet
from streams.watch.reach import reach
from streams.watch.review import Reviewed, compare, tally
from streams.watch.rule import Rule
from streams.watch.rule_yaml import parse_rule

DAY = timedelta(days=1)
OPEN_DAYS = 35
"""How far before that a warning that is still open is looked for."""

EARLIEST = date(1971, 1, 1)
Progress = Callable[[int, int], None]


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
    """What was found, and how many events were judged for it."""

    days: tuple[RuleDay, ...]
    warnings: tuple[RuleWarning, ...]
    events: int


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
    )


@dataclass(frozen=True)
class InForce:
    """The rules of one timeline: which set from when on, what was in force by day, and every version, by id."""

    epochs: Sequence[tuple[int, int]]
    by_day: Mapping[date, Mapping[str, Rule]]
    versions: Mapping[str, tuple[Rule, ...]]

    @property
    def feeds(self) -> list[str]:
        """All feeds they read."""
        return sorted(
            {feed for rules in self.versions.values() for rule in rules for feed in rule.feeds}
            - {WARNINGS_FEED}
        )

    def feeds_of(self, rule: Rule) -> set[str]:
        """The feeds of a rule and of those it is made of."""
        found = set(rule.feeds) - {WARNINGS_FEED}
        for member in rule.members:
            found |= {feed for each in self.versions.get(member, ()) for feed in self.feeds_of(each)}
        return found


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
        self._book = RuleBook(history, lambda text, where: parse_rule(text, where, contracts))
        self._first_epoch = history.first
        self._sets: dict[int, RuleSet] = {}
        self._clocks: Clocks = clocks(open)

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
        first, last = _ms(self._asked.first), _ms(self._asked.last + 2 * DAY)
        known = self._clocks.began.items()
        playing = {
            name
            for name, began in known
            if began < last and first <= max(self._clocks.reached[name].values())
        }
        return sorted(playing | {LIVE})

    def timeline(self, name: str) -> Outcome:
        """Review one timeline."""
        rules = self._in_force(name)
        if not rules.by_day:
            return Outcome((), (), 0)
        starts = self._starts(name, rules)
        until = self._asked.last + DAY
        logs = {
            feed: settled(self._log.client, self._contracts[feed], _day(starts[feed]), until)
            for feed in rules.feeds
        }
        places = self._places(name, rules, logs)
        if not places:
            return Outcome((), (), 0)
        course = self._course(name, rules, starts, logs, until)
        total = sum(log.total(name) for log in logs.values())
        told = {feed: self._told(events(self._log.client, log, name), total) for feed, log in logs.items()}
        found: list[Transition] = []
        count = decide(self._contracts, self.rule_set, course, told, found.append)
        ids = {rule for _, rule, _ in places}
        then = said(self._open, ids, name, _day(min(starts.values())), until)
        ranks = {
            id: sorted({rank for version in rules.versions[id] for rank, _ in version.bounds}) for id in ids
        }
        reviewed = compare([each for each in found if each.rule in ids], then, ranks)
        return self._outcome(name, rules, logs, places, ranks, reviewed, count)

    def _told(self, found: Iterator[Event], total: int) -> Iterator[Event]:
        """The events, told to whoever watches."""
        for number, each in enumerate(found, 1):
            yield each
            if number % 10_000 == 0:
                self._progress(10_000, total)

    def _in_force(self, timeline: str) -> InForce:
        """The rules of a timeline; a replay is under its first set from its beginning on."""
        epochs = self._clocks.epochs.get(timeline) or [(0, self._first_epoch)]
        by_day: dict[date, dict[str, Rule]] = {}
        used: list[int] = []
        for day in self._asked.days:
            start, end = _ms(day), _ms(day + DAY)
            there = [epoch for at, epoch in epochs if start <= at < end]
            before = [epoch for at, epoch in epochs if at < start]
            if before or timeline != LIVE:
                there = [before[-1] if before else epochs[0][1], *there]
            rules = {rule.id: rule for epoch in there for rule in self.rule_set(epoch).rules}
            if rules:
                by_day[day] = rules
            used += there
        versions: dict[str, dict[int, Rule]] = {}
        for epoch in {*used, *(epoch for _, epoch in epochs)} if by_day else set():
            for rule in self.rule_set(epoch).rules:
                versions.setdefault(rule.id, {})[rule.version] = rule
        return InForce(epochs, by_day, {id: tuple(found.values()) for id, found in versions.items()})

    def _starts(self, timeline: str, rules: InForce) -> dict[str, int]:
        """From when on (ms) each feed is read."""
        first = _ms(self._asked.first)
        newest = {id: found[-1] for id, found in rules.versions.items()}
        back = {id: max(reach(rule, newest) for rule in found) for id, found in rules.versions.items()}
        if self._asked.warm_up is not None:
            back = dict.fromkeys(back, self._asked.warm_up * 86_400_000)
        begins = {id: first - back[id] for id in back}
        if self._asked.warm_up is None:
            for id, opened in self._open_then(timeline, begins).items():
                begins[id] = max(opened, begins[id] - OPEN_DAYS * 86_400_000) - back[id]
        starts: dict[str, int] = {}
        for id, found in rules.versions.items():
            for feed in {feed for rule in found for feed in rules.feeds_of(rule)}:
                starts[feed] = min(starts.get(feed, first), max(begins[id], _ms(EARLIEST)))
        return starts

    def _open_then(self, timeline: str, begins: Mapping[str, int]) -> dict[str, int]:
        """When the oldest warning opened that was open when its rule is begun, by rule."""
        since = _day(max(min(begins.values()), _ms(EARLIEST)))
        opened: dict[str, Said] = {}
        ended: dict[str, int] = {}
        for each in said(self._open, begins.keys(), timeline, since, self._asked.last):
            if each.kind in ("recovered", "cancelled"):
                ended[each.episode] = each.at
            else:
                opened.setdefault(each.episode, each)
        oldest: dict[str, int] = {}
        for episode, each in opened.items():
            begin = begins[each.rule]
            if each.at < begin <= ended.get(episode, begin):
                oldest[each.rule] = min(oldest.get(each.rule, each.at), each.at)
        return oldest

    def _places(
        self, timeline: str, rules: InForce, logs: Mapping[str, Settled]
    ) -> list[tuple[date, str, str]]:
        """(day, rule, timeline) to be reviewed: live every rule in force, of a replay those it plays for."""
        return [
            (day, rule.id, timeline)
            for day, there in rules.by_day.items()
            for rule in there.values()
            if (not self._asked.rule or rule.id == self._asked.rule)
            and (timeline == LIVE or self._plays(timeline, rules, logs, rule, day))
        ]

    def _plays(
        self, timeline: str, rules: InForce, logs: Mapping[str, Settled], rule: Rule, day: date
    ) -> bool:
        """Whether a replay has come to this day, and not gone past its end."""
        reached = self._clocks.reached.get(timeline, {})
        return any(
            any(name == timeline and there <= day for name, there in logs[feed].rows)
            and reached.get(logs[feed].contract.topic, logs[feed].newest.get(timeline, 0)) >= _ms(day)
            for feed in rules.feeds_of(rule)
        )

    def _rows(self, timeline: str, rules: InForce, logs: Mapping[str, Settled], rule: Rule, day: date) -> int:
        return sum(logs[feed].rows.get((timeline, day), 0) for feed in rules.feeds_of(rule))

    def _course(
        self,
        timeline: str,
        rules: InForce,
        starts: Mapping[str, int],
        logs: Mapping[str, Settled],
        until: date,
    ) -> Course:
        """Ticks go as far as the feed's own have come: beyond that silence says nothing yet."""
        stop, ends = _ms(until + DAY), {}
        reached = self._clocks.reached.get(timeline, {})
        for feed, log in logs.items():
            clock = reached.get(log.contract.topic, log.newest.get(timeline, -1) + 1)
            if clock > starts[feed]:
                ends[feed] = min(stop, clock)
        return Course(timeline, min(starts.values()), _ms(self._asked.first), ends, rules.epochs)

    def _outcome(
        self,
        timeline: str,
        rules: InForce,
        logs: Mapping[str, Settled],
        places: Sequence[tuple[date, str, str]],
        ranks: Mapping[str, Sequence[int]],
        reviewed: Sequence[Reviewed],
        count: int,
    ) -> Outcome:
        contracts = [self._contracts[feed] for feed in rules.feeds]
        done = complete_days(self._open, contracts, self._clocks.ended, timeline, self._asked.days)
        rows = []
        for each in tally(reviewed, places, ranks):
            rule = rules.by_day[each.day][each.rule]
            whole = all(each.day in done[feed] for feed in rules.feeds_of(rule))
            rows.append(
                RuleDay(
                    each.rule, each.day, rule.version, timeline, LEVELS[each.rank], **each.counts,
                    delays=each.delays, complete=whole,
                    events=self._rows(timeline, rules, logs, rule, each.day), reviewed=self._now,
                )
            )  # fmt: skip
        asked = {(day, rule) for day, rule, _ in places}
        warnings = [
            self._warning(each, rules.by_day[day][each.rule].version)
            for each in reviewed
            if ((day := date.fromisoformat(each.day)), each.rule) in asked
        ]
        return Outcome(tuple(rows), tuple(warnings), count)

    def _warning(self, each: Reviewed, version: int) -> RuleWarning:
        return RuleWarning(
            each.rule, date.fromisoformat(each.day), version, each.timeline, LEVELS[each.rank], each.subject,
            each.region, each.verdict, _moment(each.now), _moment(each.then), each.episode, self._now,
        )  # fmt: skip


def _ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=SHANGHAI).timestamp() * 1000)


def _day(at: int) -> date:
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(SHANGHAI).date()


def _moment(at: int | None) -> datetime | None:
    return None if at is None else datetime.fromtimestamp(at / 1000, UTC).astimezone(SHANGHAI)
