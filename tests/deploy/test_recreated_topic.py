"""A topic that was deleted and made anew: both logs are read, evidence says which, and what is gone is said."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta

import pytest

from deploy.rule_history.landed_log import Connection, Place, Stretch, chains, places, records
from deploy.rule_history.replay import replay
from schemas.contract import Contract, load_contracts
from schemas.decoder import Decoder
from schemas.event import encode_tick
from schemas.settings import Settings
from schemas.tables import contract_statements
from schemas.topics import RULES
from streams.land.classification import Feed, Position, check
from streams.land.columns import FeedColumns, Landed, ledger_columns, tick_columns
from streams.land.ledger import LogEpoch
from streams.land.warehouse import Warehouse
from streams.watch.declare.rule import Rule
from streams.watch.declare.rule_yaml import parse_rule
from streams.watch.engine.partition import Partition
from streams.watch.episodes.episode import Transition
from streams.watch.episodes.warning import encode_warning
from streams.watch.publish.published import RuleRecord
from streams.watch.publish.rule_topic import publish
from tests.streams.intake.conftest import COMPACTED, create
from tests.streams.land.process import renamed
from tests.streams.land.records import NOON, Record, air, log

pytestmark = pytest.mark.stack
SKEW = 10**14  # ms: nothing is ahead of its arrival
FIRST, SECOND = str(uuid.uuid4()), str(uuid.uuid4())
RULE = """
rule: {id}
version: 1
title: {{zh: 试, en: trial}}
feed: {feed}
subject: [station]
condition: {{kind: threshold, field: pm25}}
levels: {{blue: 115}}
recovery: 100
runbook: none
duty_role: duty-desk
"""


@dataclass
class House:
    """A feed of the test's own, and what is landed of it."""

    settings: Settings
    warehouse: Warehouse
    contract: Contract
    rule: Rule
    epoch: int

    def land(self, epoch: int, id: str, found: list[Record], kept: int | None = None) -> None:
        """Land records as one epoch of the topic; with `kept` only the newest so many are still there."""
        _, batch = check(Feed(Decoder(self.contract).decode, 0, SKEW), Position(0), found)
        assert batch is not None and not batch.refused
        landed = Landed(self.contract.topic, self.contract.feed, epoch, 0, batch)
        self.warehouse.record(self.contract.topic, LogEpoch(f"{id}/1", epoch))
        self.warehouse.insert("ledger", ledger_columns([landed]))
        self.warehouse.insert("tick", tick_columns([landed]))
        columns = FeedColumns(self.contract)([landed])
        if kept is not None:
            columns = {name: values[len(values) - kept :] for name, values in columns.items()}
        if columns["offset"]:
            self.warehouse.insert(self.contract.table, columns)

    def decided(self, found: list[Record]) -> Transition:
        """The first transition that the rule makes of these records."""
        part = Partition(self.contract, Decoder(self.contract).decode, [self.rule], self.contract.topic, 0)
        told: list[Transition] = []
        part.observe(found, told.append)
        return told[0]

    def warned(self, found: list[Record], log: str) -> str:
        """Land the warning made of these records; its id."""
        transition = self.decided(found)
        contract = load_contracts()["duty.warning"]
        raw = encode_warning(transition, {self.rule.id: self.rule}, log)
        _, batch = check(
            Feed(Decoder(contract).decode, 0, SKEW), Position(0), [Record(0, found[-1].timestamp, raw)]
        )
        assert batch is not None and batch.accepted
        landed = Landed(contract.topic, contract.feed, 900, 0, batch)
        self.warehouse.insert(contract.table, FeedColumns(contract)([landed]))
        return transition.id

    def places(self) -> list[Place]:
        with closing(Connection(self.settings)) as connection:
            return places(connection.client, self.contract)

    def replayed(self, id: str) -> tuple[bool, str]:
        found = replay(self.settings, {self.contract.feed: self.contract}, id)
        return found.identical, found.gone


