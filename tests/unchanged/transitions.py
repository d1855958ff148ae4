"""What watch makes of the fortnight: all transitions, as the bytes that go to the topic `warnings`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import yaml

from schemas.contract import Contract, load_contracts
from streams.watch.conditions import Condition
from streams.watch.conditions.baseline import Baseline
from streams.watch.declare.baseline import BaselineTable
from streams.watch.declare.load import load_rules
from streams.watch.declare.rule import Rule
from streams.watch.declare.rule_yaml import parse_rule
from streams.watch.engine.flow import Flow
from streams.watch.episodes.episode import Transition
from streams.watch.episodes.warning import encode_warning
from streams.watch.publish.published import RuleSet
from streams.watch.trial.offline import OfflineRecord
from tests.unchanged.arrivals import PARTITIONS, Arrived
from tests.unchanged.made import COUNTIES, DISPOSITIONS, TOPICS, WARNINGS

FRAME = 400
"""Records taken together; of each partition among them a frame is made."""
FEEDS = tuple(feed for feed in TOPICS if feed != DISPOSITIONS)
PROGRAMME = (
    *("ecology.city-silent", "ecology.pm25-city", "ecology.pm25-daily", "ecology.pm25-high"),
    *(
        "ecology.pm25-jump",
        "ecology.pm25-mean",
        "ecology.pm25-unusual",
        "ecology.smog-and-cases",
        "ecology.station-silent",
    ),
    *("governance.bad-ratings", "governance.city-requests", "governance.request-surge"),
    *("governance.request-undispatched", "health.cases-surge", "health.daily-cases", "health.novel-cases"),
)
"""The declared rules that are held; others that come later change nothing here."""
OTHERS = Path(__file__).with_name("rules.yaml")
TABLE = BaselineTable(
    1,
    {
        (f"{county}{letter}", hour): (30.0 + number + hour % 5, 4.0 + hour % 3)
        for number, county in enumerate(COUNTIES)
        for letter in "AB"
        for hour in range(24)
        if hour != 13
    },
)
"""What is usual at the stations, but for one hour of the day."""
Said = list[tuple[int, Transition, bytes]]
"""Each transition with the arrival (ms) of the last record before it, and its bytes."""


def rules(contracts: Mapping[str, Contract]) -> tuple[Rule, ...]:
    """The rules of the programme that are held, drafts as well, and those of `rules.yaml`."""
    declared = {rule.id: rule for rule in load_rules(contracts, drafts=True)}
    return (*(declared[id] for id in PROGRAMME), *_others(contracts))


def _others(contracts: Mapping[str, Contract]) -> Iterator[Rule]:
    frame = {
        "version": 1,
        "title": {"zh": "{subject} 试", "en": "{subject} {value}"},
        "runbook": "{region}",
        "duty_role": "d-1",
    }
    for each in yaml.safe_load(OTHERS.read_text(encoding="utf-8")):
        yield parse_rule(yaml.safe_dump({**frame, **each}, allow_unicode=True), OTHERS.name, contracts)


def edited(first: Sequence[Rule], contracts: Mapping[str, Contract]) -> tuple[Rule, ...]:
    """The second set: bounds are others, some rules have gone, some are new; the others stay as they were."""
    found = []
    for rule in first:
        if rule.id in ("ecology.station-silent", "test.county-dwelling"):
            continue
        if rule.id in (
            "ecology.pm25-high",
            "test.county-mean",
            "test.both",
            "governance.request-undispatched",
        ):
            document = yaml.safe_load(rule.text) | {"version": rule.version + 1}
            document["levels"] = dict(list(document["levels"].items())[:2])
            rule = parse_rule(yaml.safe_dump(document, allow_unicode=True), rule.id, contracts)
        found.append(rule)
    new = {
        **yaml.safe_load(next(rule.text for rule in first if rule.id == "test.county-high")),
        "rule": "test.added", "levels": {"yellow": 46}, "subject": "{region:city}",
    }  # fmt: skip
    return (*found, parse_rule(yaml.safe_dump(new, allow_unicode=True), "test.added", contracts))


def told(records: Sequence[Arrived]) -> Said:
    """All transitions, in the order in which they come."""
    contracts = load_contracts()
    first = rules(contracts)
    tables = {rule.id: TABLE for rule in first if rule.id == "ecology.pm25-unusual"}
    book = {1: RuleSet(1, first, tables), 2: RuleSet(2, edited(first, contracts), tables)}
    known = {(rule.id, rule.version): rule for rule_set in book.values() for rule in rule_set.rules}

    def supply_baselines(condition: Condition) -> None:
        if isinstance(condition, Baseline):
            condition.supply_baselines(tables)

    flow = Flow(
        contracts,
        first,
        dict.fromkeys(FEEDS, PARTITIONS),
        epoch=1,
        book=book.__getitem__,
        supply_baselines=supply_baselines,
    )
    found: Said = []
    for start in range(0, len(records), FRAME):
        chunk = records[start : start + FRAME]
        frames: dict[tuple[str, int], list[OfflineRecord]] = defaultdict(list)
        for each in chunk:
            if each.feed in FEEDS:
                frames[each.feed, each.partition].append(
                    OfflineRecord(each.offset, each.timestamp, each.value)
                )

        def emit(transition: Transition, at: int = chunk[-1].timestamp) -> None:
            rule = known[transition.rule, transition.rule_version]
            found.append(
                (at, transition, encode_warning(transition, {rule.id: rule}, f"log-{transition.topic}"))
            )

        for (feed, partition), frame in sorted(frames.items()):
            flow.observe(feed, partition, frame, emit)
    return found


def warnings(said: Said) -> list[Arrived]:
    """The transitions as records of the topic of warnings, a minute after what they were decided on."""
    order = sorted(said, key=lambda each: (each[0], each[1].id))
    return [Arrived(WARNINGS, 0, offset, at + 60_000, raw) for offset, (at, _, raw) in enumerate(order)]


def by_rule(said: Said) -> dict[str, list[bytes]]:
    """The bytes by rule; those of a subject in the order in which they came."""
    found: dict[str, list[tuple[str, bytes]]] = defaultdict(list)
    for _, transition, raw in said:
        found[transition.rule].append((f"{transition.timeline}/{transition.subject}", raw))
    return {
        rule: [raw for _, raw in sorted(each, key=lambda it: it[0])] for rule, each in sorted(found.items())
    }
