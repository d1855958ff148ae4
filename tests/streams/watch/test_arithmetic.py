"""Arithmetic of conditions at the ends of what a float holds: always an answer, finite, the same in any order."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from random import Random
from statistics import fmean
from sys import float_info
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.contract import load_contracts
from schemas.decoder import Decoder
from streams.watch.conditions import Condition
from streams.watch.conditions.baseline import Baseline
from streams.watch.conditions.figures import quantile
from streams.watch.declare.baseline import BaselineTable
from streams.watch.declare.rule import Rule
from streams.watch.detect import METHODS
from streams.watch.engine.partition import Partition
from streams.watch.episodes.arithmetic import deviation, mean, sound, total, within
from streams.watch.episodes.episode import Transition
from streams.watch.episodes.warning import encode_warning, shown
from streams.watch.trial.offline import OfflineRecord
from tests.streams.watch.trying import START, air, clock, rule

LARGEST = float_info.max
ENDS = [0.0, -0.0, 5e-324, -5e-324, 1e-300, 1.0, -1.0, 150.0, 1e154, 1e308, -1e308, LARGEST, -LARGEST]
ends = st.sampled_from(ENDS) | st.floats(allow_nan=False, allow_infinity=False)

AIR = load_contracts()["ecology.air-quality"]
UNBOUNDED = replace(
    AIR,
    fields=tuple(
        replace(field, minimum=None, maximum=None, exclusive_minimum=None, missing=())
        if field.name == "pm25"
        else field
        for field in AIR.fields
    ),
)
LEVELS = {"blue": 1, "red": 1e308}
WINDOW = {"field": "pm25", "window": "PT20M"}


def aggregate(name: str, **more: Any) -> dict[str, Any]:
    field = {} if name == "count" else {"field": "pm25"}
    return {"kind": "aggregate", "aggregate": name, "window": "PT20M", **field, **more}


def baseline(unit: str) -> dict[str, Any]:
    return {"kind": "baseline", "field": "pm25", "as": unit, "slot": "none"}


def surge(method: str, **more: Any) -> dict[str, Any]:
    return {"kind": "surge", "method": method, "every": "PT10M", "field": "pm25", "aggregate": "sum", **more}


PART = {"field": "pm25", "where": {"averaging": "1h"}}
CONDITIONS: dict[str, dict[str, Any]] = {
    "threshold": {"kind": "threshold", "field": "pm25"},
    "change": {"kind": "change", "field": "pm25", "over": "PT10M"},
    "change-relative": {"kind": "change", "field": "pm25", "over": "PT10M", "as": "relative"},
    "yesterday": {"kind": "change", "field": "pm25", "against": "yesterday", "as": "relative"},
    **{name: aggregate(name) for name in ("count", "sum", "mean", "min", "max", "distinct")},
    "quantile": aggregate("quantile", quantile=0.3),
    "tumbling": aggregate("sum", windows="tumbling"),
    "ratio": {
        "kind": "ratio", "window": "PT20M",
        "of": {"aggregate": "sum", **PART}, "to": {"aggregate": "sum", "field": "pm25"},
    },
    **{f"baseline-{unit}": baseline(unit) for unit in ("absolute", "relative", "sigma")},
    "ewma": surge("ewma", parameters={"start": 4}),
    "cusum": surge("cusum", parameters={"start": 4}),
    "cusum-glm": surge("cusum", parameters={"start": 6, "m": "glm", "freq": 3}),
    **{
        f"cusum-{trans}": surge("cusum", parameters={"m": 2, "trans": trans})
        for trans in ("rossi", "anscombe", "anscombe2nd", "pearsonNegBin", "anscombeNegBin", "none")
    },
    **{
        name: surge(name, **({"measure": "alarm"} if name.startswith("farrington") else {}))
        for name in METHODS if name not in ("ewma", "cusum")
    },
}  # fmt: skip
WAYS = [(name, below) for name in CONDITIONS for below in (False, True)]


def made(name: str, below: bool) -> Rule:
    levels = {"blue": 1, "red": -1e308} if below else LEVELS
    if CONDITIONS[name].get("measure") == "alarm":
        levels = {"blue": 1}
    direction = {"direction": "below"} if below else {}
    return rule({**CONDITIONS[name], **direction}, levels)


def supply_baselines(condition: Condition) -> None:
    if isinstance(condition, Baseline):
        values = {("S0", 0): (1e308, 0.0), ("S1", 0): (0.0, 5e-324), ("S2", 0): (-LARGEST, 1.0)}
        condition.supply_baselines({"test.rule": BaselineTable(1, values)})


def judged(watched: Rule, values: Iterable[float], cut: int = 1000) -> list[Transition]:
    """What a rule says of readings every four minutes of three stations, in frames of so many."""
    partition = Partition(
        UNBOUNDED, Decoder(UNBOUNDED).decode, [watched], AIR.topic, 0, supply_baselines=supply_baselines
    )
    log, at = [], START
    for number, value in enumerate(values):
        at += timedelta(minutes=4)
        raw = json.loads(air(at, 1.0, f"S{number % 3}", number=number).raw)
        raw["data"] |= {"pm25": value, "averaging": ("1h", "24h")[number % 2]}
        log.append(json.dumps(raw).encode())
    log.append(clock(at + timedelta(hours=30)).raw)
    arrival = int(at.timestamp() * 1000) + 200_000_000
    entries = [OfflineRecord(number, arrival, raw) for number, raw in enumerate(log)]
    found: list[Transition] = []
    for start in range(0, len(entries), cut):
        partition.observe(entries[start : start + cut], found.append)
    return found


def no_constant(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


@pytest.mark.parametrize(("name", "below"), WAYS, ids=lambda part: str(part))
@given(st.lists(ends, min_size=1, max_size=24), st.integers(1, 9))
@settings(max_examples=6, deadline=None)
def test_no_kind_fails_on_any_finite_figures_nor_says_what_is_no_number(
    name: str, below: bool, values: list[float], cut: int
) -> None:
    """Online (frame by frame) and at once the same; every warning is valid JSON."""
    watched = made(name, below)
    found = judged(watched, values)
    assert found == judged(watched, values, cut)
    for each in found:
        assert each.value is None or math.isfinite(each.value)
        warning = json.loads(encode_warning(each, {watched.id: watched}), parse_constant=no_constant)
        json.loads(warning["data"]["evidence"], parse_constant=no_constant)


def test_two_values_beyond_a_float_are_beyond_every_bound() -> None:
    found = judged(rule(aggregate("sum"), {"blue": 100, "red": 1.5e308}), [1e308, 1, 1, 1e308])
    assert [(each.kind, each.level, each.value) for each in found if each.subject == "S0"][:2] == [
        ("opened", "blue", 1e308), ("raised", "red", LARGEST),
    ]  # fmt: skip


def test_a_base_of_nothing_is_not_judged() -> None:
    """A relative change against 0, a share of a mean of 0, a deviation of 0, a ratio to 0."""
    assert judged(made("change-relative", False), [0.0, 0.0, 0.0] * 3 + [LARGEST] * 3) == []
    assert {each.subject for each in judged(made("baseline-sigma", False), [LARGEST] * 3)} == {"S1", "S2"}
    assert {each.subject for each in judged(made("baseline-relative", False), [LARGEST] * 3)} == {"S2"}
    assert judged(made("ratio", False), [0.0] * 9) == []


@given(st.lists(ends, min_size=1, max_size=30), st.randoms(use_true_random=False))
@example([6.342768631990509e-260] * 3, Random(1))
def test_sums_and_means_are_exact_in_any_order(values: list[float], random: Any) -> None:
    shuffled = random.sample(values, len(values))
    assert total(values) == total(shuffled) and mean(values) == mean(shuffled)
    exact = sum(map(Fraction, values), Fraction())
    assert total(values) == within_float(exact)
    assert mean(values) == float(exact / len(values))
    assert min(values) <= mean(values) <= max(values)
    assert total([1e308, 1e308, -1e308]) == 1e308 and mean([1e308, 1e308]) == 1e308
    assert fmean([1.0, 2.0]) == mean([1.0, 2.0])


def within_float(exact: Fraction) -> float:
    return float(max(min(exact, Fraction(LARGEST)), Fraction(-LARGEST)))


@given(ends, ends, ends.filter(lambda scale: scale > 0))
def test_a_deviation_is_the_exact_one_within_what_a_float_holds(
    value: float, base: float, scale: float
) -> None:
    found = deviation(value, base, scale)
    assert math.isfinite(found)
    assert (found > 0) <= (value > base) and (found < 0) <= (value < base)
    assert deviation(LARGEST, -LARGEST, LARGEST) == 2.0


@given(st.lists(ends, min_size=1, max_size=9), st.floats(0, 1))
def test_a_quantile_is_a_number(values: list[float], share: float) -> None:
    assert math.isfinite(quantile(values, share))


def test_what_is_no_number_is_no_value() -> None:
    assert sound(math.nan) is None and sound(None) is None
    assert (sound(math.inf), within(-math.inf)) == (LARGEST, -LARGEST)
    assert (shown(1e308), shown(12_345_678.0), shown(0.5)) == ("1e+308", "12345678", "0.5")
