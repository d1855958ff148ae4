"""Which rules were in force on which days of a timeline, and how far back they have to be begun. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from deploy.rule_history.days import milliseconds
from deploy.rule_history.known_then import Said
from schemas.event import LIVE
from schemas.topics import WARNING_FEED
from streams.watch.declare.calendar import DAY
from streams.watch.declare.rule import Rule
from streams.watch.publish.published import RuleSet
from streams.watch.publish.reach import reach

EARLIEST = date(1971, 1, 1)


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
            - {WARNING_FEED}
        )

    def feeds_of(self, rule: Rule) -> set[str]:
        """The feeds of a rule and of those it is made of."""
        found = set(rule.feeds) - {WARNING_FEED}
        for member in rule.members:
            found |= {feed for each in self.versions.get(member, ()) for feed in self.feeds_of(each)}
        return found

    def ranks(self, ids: Iterable[str]) -> dict[str, list[int]]:
        """The ranks of the levels that any version of these rules declares, rising."""
        return {
            id: sorted({rank for version in self.versions[id] for rank, _ in version.bounds}) for id in ids
        }

    def reaches(self) -> dict[str, int]:
        """How far back each rule can look, ms."""
        newest = {id: found[-1] for id, found in self.versions.items()}
        return {id: max(reach(rule, newest) for rule in found) for id, found in self.versions.items()}

    def starts(self, begins: Mapping[str, int], first: int) -> dict[str, int]:
        """From when on (ms) each feed is read, where each rule begins then; `first` at the latest."""
        starts: dict[str, int] = {}
        for id, found in self.versions.items():
            for feed in {feed for rule in found for feed in self.feeds_of(rule)}:
                starts[feed] = min(starts.get(feed, first), max(begins[id], milliseconds(EARLIEST)))
        return starts


def in_force(
    timeline: str,
    epochs: Sequence[tuple[int, int]],
    days: Sequence[date],
    rule_set: Callable[[int], RuleSet],
) -> InForce:
    """The rules of a timeline on these days; a replay is under its first set from its beginning on."""
    by_day: dict[date, dict[str, Rule]] = {}
    used: set[int] = set()
    for day in days:
        there = _epochs_on(day, epochs, timeline != LIVE)
        rules = {rule.id: rule for epoch in there for rule in rule_set(epoch).rules}
        if rules:
            by_day[day] = rules
        used.update(there)
    versions: dict[str, dict[int, Rule]] = {}
    for epoch in {*used, *(epoch for _, epoch in epochs)} if by_day else set():
        for rule in rule_set(epoch).rules:
            versions.setdefault(rule.id, {})[rule.version] = rule
    return InForce(epochs, by_day, {id: tuple(found.values()) for id, found in versions.items()})


def _epochs_on(day: date, epochs: Sequence[tuple[int, int]], replay: bool) -> list[int]:
    """The rule epochs of a day in order: the one it begins under, and those that come in it."""
    start = milliseconds(day)
    there = [epoch for at, epoch in epochs if start <= at < start + DAY]
    before = [epoch for at, epoch in epochs if at < start]
    if before or replay:
        there = [before[-1] if before else epochs[0][1], *there]
    return there


def oldest_open(told: Iterable[Said], begins: Mapping[str, int]) -> dict[str, int]:
    """When the oldest warning opened that was open when its rule is begun, by rule."""
    opened: dict[str, Said] = {}
    ended: dict[str, int] = {}
    for each in told:
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
