"""A rule that ends in an error over one item is set aside with its reason; all others say what they always say."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from schemas.blanking import fault, quoted
from schemas.decoder import Decoder
from schemas.event import encode_tick
from streams import aside
from streams.faults import ALL
from streams.frames import FrameApp
from streams.watch.conditions.base import Condition
from streams.watch.declare.rule import Rule
from streams.watch.declare.rule_yaml import parse_rule
from streams.watch.engine.batches import messages
from streams.watch.engine.partition import Partition
from streams.watch.engine.second import SecondStage
from streams.watch.episodes.episode import Transition
from streams.watch.publish.published import History, RuleBook, RuleSet
from streams.watch.publish.published import RuleRecord as Published
from streams.watch.trial.offline import OfflineRecord
from streams.watch.worker.state import StateKeeper
from streams.watch.worker.watcher import Watcher
from tests.streams.watch.trying import AIR, CONTRACTS, START, air, rule

CONTRACT = CONTRACTS[AIR]
HIGH = rule({"kind": "threshold", "field": "pm25"}, {"blue": 115}, rule="test.high")
MANY = rule({"kind": "count", "window": "PT20M"}, {"blue": 2}, rule="test.many")
SUM = rule(
    {"kind": "aggregate", "aggregate": "sum", "field": "pm25", "window": "PT20M"},
    {"blue": 200},
    rule="test.sum",
)
COUNTY = rule({"kind": "count", "window": "PT20M"}, {"blue": 2}, subject=["region"], rule="test.county")
CITY = rule({"kind": "count", "window": "PT20M"}, {"blue": 2}, subject="{region:city}", rule="test.city")
VALUES = [120, 30, 150, 151, 666, 152, 20, 180]
Told = list[tuple[str, str]]


def soured(condition: Condition, at: int) -> Condition:
    """The condition, failing at the row of an offset and after it; what it was told before it has said."""
    observe, said = condition.observe, f"no rule can take offset {at}"

    def failing(rows: Iterable[Any], emit: Any) -> None:
        rows = list(rows)
        good = [row for row in rows if row[3] < at]
        if good:
            observe(type(rows)(good), emit)
        if len(good) < len(rows):
            raise TypeError(said)

    condition.observe = failing  # type: ignore[method-assign]
    return condition


def entries(values: Sequence[float] = VALUES, epochs: Sequence[tuple[int, int]] = ()) -> list[OfflineRecord]:
    """Readings every minute; after the number-th of them a tick with an epoch."""
    raws: list[bytes] = []
    for number, value in enumerate(values):
        at = START + timedelta(minutes=number)
        raws.append(air(at, value, number=number).raw)
        raws += [
            encode_tick(id=f"e{epoch}", clock=at, epoch=epoch) for after, epoch in epochs if after == number
        ]
    raws.append(encode_tick(id="end", clock=START + timedelta(hours=1)))
    return [
        OfflineRecord(n, int((START + timedelta(hours=2)).timestamp() * 1000), raw)
        for n, raw in enumerate(raws)
    ]


def partition(rules: Sequence[Rule], told: Told, bad: str, at: int = 4, **more: Any) -> Partition:
    """A partition of which one rule fails at an offset."""

    def supply_baselines(condition: Condition) -> None:
        if f"{condition.rule.id}@{condition.rule.version}" == bad:
            soured(condition, at)

    return Partition(
        CONTRACT, Decoder(CONTRACT).decode, rules, CONTRACT.topic, 0, supply_baselines=supply_baselines,
        failing=lambda rule, error: told.append((rule.id, str(error))), **more,
    )  # fmt: skip


def run(part: Partition, log: Sequence[OfflineRecord], cut: int = 1000) -> list[Transition]:
    found: list[Transition] = []
    for start in range(0, len(log), cut):
        part.observe(log[start : start + cut], found.append)
    return found


def of(found: Iterable[Transition], *rules: str) -> list[Transition]:
    """What these rules said, one rule after the other: their order among each other is that of frames."""
    return sorted((each for each in found if each.rule in rules), key=lambda each: each.rule)


@pytest.mark.parametrize("bad", [HIGH, MANY, SUM], ids=lambda each: each.id)
def test_one_rule_that_fails_is_set_aside_and_the_others_say_the_same(bad: Rule) -> None:
    rules = [HIGH, MANY, SUM]
    whole = run(partition(rules, [], ""), entries())
    for cut in (1000, 3, 1):
        told: Told = []
        found = run(partition(rules, told, f"{bad.id}@1"), entries(), cut)
        assert told == [(bad.id, "no rule can take offset 4")], "once, not at every frame"
        others = [each.id for each in rules if each is not bad]
        assert of(found, *others) == of(whole, *others)
        assert of(found, bad.id) == [each for each in of(whole, bad.id) if each.offset < 4], (
            "what it said stands"
        )


def book(*publications: Sequence[Rule]) -> RuleBook:
    """A topic of rules with these publications."""
    entries = [
        Published(rule=each.id, version=each.version, text=each.text, at=START, more=each is not some[-1])
        for some in publications
        for each in some
    ]
    return RuleBook(History(enumerate(entries)), lambda text, where: parse_rule(text, where, CONTRACTS))


def test_it_comes_back_with_another_version() -> None:
    second = rule({"kind": "threshold", "field": "pm25"}, {"blue": 150}, rule="test.high", version=2)
    known = book([HIGH, MANY], [second])
    told: Told = []
    part = partition(known.rule_set(2).rules, told, "test.high@1", at=1, epoch=2, book=known.rule_set)
    found = run(part, entries(epochs=[(3, 3)]))
    assert told == [("test.high", "no rule can take offset 1")]
    versions = [(each.rule_version, each.kind) for each in of(found, "test.high")]
    assert versions[0] == (1, "opened") and {version for version, _ in versions} == {1, 2}


def restarted(part: Any, again: Any) -> Any:
    """The second one, with the state of the first as it would be kept."""
    point = StateKeeper(part).checkpoint({})
    assert point is not None
    StateKeeper(again).restore(
        {key: value for key, value in [*point.buckets, point.header] if value is not None}
    )
    return again


@given(cut=st.integers(1, 8), split=st.integers(1, 9))
def test_a_restart_changes_nothing_in_what_is_said(cut: int, split: int) -> None:
    """A rule that was set aside stays so, with the hole in its rows; its next version begins anew."""
    second = rule({"kind": "count", "window": "PT20M"}, {"blue": 2}, rule="test.many", version=2)
    known = book([HIGH, MANY], [second])
    log = entries(epochs=[(5, 3)])

    def fresh(told: Told) -> Partition:
        return partition(known.rule_set(2).rules, told, "test.many@1", at=3, epoch=2, book=known.rule_set)

    told: Told = []
    whole = run(fresh(told), log)
    assert told == [("test.many", "no rule can take offset 3")]
    many = [(each.rule_version, each.kind) for each in of(whole, "test.many")]
    assert many[:3] == [(1, "opened"), (1, "cancelled"), (2, "opened")]
    told = []
    part = fresh(told)
    found = run(part, log[:split], cut)
    found += run(restarted(part, fresh(told)), log[split:], cut)
    assert of(found, "test.high", "test.many") == of(whole, "test.high", "test.many")
    assert told == [("test.many", "no rule can take offset 3")], "told once"


def test_a_state_of_before_that_names_nothing_set_aside_is_read() -> None:
    part = partition([HIGH, MANY], [], "")
    run(part, entries()[:6])
    head = msgspec.msgpack.decode(part.head())
    head[2] = {timeline: lane[:4] for timeline, lane in head[2].items()}
    again = partition([HIGH, MANY], [], "")
    again.restore_head(msgspec.msgpack.encode(head))
    assert [dict(each.rules) for each in again.asides()] == [{}]
    second = stage([COUNTY, CITY], [], "")
    second.observe(gathered([COUNTY, CITY]), lambda each: None, lambda target, batch: None)
    heads = {name: lane[:2] for name, lane in msgspec.msgpack.decode(second.head()).items()}
    other = stage([COUNTY, CITY], [], "")
    other.restore_head(msgspec.msgpack.encode(heads))
    assert [dict(each.rules) for each in other.asides()] == [{}]


def test_a_rule_that_could_not_begin_comes_in_with_its_next_version() -> None:
    versions = [
        rule({"kind": "threshold", "field": "pm25"}, {"blue": 115}, rule="test.high", version=number)
        for number in (1, 2, 3)
    ]
    known = book([versions[0], MANY], [versions[1]], [versions[2]])
    told: Told = []

    def supply_baselines(condition: Condition) -> None:
        if condition.rule.id == "test.high" and condition.rule.version < 3:
            raise TypeError(f"no beginning of {condition.rule.version}")

    part = Partition(
        CONTRACT, Decoder(CONTRACT).decode, known.rule_set(2).rules, CONTRACT.topic, 0,
        supply_baselines=supply_baselines,
        failing=lambda rule, error: told.append((rule.id, str(error))), epoch=2, book=known.rule_set,
    )  # fmt: skip
    found = run(part, entries(epochs=[(1, 3), (3, 4)]))
    assert told == [("test.high", "no beginning of 1"), ("test.high", "no beginning of 2")]
    assert {each.rule_version for each in of(found, "test.high")} == {3}
    assert [dict(each.rules) for each in part.asides()] == [{}]


def test_records_that_cannot_be_put_back_stop_no_other() -> None:
    told: Told = []
    part = partition([HIGH, MANY], told, "")
    keeper = StateKeeper(part)
    run(part, entries()[:6])
    point = keeper.checkpoint({})
    assert point is not None
    stored = {key: value for key, value in [*point.buckets, point.header] if value is not None}

    class Strange(Exception):
        """Of a condition's own."""

    def spoil(condition: Condition) -> None:
        if condition.rule.id == "test.many":

            def restored(at: int = 0) -> None:
                raise Strange("no such record")

            condition.restored = restored  # type: ignore[method-assign]

    broken = Partition(
        CONTRACT, Decoder(CONTRACT).decode, [HIGH, MANY], CONTRACT.topic, 0, supply_baselines=spoil,
        failing=lambda rule, error: told.append((rule.id, str(error))),
    )  # fmt: skip
    StateKeeper(broken).restore(stored)
    assert told[-1] == ("test.many", "no such record")
    assert of(run(broken, entries()), "test.high")


