"""Rules on generated feeds, dirt and all: each planted anomaly is warned of once, no other is; and the numbers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.contract_model import Contract
from schemas.levels import BY_RANK
from schemas.simulate.model import Planted
from streams.watch.declare.load import load_rules
from streams.watch.declare.rule import Rule
from tests.streams.generate.examples_of import example_rules, examples
from tests.streams.generate.watched import planted_in, warned_of
from tests.streams.generate.world_of import contracts, few_places, made

SHIPPED = load_rules(contracts())
ALL = [
    (contract, planted, rules)
    for feeds, rules in ((contracts(), SHIPPED), (examples(), example_rules()))
    for contract in feeds.values()
    if contract.simulate
    for planted in contract.simulate.anomalies
]


@pytest.mark.parametrize(("days", "seed"), [(9, 1), (9, 20260301), (14, 7), (6, 99), (3, 5)])
def test_each_planted_anomaly_is_warned_of_once(days: int, seed: int) -> None:
    world = made(days, seed, few_places(2))
    assert warned_of(world, contracts(), SHIPPED) == planted_in(world)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**63), days=st.integers(5, 9))
def test_so_it_is_in_feeds_of_every_shape(seed: int, days: int) -> None:
    world = made(days, seed, few_places(2), feeds=examples())
    found = planted_in(world)
    assert found, "five days have room for anomalies"
    assert warned_of(world, examples(), example_rules()) == found


@pytest.mark.parametrize(
    ("contract", "planted", "rules"), ALL, ids=[f"{each.wakes}-{each.kind}" for _, each, _ in ALL]
)
def test_the_planted_sizes_wake_their_rule(
    contract: Contract, planted: Planted, rules: tuple[Rule, ...]
) -> None:
    rule = next((rule for rule in rules if rule.id == planted.wakes), None)
    assert rule is not None, f"{planted.wakes} is no rule in force"
    assert rule.feed == contract.feed and rule.subject == planted.subject
    assert rule.field == planted.field
    assert planted.where.items() <= dict(rule.where).items()
    assert rule.bounds[-1][1] == planted.opens, "the rule opens elsewhere"
    if planted.kind in ("spike", "drop", "burst"):
        assert rule.recovery == planted.ends, "the rule recovers elsewhere"
    if planted.kind == "burst":
        assert rule.window == planted.window
    for level, sizes in planted.levels.items():
        assert {BY_RANK[rule.rank(size)] for size in sizes} == {level}
