"""EWMA and CUSUM by hand and by the published example; what they learn from, and where they begin."""

from __future__ import annotations

import math

import pytest

from streams.watch.detect.transformations import TRANSFORMATIONS, hypergeometric
from tests.streams.watch.detect.references import judge
from tests.streams.watch.detect.test_ears import numbered

NIST = [
    52.0, 47.0, 53.0, 49.3, 50.1, 47.0, 51.0, 50.1, 51.2, 50.5,
    49.6, 47.6, 49.9, 51.3, 47.8, 51.2, 52.6, 52.4, 53.6, 52.1,
]  # fmt: skip
"""Data of NIST/SEMATECH e-Handbook 6.3.2.4; its EWMA values are printed there to two decimals."""
NIST_EWMA = [
    50.60, 49.52, 50.56, 50.18, 50.16, 49.21, 49.75, 49.85, 50.26, 50.33,
    50.11, 49.36, 49.52, 50.05, 49.38, 49.92, 50.73, 51.23, 51.94, 51.99,
]  # fmt: skip


def test_ewma_of_the_nist_handbook() -> None:
    found = judge("ewma", {"lambda": 0.3, "m": 50, "sd": 2.0539, "limits": "asymptotic"}, numbered(*NIST))
    assert [each.statistic for each in found] == pytest.approx(NIST_EWMA, abs=0.0051)
    assert [each.bound for each in found] == pytest.approx([52.5884] * 20, abs=1e-4)
    assert not any(each.alarm for each in found)


def test_the_exact_limit_widens_to_the_asymptotic_one() -> None:
    found = judge("ewma", {"lambda": 0.3, "m": 50, "sd": 2.0539}, numbered(*NIST))
    assert found[0].bound == pytest.approx(50 + 3 * 2.0539 * 0.3)
    bounds = [each.bound or 0 for each in found]
    assert bounds == sorted(bounds)
    assert bounds[-1] == pytest.approx(52.5884, abs=1e-3)


def test_ewma_learns_mean_and_deviation_from_the_points_before_start() -> None:
    found = judge("ewma", {"start": 5, "limits": "asymptotic"}, numbered(2, 4, None, 6, 4, 20))
    assert [each.bound for each in found[:4]] == [None] * 4
    assert found[4].statistic == pytest.approx(4)
    assert found[4].bound == pytest.approx(4 + 3 * 2 * math.sqrt(0.2 / 1.8))
    assert (found[5].statistic, found[5].alarm) == (pytest.approx(7.2), True)
    assert found[5].alarm is True


def test_ewma_passes_over_missing_points_and_has_a_least_deviation() -> None:
    given = {"m": 0, "sd": 0, "min_sigma": 1, "limits": "asymptotic"}
    found = judge("ewma", given, numbered(1, None, 1))
    assert (found[1].statistic, found[1].bound, found[1].alarm) == (None, pytest.approx(1.0), None)
    assert found[2].statistic == pytest.approx(0.2 + 0.8 * 0.2)


def test_cusum_adds_what_is_above_the_reference_value() -> None:
    found = judge("cusum", {"m": 4, "k": 0.5, "h": 1.5}, numbered(4, 6, 7, 0))
    assert [each.statistic for each in found] == [0.0, 0.5, 1.5, 0.0]
    assert [each.alarm for each in found] == [False, False, True, False], "reaching h is an alarm"
    assert [each.bound for each in found] == [8, 8, 7, 5], "the count that brings the sum to h, rounded up"


def test_cusum_learns_its_mean_from_the_points_before_start() -> None:
    found = judge("cusum", {"start": 4, "k": 0.5, "h": 1.5}, numbered(2, 4, 6, 7, None, 7))
    assert [each.statistic for each in found] == [None, None, None, 1.0, None, 2.0]
    assert found[4].bound == 6, "a missing point changes nothing"
    assert all(each.alarm is None for each in judge("cusum", {}, numbered(*[1.0] * 59)))
    assert judge("cusum", {}, numbered(*[1.0] * 60))[-1].alarm is False


def test_cusum_without_a_transformation_has_what_is_left_as_its_bound() -> None:
    found = judge("cusum", {"m": 1, "trans": "none", "k": 1, "h": 3}, numbered(2, 3, 0))
    assert [(each.statistic, each.bound) for each in found] == [(1.0, 2.0), (3.0, 0.0), (2.0, 1.0)]


@pytest.mark.parametrize("trans", TRANSFORMATIONS)
def test_cusum_of_a_mean_of_0_is_never_a_number_that_json_does_not_have(trans: str) -> None:
    for each in judge("cusum", {"m": 0, "trans": trans}, numbered(0, 1, 0, -1)):
        assert each.statistic is None or math.isfinite(each.statistic)
        assert each.bound is None or math.isfinite(each.bound)


def test_the_hypergeometric_function_is_taken_at_the_points_of_the_table() -> None:
    assert hypergeometric(0) == 1
    assert hypergeometric(-0.0149) == hypergeometric(-0.01) == pytest.approx(0.9986721910, abs=1e-10)
    assert hypergeometric(-100) == pytest.approx(0.3680632231, abs=1e-10)
    assert hypergeometric(-97.5) == pytest.approx((0.3711865178 + 0.3701326503) / 2, abs=1e-8)
    assert math.isnan(hypergeometric(-101))
