"""Normalisation: bring indicators to a common scale on which more is better.

Figures are multiplied by the indicator's direction first, as COINr does, so all formulas are for "more is
better". Targets and goalposts are stated in the indicator's own units and turned with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from dagster_project.composite.methods import Choice, Method, Parameter, Step, catalogue
from dagster_project.composite.moments import present
from dagster_project.composite.table import Array, Table
from dagster_project.composite.tree import Node, Tree
from schemas.arithmetic.columns import deviation, log, log1p, log10, mean
from schemas.errors import Misdeclared

TRANSFORMS: Mapping[str, Callable[[Array], Array]] = {
    "none": lambda x: x,
    "log": log,
    "log10": log10,
    "log1p": log1p,
    "sqrt": np.sqrt,
}
_ALL = (
    Parameter(
        *("transform", "text", "none", "applied to figures, targets and goalposts first"),
        choices=tuple(TRANSFORMS),
    ),
    Parameter("from_meta", "flag", False, "parameters from the columns of the iMeta table", ("use_iMeta",)),
)
_CAP = Parameter("cap", "flag", False, "no score above 1", ("cap_max",))
_TIES = Parameter(
    *("ties", "text", "min", "place shared by equal figures", ("ties.method",)),
    choices=("min", "max", "average"),
)


def _method(name: str, about: str, aliases: tuple[str, ...], *parameters: Parameter) -> Method:
    return Method(name, about, aliases, (*parameters, *_ALL))


METHODS = catalogue(
    _method("none", "the figure times its direction", ("n_none",)),
    _method(
        *("minmax", "(x - min) / (max - min) * (u - l) + l", ("n_minmax", "min_max")),
        Parameter("range", "pair", (0.0, 100.0), "[l, u] to scale onto", ("l_u",)),
    ),
    _method(
        *("zscore", "(x - mean) / sd * s + m", ("n_zscore", "z_score", "standardise")),
        Parameter("m_sd", "pair", (0.0, 1.0), "[m, s]: wanted mean and standard deviation", ("mean_sd",)),
    ),
    _method(
        *("scaled", "(x - l) / (u - l) * 100", ("n_scaled",)),
        Parameter("npara", "pair", (0.0, 100.0), "[l, u] of the figures times direction", ("range",)),
    ),
    _method("rank", "place, the lowest figure being 1", ("n_rank",), _TIES),
    _method("borda", "rank - 1", ("n_borda",), _TIES),
    _method("prank", "(rank - 1) / (n - 1)", ("n_prank", "percentile_rank", "percentile"), _TIES),
    _method("dist2max", "1 - (max - x) / (max - min)", ("n_dist2max", "distance_to_max")),
    _method(
        *("dist2ref", "1 - (ref - x) / (ref - min), ref being a unit's figure"),
        ("n_dist2ref", "distance_to_reference"),
        *(Parameter("reference", "text", "", "code of the unit"), _CAP),
        Parameter("iref", "count", None, "or its place, the first unit by code being 1"),
    ),
    _method(
        *("dist2targ", "(x - min) / (target - min)", ("n_dist2targ", "distance_to_target")),
        *(Parameter("target", "number", None, "the indicator's `target` if not given", ("targ",)), _CAP),
    ),
    _method("fracmax", "x / max", ("n_fracmax", "fraction_of_max")),
    _method(
        *("goalposts", "(x - l) / (u - l) * a", ("n_goalposts", "n_goalpost", "goalpost")),
        Parameter("gposts", "numbers", (), "[l, u] or [l, u, a]; the indicator's `goalposts` if not given"),
        Parameter("truncate", "flag", True, "no score below 0 or above a", ("trunc2posts",)),
    ),
)


def normalise(table: Table, step: Step, tree: Tree, where: str) -> Table:
    """The table on a common scale; figures a method cannot take are Misdeclared."""
    columns = [
        normalise_column(column, step.of(code), tree.nodes[code], table.units, where)
        for code, column in zip(table.codes, table.values.T, strict=True)
    ]
    return replace(table, values=np.column_stack(columns))


def normalise_column(x: Array, choice: Choice, node: Node, units: tuple[str, ...], where: str) -> Array:
    """One indicator's scores; NaN where its figure is missing or where no figure differs from another."""
    said = _with_meta(choice, node, where) if choice["from_meta"] else choice
    turned = _transformed(x, said, node, where) * node.direction
    if np.isnan(turned).all():
        return turned
    with np.errstate(invalid="ignore", divide="ignore"):
        return _FORMULAS[said.method](turned, said, _Context(node, units, where, said.key))


class _Context:
    """What a formula may need besides figures: the indicator, the units, and where to complain."""

    def __init__(self, node: Node, units: tuple[str, ...], where: str, key: str) -> None:
        self.node, self.units, self.where, self.key = node, units, where, key or "normalise"

    def wrong(self, problem: str) -> Misdeclared:
        return Misdeclared(self.where, self.key, f"{self.node.code}: {problem}")

    def turned(self, figure: float, choice: Choice) -> float:
        """A figure in the indicator's own units on the scale the formulas work on."""
        with np.errstate(invalid="ignore", divide="ignore"):
            out = float(TRANSFORMS[choice["transform"]](np.array([figure]))[0]) * self.node.direction
        if not math.isfinite(out):
            raise self.wrong(f"{choice['transform']} of {figure:g} is no number")
        return out


def _transformed(x: Array, choice: Choice, node: Node, where: str) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        out = TRANSFORMS[choice["transform"]](x)
    if not np.isfinite(out[~np.isnan(x)]).all():
        problem = f"{choice['transform']} cannot take the figure {np.nanmin(x):g}; choose another transform"
        raise Misdeclared(where, choice.key or "normalise", f"{node.code}: {problem}")
    return out


