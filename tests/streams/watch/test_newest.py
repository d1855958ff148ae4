"""A feed's name becomes another major version at a tick: no row is lost, no warning stays open, none is double."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas.contract import load_contracts
from schemas.contract_model import Contract
from schemas.decoder import Decoder
from schemas.event import encode_event, encode_tick
from streams.watch.engine.batches import Batch, encode_batches
from streams.watch.engine.flow import Handed
from streams.watch.engine.partition import Partition
from streams.watch.engine.second import SecondStage
from streams.watch.episodes.episode import Transition
from streams.watch.publish.active_rules import ActiveRules
from streams.watch.publish.newest import contracts_then, newest_records, rule_book
from streams.watch.publish.published import History, RuleRecord
from streams.watch.trial.offline import OfflineRecord
from streams.watch.worker.state import StateKeeper
from tests.majors import FEED, NEW, OLD, Document, declare, newest
from tests.streams.watch.test_semantics import write

START = datetime(2026, 3, 1, tzinfo=UTC)
ARRIVAL = int(datetime(2026, 6, 1, tzinfo=UTC).timestamp() * 1000)
FRAME: dict[str, Any] = {
    "rule": "test.rule", "version": 1, "title": {"zh": "测试", "en": "test"}, "feed": FEED,
    "subject": ["station"], "condition": {"kind": "threshold", "field": "pm25"}, "levels": {"red": 100},
    "runbook": "none", "duty_role": "duty-desk",
}  # fmt: skip
REGION = {"subject": ["region"], "condition": {"kind": "threshold", "field": "aqi"}}
PARTS = 2


@pytest.fixture
def both(tmp_path: Path) -> dict[str, Contract]:
    """Air quality in two versions; the newer has an index of another scale, whatever its name."""
    return declare(tmp_path / "feeds", second=scaled(newest()))


def scaled(found: Document) -> Document:
    field = next(item for item in found["schema"][0]["properties"] if item["name"] == "aqi")
    field["description"] = "In tenths of what it was."
    return found


def record(version: int = 1, **more: Any) -> RuleRecord:
    text = yaml.safe_dump(FRAME | {"version": version} | more, allow_unicode=True)
    return RuleRecord(rule="test.rule", version=version, text=text, at=START)


def moved(history: History, contracts: Mapping[str, Contract], *rules: RuleRecord) -> History:
    """The history after an `apply` that takes these contracts and rules: one publication more."""
    entries = [*newest_records(history, contracts, START), *rules]
    last = len(entries) - 1
    published = [RuleRecord(**_fields(entry) | {"more": at < last}) for at, entry in enumerate(entries)]
    return History(enumerate([*(entry for _, entry in history.records), *published]))


def _fields(entry: RuleRecord) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in entry.__struct_fields__}


def reading(id: int, hour: float, station: str = "S1", **more: Any) -> bytes:
    data = {"station": station, "region": "330106", "averaging": "1h", "pm25": 400} | more
    return encode_event(id=f"{id}", source="/t", type=OLD, time=START + timedelta(hours=hour), data=data)


def newer_reading(id: int, hour: float, **more: Any) -> bytes:
    data = {"site": "S1", "region": "330106", "period": "hour", "pm25_mg": 0.4, "method": "beta"} | more
    return encode_event(id=f"{id}", source="/t", type=NEW, time=START + timedelta(hours=hour), data=data)


class Watch:
    """Both stages over two partitions of each major version, as a worker has them between start and end."""

    stored: dict[bytes, bytes]

    def __init__(
        self, contracts: Mapping[str, Contract], history: History, before: Watch | None = None
    ) -> None:
        self.told: list[Transition] = []
        self._before = before.stored if before else {}
        self.stored = dict(self._before)
        self._logs: defaultdict[str, int] = before._logs if before else defaultdict(int)
        book = rule_book(history, contracts, lambda what, why: pytest.fail(f"{what}: {why}")).rule_set
        self._parts = {}
        for contract in (each for each in contracts.values() if each.family == FEED):
            decode = Decoder(contract).decode
            for number in range(PARTS):
                first = history.first
                self._parts[contract.topic, number] = Partition(
                    contract, decode, book(first).rules, contract.topic, number, epoch=first, book=book
                )
        partitions = dict.fromkeys(contracts, PARTS)
        self.second = SecondStage(contracts, book, 0, targets=1, partitions=partitions)
        self._keepers = [StateKeeper(each, "log") for each in (*self._parts.values(), self.second)]
        for keeper in self._keepers:
            keeper.restore(self.stored)

    def take(self, topic: str, number: int, values: Iterable[bytes]) -> None:
        shipped: list[Batch] = []
        entries = []
        for value in values:
            at = self._logs[f"{topic}/{number}"]
            self._logs[f"{topic}/{number}"] = at + 1
            entries.append(OfflineRecord(at, ARRIVAL + at, value))
        part = self._parts[topic, number]
        part.observe(entries, self.told.append, lambda target, batch: shipped.append(batch))
        for batch in shipped:
            at = self._logs["second"]
            self._logs["second"] = at + 1
            self.second.observe(
                [Handed(at, 0, encode_batches([batch]))],
                self.told.append,
                lambda target, batch: pytest.fail("no composite is here"),
            )

    def tick(self, hour: float, epoch: int, number: int | None = None) -> None:
        """A tick in all partitions, or in those of one number."""
        raw = encode_tick(id=f"t{hour}", clock=START + timedelta(hours=hour), epoch=epoch)
        for topic, each in self._parts:
            if number in (None, each):
                self.take(topic, each, [raw])

    def stop(self) -> Watch:
        for keeper in self._keepers:
            if (point := keeper.checkpoint({})) is not None:
                write(self.stored, [*point.buckets, point.header])
        return self

    def said(self) -> list[tuple[str, str, str]]:
        found = [(each.subject, each.kind, str(dict(each.details).get("reason", ""))) for each in self.told]
        self.told.clear()
        return found


def test_an_edited_rule_of_the_newest_ends_what_it_had_open_on_the_older(both: dict[str, Contract]) -> None:
    alone, topic = load_contracts(), both[OLD].topic
    history = moved(History(), alone, record())
    before = Watch(alone, history)
    before.tick(0, 1)
    before.take(topic, 1, [reading(1, 1)])
    assert before.said() == [("S1", "opened", "")]
    watch = Watch(both, history, before.stop())
    watch.tick(2, 1)
    watch.take(topic, 1, [reading(2, 2.5, "S2")])
    assert watch.said() == [("S2", "opened", "")], "as long as nothing is published all is as it was"
    words = {"subject": ["site"], "condition": {"kind": "threshold", "field": "pm25_mg"}}
    later = moved(history, both, record(2, **words, levels={"red": 0.1}))
    assert later.newest() == {FEED: NEW} and later.epoch == 3
    after = Watch(both, later, watch.stop())
    after.tick(3, 3)
    assert after.said() == [("S1", "cancelled", "rule-changed"), ("S2", "cancelled", "rule-changed")]
    after.take(topic, 1, [reading(3, 4)])
    after.take(both[FEED].topic, 0, [newer_reading(3, 4)])
    assert after.said() == [("S1", "opened", "")], "the newest alone is judged"


def test_a_rule_pinned_in_the_same_apply_goes_on_in_every_partition(both: dict[str, Contract]) -> None:
    """One partition has had a tick since, the other none: both change at the tick that says so."""
    alone, topic = load_contracts(), both[OLD].topic
    history = moved(History(), alone, record())
    before = Watch(alone, history)
    before.tick(0, 1)
    for number in range(PARTS):
        before.take(topic, number, [reading(number, 1, f"S{number}")])
    assert [each[1] for each in before.said()] == ["opened", "opened"]
    later = moved(history, both, record(2, feed=OLD))
    after = Watch(both, later, before.stop())
    after.tick(2, 3, number=0)
    after.take(topic, 1, [reading(3, 2, "S3")])
    after.tick(2.5, 3, number=1)
    for number in range(PARTS):
        after.take(topic, number, [reading(10 + number, 3, f"S{number}", pm25=20)])
    assert after.said() == [("S3", "opened", ""), ("S0", "recovered", ""), ("S1", "recovered", "")]


@pytest.mark.parametrize("pinned", [True, False], ids=["pinned", "newest"])
def test_rows_that_wait_are_judged_by_the_version_they_were_written_in(
    both: dict[str, Contract], pinned: bool
) -> None:
    """A rule of another key: its rows wait in the second stage while the contracts change under it."""
    alone, topic = load_contracts(), both[OLD].topic
    first = record(**REGION, wait="PT30M", **({"feed": OLD} if pinned else {}))
    history = moved(History(), alone, first)
    before = Watch(alone, history)
    before.tick(0, 1)
    before.take(topic, 0, [reading(1, 1, aqi=400)])
    before.take(topic, 1, [reading(2, 1.25, aqi=20)])
    before.tick(1.4, 1)
    assert before.said() == [], "all of it waits"
    watch = Watch(both, history, before.stop())
    watch.tick(2, 1)
    assert watch.said() == [("330106", "opened", ""), ("330106", "recovered", "")]
    watch.take(topic, 0, [reading(3, 2.1, aqi=400)])
    watch.tick(2.2, 1)
    after = Watch(both, moved(history, both), watch.stop())
    after.tick(3, 2)
    after.tick(4, 2)
    ends = [] if pinned else [("330106", "cancelled", "contract-changed")]
    assert after.said() == [("330106", "opened", ""), *ends]
    after.take(topic, 0, [reading(4, 4.5, aqi=20)])
    after.take(both[FEED].topic, 0, [newer_reading(5, 4.5, aqi=120)])
    after.tick(6, 2)
    assert after.said() == [("330106", "recovered" if pinned else "opened", "")]
    assert after.second.tally.stranded == 0


def test_rows_of_a_version_that_is_gone_are_judged_by_no_other(both: dict[str, Contract]) -> None:
    alone = load_contracts()
    history = moved(History(), alone, record(**REGION, wait="PT30M"))
    before = Watch(alone, history)
    before.tick(0, 1)
    before.take(both[OLD].topic, 0, [reading(1, 1, aqi=400)])
    before.tick(1.1, 1)
    later = {name: contract for name, contract in both.items() if name != OLD}
    watch = Watch(later, history, before.stop())
    watch.tick(3, 1)
    assert watch.said() == []


def test_the_name_is_the_oldest_declared_until_it_is_published(both: dict[str, Contract]) -> None:
    assert contracts_then(both, {})[FEED] is both[OLD]
    assert contracts_then(both, {FEED: NEW})[FEED] is both[FEED]
    assert contracts_then(both, {FEED: f"{FEED}.v3"})[FEED] is both[FEED], "what is gone is what there is"
    assert newest_records(History(), load_contracts(), START) == []
    (said,) = newest_records(History(), both, START)
    assert (said.rule, said.text, said.version, said.more) == (FEED, NEW, 1, True)
    there = moved(History(), both)
    assert newest_records(there, both, START) == []
    (back,) = newest_records(there, load_contracts(), START)
    assert (back.text, back.version) == (OLD, 2) and back.key != said.key, "compaction keeps both"


def test_a_rule_that_only_the_older_version_reads_keeps_its_title(both: dict[str, Contract]) -> None:
    history = moved(History(), load_contracts(), record())
    gone = RuleRecord(rule="test.rule", version=1, text="", at=START)
    book = rule_book(moved(history, both, gone), both)
    assert book.rule("test.rule", 1).title == "测试"
    assert book.rule_set(1).rules[0].feeds == (OLD,)
    assert book.rule_set(3).rules == ()
    active = ActiveRules("127.0.0.1:1", lambda: both, tuple)
    assert active._read(history).rules["test.rule"].feeds == (OLD,)
    found = active._read(book.history)
    assert (dict(found.rules), found.unreadable, found.known["test.rule"].title) == ({}, {}, "测试")
