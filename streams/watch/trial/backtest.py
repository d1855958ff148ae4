"""What a back-test tells: episodes out of transitions, two versions side by side, the load they push. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median
from typing import Any

from schemas.fields import SHANGHAI
from schemas.levels import BY_RANK
from streams.watch.episodes.episode import Transition

ENDS = ("recovered", "cancelled")
SAME, EARLIER, LATER, NEW, GONE = "same", "earlier", "later", "new", "gone"


@dataclass(frozen=True)
class Episode:
    """One warning from its opening to its end (None: still open); times in ms, `peak` its worst level."""

    id: str
    rule: str
    timeline: str
    subject: str
    region: str
    start: int
    end: int | None
    peak: str
    steps: tuple[tuple[int, str, str], ...]

    def meets(self, other: Episode) -> bool:
        """Whether both speak of the same subject at some same time."""
        mine, theirs = self.end or _FOREVER, other.end or _FOREVER
        return (self.timeline, self.subject) == (other.timeline, other.subject) and (
            self.start <= theirs and other.start <= mine
        )


_FOREVER = 1 << 62


def episodes(transitions: Iterable[Transition]) -> list[Episode]:
    """The episodes that transitions (in any order) tell of, in order of start, then subject."""
    found: dict[str, list[Transition]] = defaultdict(list)
    for each in transitions:
        found[each.episode].append(each)
    told = [_episode(sorted(steps, key=lambda step: step.ordinal)) for steps in found.values()]
    return sorted(told, key=lambda each: (each.start, each.timeline, each.subject))


def _episode(steps: Sequence[Transition]) -> Episode:
    first, last = steps[0], steps[-1]
    levels = [BY_RANK.index(step.level) for step in steps if step.kind not in ENDS]
    return Episode(
        id=first.episode,
        rule=first.rule,
        timeline=first.timeline,
        subject=first.subject,
        region=first.region,
        start=first.at,
        end=last.at if last.kind in ENDS else None,
        peak=BY_RANK[max(levels, default=0)],
        steps=tuple((step.at, step.kind, step.level) for step in steps),
    )


@dataclass(frozen=True)
class Pair:
    """An old episode and the new one it meets; either may be missing."""

    old: Episode | None
    new: Episode | None

    @property
    def verdict(self) -> str:
        """same, earlier or later (when it opens), new, or gone."""
        if self.old is None or self.new is None:
            return NEW if self.old is None else GONE
        if self.new.start == self.old.start:
            return SAME
        return EARLIER if self.new.start < self.old.start else LATER


def pair(old: Sequence[Episode], new: Sequence[Episode]) -> list[Pair]:
    """Each old episode with the first new one it meets that no other has; what meets nothing stands alone."""
    waiting: dict[tuple[str, str], list[Episode]] = defaultdict(list)
    for each in sorted(new, key=lambda episode: episode.start):
        waiting[each.timeline, each.subject].append(each)
    pairs = []
    for each in sorted(old, key=lambda episode: episode.start):
        there = waiting[each.timeline, each.subject]
        met = next((other for other in there if each.meets(other)), None)
        if met is not None:
            there.remove(met)
        pairs.append(Pair(each, met))
    pairs += [Pair(None, each) for rest in waiting.values() for each in rest]
    return sorted(pairs, key=lambda each: ((each.new or each.old).start, (each.new or each.old).subject))  # type: ignore[union-attr]


@dataclass(frozen=True)
class Row:
    """One region and level: how many episodes under old and new, and what became of them."""

    region: str
    level: str
    old: int
    new: int
    verdicts: Mapping[str, int]


def by_region(pairs: Iterable[Pair], city_of: Callable[[str], str]) -> list[Row]:
    """Pairs counted by city and level; the level is that under the new version, under the old where it is gone."""
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    old: Counter[tuple[str, str]] = Counter()
    new: Counter[tuple[str, str]] = Counter()
    for each in pairs:
        if each.old is not None:
            old[city_of(each.old.region), each.old.peak] += 1
        if each.new is not None:
            new[city_of(each.new.region), each.new.peak] += 1
        shown = each.new or each.old
        assert shown is not None
        counts[city_of(shown.region), shown.peak][each.verdict] += 1
    keys = sorted({*counts, *old, *new}, key=lambda key: (key[0], -BY_RANK.index(key[1])))
    return [Row(*key, old[key], new[key], counts[key]) for key in keys]


@dataclass(frozen=True)
class Load:
    """Pushes of one version to one duty role: in all, a day on average over the days, and the worst day."""

    role: str
    pushes: int
    days: int
    worst: int
    worst_day: str
    by_day: tuple[tuple[str, int], ...] = ()

    @property
    def mean(self) -> float:
        """Pushes a day."""
        return self.pushes / self.days if self.days else 0.0


def load(role: str, found: Iterable[Episode], days: int) -> Load:
    """What the episodes push to their role, by day of Asia/Shanghai; a push for each step but a lowering."""
    per_day: Counter[str] = Counter(
        day_of(at) for each in found for at, kind, _ in each.steps if kind != "lowered"
    )
    worst = max(per_day.items(), key=lambda item: (item[1], item[0]), default=("", 0))
    return Load(role, per_day.total(), days, worst[1], worst[0], tuple(sorted(per_day.items())))


def day_of(milliseconds: int) -> str:
    """The day of Asia/Shanghai, ISO 8601."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).astimezone(SHANGHAI).date().isoformat()


