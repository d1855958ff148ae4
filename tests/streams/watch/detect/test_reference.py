"""Every row of the published reference results: EARS, CUSUM and Farrington, with every set of parameters."""

from __future__ import annotations

from itertools import groupby

import pytest

from streams.watch.detect import Point
from streams.watch.detect.farrington import Farrington, FarringtonFlexible, Surge
from streams.watch.detect.parameters import read
from tests.streams.watch.detect.references import (
    REFERENCE,
    agrees,
    judge,
    needs_reference,
    number,
    rows,
    series,
)

pytestmark = needs_reference

NOUFAILY = {
    "b": 4, "alpha": 0.01, "noPeriods": 10, "pastWeeksNotIncluded": 26, "pThresholdTrend": 1,
}  # fmt: skip
FARRINGTON = {
    "farrington_default_b": {"b": 4},
    "farrington_reweight_no_trend": {"b": 4, "alpha": 0.01, "trend": False, "limit54": [0, 4]},
    "flexible_original_emulation": {"b": 4, "weightsThreshold": 1},
    "flexible_noufaily_nbPlugin": {**NOUFAILY, "thresholdMethod": "nbPlugin"},
    "flexible_noufaily_muan": {**NOUFAILY, "thresholdMethod": "muan"},
    "flexible_simple_noTrend_noReweight_delta": {
        "b": 4, "alpha": 0.01, "trend": False, "reweight": False, "limit54": [0, 4],
    },
}  # fmt: skip
"""The parameters behind each algorithm of the Farrington file."""

PARAMETERS = ("method", "baseline", "minSigma", "alpha")


@pytest.mark.parametrize("number_of", ["1", "2", "3"])
def test_ears_is_the_cdc_s_by_default(number_of: str) -> None:
    found = judge(f"ears-c{number_of}", {}, series("salmonella.agona"))
    wanted = list(rows(REFERENCE / "ears_cdc_definition_statistics_salmonella_agona.csv"))
    assert len(found) == len(wanted) == 312
    for row, each in zip(wanted, found, strict=True):
        assert agrees(each.statistic, number(row[f"C{number_of}"]), 1e-9), row
        assert each.alarm == number(row[f"a{number_of}"]), row


def test_ears_with_the_parameters_of_surveillance() -> None:
    methods = {"C1": "ears-c1", "C2": "ears-c2", "C3": "ears-c3-surveillance"}
    points, sets = series("salmonella.agona"), 0
    all_rows = rows(REFERENCE / "ears_salmonella_agona.csv")
    for key, group in groupby(all_rows, lambda row: [row[each] for each in PARAMETERS]):
        given = dict(zip(("baseline", "min_sigma", "alpha"), key[1:], strict=True))
        found = judge(methods[key[0]], given, points)
        sets += 1
        for row in group:
            each = found[int(row["t"]) - 1]
            assert agrees(each.bound, number(row["upperbound"]), 1e-9), row
            assert each.alarm == number(row["alarm"]), row
    assert sets == 24


def test_cusum_of_all_transformations() -> None:
    """Its rows of the negative binomial were made with an alpha of 0.2."""
    points, sets = series("k1"), 0
    for key, group in groupby(
        rows(REFERENCE / "cusum_k1.csv"), lambda row: [row["trans"], row["k"], row["h"]]
    ):
        found = judge("cusum", {"trans": key[0], "k": key[1], "h": key[2], "alpha": 0.2}, points)
        sets += 1
        for row in group:
            each = found[int(row["t"]) - 1]
            assert agrees(each.statistic, number(row["cusum"]), 1e-8), row
            assert agrees(each.bound, number(row["upperbound"]), 1e-8), row
            assert each.alarm == number(row["alarm"]), row
    assert sets == 14


@pytest.mark.parametrize("algorithm", FARRINGTON)
def test_farrington(algorithm: str) -> None:
    method = FarringtonFlexible if algorithm.startswith("flexible") else Farrington
    found = follow(read(method, FARRINGTON[algorithm], "test"), series("salmonella.agona"))
    wanted = [
        row for row in rows(REFERENCE / "farrington_salmonella_agona.csv") if row["algorithm"] == algorithm
    ]
    assert len(wanted) == 101
    for row in wanted:
        each = found[int(row["t"]) - 1]
        assert agrees(each.bound, number(row["upperbound"]), 1e-9), row
        assert each.alarm == number(row["alarm"]), row
        if method is FarringtonFlexible:
            assert agrees(each.score, number(row["score"]), 1e-9), row
            assert agrees(each.expected, number(row["expected"]), 1e-9), row
            assert agrees(each.chance, number(row["pvalue"]), 1e-9), row
            assert agrees(each.slope, number(row["trendVector"]), 1e-9), row
            assert each.trend == number(row["trend"]), row


def follow(detector: Farrington | FarringtonFlexible, points: list[Point]) -> list[Surge]:
    """All that a method says of every point."""
    state, found = detector.start(), []
    for point in points:
        state, each = detector.follow(state, *point)
        found.append(each)
    return found