@pytest.fixture
def house(kafka: str, warehouse: Settings) -> Iterator[House]:
    assert kafka == warehouse.kafka
    mark = uuid.uuid4().hex[:8]
    contract = renamed("ecology.air-quality", f"ecology.air-quality-{mark}")
    text = RULE.format(id=f"trial.anew-{mark}", feed=contract.feed)
    rule = parse_rule(text, "trial", {contract.feed: contract})
    create(kafka, RULES, 1, COMPACTED)
    epoch = asyncio.run(publish(kafka, [RuleRecord(rule=rule.id, version=1, text=text, at=NOON)]))
    admin = Warehouse(warehouse.warehouse("admin"))
    for statement in contract_statements(contract):
        admin.rows(statement, {})
    yield House(warehouse, admin, contract, rule, epoch)
    admin.close()


def events(house: House, *values: float, day: int = 0) -> list[Record]:
    """A tick that brings the rule, and then one reading an hour at one station."""
    at = NOON + timedelta(days=day)
    kind = house.contract.event_type
    raws = [
        air(f"{day}-{n}", at + timedelta(hours=n), type=kind, pm25=value) for n, value in enumerate(values)
    ]
    tick = encode_tick(id="t", clock=at, epoch=house.epoch)
    return log(tick, *raws, arrived=at + timedelta(hours=len(values)))


def test_all_logs_of_a_topic_are_read_in_order(house: House) -> None:
    house.land(0, FIRST, events(house, 10, 20, 30))
    house.land(1, SECOND, events(house, 40, 50, day=1))
    (chain,) = chains(house.places())
    assert [(each.log, each.base, each.missing) for each in chain] == [(FIRST, 0, 0), (SECOND, 4, 0)]
    with closing(Connection(house.settings)) as connection:
        found = [
            record
            for place in chain
            for some in records(connection.client, house.contract, place, Stretch())
            for record in some
        ]
    assert [record.offset for record in found] == list(range(7))


def test_more_partitions_are_no_other_log(house: House) -> None:
    house.land(0, FIRST, events(house, 10, 20))
    house.warehouse.record(house.contract.topic, LogEpoch(f"{FIRST}/8", 1))
    third = events(house, 10, 20, 30)[3:]
    _, batch = check(Feed(Decoder(house.contract).decode, 0, SKEW), Position(3), third)
    assert batch is not None
    landed = Landed(house.contract.topic, house.contract.feed, 1, 0, batch)
    house.warehouse.insert("ledger", ledger_columns([landed]))
    house.warehouse.insert(house.contract.table, FeedColumns(house.contract)([landed]))
    assert [(each.first, each.base) for each in house.places()] == [(0, 0), (3, 0)]


def test_a_warning_is_decided_again_on_the_log_its_evidence_names(house: House) -> None:
    old, new = events(house, 10, 120, 130), events(house, 90, 95, 140, day=1)
    house.land(0, FIRST, old)
    house.land(1, SECOND, new)
    before, after = house.warned(old, FIRST), house.warned(new, SECOND)
    assert house.replayed(before) == (True, "")
    assert house.replayed(after) == (True, "")


def test_evidence_that_names_no_log_is_looked_for_in_each(house: House) -> None:
    old = events(house, 10, 120, 130)
    house.land(0, FIRST, old)
    house.land(1, SECOND, events(house, 90, 95, 99, day=1))
    assert house.replayed(house.warned(old, "")) == (True, "")


def test_a_log_that_was_never_landed_here_is_named(house: House) -> None:
    house.land(1, SECOND, events(house, 90, 95, 140, day=1))
    same, gone = house.replayed(house.warned(events(house, 10, 120), FIRST))
    assert not same and FIRST in gone and "never landed" in gone


def test_what_retention_has_removed_is_counted(house: House) -> None:
    old = events(house, 120, 130, 10, 20)
    house.land(0, FIRST, old, kept=1)
    assert [(each.events, each.missing) for each in house.places()] == [(4, 3)]
    same, gone = house.replayed(house.warned(old, FIRST))
    assert not same and "3 of 4 records of that log are landed no more" in gone
