"""A trend whose slope is exactly 0 stays or goes by a stated rule, never by how the last bit was rounded."""

from __future__ import annotations

import pytest

from streams.watch.detect.farrington import Farrington, FarringtonFlexible, Surge
from streams.watch.detect.parameters import read

FREQ, B, W = 52, 3, 3
NOW = FREQ * B + W + 1


def judge(method: type[Farrington | FarringtonFlexible], counts: dict[int, float], **given: object) -> Surge:
    """What is said of the last point, whose reference points have these counts by place and 0 else."""
    said = {"freq": FREQ, "b": B, "w": W, "limit54": "0,4", **given}
    detector = read(method, said, "test")
    state, found = detector.start(), Surge()
    for place in range(NOW + 1):
        state, found = detector.follow(state, place, 8.0 if place == NOW else counts.get(place, 0.0))
    return found


def constant(count: float) -> dict[int, float]:
    return dict.fromkeys(range(NOW), count)


MIDDLE = NOW - 2 * FREQ
MIRRORED = [{MIDDLE: 1.0}, {MIDDLE - 1: 2.0, MIDDLE + 1: 2.0}, {NOW - FREQ: 1.0, NOW - B * FREQ: 1.0}]


@pytest.mark.parametrize("counts", MIRRORED)
def test_a_threshold_of_1_keeps_a_flat_trend(counts: dict[int, float]) -> None:
    """As R does: with p at most 1 the trend holds, and widens the bound by what it leaves unknown."""
    kept = judge(FarringtonFlexible, counts, p_threshold_trend=1)
    dropped = judge(FarringtonFlexible, counts)
    assert kept.trend is True
    assert dropped.trend is False
    assert kept.slope == pytest.approx(0, abs=1e-12)
    assert kept.bound is not None
    assert dropped.bound is not None
    assert kept.bound > 1.5 * dropped.bound


@pytest.mark.parametrize("count", [2, 3, 5, 7, 10, 13, 19, 20, 250])
@pytest.mark.parametrize("method", [Farrington, FarringtonFlexible])
def test_counts_that_are_all_alike_have_no_trend(
    method: type[Farrington | FarringtonFlexible], count: float
) -> None:
    found = judge(method, constant(count))
    assert found.trend is False
    assert found.bound == judge(method, constant(count), trend=False).bound


def test_counts_that_are_all_1_keep_theirs_as_in_r() -> None:
    """Their linear predictor is 0, so the dispersion is 0 to the last bit and R's t infinite."""
    kept, without = judge(Farrington, constant(1)), judge(Farrington, constant(1), trend=False)
    assert kept.trend is True
    assert kept.bound is not None
    assert without.bound is not None
    assert kept.bound > without.bound


def test_a_steep_trend_holds_and_one_that_leads_beyond_what_was_seen_does_not() -> None:
    falling = {place: float(round(60 - place / 4)) for place in range(NOW)}
    rising = {place: float(round(5 + place / 4)) for place in range(NOW)}
    assert judge(FarringtonFlexible, falling).trend is True
    assert judge(FarringtonFlexible, rising, p_threshold_trend=1).trend is False
    assert judge(FarringtonFlexible, falling, p_threshold_trend=0).trend is False
