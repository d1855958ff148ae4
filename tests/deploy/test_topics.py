"""Topics: made once, checked always."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from deploy.local.kafka import kafka_running
from deploy.ports import free_port
from deploy.provision.topics import ensure_topics, wanted_topics
from schemas.contract import load_contracts
from schemas.errors import Misdeclared, Unavailable
from schemas.settings import Settings

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def settings(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Those of a broker of its own: elsewhere tests make topics of the same names with fewer partitions."""
    ports = {name: free_port() for name in ("kafka_port", "kafka_controller_port")}
    return replace(settings, home=tmp_path_factory.mktemp("topics"), **ports)


@pytest.fixture(scope="module")
def kafka(settings: Settings) -> Iterator[str]:
    """The address of that broker, without topics."""
    with kafka_running(settings):
        yield settings.kafka


def test_made_once_and_harmless_twice(kafka: str, settings: Settings) -> None:
    contracts = load_contracts()
    first = ensure_topics(settings, contracts)
    assert ensure_topics(settings, contracts) == []
    with closing(KafkaAdminClient(bootstrap_servers=kafka)) as admin:
        assert {topic.name for topic in wanted_topics(settings, contracts)} <= set(admin.list_topics())
    assert {"rejected", "feed.ecology.air-quality", "warnings"} <= set(first)


def test_messages_are_kept_as_long_as_the_contract_says(kafka: str, settings: Settings) -> None:
    air = load_contracts()["ecology.air-quality"]
    contract = replace(air, topic="feed.ecology.test-retention", retention=timedelta(days=2))
    resource = ConfigResource(ConfigResourceType.TOPIC, contract.topic, {"retention.ms": ""})
    for days in (2, 3):
        ensure_topics(settings, {contract.feed: replace(contract, retention=timedelta(days=days))})
        with closing(KafkaAdminClient(bootstrap_servers=kafka)) as admin:
            configs = admin.describe_configs([resource], config_filter="all")["topic"][contract.topic]
        assert configs["retention.ms"]["value"] == str(days * 86_400_000)


def test_a_state_made_before_is_closed_each_minute_so_that_what_is_old_is_dropped(
    kafka: str, settings: Settings
) -> None:
    """Else `watch` reads, as it starts, each state it wrote in a week."""
    topic = "liaowang-watch-state-changelog"
    resource = ConfigResource(ConfigResourceType.TOPIC, topic, {"segment.ms": "", "cleanup.policy": ""})
    with closing(KafkaAdminClient(bootstrap_servers=kafka)) as admin:
        if topic in admin.list_topics():
            admin.delete_topics([topic])
        while topic in admin.list_topics():
            time.sleep(0.1)
        admin.create_topics(
            {topic: {"num_partitions": settings.partitions, "configs": {"cleanup.policy": "compact"}}}
        )
        admin.wait_for_topics([topic])
        ensure_topics(settings, {})
        configs = admin.describe_configs([resource], config_filter="all")["topic"][topic]
    assert configs["segment.ms"]["value"] == "60000"
    assert configs["cleanup.policy"]["value"] == "compact"


def test_other_partition_count_is_refused(kafka: str, settings: Settings) -> None:
    contracts = load_contracts()
    ensure_topics(settings, contracts)
    with pytest.raises(Misdeclared, match=r"partitions: are 4, the settings say 5; .*LIAOWANG_PARTITIONS"):
        ensure_topics(replace(settings, partitions=5), contracts)


def test_topic_without_log_append_time_is_refused(kafka: str, settings: Settings) -> None:
    air = load_contracts()["ecology.air-quality"]
    contract = replace(air, topic="feed.ecology.test-create-time")
    with closing(KafkaAdminClient(bootstrap_servers=kafka)) as admin:
        configs = {"message.timestamp.type": "CreateTime"}
        admin.create_topics({contract.topic: {"num_partitions": settings.partitions, "configs": configs}})
    with pytest.raises(Misdeclared, match="is CreateTime; it must be LogAppendTime"):
        ensure_topics(settings, {contract.feed: contract})


def test_broker_away_is_unavailable(settings: Settings) -> None:
    with pytest.raises(Unavailable, match="LIAOWANG_KAFKA_PORT"):
        ensure_topics(replace(settings, kafka_port=free_port()), {})