def test_a_rule_that_is_tried_or_replayed_ends_in_its_error() -> None:
    def supply_baselines(condition: Condition) -> None:
        soured(condition, 4)

    part = Partition(
        CONTRACT, Decoder(CONTRACT).decode, [HIGH], CONTRACT.topic, 0, supply_baselines=supply_baselines
    )
    with pytest.raises(TypeError, match="offset 4"):
        run(part, entries())


def gathered(rules: Sequence[Rule]) -> list[OfflineRecord]:
    """What the first stage hands to the second."""
    shipped: list[Any] = []
    first = Partition(CONTRACT, Decoder(CONTRACT).decode, rules, CONTRACT.topic, 0)
    log = entries(epochs=[(2, 1), (5, 1)])
    for entry in log:
        first.observe([entry], lambda each: None, lambda target, batch: shipped.append(batch))
    return [OfflineRecord(n, 0, raw) for n, each in enumerate(shipped) for raw in messages([each])]


def stage(rules: Sequence[Rule], told: Told, bad: str) -> SecondStage:
    """A second stage of which one rule fails at once."""

    def supply_baselines(condition: Condition) -> None:
        if condition.rule.id == bad:
            soured(condition, -1)

    return SecondStage(
        CONTRACTS, lambda epoch: RuleSet(epoch, tuple(rules)), 0, targets=1, partitions={AIR: 1},
        supply_baselines=supply_baselines,
        failing=lambda rule, error: told.append((rule.id, str(error))),
    )  # fmt: skip


