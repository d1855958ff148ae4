"""The real land worker on the real broker and warehouse: everything produced is in the tables, once."""

from __future__ import annotations

import asyncio
import json
import signal
from datetime import timedelta
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from kafka import TopicPartition as AdminPartition

from schemas.decoder import Decoder
from schemas.errors import Misdeclared
from schemas.fields import MILLISECOND
from schemas.settings import Settings
from schemas.tables import landing_columns
from schemas.topics import REJECTED
from streams.land.classification import Feed, Position, check
from streams.land.reckoning import lose, reckon
from streams.land.warehouse import Warehouse
from tests.streams.land.records import AIR, NOON, air, tick
from tests.streams.land.rig import Rig

pytestmark = pytest.mark.stack


def mixed(rig: Rig, number: int) -> list[bytes | None]:
    """A load with everything in it: good, rejected, broken, late and duplicate events, replays and ticks."""
    kind = rig.contract.event_type
    values: list[bytes | None] = []
    for i in range(number):
        at = NOON + timedelta(seconds=i - (20_000 if i % 97 == 0 else 0))
        if i % 50 == 7:
            values.append(air(f"e{i}", at, pm25=0, type=kind))
        elif i % 50 == 11:
            values.append(b'{"id": "broken", "source": \xff')
        elif i % 100 == 13:
            values.append(tick(at))
        elif i % 50 == 17:
            values.append(air(f"e{i - 1}", at, type=kind))
        else:
            values.append(
                air(f"e{i}", at, "replay" if i % 40 == 3 else "", aqi=None if i % 3 else i % 500, type=kind)
            )
    return values


