"""Rules while two major versions of a feed are live: each reads the one it names, and stays with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas.contract import load_contracts
from schemas.contract_model import Contract
from schemas.decoder import Decoder
from schemas.errors import Misdeclared
from schemas.event import encode_event
from schemas.fields import milliseconds
from schemas.majors import upgraders
from streams.watch.declare.rule import Rule
from streams.watch.declare.rule_yaml import parse_rule
from streams.watch.engine.partition import Partition
from streams.watch.engine.trial_events import BadLine, LineReader, TrialEvent
from streams.watch.episodes.episode import Transition
from streams.watch.trial.offline import Offline
from streams.watch.worker.state import StateKeeper
from tests.majors import FEED, NEW, OLD, declare
from tests.streams.watch.test_semantics import entries, write

START = datetime(2026, 3, 1, tzinfo=UTC)
TEXT: dict[str, Any] = {
    "rule": "test.rule", "version": 1, "title": {"zh": "测试", "en": "test"}, "subject": ["station"],
    "condition": {"kind": "threshold", "field": "pm25"}, "levels": {"red": 100}, "runbook": "none",
    "duty_role": "duty-desk",
}  # fmt: skip


@pytest.fixture
def both(tmp_path: Path) -> dict[str, Contract]:
    return declare(tmp_path / "feeds")


def rule(contracts: Mapping[str, Contract], feed: str, **more: Any) -> Rule:
    return parse_rule(yaml.safe_dump(TEXT | {"feed": feed} | more, allow_unicode=True), "r.yaml", contracts)


def reading(hour: int, pm25: float) -> bytes:
    data = {"station": "S1", "region": "330106", "averaging": "1h", "pm25": pm25}
    return encode_event(id=f"{hour}", source="/t", type=OLD, time=START + timedelta(hours=hour), data=data)


def partition(contracts: Mapping[str, Contract], feed: str, watching: Rule) -> Partition:
    contract = contracts[feed]
    return Partition(contract, Decoder(contract).decode, [watching], contract.topic, 0)


def test_a_rule_reads_the_version_it_names(both: dict[str, Contract]) -> None:
    pinned = rule(both, OLD)
    newest = rule(both, FEED, subject=["site"], condition={"kind": "threshold", "field": "pm25_mg"})
    same = rule(both, NEW, subject=["site"], condition={"kind": "threshold", "field": "pm25_mg"})
    assert (pinned.feeds, newest.feeds, same.feeds) == ((OLD,), (FEED,), (FEED,))
    with pytest.raises(Misdeclared, match="pm25"):
        rule(both, FEED, subject=["site"])
    with pytest.raises(Misdeclared, match="no such feed; there are"):
        rule(both, f"{FEED}.v3")


def test_lines_for_a_trial_may_name_the_newest_by_its_event_type(both: dict[str, Contract]) -> None:
    data = {"site": "S1", "region": "330106", "period": "hour", "pm25_mg": 0.04, "method": "beta"}
    reader = LineReader({FEED: both[FEED], OLD: both[OLD]})
    lines = [
        json.dumps({"feed": name, "time": START.isoformat(), "data": data}).encode()
        for name in (NEW, FEED, f"{FEED}.v3", OLD)
    ]
    found = list(reader.read([*lines, json.dumps({"feed": NEW, "tick": START.isoformat()}).encode()]))
    assert [each.feed for each in found if isinstance(each, TrialEvent)] == [FEED, FEED, FEED]
    assert [each.problem for each in found if isinstance(each, BadLine)] == [
        f"feed '{FEED}.v3' is none the rule reads: {FEED}, {OLD}",
        "breaks the contract: station: required",
    ]


def test_a_rule_that_named_its_version_before_goes_on_with_what_it_has_open(
    both: dict[str, Contract],
) -> None:
    alone, log = load_contracts(), entries([reading(0, 400), reading(1, 20)])
    stored: dict[bytes, bytes] = {}
    told: list[Transition] = []
    before = StateKeeper(partition(alone, FEED, rule(alone, OLD)), "log")
    before.partition.observe(log[:1], told.append)
    point = before.checkpoint({})
    assert point is not None
    write(stored, [*point.buckets, point.header])
    after = StateKeeper(partition(both, OLD, rule(both, OLD)), "log")
    after.restore(stored)
    after.partition.observe(log, told.append)
    assert [each.kind for each in told] == ["opened", "recovered"], "the same episode, told once"
    assert len({each.episode for each in told}) == 1


def test_an_event_that_comes_as_both_counts_once(both: dict[str, Contract]) -> None:
    count = {"kind": "count", "window": "PT1H"}
    watching = rule(both, FEED, subject=["site"], condition=count, levels={"red": 2})
    (step,) = upgraders(both, both[OLD])
    offline, told = Offline(both, [watching]), list[Transition]()

    def take(id: str, minute: int, as_old: bool) -> None:
        at = START + timedelta(minutes=minute)
        words = {"station": "S1", "averaging": "1h", "pm25": 40} if as_old else {
            "site": "S1", "period": "hour", "pm25_mg": 0.04, "method": "beta"
        }  # fmt: skip
        data = {"region": "330106"} | words
        raw = encode_event(id=id, source="/t", type=OLD if as_old else NEW, time=at, data=data)
        found = step(raw) if as_old else ({}, raw)
        assert found is not None
        offline.take(TrialEvent(FEED, milliseconds(at), found[1]), told.append)

    for as_old in (True, False, True):
        take("a", 0, as_old)
    assert told == []
    take("b", 1, False)
    assert [each.kind for each in told] == ["opened"]