def test_in_the_second_stage_as_well() -> None:
    rules, told, found = [COUNTY, CITY], Told(), dict[str, list[Transition]]()
    log = gathered(rules)
    for bad in ("", "test.city"):
        second = stage(rules, told, bad)
        said: list[Transition] = []
        second.observe(log, said.append, lambda target, batch: None)
        found[bad] = of(said, "test.county")
        assert second.lanes[""].waiting.get("test.city", []) == [], "its rows are not kept for ever"
    assert found[""] and found["test.city"] == found[""]
    assert [name for name, _ in told] == ["test.city"]
    part = stage(rules, told, "test.city")
    said = []
    part.observe(log[:2], said.append, lambda target, batch: None)
    again = restarted(part, stage(rules, told, ""))
    again.observe(log, said.append, lambda target, batch: None)
    assert of(said, "test.county") == found[""] and not of(said, "test.city"), "it stays set aside"


@pytest.mark.parametrize("place", ["add", "cut"])
def test_rows_of_a_rule_that_cannot_be_gathered_are_dropped_and_told_of_once(place: str) -> None:
    told: Told = []
    part = partition([COUNTY, CITY], told, "")

    def fails(*given: Any) -> Any:
        raise TypeError("no row")

    gathers = part.lane("").gathering.gathers
    setattr(gathers["test.city"], place, fails)
    shipped: list[Any] = []
    for entry in entries(epochs=[(1, 0), (3, 0), (5, 0)]):
        part.observe([entry], lambda each: None, lambda target, batch: shipped.append(batch))
    assert told == [("test.city", "no row")]
    assert {portion.rule for batch in shipped for portion in batch.portions} == {"test.county"}
    assert gathers["test.city"].count == 0


