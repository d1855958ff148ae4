"""What is usual by subject and slot: figures against numpy, Shanghai's calendar, and the table rules read."""

from __future__ import annotations

from datetime import datetime
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.arithmetic.exact import LARGEST
from schemas.fields import SHANGHAI
from streams.watch.declare.baseline import BaselineTable, read_table
from streams.watch.trial.baselines import baselines, quantile, table_rows, usual

HOUR = 3_600_000
MONDAY = int(datetime(2026, 3, 2, tzinfo=SHANGHAI).timestamp() * 1000)

figures = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40)


@settings(max_examples=60, deadline=None)
@given(values=figures, share=st.floats(0, 1))
def test_figures_are_numpy_s(values: list[float], share: float) -> None:
    found = usual(values, [share])
    assert found.number == len(values)
    assert found.mean == pytest.approx(np.mean(values), rel=1e-9, abs=1e-6)
    assert found.sd == pytest.approx(np.std(values, ddof=1), rel=1e-9, abs=1e-6)
    assert found.median == pytest.approx(np.median(values), rel=1e-9, abs=1e-6)
    assert found.quantiles == ((share, pytest.approx(np.quantile(values, share), rel=1e-9, abs=1e-6)),)


@given(
    values=st.lists(
        st.sampled_from([0.0, 1.0, 5e-324, 1e200, -1e200, 1e308, -1e308, LARGEST, -LARGEST]), min_size=2
    )
)
def test_figures_of_any_size_are_numbers(values: list[float]) -> None:
    found = usual(values, [0.1, 0.9])
    assert found.sd is not None and 0 <= found.sd <= LARGEST
    for each in (found.mean, found.median, *(value for _, value in found.quantiles)):
        assert min(values) <= each <= max(values)


def test_a_deviation_whose_squares_no_float_holds() -> None:
    assert usual([1e200, 3e200]).sd == pytest.approx(2**0.5 * 1e200)
    assert usual([LARGEST, -LARGEST]).sd == LARGEST


def test_each_hour_of_the_week_has_its_own_in_shanghai() -> None:
    history = [
        ("S1", MONDAY + week * 168 * HOUR + hour * HOUR, 100.0 * week + hour)
        for week in range(3)
        for hour in (0, 25)
    ]
    found = baselines(history, "hour-of-week")
    assert {key: each.mean for key, each in found.items()} == {("S1", 0): 100.0, ("S1", 25): 125.0}
    assert found["S1", 0].sd == pytest.approx(100.0)
    assert set(baselines(history, "day-of-week")) == {("S1", 0), ("S1", 1)}
    assert set(baselines(history)) == {("S1", 0)}


def test_the_order_of_history_does_not_matter() -> None:
    random = Random(4)
    history = [(f"S{n % 3}", MONDAY + n * HOUR, random.random()) for n in range(500)]
    found = baselines(history, "hour-of-day", (0.05, 0.95))
    random.shuffle(history)
    assert baselines(history, "hour-of-day", (0.95, 0.05)) == found
    assert list(found) == sorted(found)


def test_missing_values_count_for_nothing_and_thin_slots_have_no_baseline() -> None:
    history = [
        ("S1", MONDAY, 1.0),
        ("S1", MONDAY, None),
        ("S2", MONDAY, 2.0),
        ("S2", MONDAY, 4.0),
        ("S2", MONDAY, float("nan")),
    ]
    assert baselines(history, least=2) == {("S2", 0): usual([2.0, 4.0])}
    assert baselines(history)["S1", 0].sd is None
    assert quantile([5.0], 0.99) == 5.0


def test_a_rule_reads_the_table() -> None:
    history = [("S1", MONDAY + day * 24 * HOUR, float(day % 7)) for day in range(28)]
    table = read_table(7, table_rows(baselines(history, "day-of-week")), "test")
    assert table == BaselineTable(7, {("S1", day): (float(day), 0.0) for day in range(7)})
