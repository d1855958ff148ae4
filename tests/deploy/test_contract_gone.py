"""A contract does not go while a rule in force reads it: what the rule has open would stay so for ever."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
from kafka import KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.admin import NewTopic

from deploy.rules.gone import Release, not_judged, release, require_judged, require_unread
from schemas.contract import load_contracts
from schemas.contract_model import Contract
from schemas.errors import Misdeclared
from schemas.event import LIVE
from schemas.settings import Settings
from schemas.topics import PARTIALS, WATCH_GROUP
from streams.land.broker import administration, describe
from streams.land.ledger import log_epoch_of
from streams.land.warehouse import Warehouse
from streams.watch.publish.published import History
from tests.majors import FEED, OLD, declare, older
from tests.streams.watch.test_newest import moved, record

NEWER: dict[str, Any] = {"subject": ["site"], "condition": {"kind": "threshold", "field": "pm25_mg"}}


def refused(told: History, before: Mapping[str, Contract], after: Mapping[str, Contract]) -> str:
    try:
        require_unread(told, before, after)
    except Misdeclared as error:
        return str(error)
    return ""


def test_a_version_goes_once_no_rule_in_force_reads_it(tmp_path: Path) -> None:
    both = declare(tmp_path / "feeds")
    alone = {name: contract for name, contract in both.items() if name != OLD}
    pinned = moved(History(), both, record(feed=OLD))
    said = (
        "ecology.air-quality.v1: feed: is declared no more, and test.rule@1 is in force and reads it: keep it"
    )
    assert refused(pinned, both, alone).startswith(said)
    assert refused(moved(pinned, both, record(2, **NEWER)), both, alone) == ""
    assert refused(moved(pinned, both, msgspec.structs.replace(record(), text="")), both, alone) == "", (
        "retired"
    )


def test_a_version_is_not_put_in_the_place_of_one_that_is_watched(tmp_path: Path) -> None:
    before = load_contracts()
    after = {name: contract for name, contract in declare(tmp_path / "feeds").items() if name != OLD}
    assert f"{OLD}: feed: is declared no more" in refused(moved(History(), before, record()), before, after)
    assert refused(History(), before, after) == ""
    assert FEED in after


def test_what_no_rule_ever_read_goes_at_once(tmp_path: Path) -> None:
    both = declare(tmp_path / "feeds")
    alone = without(both)
    assert release(moved(History(), both, record()), both, both) is None, "nothing goes"
    assert release(History(), both, alone) is None
    assert release(moved(History(), both, record(**NEWER)), both, alone) is None


def test_it_goes_after_the_tick_that_ends_the_last_rule_that_read_it(tmp_path: Path) -> None:
    before = {FEED: load_contracts()[FEED]}
    both = declare(tmp_path / "feeds")
    alone = without(both)
    begun = moved(History(), before, record())
    by_name = moved(begun, both)
    assert release(begun, both, alone) is None, "refused already, by who reads it"
    first = Release(by_name.epoch, (both[OLD].topic,))
    assert release(by_name, both, alone) == first
    assert release(moved(by_name, both, record(2, **NEWER)), both, alone) == first, (
        "what came later is not waited for"
    )
    pinned = moved(by_name, both, record(2, feed=OLD))
    assert release(pinned, both, alone) is None
    retired = moved(pinned, both, msgspec.structs.replace(record(2), text=""))
    assert release(retired, both, alone) == Release(retired.epoch, first.topics)
    assert retired.epoch > by_name.epoch


def test_a_partition_is_judged_once_watch_goes_on_after_the_tick() -> None:
    parts = [("t", 0), ("t", 1), ("t", 2), ("t", 3)]
    ticks = {("t", 0): 0, ("t", 1): 7, ("t", 2): 7}
    done = {("t", 0): -1, ("t", 1): 7, ("t", 2): 8, ("t", 3): 100}
    assert not_judged(parts, ticks, done) == ["t/0", "t/1", "t/3"]


def test_a_contract_waits_for_the_slowest_partition(tmp_path: Path, kafka: str, warehouse: Settings) -> None:
    first = older()
    topic = f"test-gone-{uuid4().hex}"
    first["customProperties"].append({"property": "topic", "value": topic})
    both = declare(tmp_path / "feeds", first=first)
    told = moved(moved(History(), both, record(feed=OLD)), both, record(2, **NEWER))
    with administration(kafka) as admin:
        admin.create_topics([NewTopic(topic, 2, 1)])
        log = describe(admin, [topic])[0]

    def waits() -> str:
        try:
            require_judged(warehouse, told, both, without(both), seconds=0)
        except Misdeclared as error:
            return str(error)
        return ""

    said = (
        f"{OLD}: feed: is declared no more, and watch has not yet judged {topic}/0, {topic}/1 up to the tick"
    )
    assert waits().startswith(said)
    with closing(Warehouse(warehouse.warehouse("service"))) as open:
        open.record(topic, log_epoch_of([], log.topic_id))
        tick(open, topic, 0, 3, told.epoch - 1)
        tick(open, topic, 0, 5, told.epoch)
        tick(open, topic, 1, 5, told.epoch)
    assert f"judged {topic}/0, {topic}/1 up" in waits()
    commit(kafka, {TopicPartition(topic, 0): 6, TopicPartition(topic, 1): 5})
    assert f"judged {topic}/1 up" in waits()
    commit(kafka, {TopicPartition(topic, 1): 6})
    with administration(kafka) as admin:
        if PARTIALS not in admin.list_topics():
            admin.create_topics([NewTopic(PARTIALS, 2, 1)])
    with closing(KafkaProducer(bootstrap_servers=kafka)) as producer:
        producer.send(PARTIALS, b"handed over", partition=0).get(30)
    assert f"judged {PARTIALS}/0" in waits()
    with administration(kafka) as admin:
        ends = {part: end for part, (_, end) in describe(admin, [PARTIALS])[0].offsets.items()}
    commit(kafka, {TopicPartition(PARTIALS, part): end for part, end in ends.items()})
    assert waits() == ""


def without(both: Mapping[str, Contract]) -> dict[str, Contract]:
    return {name: contract for name, contract in both.items() if name != OLD}


def tick(warehouse: Warehouse, topic: str, partition: int, offset: int, epoch: int) -> None:
    row = {"topic": topic, "log_epoch": 0, "partition": partition, "offset": offset, "timeline": LIVE}
    at = datetime.now(UTC)
    row |= {"arrived": at, "clock": at, "final": 0, "epoch": epoch}
    warehouse.insert("tick", {name: [value] for name, value in row.items()})


def commit(broker: str, offsets: Mapping[TopicPartition, int]) -> None:
    consumer = KafkaConsumer(bootstrap_servers=broker, group_id=WATCH_GROUP, enable_auto_commit=False)
    try:
        consumer.assign(list(offsets))
        consumer.commit({tp: OffsetAndMetadata(offset, "", -1) for tp, offset in offsets.items()})
    finally:
        consumer.close()