def test_many_records_in_a_row_over_which_the_program_fails_end_it_and_some_among_others_do_not() -> None:
    def fails(raw: bytes) -> Any:
        if b'"666' in raw or b":666" in raw:
            raise KeyError("no such value")
        return Decoder(CONTRACT).decode(raw)

    def fresh() -> Partition:
        return Partition(
            CONTRACT, fails, [HIGH], CONTRACT.topic, 0, failing=lambda rule, error: None,
        )  # fmt: skip

    bad = [666.0] * (ALL + 1)
    among = fresh()
    run(among, entries([each for value in bad for each in (value, 20.0)]))
    assert len(among.strange) == ALL + 1
    for cut in (1000, 10, 1):
        with pytest.raises(KeyError):
            run(fresh(), entries([20.0, *bad]), cut)
        run(fresh(), entries([20.0, *bad[:-1], 20.0, *bad[:-1]]), cut)
    others = fresh()
    run(others, entries([*bad, 20.0]))
    assert others.tally.events == 1, "others of the frame can be read"


def watcher(home: Path, *rules: Rule) -> Watcher:
    """A watcher that is connected to nothing, with these rules published."""
    app = FrameApp("test-failing", broker="127.0.0.1:1", framed=[CONTRACT.topic], datadir=str(home / "faust"))
    kept = aside.Aside(home, "watch", lambda: 0.0)
    return Watcher(app, CONTRACTS, book(rules), asyncio.Event(), 1, kept.add)


