"""EARS by hand: baselines, borders, missing points, no variation at all."""

from __future__ import annotations

import math

import pytest

from streams.watch.detect import Judged, Point
from tests.streams.watch.detect.references import judge

FLAT = [2.0, 4.0, 2.0, 4.0, 2.0, 4.0, 3.0]
"""Mean 3, standard deviation 1."""


def numbered(*values: float | None) -> list[Point]:
    return [Point(number, value) for number, value in enumerate(values, 1)]


def last(method: str, *values: float | None, **given: object) -> Judged:
    return judge(method, given, numbered(*values))[-1]


def test_c1_compares_with_the_seven_points_before() -> None:
    assert last("ears-c1", *FLAT, 7) == Judged(8, 7, 4.0, 6.0, True)
    assert last("ears-c1", *FLAT, 6) == Judged(8, 6, 3.0, 6.0, False), "at the bound is no alarm"


def test_c2_leaves_the_two_points_before_out() -> None:
    assert last("ears-c2", *FLAT, 50, 60, 7) == Judged(10, 7, 4.0, 6.0, True)


def test_c3_sums_what_c2_was_above_1_on_three_points() -> None:
    """C2 is 2, 2.5, then about 1.3 (two points later the 5 is in the baseline)."""
    found = last("ears-c3", *FLAT, 3, 3, 5, 5.5, 5)
    assert found.statistic is not None
    assert found.statistic > 2
    assert (found.bound, found.alarm) == (2.0, True)
    assert judge("ears-c3", {}, numbered(*FLAT, 3, 3, 5, 5.5))[-1].statistic is None, (
        "three points are needed"
    )


NEEDS = {"ears-c1": 7, "ears-c2": 9, "ears-c3": 11, "ears-c3-surveillance": 11}
"""Points before the first that is judged."""


@pytest.mark.parametrize(("method", "needs"), NEEDS.items())
def test_nothing_is_defined_before_the_baseline_is_full(method: str, needs: int) -> None:
    found = judge(method, {}, numbered(*[1.0, 2.0] * 10))
    assert [each.alarm is None for each in found] == [True] * needs + [False] * (20 - needs)
    assert all((each.bound is None) == (each.alarm is None) for each in found)
    assert judge(method, {}, numbered(1.0)) == [Judged(1, 1.0, None, None, None)]


def test_a_missing_point_is_not_judged_and_stays_missing_in_baselines() -> None:
    found = judge("ears-c1", {}, numbered(*FLAT, None, *FLAT, 7))
    assert found[7] == Judged(8, None, None, 6.0, None)
    assert all(each.bound is None for each in found[8:15])
    assert found[15] == Judged(16, 7, 4.0, 6.0, True)


def test_without_any_variation_the_bound_is_the_mean_and_the_statistic_not_defined() -> None:
    assert last("ears-c1", *[2.0] * 7, 3, min_sigma=0) == Judged(8, 3, None, 2.0, True)
    assert last("ears-c1", *[2.0] * 7, 2, min_sigma=0) == Judged(8, 2, None, 2.0, False)
    assert last("ears-c3", *[2.0] * 12, min_sigma=0).alarm is None


def test_min_sigma_keeps_single_cases_from_being_alarms() -> None:
    zeros = [0.0] * 7
    assert last("ears-c1", *zeros, 1, min_sigma=0).alarm is True
    assert last("ears-c1", *zeros, 1).alarm is False


def test_alpha_takes_the_place_of_the_threshold() -> None:
    found = last("ears-c1", *FLAT, 7, alpha=0.001)
    assert found.bound == pytest.approx(3 + 3.090232306167813, abs=1e-12)
    assert last("ears-c3", *FLAT, 3, 3, 3, 3, 3, alpha=0.025).bound == pytest.approx(1.959963984540054)
    assert last("ears-c1", *FLAT, 7, threshold=5).alarm is False


def test_c3_of_surveillance_depends_on_the_two_points_before() -> None:
    """Where both excesses sum to more than the threshold, everything but 0 is an alarm."""
    found = last("ears-c3-surveillance", *FLAT, 3, 3, 9, 9, 1, min_sigma=1)
    assert found.alarm is True
    assert found.bound is not None
    assert math.isclose(found.bound, 0.0, abs_tol=1e-12)
