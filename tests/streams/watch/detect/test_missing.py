"""A missing point: R's way by its name, and the safe way, which rules take; no alarm ever without a bound."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.watch.declare.spec import SurgeSpec
from streams.watch.detect import METHODS, Judged, Point, detect, for_rules, make
from tests.streams.watch.trying import rule

YEAR = {"freq": 12, "b": 3, "w": 1}
SMALL: dict[str, dict[str, Any]] = {
    "farrington": YEAR, "farrington-flexible": YEAR, "cusum": {"start": 9}, "ewma": {"start": 9},
}  # fmt: skip


def judged(method: str, values: list[float | None], **given_: Any) -> list[Judged]:
    made = make(method, {**SMALL.get(method, {}), **given_}, "test")
    return list(detect(made, [Point(n, x) for n, x in enumerate(values, 1)]))


def monthly(gap: int) -> list[float | None]:
    """Four quiet years, a missing month, and counts that rise after it."""
    values: list[float | None] = [float(3 + n % 3) for n in range(48)]
    values[gap] = None
    values[gap + 1 :] = [40.0] * (47 - gap)
    return values


@pytest.mark.parametrize("method", ["farrington", "farrington-flexible"])
def test_r_s_way_has_no_bound_and_no_alarm_while_one_of_the_newest_points_is_missing(method: str) -> None:
    found = judged(method, monthly(43), missing="surveillance")
    assert [(each.bound, each.alarm) for each in found[44:47]] == [(None, False)] * 3
    assert found[47].alarm is True
    assert (found[43].bound, found[43].alarm) == (None, None)


@pytest.mark.parametrize("method", ["farrington", "farrington-flexible"])
def test_the_safe_way_counts_the_newest_points_that_are_there(method: str) -> None:
    found = judged(method, monthly(43), missing="safe")
    assert [each.alarm for each in found[44:]] == [True] * 4
    assert all(each.bound is not None and each.bound < 40 for each in found[43:])
    assert found[43].alarm is None
    rare = judged(method, [*[0.0] * 45, None, 4.0], missing="safe")
    assert rare[46].alarm is False, "too few cases are no surge"


def test_the_safe_way_by_the_calendar_does_not_move_now() -> None:
    """Where the first point looked back on is missing, R counts now from the next one."""
    first = date(2019, 1, 7)
    values = [float(40 - n // 8 + n % 4) for n in range(230)]
    given_ = {"b": 3, "w": 2, "freq": 52, "p_threshold_trend": 1}
    points = [Point(first + timedelta(weeks=n), x) for n, x in enumerate(values)]
    whole = list(detect(make("farrington-flexible", given_, "t"), points))[-1].bound
    start = len(values) - 1 - 52 * 3 - 2
    points = [each._replace(observed=None) if abs(n - start) < 2 else each for n, each in enumerate(points)]
    bounds = {
        way: list(detect(make("farrington-flexible", {**given_, "missing": way}, "t"), points))[-1].bound
        for way in ("safe", "surveillance")
    }
    assert bounds["safe"] != bounds["surveillance"]
    assert bounds["safe"] == pytest.approx(whole, rel=0.2)


@pytest.mark.parametrize("method", ["ears-c1", "ears-c2", "ears-c3", "ears-c3-surveillance"])
def test_one_missing_day_mutes_ears_as_in_r_or_not_at_all(method: str) -> None:
    values: list[float | None] = [float(3 + n % 3) for n in range(30)]
    values[20] = None
    values[22:] = [50.0 + 300 * n for n in range(8)]
    as_r, safe = judged(method, values), judged(method, values, missing="safe")
    assert all(each.alarm is None for each in as_r[24:27])
    assert True in [each.alarm for each in safe[22:25]]
    assert as_r[:20] == safe[:20]
    assert safe[20].alarm is None


def test_a_baseline_with_too_little_in_it_is_none() -> None:
    values = [4.0, None, None, None, None, 5.0, 6.0, 30.0]
    assert judged("ears-c1", values, missing="safe")[7].alarm is None
    assert judged("ears-c1", [3.0, *values[1:4], 4.0, *values[5:]], missing="safe")[7].alarm is True


def test_a_rule_takes_the_safe_way_unless_it_says_so() -> None:
    def parameters(**said: Any) -> dict[str, Any]:
        condition = {"kind": "surge", "method": "farrington-flexible", "every": "P1D", "parameters": said}
        spec = rule(condition, {"blue": 1}).spec
        assert isinstance(spec, SurgeSpec)
        return dict(spec.parameters)

    assert parameters() == {"missing": "safe"}
    assert parameters(missing="surveillance", b=3) == {"missing": "surveillance", "b": 3}
    assert for_rules(METHODS["ewma"], {"L": 3}) == {"L": 3}


POOL = [None, 0, 1, 2, 5, 9, 0.5, -3, 1e17, 1e154, 1e308, -1e308, 1e-320]


def drawn(seed: int) -> list[float | None]:
    """Counts, gaps, and now and then what no count is; figures below 0 alone in some."""
    random = Random(seed)
    low = random.choice([0, 0, -9])
    return [
        random.choice(POOL) if random.random() < seed % 4 / 8 else random.randrange(low, 9) for _ in range(45)
    ]


@pytest.mark.parametrize("safe", [False, True])
@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_no_alarm_without_a_bound(method: str, safe: bool, seed: int) -> None:
    values = drawn(seed)
    given_ = for_rules(METHODS[method], {}) if safe else {}
    for each in judged(method, values, **given_):
        assert each.bound is not None or not each.alarm
        assert each.observed is not None or each.alarm is None
