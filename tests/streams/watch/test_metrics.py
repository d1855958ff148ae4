"""Metrics say what the partitions hold when they are asked."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from datetime import timedelta

from faust.types import TP
from prometheus_client import CollectorRegistry

from streams.http_guard import Guard, hosts_of
from streams.metrics_port import serve
from streams.watch.engine.partition import Partition
from streams.watch.engine.second import SecondStage
from streams.watch.worker.metrics import Stage, WatchMetrics
from streams.watch.worker.state import StateKeeper
from tests.streams.watch.test_second import AIR, DECODE, RULES, START, event, split
from tests.streams.watch.trying import rule


@dataclass
class Open:
    """Partitions that are open, as a watcher has them."""

    keepers: dict[TP, StateKeeper[Stage]] = field(default_factory=dict)
    waiting: tuple[TP, ...] = ()

    def positions(self) -> dict[TP, int | None]:
        open = {tp: each.partition.offset + 1 for tp, each in self.keepers.items()}
        return dict.fromkeys(self.waiting) | open

    def feeds(self) -> list[Partition]:
        return [each.partition for each in self.keepers.values() if isinstance(each.partition, Partition)]

    def seconds(self) -> list[SecondStage]:
        return []

    def epoch(self) -> int:
        return 3


def test_what_is_open_late_and_behind_is_told() -> None:
    partition = Partition(AIR, DECODE, RULES, AIR.topic, 0)
    keeper: StateKeeper[Stage] = StateKeeper(partition)
    log = [(0, event(1, START, 0, 400)), (0, event(2, START - timedelta(days=90), 0, 400)), (0, b"{")]
    partition.observe(split(log, 1)[0], lambda each: None)
    keeper.checkpoint({})
    registry = CollectorRegistry()
    registry.register(WatchMetrics(Open({TP(AIR.topic, 0): keeper}), lambda tp: 10))
    place = {"topic": AIR.topic, "partition": "0"}
    wanted = {
        ("liaowang_watch_lag_records", 7), ("liaowang_watch_events_total", 2), ("liaowang_watch_late_total", 1),
        ("liaowang_watch_rejected_total", 1), ("liaowang_watch_watermark_seconds", START.timestamp()),
        ("liaowang_watch_state_bytes", keeper.size),
    }  # fmt: skip
    assert {(name, registry.get_sample_value(name, place)) for name, _ in wanted} == wanted
    episodes = registry.get_sample_value("liaowang_watch_open_episodes", {"rule": "t.own", "level": "red"})
    assert episodes == 1
    assert registry.get_sample_value("liaowang_watch_rules_epoch") == 3


def test_the_lag_of_a_partition_nothing_was_read_of_is_told() -> None:
    """All of it is behind: a worker that judges nothing must not look like one that has nothing to judge.

    Where nobody has asked the broker yet, nothing is told: neither 0 nor the whole log.
    """
    registry = CollectorRegistry()
    places = (TP(AIR.topic, 0), TP(AIR.topic, 1))
    ends = {places[0]: 12}
    registry.register(WatchMetrics(Open(waiting=places), ends.get))
    lags = [
        registry.get_sample_value(
            "liaowang_watch_lag_records", {"topic": tp.topic, "partition": str(tp.partition)}
        )
        for tp in places
    ]
    assert lags == [12, None]


def test_events_later_than_a_rules_wait_are_counted_by_rule() -> None:
    """Ten minutes late is in time for a rule that waits so long, and not for one that waits five."""
    rules = [
        rule(
            {"kind": "count", "window": "PT1H"}, {"blue": 9}, rule=f"test.wait{minutes}", wait=f"PT{minutes}M"
        )
        for minutes in (5, 15)
    ]
    partition = Partition(AIR, DECODE, rules, AIR.topic, 0)
    keeper: StateKeeper[Stage] = StateKeeper(partition)
    log = [(0, event(1, START, 0, 40)), (0, event(2, START - timedelta(minutes=10), 0, 40))]
    partition.observe(split(log, 1)[0], lambda each: None)
    registry = CollectorRegistry()
    registry.register(WatchMetrics(Open({TP(AIR.topic, 0): keeper}), lambda tp: 10))
    late = {
        each.id: registry.get_sample_value("liaowang_watch_rule_late_total", {"rule": each.id})
        for each in rules
    }
    assert late == {"test.wait5": 1, "test.wait15": 0}


def test_a_port_that_is_taken_stops_nobody() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert serve(WatchMetrics(Open(), lambda tp: None), port, Guard(hosts_of())) is False
