"""What rules make of a generated world, dirt and all, beside what was planted in it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from schemas.contract_model import Contract
from schemas.event import encode_tick
from streams.generate.model import Line
from streams.watch.declare.rule import Rule
from streams.watch.episodes.episode import Transition
from streams.watch.trial.offline import OfflineRecord, evaluate
from tests.streams.generate.world_of import Made

NAMES = ("blue", "yellow", "orange", "red")
Episode = tuple[str, str, str, datetime, datetime | None]


def log_of(lines: list[Line], start: datetime, end: datetime) -> list[OfflineRecord]:
    """A log of one partition in which every line arrives when its time says, and the clock at the end."""
    entries, clock = [], start
    for offset, line in enumerate(lines):
        if line.dirt is None:
            clock = max(clock, datetime.fromisoformat(json.loads(line.raw)["time"]))
        entries.append(OfflineRecord(offset, round(clock.timestamp() * 1000), line.raw))
    tick = encode_tick(id="end", clock=end)
    return [*entries, OfflineRecord(len(entries), round(end.timestamp() * 1000), tick)]


def episodes(transitions: list[Transition]) -> list[Episode]:
    """Rule, subject, highest level, opened at, recovered at of each episode."""
    by_episode: dict[str, list[Transition]] = defaultdict(list)
    for transition in transitions:
        by_episode[transition.episode].append(transition)
    found = []
    for steps in by_episode.values():
        first, last = steps[0], steps[-1]
        assert first.kind == "opened" and [step.ordinal for step in steps] == list(range(1, len(steps) + 1))
        highest = max(NAMES.index(step.level) for step in steps)
        recovered = _moment(last.at) if last.kind == "recovered" else None
        found.append((first.rule, first.subject, NAMES[highest], _moment(first.at), recovered))
    return sorted(found, key=str)


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def warned_of(world: Made, feeds: Mapping[str, Contract], rules: Sequence[Rule]) -> list[Episode]:
    """What these rules make of the world."""
    found: list[Transition] = []
    for feed, lines in world.lines.items():
        own = [rule for rule in rules if rule.feed == feed]
        found += evaluate(feeds[feed], own, log_of(lines, world.span.start, world.span.end))
    return episodes(found)


def planted_in(world: Made) -> list[Episode]:
    """What was planted, in the same words."""
    found = [
        (
            each.rule,
            each.subject,
            each.level,
            each.opened_at.astimezone(UTC),
            each.recovered_at.astimezone(UTC) if each.recovered_at else None,
        )
        for each in world.anomalies
    ]
    return sorted(found, key=str)
