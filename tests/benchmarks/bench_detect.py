"""What judging a point costs: Farrington flexible over ten years of weeks, and EWMA, point by point.

The baseline of Farrington is its regression by statsmodels on the same reference points (two fits, as with
reweighting), that of EWMA the bare recurrence in a Python loop; all in the same run, by process CPU time.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np

from streams.watch.detect import Point, detect, make

WEEKS = 520
NOUFAILY = {
    "b": 5, "noPeriods": 10, "pastWeeksNotIncluded": 26, "pThresholdTrend": 1, "thresholdMethod": "muan",
}  # fmt: skip


def main(points: int = 100_000) -> None:
    """Print one JSON object a figure, beside its baseline."""
    random = Random(7)
    counts = [max(0, round(random.gauss(8 + 4 * ((week % 52) < 13), 3))) for week in range(WEEKS)]
    series = [Point(week, count) for week, count in enumerate(counts, 1)]
    for name, given in (("farrington-flexible", {"b": 5}), ("farrington-flexible, Noufaily", NOUFAILY)):
        detector = make("farrington-flexible", given, "bench")
        list(detect(detector, series[:300]))  # what is imported once is not a point's price
        spent = cpu(lambda detector=detector: list(detect(detector, series)))
        judged = WEEKS - 52 * 5 - 3
        each = spent / judged * 1e6
        say(f"{name}, ten years of weeks", spent, judged, each, fitting(counts), "two fits by statsmodels")
    many = [Point(each, each * 7919 % 100) for each in range(points)]
    spent = cpu(lambda: list(detect(make("ewma", {"m": 50, "sd": 30}, "bench"), many)))
    bare = cpu(lambda: recurrence(many)) / points * 1e6
    say("ewma", spent, points, spent / points * 1e6, bare, "the bare recurrence")


def say(name: str, spent: float, points: int, each: float, baseline: float, what: str) -> None:
    """One figure as one line."""
    line: dict[str, Any] = {
        "name": f"detect, {name}", "value": round(each, 2), "unit": "microseconds a point",
        "baseline": round(baseline, 2), "baseline_name": what, "points": points, "all_s": round(spent, 3),
    }  # fmt: skip
    print(json.dumps(line), flush=True)


def cpu(run: Callable[[], Any]) -> float:
    """Seconds of CPU a call takes."""
    begun = time.process_time()
    run()
    return time.process_time() - begun


def fitting(counts: list[int], times: int = 100) -> float:
    """Microseconds of CPU of two fits by statsmodels on 35 reference points."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import statsmodels.api as sm
    places = [300 - 52 * year + step for year in range(1, 6) for step in range(-3, 4)]
    response = np.array([counts[each] for each in places], dtype=np.float64)
    design = np.column_stack([np.ones(35), np.array(places, dtype=np.float64)])

    def fit() -> None:
        for _ in range(2 * times):
            sm.GLM(response, design, family=sm.families.Poisson()).fit(scale="X2")

    return cpu(fit) / times * 1e6


def recurrence(points: list[Point]) -> float:
    """The smoothed mean and nothing else."""
    mean = 50.0
    for point in points:
        mean = 0.2 * (point.observed or 0.0) + 0.8 * mean
    return mean


if __name__ == "__main__":
    main()
