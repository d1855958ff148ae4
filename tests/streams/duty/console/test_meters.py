"""The metrics of `watch` as people see them: read from what the worker really tells, summed over partitions."""

from __future__ import annotations

from datetime import UTC, timedelta

import httpx
import pytest
from faust.types import TP
from prometheus_client import CollectorRegistry, generate_latest, start_http_server

from schemas.errors import Unavailable
from streams.console.meters import Meters, meters_of, read
from streams.watch.engine.partition import Partition
from streams.watch.worker.metrics import Stage, WatchMetrics
from streams.watch.worker.state import StateKeeper
from tests.streams.duty.console.house import House
from tests.streams.watch.test_metrics import Open
from tests.streams.watch.test_second import AIR, DECODE, RULES, START, event, split


@pytest.fixture(scope="module")
def registry() -> CollectorRegistry:
    """A worker with two partitions: two events, one of them too late, and a broken record in each."""
    keepers: dict[TP, StateKeeper[Stage]] = {}
    for number in range(2):
        partition = Partition(AIR, DECODE, RULES, AIR.topic, number)
        keeper: StateKeeper[Stage] = StateKeeper(partition)
        late = START - timedelta(days=90)
        log = [(0, event(1, START + timedelta(hours=number), 0, 400)), (0, event(2, late, 0, 400)), (0, b"{")]
        partition.observe(split(log, 1)[0], lambda each: None)
        keeper.checkpoint({})
        keepers[TP(AIR.topic, number)] = keeper
    made = CollectorRegistry()
    made.register(WatchMetrics(Open(keepers), lambda tp: 10))
    return made


@pytest.fixture(scope="module")
def meters(registry: CollectorRegistry) -> Meters:
    return meters_of(generate_latest(registry).decode())


def test_a_topic_has_the_sums_of_its_partitions_and_the_watermark_of_the_slowest(meters: Meters) -> None:
    (topic,) = [each for each in meters.topics if each.topic == AIR.topic]
    counts = {
        "lag_records": 14,
        "events_total": 4,
        "late_total": 2,
        "rejected_total": 2,
        "duplicates_total": 0,
    }
    assert counts.items() <= topic.counts.items() and topic.counts["state_bytes"] > 0
    assert topic.partitions == 2 and topic.watermark == START.astimezone(UTC)


def test_a_rule_has_its_cost_its_subjects_and_its_open_warnings(meters: Meters) -> None:
    (own,) = [each for each in meters.rules if each.rule == "t.own"]
    assert own.open == {"red": 2} and own.subjects == 2 and own.seconds > 0
    assert meters.seconds >= own.seconds and meters.epoch == 3


def test_no_worker_is_unavailable() -> None:
    with httpx.Client(trust_env=False) as http, pytest.raises(Unavailable, match="metrics of watch"):
        read(http, "http://127.0.0.1:9/metrics", "Basic x")


def test_the_page_says_when_the_worker_is_away_and_shows_it_when_it_is_back(
    house: House, registry: CollectorRegistry
) -> None:
    house.officer("zhang", "ecology-duty", "330100")
    with house.visitor("zhang") as client:
        assert "监测引擎暂时没有应答" in client.get("/metrics").text
        server, thread = start_http_server(house.settings.metrics_port, "127.0.0.1", registry)
        try:
            house.console.deps.meters.forget()
            client.get("/metrics")
            house.console.deps.meters.forget()
            page = client.get("/metrics").text
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
    assert AIR.topic in page and "t.own" in page and "红色</span> 2" in page
    with house.visitor() as nobody:
        assert nobody.get("/metrics").status_code == 303
