"""The real rules on generated feeds, dirt and all: each planted anomaly is warned of once, no other is."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime

import pytest

from schemas.event import encode_tick
from streams.generate.model import Line
from streams.watch.episode import Transition
from streams.watch.offline import Entry, evaluate
from streams.watch.rule import load_rules
from tests.streams.generate.world_of import Made, contracts, few_places, made

NAMES = ("blue", "yellow", "orange", "red")
Episode = tuple[str, str, str, datetime, datetime | None]


def log_of(lines: list[Line], start: datetime, end: datetime) -> list[Entry]:
    """A log of one partition in which every line arrives when its time says, and the clock at the end."""
    entries, clock = [], start
    for offset, line in enumerate(lines):
        if line.dirt is None:
            clock = max(clock, datetime.fromisoformat(json.loads(line.raw)["time"]))
        entries.append(Entry(offset, round(clock.timestamp() * 1000), line.raw))
    tick = encode_tick(id="end", clock=end)
    return [*entries, Entry(len(entries), round(end.timestamp() * 1000), tick)]


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


def warned_of(world: Made) -> list[Episode]:
    """What the rules of all generated feeds make of the world."""
    rules = load_rules(contracts())
    found: list[Transition] = []
    for feed, lines in world.lines.items():
        own = [rule for rule in rules if rule.feed == feed]
        found += evaluate(contracts()[feed], own, log_of(lines, world.span.start, world.span.end))
    return episodes(found)


@pytest.mark.parametrize(("days", "seed"), [(9, 1), (9, 20260301), (14, 7), (6, 99), (3, 5)])
def test_each_planted_anomaly_is_warned_of_once(days: int, seed: int) -> None:
    world = made(days, seed, few_places(2))
    planted = [(a.rule, a.subject, a.level, a.opened_at, a.recovered_at) for a in world.anomalies]
    assert warned_of(world) == sorted(
        (
            (*rest, opened.astimezone(UTC), back.astimezone(UTC) if back else None)
            for *rest, opened, back in planted
        ),
        key=str,
    )
