"""Point by point through a serialized state is the same as a series at once, in bounded memory."""

from __future__ import annotations

from copy import deepcopy
from datetime import date, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.watch.detect import METHODS, Point, detect, make
from streams.watch.detect.ewma import Ewma

GIVEN: dict[str, dict[str, Any]] = {
    "ears-c1": {"min_sigma": 0},
    "ears-c2": {"alpha": 0.01},
    "ears-c3": {"baseline": 5},
    "ears-c3-surveillance": {},
    "ewma": {"start": 5},
    "cusum": {"start": 5, "trans": "anscombe"},
    "farrington": {"freq": 6, "b": 3, "w": 1},
    "farrington-flexible": {"freq": 6, "b": 3, "w": 1, "noPeriods": 3, "populationOffset": True},
}
values = st.lists(st.one_of(st.none(), st.integers(0, 30)), min_size=1, max_size=60)


def through_bytes(state: list[Any]) -> list[Any]:
    restored: list[Any] = msgspec.msgpack.decode(msgspec.msgpack.encode(state))
    return restored


def test_every_method_is_held_here() -> None:
    assert set(GIVEN) == set(METHODS)


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=15, deadline=None)
@given(values=values)
def test_batch_and_incremental_are_identical(method: str, values: list[int | None]) -> None:
    detector = make(method, GIVEN[method], "test")
    points = [Point(number, value, 1000.0 + number) for number, value in enumerate(values, 1)]
    at_once = list(detect(detector, points))
    state, step_by_step = detector.start(), []
    for point in points:
        before = deepcopy(state)
        after, *verdict = detector.step(state, *point)
        assert state == before, "a step does not change the state it is given"
        state = through_bytes(after)
        step_by_step.append(tuple(verdict))
    assert step_by_step == [each[2:] for each in at_once]


@pytest.mark.parametrize("method", METHODS)
def test_the_state_stays_bounded(method: str) -> None:
    detector = make(method, GIVEN[method], "test")
    state, sizes, first = detector.start(), [], date(2004, 1, 1)
    for number in range(150):
        moment = first + timedelta(weeks=number) if method.startswith("farrington") else number
        state, *_ = detector.step(state, moment, number % 7)
        sizes.append(len(msgspec.msgpack.encode(state)))
    assert sizes[-1] <= sizes[74] + 16, "no more than longer numbers"


def test_what_was_forgotten_did_not_matter() -> None:
    """A Farrington that saw ten years says the same as one that saw only what it needs."""
    counts = [(number * 7919) % 13 + (5 if number % 12 < 3 else 0) for number in range(120)]
    given_ = {"freq": 12, "b": 3, "w": 2, "noPeriods": 4, "start": 1}
    whole = list(
        detect(make("farrington-flexible", given_, "test"), [Point(n, x) for n, x in enumerate(counts)])
    )
    for begin in range(30, 70, 9):
        points = [Point(n, x) for n, x in enumerate(counts)][begin : begin + 45]
        last = list(detect(make("farrington-flexible", given_, "test"), points))[-1]
        assert last[2:4] == pytest.approx(whole[begin + 44][2:4], rel=1e-9)


def test_without_freq_the_dates_say_what_a_year_is() -> None:
    days = [date(2019, 1, 1) + timedelta(days=number) for number in range(800)]
    points = [Point(day, (number * 7919) % 23) for number, day in enumerate(days)]
    said = list(detect(make("farrington-flexible", {"b": 2, "freq": 365}, "test"), points))
    assert list(detect(make("farrington-flexible", {"b": 2}, "test"), points)) == said
    assert said[-1].alarm is not None


@pytest.mark.parametrize("limits", ["exact", "asymptotic"])
def test_the_limit_of_an_ewma_widens_by_its_formula_however_many_points_came(limits: str) -> None:
    weight, number = 0.001, 600
    chart = make("ewma", {"lambda_": weight, "m": 10, "sd": 2, "limits": limits}, "test")
    points = [Point(each, 10.0) for each in range(1, number + 1)]
    for each in detect(chart, points):
        passed = (1 - weight) ** (2 * int(each.t)) if limits == "exact" else 0.0  # type: ignore[call-overload]
        width = (weight / (2 - weight) * (1 - passed)) ** 0.5
        assert each.bound == pytest.approx(10 + 3 * 2 * width, rel=1e-12)


@pytest.mark.parametrize("weight", [0.0001, 0.02, 0.0779, 0.2, 1.0])
def test_the_limit_of_an_ewma_is_its_own_formula_to_the_bit_where_it_widens_no_more(weight: float) -> None:
    chart = Ewma(lambda_=weight, m=0.0, sd=1.0, L=1.0)
    points = [Point(each, 0.0) for each in range(1, 700)]
    assert [each.bound for each in detect(chart, points)] == [chart.width(number) for number in range(1, 700)]
