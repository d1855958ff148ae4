"""Known-now against known-then: which warnings should have been, and which were. Pure.

A warning here is a *spell*: an episode at a level or above. Two spells of one rule, timeline, subject and level
that meet in time are the same warning; what meets nothing was missed (it should have been) or spurious (it was).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median
from typing import Protocol

from schemas.levels import BY_RANK
from streams.watch.trial.backtest import ENDS, day_of

AGREED, EARLIER, LATER, MISSED, SPURIOUS = "agreed", "earlier", "later", "missed", "spurious"
VERDICTS = (AGREED, EARLIER, LATER, MISSED, SPURIOUS)
"""What `watch` did: warn at the same moment, earlier or later than it should have, not at all, or for nothing."""

Key = tuple[str, str, str, int]
Ranks = Mapping[str, Sequence[int]]
"""The ranks of the levels each rule declares."""


class Step(Protocol):
    """What is needed of a transition, decided now or landed then."""

    @property
    def rule(self) -> str:
        """The rule."""

    @property
    def timeline(self) -> str:
        """Live (empty), or the replay."""

    @property
    def subject(self) -> str:
        """What is watched."""

    @property
    def region(self) -> str:
        """Where."""

    @property
    def kind(self) -> str:
        """opened, raised, lowered, recovered, cancelled."""

    @property
    def level(self) -> str:
        """The level after it."""

    @property
    def episode(self) -> str:
        """The episode it is of."""

    @property
    def ordinal(self) -> int:
        """Its place in the episode."""

    @property
    def at(self) -> int:
        """Event time, ms."""


@dataclass(frozen=True)
class Spell:
    """An episode at a level (its rank) or above, from `start` to `end` (ms; None: still)."""

    key: Key
    region: str
    episode: str
    start: int
    end: int | None

    def meets(self, other: Spell) -> bool:
        """Whether both hold at some same moment."""
        return (other.end is None or self.start <= other.end) and (
            self.end is None or other.start <= self.end
        )


@dataclass(frozen=True)
class Reviewed:
    """One warning at one level: when it should have been and when it was (ms; None: not at all)."""

    rule: str
    timeline: str
    subject: str
    rank: int
    region: str
    episode: str
    now: int | None
    then: int | None

    @property
    def verdict(self) -> str:
        """One of VERDICTS."""
        if self.now is None or self.then is None:
            return SPURIOUS if self.now is None else MISSED
        if self.now == self.then:
            return AGREED
        return EARLIER if self.then < self.now else LATER

    @property
    def delay(self) -> float | None:
        """How much later `watch` warned than it should have, seconds; below 0 earlier."""
        return None if self.now is None or self.then is None else (self.then - self.now) / 1000

    @property
    def day(self) -> str:
        """The day (Asia/Shanghai) it should have been; where it should not, the day it was."""
        at = self.now if self.now is not None else self.then
        assert at is not None
        return day_of(at)


@dataclass(frozen=True)
class Tally:
    """What became of one rule's warnings of one level on one day; `delays` are those of earlier and later ones."""

    day: date
    rule: str
    timeline: str
    rank: int
    counts: Mapping[str, int]
    delays: tuple[float, ...]

    @property
    def median_delay(self) -> float | None:
        """Seconds; None where none was earlier or later."""
        return median(self.delays) if self.delays else None


def spells(steps: Iterable[Step], ranks: Ranks) -> list[Spell]:
    """The spells of all declared levels that transitions (in any order) tell of."""
    episodes: dict[str, list[Step]] = defaultdict(list)
    for each in steps:
        episodes[each.episode].append(each)
    return [
        spell
        for told in episodes.values()
        for rank in ranks.get(told[0].rule, ())
        for spell in _spells(sorted(told, key=lambda step: step.ordinal), rank)
    ]


def _spells(told: Sequence[Step], rank: int) -> list[Spell]:
    found: list[Spell] = []
    since: int | None = None
    first = told[0]
    key = (first.rule, first.timeline, first.subject, rank)

    def close(end: int | None) -> None:
        if since is not None:
            found.append(Spell(key, first.region, first.episode, since, end))

    for step in told:
        holds = step.kind not in ENDS and BY_RANK.index(step.level) >= rank
        if holds and since is None:
            since = step.at
        elif not holds and since is not None:
            close(step.at)
            since = None
    close(None)
    return found


def compare(now: Iterable[Step], then: Iterable[Step], ranks: Ranks) -> list[Reviewed]:
    """Each warning there should have been or was, once, in order of time."""
    should, were = _by_key(spells(now, ranks)), _by_key(spells(then, ranks))
    found: list[Reviewed] = []
    for key in should.keys() | were.keys():
        left = list(were.get(key, ()))
        for spell in should.get(key, ()):
            met = next((other for other in left if spell.meets(other)), None)
            if met is not None:
                left.remove(met)
            found.append(_reviewed(key, spell, met))
        found += [_reviewed(key, None, spell) for spell in left]
    return sorted(found, key=lambda each: (each.now or each.then or 0, each.rule, each.subject, each.rank))


def _by_key(found: Iterable[Spell]) -> dict[Key, list[Spell]]:
    by_key: dict[Key, list[Spell]] = defaultdict(list)
    for each in sorted(found, key=lambda spell: spell.start):
        by_key[each.key].append(each)
    return by_key


def _reviewed(key: Key, now: Spell | None, then: Spell | None) -> Reviewed:
    rule, timeline, subject, rank = key
    shown = then or now
    assert shown is not None
    return Reviewed(
        rule, timeline, subject, rank, shown.region, shown.episode,
        None if now is None else now.start, None if then is None else then.start,
    )  # fmt: skip


def tally(found: Iterable[Reviewed], places: Iterable[tuple[date, str, str]], ranks: Ranks) -> list[Tally]:
    """A row for each (day, rule, timeline) and declared level, also where nothing happened, in order."""
    groups: dict[tuple[str, str, str, int], list[Reviewed]] = defaultdict(list)
    for each in found:
        groups[each.day, each.rule, each.timeline, each.rank].append(each)
    rows = []
    for day, rule, timeline in sorted(set(places)):
        for rank in sorted(ranks[rule], reverse=True):
            mine = groups.get((day.isoformat(), rule, timeline, rank), [])
            counts = {name: sum(each.verdict == name for each in mine) for name in VERDICTS}
            delays = tuple(each.delay for each in mine if each.delay)
            rows.append(Tally(day, rule, timeline, rank, counts, delays))
    return rows