@dataclass(frozen=True)
class Quality:
    """What disposals say of a version: of the warnings judged true or false, how many it makes.

    `recall` counts against all that were judged true; `lead` is how much earlier (seconds, median) it opens those
    than the version that was in force. None where nothing was judged.
    """

    true: int = 0
    false: int = 0
    known_true: int = 0
    leads: tuple[float, ...] = field(default=())

    @property
    def precision(self) -> float | None:
        """True / (true + false)."""
        judged = self.true + self.false
        return self.true / judged if judged else None

    @property
    def recall(self) -> float | None:
        """True / all that were judged true."""
        return self.true / self.known_true if self.known_true else None

    @property
    def lead(self) -> float | None:
        """Median of the leads, seconds."""
        return median(self.leads) if self.leads else None


@dataclass(frozen=True)
class Judged:
    """A warning that was disposed of: its episode, what it was, and when it opened (ms)."""

    timeline: str
    subject: str
    start: int
    end: int | None
    verdict: str


def quality(found: Sequence[Episode], judged: Iterable[Judged]) -> Quality:
    """Hold a version's episodes against what officers said of the warnings there were."""
    there: dict[tuple[str, str], list[Episode]] = defaultdict(list)
    for each in found:
        there[each.timeline, each.subject].append(each)
    true = false = known = 0
    leads = []
    for case in judged:
        known += case.verdict == "true"
        was = Episode("", "", case.timeline, case.subject, "", case.start, case.end, "", ())
        met = next((each for each in there[case.timeline, case.subject] if each.meets(was)), None)
        if met is None:
            continue
        if case.verdict == "true":
            true += 1
            leads.append((case.start - met.start) / 1000)
        elif case.verdict == "false":
            false += 1
    return Quality(true, false, known, tuple(leads))


def as_json(each: Episode | None) -> dict[str, Any] | None:
    """An episode as plain values, times in ISO 8601."""
    if each is None:
        return None
    return {
        "episode": each.id,
        "timeline": each.timeline,
        "subject": each.subject,
        "region": each.region,
        "start": _iso(each.start),
        "end": None if each.end is None else _iso(each.end),
        "level": each.peak,
        "transitions": [
            {"at": _iso(at), "transition": kind, "level": level} for at, kind, level in each.steps
        ],
    }


def _iso(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")