def test_status_names_it_and_where_no_rule_is_left_watching_ends(tmp_path: Path) -> None:
    watching = watcher(tmp_path, HIGH, MANY)
    stage = watching._stage(TP(CONTRACT.topic, 0))
    assert isinstance(stage, Partition)
    conditions = stage.lane("").conditions
    soured(conditions["test.high"], 2)
    found: list[Transition] = []
    stage.observe(entries(), found.append)
    assert of(found, "test.many")
    record = aside.read(tmp_path, "watch")
    assert record is not None and record.count == 1
    item = record.newest[0]
    assert item.what == f"rule test.high in {CONTRACT.topic}/0"
    assert item.reason.startswith("TypeError at test_failing.py:") and "until another version" in item.reason
    soured(conditions["test.many"], 2)
    last = OfflineRecord(99, entries()[0].timestamp, entries()[-1].value)
    with pytest.raises(TypeError):
        watching.judge(stage, [last], found.append, lambda target, batch: None)


def test_a_rule_that_fails_in_one_partition_is_judged_in_the_others_and_nothing_ends(tmp_path: Path) -> None:
    watching = watcher(tmp_path, HIGH, MANY)
    stages = [watching._stage(TP(CONTRACT.topic, number)) for number in (0, 1)]
    said: list[list[Transition]] = [[], []]
    for stage, found, bad in zip(stages, said, ("test.high", "test.many"), strict=True):
        assert isinstance(stage, Partition)
        soured(stage.lane("").conditions[bad], 2)
        watching.judge(stage, entries(), found.append, lambda target, batch: None)
    assert of(said[0], "test.many") and of(said[1], "test.high")
    record = aside.read(tmp_path, "watch")
    assert record is not None and record.count == 2


def test_the_only_rule_is_set_aside_and_status_says_so(tmp_path: Path) -> None:
    watching = watcher(tmp_path, HIGH)
    stage = watching._stage(TP(CONTRACT.topic, 0))
    assert isinstance(stage, Partition)
    soured(stage.lane("").conditions["test.high"], 2)
    watching.judge(stage, entries(), lambda each: None, lambda target, batch: None)
    record = aside.read(tmp_path, "watch")
    assert record is not None and record.count == 1


def test_a_rule_that_cannot_be_read_hides_no_failure_of_the_others(tmp_path: Path) -> None:
    watching = watcher(tmp_path, HIGH, MANY, replace(SUM, text="rule: [", id="test.torn"))
    stage = watching._stage(TP(CONTRACT.topic, 0))
    assert isinstance(stage, Partition)
    for each in stage.lane("").conditions.values():
        soured(each, 2)
    with pytest.raises(TypeError):
        watching.judge(stage, entries(), lambda each: None, lambda target, batch: None)


def test_what_an_error_says_is_withheld_where_it_may_be_personal() -> None:
    fields = (replace(CONTRACT.fields[0], classification="personal"), *CONTRACT.fields[1:])
    personal = replace(CONTRACT, fields=fields)
    secret = ValueError("张三 13800000000")
    assert "张三" in fault([CONTRACT], secret)
    assert "张三" not in fault([CONTRACT, personal], secret)
    assert quoted([personal], "") == ""


def test_an_epoch_that_was_never_published_changes_no_rules_now_or_in_a_replay() -> None:
    """Live it is passed over before the next publication, in a replay long after it: the rules are the same."""
    second = rule({"kind": "threshold", "field": "pm25"}, {"blue": 160}, rule="test.high", version=2)
    never = 1 << 40
    log = entries(epochs=[(1, never), (5, 2)])
    live = book([HIGH])
    live.pass_over(never)
    part = partition(live.rule_set(1).rules, [], "", epoch=1, book=live.rule_set)
    found: list[Transition] = []
    part.observe(log[:4], found.append)
    live.history.add(1, b"{}")  # what is no publication is none
    later = book([HIGH], [second])
    for offset, entry in later.history.records[1:]:
        live.history._records.append((offset, entry))
    part.observe(log, found.append)
    later.complete = True
    again = partition(later.rule_set(1).rules, [], "", epoch=1, book=later.rule_set)
    replayed = run(again, log)
    assert found == replayed
    assert {each.rule_version for each in found} == {1, 2}
