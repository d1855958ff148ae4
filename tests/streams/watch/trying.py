"""Rules from a few words, and what they make of events: for tests of the rule language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import yaml

from schemas.contract import load_contracts
from schemas.event import encode_event
from streams.watch.declare.baseline import BaselineTable
from streams.watch.declare.rule import Rule
from streams.watch.declare.rule_yaml import parse_rule
from streams.watch.engine.trial_events import TrialEvent, tick
from streams.watch.episodes.episode import Transition
from streams.watch.trial.offline import Offline

CONTRACTS = load_contracts()
AIR, CASES, REQUESTS = "ecology.air-quality", "health.infectious-disease", "governance.citizen-request"
START = datetime(2026, 3, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def rule(condition: Mapping[str, Any], levels: Mapping[str, Any], **more: Any) -> Rule:
    """A rule on the air feed by station, unless said otherwise."""
    document: dict[str, Any] = {
        "rule": "test.rule",
        "version": 1,
        "title": {"zh": "测试", "en": "test"},
        "feed": AIR,
        "subject": ["station"],
        "condition": dict(condition),
        "levels": dict(levels),
        "runbook": "none",
        "duty_role": "duty-desk",
    }
    document.update({("for" if key == "for_" else key): value for key, value in more.items()})
    document = {key: value for key, value in document.items() if value is not None}
    return parse_rule(yaml.safe_dump(document, allow_unicode=True), "test.yaml", CONTRACTS)


def air(
    at: datetime, value: float, station: str = "S1", region: str = "330106", number: object = None
) -> TrialEvent:
    """A reading of a station."""
    data = {"station": station, "region": region, "averaging": "1h", "pm25": value}
    return event(AIR, at, data, f"{station}-{at.isoformat()}" if number is None else str(number))


def cases(at: datetime, count: int, region: str = "330100", number: object = None) -> TrialEvent:
    """A city's report of influenza."""
    data = {"region": region, "disease": "influenza", "date": at.date().isoformat(), "cases": count}
    return event(CASES, at, data, f"{region}-{at.isoformat()}" if number is None else str(number))


def request(at: datetime, name: str, stage: str, region: str = "330106") -> TrialEvent:
    """A stage of a citizen's request."""
    data = {
        "request": name, "region": region, "channel": "hotline", "category": "traffic", "stage": stage,
        "received_at": START.isoformat(), "limit_hours": 72,
    }  # fmt: skip
    return event(REQUESTS, at, data, f"{name}-{stage}-{at.isoformat()}")


def event(feed: str, at: datetime, data: Mapping[str, Any], id: str) -> TrialEvent:
    """An event of a feed."""
    raw = encode_event(id=id, source="/t", type=CONTRACTS[feed].event_type, time=at, data=data)
    return TrialEvent(feed, int(at.timestamp() * 1000), raw)


def clock(at: datetime, feed: str = AIR) -> TrialEvent:
    """A tick."""
    return tick(feed, at, f"tick-{at.isoformat()}")


def transitions(
    rules: Rule | Sequence[Rule],
    trial_events: Iterable[TrialEvent],
    until: datetime | None = None,
    baselines: Mapping[str, BaselineTable] | None = None,
) -> list[Transition]:
    """All transitions some rules make."""
    found: list[Transition] = []
    offline = Offline(CONTRACTS, [rules] if isinstance(rules, Rule) else rules, baselines)
    for each in trial_events:
        offline.take(each, found.append)
    offline.finish(found.append, until)
    return found


def steps(found: Iterable[Transition]) -> list[tuple[str, str, float]]:
    """(kind, level, minutes after START) of each transition."""
    start = START.timestamp() * 1000
    return [(each.kind, each.level, (each.at - start) / 60_000) for each in found]


def series(
    values: Iterable[float | None], every: timedelta = MINUTE, station: str = "S1"
) -> list[TrialEvent]:
    """A reading each interval, where there is one."""
    return [
        air(START + number * every, value, station)
        for number, value in enumerate(values)
        if value is not None
    ]
