"""Feeds of a test's own on the real servers, and the real land worker as a process that can be killed."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer
from clickhouse_driver import Client
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient

from deploy.environment import as_environment
from deploy.local.process import last_line
from schemas.contract import Contract
from schemas.settings import Settings
from schemas.tables import contract_statements
from schemas.topics import REJECTED
from streams.land.ledger import Balance
from streams.land.reckoning import reckon
from streams.land.warehouse import Warehouse
from tests.streams.land.process import renamed

AIR_FEED = "ecology.air-quality"


class Rig:
    """One or more feeds, renamed so that no other test sees them, with topics and tables."""

    def __init__(self, settings: Settings, log: Path, *feeds: str, partitions: int = 2) -> None:
        self.settings, self.log, self.partitions = settings, log, partitions
        self.mark = uuid.uuid4().hex[:8]
        self.feeds = {f"{feed}-{self.mark}": feed for feed in feeds or (AIR_FEED,)}
        self.contracts: list[Contract] = [renamed(feed, name) for name, feed in self.feeds.items()]
        self.group = f"land-{self.mark}"
        self.create()
        for contract in self.contracts:
            self.query(f"DROP TABLE IF EXISTS landing.{contract.table}")
            for statement in contract_statements(contract):
                self.query(statement)

    @property
    def contract(self) -> Contract:
        """The only, or the first, contract."""
        return self.contracts[0]

    @property
    def topic(self) -> str:
        """Its topic."""
        return self.contract.topic

    def admin(self) -> Any:
        """A client for the broker, to be closed."""
        return closing(KafkaAdminClient(bootstrap_servers=self.settings.kafka))

    def create(self) -> None:
        """Make the topics, and that of the rejected events."""
        wanted = {contract.topic: {"num_partitions": self.partitions} for contract in self.contracts}
        with self.admin() as admin:
            if REJECTED not in admin.list_topics():
                wanted[REJECTED] = {"num_partitions": 2}
            admin.create_topics(wanted)
            admin.wait_for_topics(list(wanted))

    def query(self, statement: str, **given: Any) -> list[Any]:
        """What the warehouse answers its administrator."""
        client = Client(**self.settings.warehouse("admin"))
        try:
            return list(client.execute(statement, given or None))
        finally:
            client.disconnect()

    def send(self, values: Sequence[bytes | None], topic: str = "") -> None:
        """Write these values to the partitions of a topic in turn."""
        asyncio.run(_send(self.settings.kafka, topic or self.topic, self.partitions, values))

    @contextmanager
    def landing(self, instance: str = "one", **limits: float) -> Iterator[subprocess.Popen[bytes]]:
        """The land worker, started; killed after the block, which it must survive anyway."""
        plan = {"feeds": self.feeds, "limits": limits, "group": self.group, "instance": instance}
        command = [sys.executable, "-m", "tests.streams.land.process", json.dumps(plan)]
        with self.log.open("ab") as out:
            process = subprocess.Popen(command, env=as_environment(self.settings), stdout=out, stderr=out)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def land(self, seconds: float = 180, **limits: float) -> list[Balance]:
        """Land everything there is."""
        with self.landing(**limits):
            return self.settle(seconds)

    def settle(self, seconds: float = 180) -> list[Balance]:
        """The balances once everything produced so far is landed; fails after so many seconds."""
        warehouse = Warehouse(self.settings.warehouse("service"))
        try:
            topics = [contract.topic for contract in self.contracts]
            balances = reckon(self.settings.kafka, warehouse, topics, seconds)
        finally:
            warehouse.close()
        assert all(balance.even for balance in balances), f"{balances}\n{self.said()}"
        return balances

    def until(self, reached: Callable[[], bool], seconds: float = 180) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + seconds
        while not reached():
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.02)

    def said(self) -> str:
        """The log of the worker."""
        return self.log.read_text() if self.log.exists() else ""

    def last_said(self) -> str:
        """The last line of it."""
        return last_line(self.log)

    def landed(self) -> int:
        """Rows of the first feed's table, counting each offset once."""
        (row,) = self.query(f"SELECT uniqExact(partition, offset) FROM landing.{self.contract.table}")
        return int(row[0])

    def table(self, contract: Contract | None = None) -> list[Any]:
        """All columns of a feed's table as they are after merging, in log order."""
        table = (contract or self.contract).table
        return self.query(f"SELECT * FROM landing.{table} FINAL ORDER BY log_epoch, partition, offset")

    def control_tables(self) -> dict[str, list[Any]]:
        """What is in landing.rejected and landing.tick, in log order, and where the ledger ends."""
        mine = {"topics": [contract.topic for contract in self.contracts]}
        order = "FINAL WHERE topic IN %(topics)s ORDER BY topic, log_epoch, partition, offset"
        marks = (
            "SELECT topic, log_epoch, partition, min(first), max(last), argMax(watermarks, last)"
            " FROM landing.ledger WHERE topic IN %(topics)s GROUP BY ALL ORDER BY topic, log_epoch, partition"
        )
        return {
            "rejected": self.query(f"SELECT * FROM landing.rejected {order}", **mine),
            "tick": self.query(f"SELECT * FROM landing.tick {order}", **mine),
            "ledger": self.query(marks, **mine),
        }

    def everything(self) -> Mapping[str, list[Any]]:
        """All that landing has written of these feeds, wall times left out."""
        return self.control_tables() | {c.table: self.table(c) for c in self.contracts}

    def begin_again(self) -> None:
        """Empty the tables of these feeds and land as another consumer group: nothing has happened yet."""
        for contract in self.contracts:
            self.query(f"TRUNCATE TABLE landing.{contract.table}")
            for table in ("ledger", "tick", "rejected"):
                self.query(f"DELETE FROM landing.{table} WHERE topic = %(topic)s", topic=contract.topic)
        self.group = f"land-{uuid.uuid4().hex[:8]}"

    def log_of(self, topic: str) -> list[Any]:
        """Every record of a topic."""
        return _read(self.settings.kafka, topic)


async def _send(broker: str, topic: str, partitions: int, values: Sequence[bytes | None]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=broker, acks="all", linger_ms=5)
    await producer.start()
    try:
        for partition in range(partitions):
            batch = producer.create_batch()
            for value in values[partition::partitions]:
                if batch.append(key=b"k", value=value, timestamp=None) is None:
                    await producer.send_batch(batch, topic, partition=partition)
                    batch = producer.create_batch()
                    batch.append(key=b"k", value=value, timestamp=None)
            await producer.send_batch(batch, topic, partition=partition)
        await producer.flush()
    finally:
        await producer.stop()


def _read(broker: str, topic: str) -> list[Any]:
    """Every committed record of a topic."""
    with closing(KafkaConsumer(bootstrap_servers=broker, isolation_level="read_committed")) as consumer:
        partitions = [TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic)]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends = consumer.end_offsets(partitions)
        records: list[Any] = []
        while any(consumer.position(tp) < end for tp, end in ends.items()):
            for some in consumer.poll(timeout_ms=200).values():
                records += some
        return sorted(records, key=lambda record: (record.partition, record.offset))
