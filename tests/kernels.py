"""Detectors and indices on fixed series and tables; prints a digest of all bits, and what kernels make of them.

Run as `python -m tests.kernels` in a process of its own for each choice of kernels (tests/test_kernels.py).
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator
from datetime import date, timedelta
from hashlib import sha256
from random import Random
from typing import Any

import numpy as np

from dagster_project.composite.compute import compute
from dagster_project.composite.results import files
from dagster_project.composite.sensitivity import analyse
from dagster_project.composite.source import read_source
from dagster_project.composite.spec import read_spec
from schemas.arithmetic import columns, elementary
from streams.watch.detect import Point, detect, make
from streams.watch.trial.baselines import baselines

YEAR = {"freq": 12, "b": 3, "w": 2, "limit54": "0,4", "start": 51}
NOUFAILY = {**YEAR, "noPeriods": 4, "pastWeeksNotIncluded": 3, "pThresholdTrend": 1}
METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: (name, {}) for name in ("ears-c1", "ears-c2", "ears-c3", "ears-c3-surveillance")},
    **{f"{name} safe": (name, {"missing": "safe", "alpha": 0.01}) for name in ("ears-c1", "ears-c3-surveillance")},
    "ewma": ("ewma", {"start": 5}),
    **{
        f"cusum {trans}": ("cusum", {"start": 9, "trans": trans})
        for trans in ("standard", "rossi", "anscombe", "anscombe2nd", "pearsonNegBin", "anscombeNegBin", "none")
    },
    "cusum glm": ("cusum", {"start": 25, "m": "glm", "freq": 12, "trans": "rossi"}),
    "farrington": ("farrington", YEAR),
    "farrington safe": ("farrington", {**YEAR, "missing": "safe", "powertrans": "1/2"}),
    "flexible": ("farrington-flexible", {**YEAR, "missing": "safe"}),
    "flexible nbPlugin": ("farrington-flexible", {**NOUFAILY, "thresholdMethod": "nbPlugin"}),
    "flexible muan": ("farrington-flexible", {**NOUFAILY, "thresholdMethod": "muan"}),
    "flexible delta": ("farrington-flexible", {**NOUFAILY, "populationOffset": True}),
}  # fmt: skip
LENGTH = 52

INDEX = """
tree: {code: I, children: [{code: A, children: [a, {code: b, direction: -1}, c]}, {code: B, children: [d, e, f]}]}
"""
ABOVE = "normalise: {method: minmax, range: [1, 100]"
INDICES = {
    "arithmetic": "normalise: {method: minmax}\naggregate: arithmetic\nweights: pca\nimpute: {method: em}",
    "geometric": f"{ABOVE}}}\naggregate: geometric\nimpute: mean\nweights: entropy",
    "harmonic": f"{ABOVE}, transform: log}}\naggregate: harmonic\nimpute: median",
    "power": (
        "normalise: {method: zscore, m_sd: [50, 5], transform: log1p}\nimpute: mean\n"
        "aggregate: {method: power, p: 0.37}"
    ),
    "copeland": "normalise: {method: zscore, transform: log10}\naggregate: copeland\ntreat: winsorise",
    "boxcox": "treat: {method: boxcox, skew: 0.1, kurt: 0.1}\naggregate: arithmetic\nimpute: mean",
    "logs": "treat: {method: winsorise, skew: 0.1, kurt: 0.1, winmax: 1, then: log_ct_plus}\nimpute: mean",
    "ahp": "weights: {method: equal, groups: {A: {method: ahp, matrix: [[1, 3, 5], [1/3, 1, 2], [1/5, 1/2, 1]]}}}",
    "ranks": (
        "correlation: spearman\nimpute: {method: mean, by: row}\nsensitivity: {runs: 8, indices: true, vary:"
        " {normalise: [minmax, zscore, rank], aggregate: [arithmetic, copeland], noise: 0.25}}"
    ),
}


def series() -> Iterator[tuple[str, list[float | None]]]:
    """Counts with and without trend and gaps; those whose slope is exactly 0; constants; few and none."""
    random = Random(7)
    for name, level, slope in (("level", 8.0, 0.0), ("rising", 3.0, 0.02), ("rare", 0.2, 0.0)):
        yield (
            name,
            [max(0, round(level * (slope * t + random.uniform(-0.5, 2.5)))) for t in range(LENGTH)],
        )
    yield "gaps", [None if t % 9 == 4 else random.randrange(12) for t in range(LENGTH)]
    yield "measured", [round(random.uniform(0, 40), 3) for _ in range(LENGTH)]
    for constant in (0, 1, 2, 7, 10):
        yield f"all {constant}", [constant] * LENGTH
    yield "to and fro", [(1, 4, 2, 4, 1, 0)[t % 6] for t in range(LENGTH)]
    yield "every year", [float(t % 12 == 3) for t in range(LENGTH)]
    yield "once in the middle", [float(t == LENGTH - 25) for t in range(LENGTH)]


def verdicts(method: str, given: dict[str, Any], values: list[float | None], dated: bool) -> str:
    """The bits of all that a method says of a series."""
    first = date(2019, 1, 1)
    days = [date(first.year + t // 12, t % 12 + 1, 1) for t in range(len(values))]
    points = [Point(days[t] if dated else t, value, 1000.0 + 7 * t) for t, value in enumerate(values)]
    return "".join(
        each.hex() if isinstance(each, float) else repr(each)
        for judged in detect(make(method, given, "kernels"), points)
        for each in judged[2:]
    )


def table() -> str:
    """A table of six indicators, some figures missing, some far out."""
    random = Random(11)
    rows = ["uCode,a,b,c,d,e,f"]
    for unit in range(20):
        base = random.uniform(1, 30)
        figures = [base + 3 / random.uniform(0.01, 1) + 0.1 for _ in range(6)]
        cells = ["" if (unit * 7 + at) % 31 == 5 else f"{value:.4f}" for at, value in enumerate(figures)]
        rows.append(",".join([f"u{unit:02}", *cells]))
    return "\n".join(rows) + "\n"


def index(steps: str) -> str:
    """All files of an index: every step, its weights, analyses and sensitivity; figures to the last bit."""
    spec = read_spec(f"{INDEX}{steps}\n", "kernels.yaml", lambda name: "")
    source = read_source(table(), "kernels.csv", spec.reading)
    made = compute(spec, source)
    spread = analyse(made, source, spec.sensitivity) if spec.sensitivity else None
    return json.dumps(dict(files(made, spread)))


def functions() -> str:
    """The elementary functions, over all sizes."""
    random = Random(5)
    x = [random.uniform(1, 2) * 2.0 ** random.randrange(-60, 60) for _ in range(500)]
    found = [*map(elementary.log, x), *map(elementary.exp, (each % 700 for each in x))]
    found += [elementary.power(each, 0.37) for each in x] + [
        elementary.normal_quantile(n / 99) for n in range(1, 99)
    ]
    arrays = np.array(x)
    for made in (
        columns.log(arrays),
        columns.log10(arrays),
        columns.log1p(arrays),
        columns.power(arrays, -1.7),
    ):
        found += made.tolist()
    return struct.pack(f"{len(found)}d", *found).hex()


def usual() -> str:
    """A baseline table."""
    random, day = Random(3), timedelta(days=1) // timedelta(milliseconds=1)
    history = [
        (f"s{n % 3}", n * day // 3, random.uniform(1, 2) * 2.0 ** random.randrange(-9, 9)) for n in range(600)
    ]
    return repr(baselines(history, "day-of-week", (0.1, 0.9)))


def chance() -> dict[str, str]:
    """What libraries make of one input: these bits may differ, and show that a choice of kernels was one."""
    x = np.random.default_rng(1).uniform(0.1, 20, 2000)
    square = x[:1000].reshape(25, 40)
    return {
        "blas": _digest((square.T @ square).tobytes().hex()),
        "libm": _digest(repr([math.exp(v) for v in x.tolist()])),
    }


def digests() -> dict[str, str]:
    """A digest of the bits, by what was computed."""
    found = {
        f"{name}, {what}": _digest(verdicts(method, given, values, dated))
        for name, (method, given) in METHODS.items()
        for what, values in series()
        for dated in ((False, True) if name in ("farrington", "flexible delta") else (False,))
    }
    found |= {f"index {name}": _digest(index(steps)) for name, steps in INDICES.items()}
    return found | {"functions": _digest(functions()), "baselines": _digest(usual())}


def _digest(bits: str) -> str:
    return sha256(bits.encode()).hexdigest()[:16]


if __name__ == "__main__":
    print(json.dumps({"bits": digests(), "chance": chance()}))
