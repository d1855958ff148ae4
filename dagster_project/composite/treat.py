"""Outlier treatment in two stages: winsorise, and where that does not help, transform.

After COINr's Treat: a column that passes the test (|skewness| < 2 or kurtosis < 3.5) stays as it is; else
the first stage is tried, then the second on the original figures (or on the first's outcome: `combine`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dagster_project.composite.methods import Choice, Method, Parameter, Step, catalogue
from dagster_project.composite.moments import kurtosis, passes, present, skewness
from dagster_project.composite.table import Array, Table
from schemas.arithmetic.columns import deviation, log, power, summed
from schemas.arithmetic.elementary import log as log_

TRANSFORMS = ("log_ct", "log_ct_plus", "log_ct_orig", "boxcox")
_SECOND = Parameter(
    *("then", "text", "log_ct", "second stage where the first does not help", ("f2",)),
    choices=("none", *TRANSFORMS),
)
_TEST = (
    Parameter("skew", "number", 2.0, "passes with |skewness| below this …", ("skew_thresh",)),
    Parameter("kurt", "number", 3.5, "… or with a kurtosis below this", ("kurt_thresh",)),
    Parameter("pass_skew", "number", None, "`skew` of the test between stages, where it differs"),
    Parameter("pass_kurt", "number", None, "`kurt` of the test between stages, where it differs"),
)
_MORE = (
    _SECOND,
    Parameter("combine", "flag", False, "second stage on the outcome of the first", ("combine_treat",)),
    Parameter("lambda", "number", None, "Box-Cox's; fitted by maximum likelihood where not given"),
    Parameter("makepos", "flag", True, "Box-Cox on x - min + 1"),
)
_WIN = (
    Parameter("winmax", "count", 5, "figures to winsorise at most; null for no limit"),
    Parameter("force_win", "flag", False, "winsorise up to winmax, passing or not"),
)
METHODS = catalogue(
    Method("none", "leave figures as they are"),
    Method(
        *("winsorise", "set the outermost figures to the next one, one by one, until the test passes"),
        ("win", "winsorize"),
        (*_WIN, *_TEST, *_MORE),
    ),
    *(Method(name, f"transform what does not pass: {name}", (), (*_TEST, *_MORE)) for name in TRANSFORMS),
)


@dataclass(frozen=True)
class Treatment:
    """What was done to one indicator, with skewness and kurtosis before and after."""

    code: str
    done: str
    winsorised: int
    skew_before: float
    kurt_before: float
    skew_after: float
    kurt_after: float
    passes: bool | None
    points: tuple[tuple[int, str], ...] = ()


def treat(table: Table, step: Step) -> tuple[Table, tuple[Treatment, ...]]:
    """The table with outliers treated, and what was done to each indicator."""
    values, found = table.values.copy(), []
    for at, code in enumerate(table.codes):
        values[:, at], treatment = treat_column(code, table.values[:, at], step.of(code))
        found.append(treatment)
    return Table(table.units, table.names, table.codes, values), tuple(found)


def treat_column(code: str, x: Array, choice: Choice) -> tuple[Array, Treatment]:
    """One indicator's figures, treated; nothing is done where the test cannot be made."""
    if choice.method == "none":
        return x, _treatment(code, x, x, "", {}, None)
    skew, kurt = _limits(choice)
    if passes(x, skew, kurt) is not False:
        return x, _treatment(code, x, x, "", {}, passes(x, skew, kurt))
    if choice.method == "winsorise":
        first, points = winsorise(x, choice)
    else:
        first, points = _transform(x, choice.method, choice), dict.fromkeys(_there(x), choice.method)
    passed = passes(first, skew, kurt)
    done, marks, out = choice.method, points, first
    then = choice["then"]
    if passed is False and then != "none":
        out = _transform(first if choice["combine"] else x, then, choice)
        passed = passes(out, skew, kurt)
        done = f"{done}+{then}" if choice["combine"] else then
        marks = {at: "+".join(m for m in (points.get(at, ""), then) if m) for at in _there(x)}
        marks = marks if choice["combine"] else dict.fromkeys(_there(x), then)
    if passed is None:
        return x, _treatment(code, x, x, "", {}, None)
    return out, _treatment(code, x, out, done, marks, passed, len(points) if "win" in done else 0)


