"""Parameters from a command line and from a rule file: names, kinds, bounds, and what is said of wrong ones."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.errors import Misdeclared
from streams.watch.detect import METHODS, Point, detect, make, options
from streams.watch.detect.ewma import Ewma
from streams.watch.detect.farrington import FarringtonFlexible
from streams.watch.detect.parameters import read


@pytest.mark.parametrize("method", METHODS)
def test_every_parameter_is_described_and_its_default_is_right(method: str) -> None:
    for each in options(METHODS[method]):
        assert each.help
        assert each.default is not None or each.unset, "what a default of nothing means is said"
        if each.default is not None:
            assert make(method, {each.name: each.default}, "test") == make(method, {}, "test")


def test_a_file_and_a_command_line_say_the_same() -> None:
    text = {
        "b": "4", "noPeriods": "10", "trend": "FALSE", "limit54": "0,4", "powertrans": "1/2",
        "pastWeeksNotIncluded": "26", "thresholdMethod": "MUAN", "alpha": "0.01",
    }  # fmt: skip
    typed = {
        "b": 4, "no_periods": 10, "trend": False, "limit54": [0, 4], "powertrans": "1/2",
        "past_weeks_not_included": 26, "threshold_method": "muan", "alpha": 0.01,
    }  # fmt: skip
    assert read(FarringtonFlexible, text, "test") == read(FarringtonFlexible, typed, "test")


def test_reserved_words_and_other_names() -> None:
    assert read(Ewma, {"lambda": 0.3, "mu": 5, "sigma": 1, "start": 4}, "test") == Ewma(
        0.3, m=5, sd=1, start_=4
    )


def test_a_baseline_is_what_is_learned_from_before_the_start() -> None:
    points = [Point(number, float(value)) for number, value in enumerate([3, 5, 4, 6, 9, 2], 1)]
    for method in ("ewma", "cusum"):
        found = list(detect(make(method, {"baseline": 4}, "test"), points))
        assert found == list(detect(make(method, {"start": 5}, "test"), points))
        assert [each.alarm is None for each in found] == [True] * 4 + [False] * 2


@pytest.mark.parametrize(
    ("method", "given", "said"),
    [
        ("ewma", {"lambda": 0}, "rule.yaml: lambda: must be a number at most 1 and above 0, not 0"),
        ("ewma", {"m": "middle"}, "m: must be a number, not 'middle'"),
        ("ewma", {"m": 1, "mu": 2}, "mu: m is given twice"),
        ("ewma", {"baseline": 7, "start": 9}, "baseline: must not stand beside start"),
        ("ewma", {"m": True}, "m: must be a number, not True"),
        ("ewma", {"limits": "wide"}, "limits: must be one of exact, asymptotic"),
        ("cusum", {"h": "nan"}, "h: must be a number above 0, not 'nan'"),
        ("farrington", {"reweight": "maybe"}, "reweight: must be true or false, not 'maybe'"),
        ("farrington", {"limit54": "5;4"}, "limit54: must be two whole numbers, such as 5,4"),
        ("farrington", {"limit54": [5, 0]}, "limit54: must be two whole numbers, such as 5,4"),
        ("farrington", {"weights": 1}, "weights: no such parameter; there are b, w, freq, alpha"),
        (
            "farrington-flexible",
            {"freq": 12, "noPeriods": 13},
            "no_periods: must be at most the 12 points",
        ),
        ("shewhart", {}, "rule.yaml: method: 'shewhart' is none; there are ears-c1"),
    ],
)
def test_what_is_wrong_is_named_with_what_would_be_right(
    method: str, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(Misdeclared) as error:
        make(method, given, "rule.yaml")
    assert said in str(error.value)


def test_a_number_that_no_float_holds_is_refused() -> None:
    with pytest.raises(Misdeclared, match="L: must be a number above 0"):
        make("ewma", {"L": 10**400}, "a rule")