def rank_min(x: Array, ties: str = "min") -> Array:
    """Places of figures, the lowest being 1, equal ones sharing one; missing stays missing."""
    there = x[~np.isnan(x)]
    ordered = np.sort(there)
    low = np.searchsorted(ordered, there, side="left") + 1.0
    high = np.searchsorted(ordered, there, side="right").astype(np.float64)
    out = np.full(x.shape, math.nan)
    out[~np.isnan(x)] = {"min": low, "max": high, "average": (low + high) / 2}[ties]
    return out


def _minmax(x: Array, choice: Choice, context: _Context) -> Array:
    low, high = np.nanmin(x), np.nanmax(x)
    lower, upper = choice["range"]
    out: Array = (x - low) / (high - low) * (upper - lower) + lower
    return out


def _zscore(x: Array, choice: Choice, context: _Context) -> Array:
    wanted, spread = choice["m_sd"]
    if spread <= 0:
        raise context.wrong("the wanted standard deviation must be above 0")
    if np.count_nonzero(~np.isnan(x)) < 2:
        return np.full(x.shape, math.nan)
    there = present(x)
    out: Array = (x - mean(there)) / np.float64(deviation(there)) * spread + wanted
    return out


def _scaled(x: Array, choice: Choice, context: _Context) -> Array:
    lower, upper = choice["npara"]
    out: Array = (x - lower) / (upper - lower) * 100
    return out


def _rank(x: Array, choice: Choice, context: _Context) -> Array:
    return rank_min(x, choice["ties"])


def _borda(x: Array, choice: Choice, context: _Context) -> Array:
    out: Array = rank_min(x, choice["ties"]) - 1
    return out


def _prank(x: Array, choice: Choice, context: _Context) -> Array:
    return _borda(x, choice, context) / np.float64(np.count_nonzero(~np.isnan(x)) - 1)


def _dist2max(x: Array, choice: Choice, context: _Context) -> Array:
    low, high = np.nanmin(x), np.nanmax(x)
    out: Array = 1 - (high - x) / (high - low)
    return out


def _dist2ref(x: Array, choice: Choice, context: _Context) -> Array:
    reference = x[_reference(choice, context)]
    return _capped(1 - (reference - x) / (reference - np.nanmin(x)), choice)


def _reference(choice: Choice, context: _Context) -> int:
    if choice["reference"]:
        if choice["reference"] not in context.units:
            raise context.wrong(f"no unit has the code {choice['reference']!r}")
        return context.units.index(choice["reference"])
    if not choice["iref"]:
        raise context.wrong("reference must be given: the code of a unit")
    if choice["iref"] > len(context.units):
        raise context.wrong(f"iref must be at most {len(context.units)}, the number of units")
    return int(choice["iref"]) - 1


def _dist2targ(x: Array, choice: Choice, context: _Context) -> Array:
    target = choice["target"] if choice["target"] is not None else context.node.about.get("target")
    if target is None:
        raise context.wrong("has no target; give one here or in the tree (iMeta: Target)")
    low = np.nanmin(x)
    return _capped((x - low) / (context.turned(target, choice) - low), choice)


def _capped(scores: Array, choice: Choice) -> Array:
    return np.where(scores > 1, 1.0, scores) if choice["cap"] else scores


def _fracmax(x: Array, choice: Choice, context: _Context) -> Array:
    out: Array = x / np.nanmax(x)
    return out


def _goalposts(x: Array, choice: Choice, context: _Context) -> Array:
    posts = choice["gposts"] or context.node.about.get("goalposts")
    if not posts:
        raise context.wrong("has no goalposts; give gposts: [lower, upper] here or goalposts in the tree")
    if len(posts) not in (2, 3) or posts[0] == posts[1]:
        raise context.wrong(
            "gposts must be [lower, upper] or [lower, upper, scale], with two different posts"
        )
    ends = sorted(context.turned(post, choice) for post in posts[:2])
    scores = (x - ends[0]) / (ends[1] - ends[0])
    if choice["truncate"]:
        scores = np.clip(scores, 0, 1)
    return scores * (posts[2] if len(posts) == 3 else 1.0)


_FORMULAS: Mapping[str, Callable[[Array, Choice, _Context], Array]] = {
    "none": lambda x, choice, context: x,
    "minmax": _minmax,
    "zscore": _zscore,
    "scaled": _scaled,
    "rank": _rank,
    "borda": _borda,
    "prank": _prank,
    "dist2max": _dist2max,
    "dist2ref": _dist2ref,
    "dist2targ": _dist2targ,
    "fracmax": _fracmax,
    "goalposts": _goalposts,
}

_META: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "minmax": {"range": ("minmax_lower", "minmax_upper")},
    "scaled": {"npara": ("scaled_lower", "scaled_upper")},
    "zscore": {"m_sd": ("zscore_mean", "zscore_sd")},
    "dist2targ": {"target": ("target",), "cap": ("cap",)},
    "goalposts": {"gposts": ("goalposts",), "truncate": ("goalpost_trunc2posts",)},
}


def _with_meta(choice: Choice, node: Node, where: str) -> Choice:
    """The choice with the parameters an iMeta row holds for it; those it does not hold stay."""
    if choice.method not in _META:
        raise Misdeclared(where, choice.key, f"{choice.method} takes no parameters from the iMeta table")
    values: dict[str, Any] = dict(choice.values)
    for name, columns in _META[choice.method].items():
        if all(column in node.about for column in columns):
            found = tuple(node.about[column] for column in columns)
            values[name] = found if len(found) > 1 else found[0]
    return replace(choice, values=values)