def winsorise(x: Array, choice: Choice) -> tuple[Array, dict[int, str]]:
    """Figures with the outermost ones set to the next, and where; unchanged where they stop varying."""
    x, original = x.copy(), x
    high: NDArray[np.intp] = np.empty(0, dtype=np.intp)
    low: NDArray[np.intp] = np.empty(0, dtype=np.intp)
    passed, force, limit = False, choice["force_win"], choice["winmax"]
    while (not passed or force) and (limit is None or len(high) + len(low) < limit):
        outer, others = (np.nanmax, max) if skewness(x) >= 0 else (np.nanmin, min)
        places = np.flatnonzero(x == outer(x))
        rest = np.delete(x, places)
        rest = rest[~np.isnan(rest)]
        if not len(rest):
            return original, {}
        x[places] = others(rest)
        high, low = (places, low) if outer is np.nanmax else (high, places)
        verdict = passes(x, choice["skew"], choice["kurt"])
        if verdict is None:
            return original, {}
        passed = verdict
    return x, {**{int(at): "winhi" for at in high}, **{int(at): "winlo" for at in low}}


def _limits(choice: Choice) -> tuple[float, float]:
    skew = choice["skew"] if choice["pass_skew"] is None else choice["pass_skew"]
    return skew, choice["kurt"] if choice["pass_kurt"] is None else choice["pass_kurt"]


def _transform(x: Array, name: str, choice: Choice) -> Array:
    return boxcox(x, choice["lambda"], choice["makepos"]) if name == "boxcox" else _LOGS[name](x)


def _log_ct(x: Array) -> Array:
    low, high = np.nanmin(x), np.nanmax(x)
    out: Array = log(x - low + 0.01 * (high - low))
    return out


def _log_ct_plus(x: Array) -> Array:
    low, high = np.nanmin(x), np.nanmax(x)
    out: Array = _log_ct(x) if skewness(x) > 0 else -log(high + 0.01 * (high - low) - x)
    return out


def _log_ct_orig(x: Array) -> Array:
    out: Array = log(x - np.nanmin(x) + 1)
    return out


_LOGS: dict[str, Callable[[Array], Array]] = {
    "log_ct": _log_ct,
    "log_ct_plus": _log_ct_plus,
    "log_ct_orig": _log_ct_orig,
}


def boxcox(x: Array, lambda_: float | None, makepos: bool) -> Array:
    """(x^lambda - 1) / lambda, the logarithm for 0; x is shifted to begin at 1 first (`makepos`).

    Without a lambda the one of greatest likelihood is taken (Box and Cox 1964).
    """
    if makepos:
        x = x - np.nanmin(x) + 1
    if lambda_ is None:
        lambda_ = likeliest_lambda(present(x))
    with np.errstate(invalid="ignore", divide="ignore"):
        out: Array = log(x) if lambda_ == 0 else (power(x, lambda_) - 1) / lambda_
    return out


def likeliest_lambda(x: Array) -> float:
    """The lambda of Box-Cox under which figures above 0 are likeliest to be normal, by Brent's search."""
    from scipy.optimize import brent  # plain Python; scipy takes half a second to import

    logs = summed(log(x))

    def unlikely(lambda_: float) -> float:
        with np.errstate(over="ignore", invalid="ignore"):
            spread = deviation(boxcox(x, float(lambda_), makepos=False), 0)
        return len(x) * log_(spread) - (float(lambda_) - 1) * logs

    return float(brent(unlikely, brack=(-2.0, 2.0)))


def _there(x: Array) -> list[int]:
    return [int(at) for at in np.flatnonzero(~np.isnan(x))]


def _treatment(
    code: str,
    before: Array,
    after: Array,
    done: str,
    points: dict[int, str],
    passed: bool | None,
    won: int = 0,
) -> Treatment:
    return Treatment(
        code=code,
        done=done,
        winsorised=won,
        skew_before=skewness(before),
        kurt_before=kurtosis(before),
        skew_after=skewness(after),
        kurt_after=kurtosis(after),
        passes=passed,
        points=tuple(sorted(points.items())),
    )
