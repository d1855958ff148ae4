"""How far the workers are behind: asked of a broker so new that no group has a coordinator, and later."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.structs import OffsetAndMetadata

from deploy.cli.stack.caught_up import behind, catch_up, ends
from deploy.local.kafka import kafka_running
from deploy.ports import free_port
from schemas.errors import Unavailable
from schemas.settings import Settings

TOPIC, GROUP = "test.settled", "settled"


@pytest.mark.stack
def test_behind_by_everything_until_a_group_commits_even_on_a_broker_just_started(
    settings: Settings, tmp_path: Path
) -> None:
    own = replace(settings, home=tmp_path, kafka_port=free_port(), kafka_controller_port=free_port())
    with kafka_running(own):
        admin = KafkaAdminClient(bootstrap_servers=own.kafka)
        admin.create_topics({TOPIC: {"num_partitions": 2, "replication_factor": 1}}, wait_for_metadata=True)
        admin.close()
        producer = KafkaProducer(bootstrap_servers=own.kafka, acks="all")
        for partition in (0, 0, 0, 1, 1):
            producer.send(TOPIC, b"", partition=partition).get(30)
        producer.close()
        first, second = TopicPartition(TOPIC, 0), TopicPartition(TOPIC, 1)
        goal = ends(own, [TOPIC])
        assert goal == {first: 3, second: 2}
        assert behind(own, GROUP, goal) == 5
        consumer = KafkaConsumer(bootstrap_servers=own.kafka, group_id=GROUP, enable_auto_commit=False)
        consumer.assign([first, second])
        consumer.commit({first: OffsetAndMetadata(3, "", -1)})
        assert behind(own, GROUP, goal) == 2
        consumer.commit({second: OffsetAndMetadata(2, "", -1)})
        assert behind(own, GROUP, goal) == 0
        consumer.close()


def test_it_is_waited_until_nothing_remains_and_shown_how_far_it_is() -> None:
    left, shown = iter([5, 3, 0]), []
    catch_up(lambda: next(left), lambda done, total: shown.append((done, total)), 60, "watched")
    assert shown == [(0, 5), (2, 5), (5, 5)]


def test_where_nothing_moves_it_is_said_what_waits() -> None:
    with pytest.raises(Unavailable, match="watched: 7 records wait and nothing moves"):
        catch_up(lambda: 7, lambda done, total: None, 0, "watched")