def test_every_record_is_in_a_table_as_the_account_says(rig: Rig) -> None:
    rig.send([*mixed(rig, 3000), None])
    balances = rig.land()
    feed = Feed(Decoder(rig.contract).decode, rig.contract.lateness // MILLISECOND, rig.contract.skew_ms)
    names = [name for name, _ in landing_columns(rig.contract)]
    rows = [dict(zip(names, row, strict=True)) for row in rig.table()]
    control = rig.control_tables()
    for partition in (0, 1):
        records = [record for record in rig.log_of(rig.topic) if record.partition == partition]
        _, batch = check(feed, Position(0), records)
        assert batch is not None
        mine = [row for row in rows if row["partition"] == partition]
        assert [(r["offset"], r["late"], r["id"]) for r in mine] == [
            (a.offset, a.late, a.event.id) for a in batch.accepted
        ]
        assert sum(a.late for a in batch.accepted) > 10
        refused = [(r[4], r[7], r[8], r[9]) for r in control["rejected"] if r[3] == partition]
        assert refused == [(r.offset, r.field, r.rule, r.value) for r in batch.refused]
        ticks = [(t[2], t[6].timestamp() * 1000) for t in control["tick"] if t[2] == partition]
        assert len(ticks) == len(batch.ticks)
        balance = balances[partition]
        assert (balance.produced, balance.accepted, balance.rejected) == (
            len(records),
            len(batch.accepted),
            len(batch.refused),
        )


def test_columns_hold_what_the_event_says(rig: Rig) -> None:
    raw = air("a", NOON + timedelta(milliseconds=5), "old", aqi=None, type=rig.contract.event_type)
    rig.send([raw])
    rig.land()
    (record,) = rig.log_of(rig.topic)
    (row,) = rig.table()
    found = dict(zip([name for name, _ in landing_columns(rig.contract)], row, strict=True))
    assert str(found.pop("event_day")) == "2026-03-01"
    assert found.pop("time") == NOON + timedelta(milliseconds=5)
    assert found.pop("arrived").timestamp() * 1000 == pytest.approx(record.timestamp)
    assert found == {
        "log_epoch": 0,
        "partition": 0,
        "offset": 0,
        "timeline": "old",
        "late": 0,
        "source": "/hangzhou/ecology/air",
        "id": "a",
        "corrects": "",
        **AIR,
        "aqi": None,
        "raw": raw.decode(),
    }


def test_all_feeds_land_side_by_side(kafka: str, warehouse: Settings, tmp_path: Path) -> None:
    feeds = ("ecology.air-quality", "health.infectious-disease", "governance.citizen-request", "duty.warning")
    rig = Rig(warehouse, tmp_path / "land.log", *feeds, partitions=1)
    for contract in rig.contracts:
        good = [example for example in contract.examples if example.accepted]
        bad = [example for example in contract.examples if not example.accepted]
        values = [
            air(f"{i}", data=example.data, type=contract.event_type)
            for i, example in enumerate([*good, *bad])
        ]
        rig.send(values, contract.topic)
    balances = {balance.topic: balance for balance in rig.land()}
    for contract in rig.contracts:
        good = [example for example in contract.examples if example.accepted]
        assert balances[contract.topic].accepted == len(good) == len(rig.table(contract))
        assert balances[contract.topic].rejected == len(contract.examples) - len(good)


def test_rejected_events_are_on_their_topic_with_reason_and_bytes(rig: Rig) -> None:
    rig.send([air("bad", pm25=0, type=rig.contract.event_type), b"\xff"])
    rig.land()
    found = {r.key.decode(): json.loads(r.value) for r in rig.log_of(REJECTED) if rig.mark in r.key.decode()}
    assert sorted(found) == [f"{rig.topic}:0:0", f"{rig.topic}:1:0"]
    first = found[f"{rig.topic}:0:0"]["data"]
    assert (first["feed"], first["field"], first["rule"], first["value"]) == (
        rig.contract.feed,
        "pm25",
        "missing",
        "0",
    )
    assert json.loads(first["raw"])["id"] == "bad"
    assert found[f"{rig.topic}:1:0"]["data"]["raw_base64"] == "/w=="


def test_duplicates_are_rows_of_their_own_with_one_id(rig: Rig) -> None:
    rig.send([air("same", type=rig.contract.event_type)] * 4)
    rig.land()
    ids = rig.query(
        f"SELECT id, count(), uniqExact(partition, offset) FROM landing.{rig.contract.table} GROUP BY id"
    )
    assert ids == [("same", 4, 4)]


def test_a_worker_killed_again_and_again_leaves_the_tables_of_an_undisturbed_one(rig: Rig) -> None:
    rig.send(mixed(rig, 20_000))
    killed = 0
    while rig.landed() < 15_000 and killed < 4:
        with rig.landing(rows=400) as process:
            before = rig.landed()
            rig.until(lambda goal=before + 1500: rig.landed() >= goal)
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed += 1
    assert killed >= 2
    rig.land()
    disturbed = rig.everything()
    rig.begin_again()
    rig.land()
    assert rig.everything() == disturbed


def test_two_workers_share_the_partitions_and_one_may_die(
    kafka: str, warehouse: Settings, tmp_path: Path
) -> None:
    rig = Rig(warehouse, tmp_path / "land.log", partitions=4)
    rig.send(mixed(rig, 8_000))
    with rig.landing(rows=300) as one:
        rig.until(lambda: rig.landed() > 1000)
        with rig.landing("two", rows=300):
            rig.send(mixed(rig, 8_000))
            one.send_signal(signal.SIGKILL)
            rig.settle()
    disturbed = rig.everything()
    rig.begin_again()
    rig.land()
    assert rig.everything() == disturbed


def test_aborted_transactions_are_control(rig: Rig) -> None:
    asyncio.run(_transactions(rig))
    rig.send([air("after", type=rig.contract.event_type)] * 2)
    rig.land()
    assert [row[8] for row in rig.table()] == ["committed", "after", "after"]
    (zero, _) = rig.settle(1)
    assert (zero.produced, zero.accepted, zero.control) == (5, 2, 3)


async def _transactions(rig: Rig) -> None:
    kind = rig.contract.event_type
    producer = AIOKafkaProducer(bootstrap_servers=rig.settings.kafka, transactional_id=rig.mark)
    await producer.start()
    try:
        for id, commit in (("committed", True), ("aborted", False)):
            await producer.begin_transaction()
            await producer.send_and_wait(rig.topic, air(id, type=kind), partition=0)
            await (producer.commit_transaction() if commit else producer.abort_transaction())
    finally:
        await producer.stop()


def test_the_ledger_rules_over_the_offsets_kafka_has_committed(rig: Rig) -> None:
    rig.send(mixed(rig, 2000))
    rig.land()
    before, group = rig.everything(), rig.group
    rig.begin_again()
    rig.group = (
        group  # its committed offsets are at the end, as after restoring an old backup of the warehouse
    )
    rig.send([tick(NOON)] * 2)
    rig.land()
    after = rig.everything()
    assert after[rig.contract.table] == before[rig.contract.table]
    assert after["rejected"] == before["rejected"]


def test_a_recreated_topic_is_a_new_epoch(rig: Rig) -> None:
    kind = rig.contract.event_type
    rig.send([air("old", type=kind)] * 6)
    rig.land()
    with rig.admin() as admin:
        admin.delete_topics([rig.topic])
        rig.until(lambda: rig.topic not in admin.list_topics())
    rig.create()
    rig.send([air("new", type=kind)] * 2)
    rig.land()
    assert [(row[1], row[8]) for row in rig.table()] == [(0, "old")] * 6 + [(1, "new")] * 2


def test_added_partitions_are_a_new_epoch_that_lands_nothing_again(rig: Rig) -> None:
    kind = rig.contract.event_type
    rig.send([air("old", type=kind)] * 6)
    rig.land()
    with rig.admin() as admin:
        admin.create_partitions({rig.topic: 3})
    rig.partitions = 3
    rig.send([air("new", type=kind)] * 3)
    rig.land()
    assert [(row[1], row[8]) for row in rig.table()] == [(0, "old")] * 6 + [(1, "new")] * 3


def test_retention_before_landing_is_an_incident_until_the_loss_is_recorded(rig: Rig) -> None:
    kind = rig.contract.event_type
    rig.send([air("landed", type=kind)] * 20)
    rig.land()
    rig.send([air("lost", type=kind)] * 20)
    with rig.admin() as admin:
        admin.delete_records({AdminPartition(rig.topic, 0): 15})
    with rig.landing() as process:
        assert process.wait(30) == 3
    incidents = [line for line in rig.said().splitlines() if "incident" in line]
    assert len(incidents) == 1
    assert "10..14" in incidents[0]
    assert "Traceback" not in rig.said()
    warehouse = Warehouse(rig.settings.warehouse("service"))
    given = (rig.settings.kafka, warehouse, rig.contract.feed, rig.topic, 0)
    try:
        with pytest.raises(Misdeclared, match="no such loss"):
            lose(*given, to=16)
        assert lose(*given, to=15) == (10, 14)
        with rig.landing():
            rig.until(lambda: rig.landed() == 35)
            (zero, one) = reckon(rig.settings.kafka, warehouse, [rig.topic], 5)
    finally:
        warehouse.close()
    assert (zero.produced, zero.accepted, zero.lost, zero.open, zero.even) == (20, 15, 5, 0, False)
    assert one.even
