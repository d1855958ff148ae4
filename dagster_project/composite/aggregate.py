"""Aggregation: from the scores of children to those of their parent, from the indicators up to the index."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dagster_project.composite.methods import Choice, Method, Parameter, catalogue
from dagster_project.composite.table import Array, Table
from dagster_project.composite.tree import Node, Tree
from dagster_project.composite.weigh import Weighting, Weights, compared, entropy, principal
from schemas.arithmetic.columns import exp, log, power, summed, total
from schemas.errors import Misdeclared

_ZEROS = Parameter(
    *("zeros", "text", "refuse", "a score of 0 is refused, or makes the mean 0"),
    choices=("refuse", "zero"),
)
METHODS = catalogue(
    Method("arithmetic", "sum(w x) / sum(w)", ("a_amean", "amean", "mean")),
    Method("geometric", "exp(sum(w ln x) / sum(w)), scores above 0", ("a_gmean", "gmean"), (_ZEROS,)),
    Method("harmonic", "sum(w) / sum(w / x), no score 0", ("a_hmean", "hmean"), (_ZEROS,)),
    Method(
        *("power", "(sum(w x^p) / sum(w))^(1/p)", ("a_genmean", "generalised", "generalized")),
        (Parameter("p", "number", 2.0, "the exponent, not 0"),),
    ),
    Method(
        *("copeland", "by comparing each two units: wins minus losses", ("a_copeland",)),
        (
            Parameter(
                *(
                    "count",
                    "text",
                    "duels",
                    "1 a duel won by weight, -1 a lost one; or the shares won, summed",
                ),
                choices=("duels", "shares"),
            ),
        ),
    ),
)


@dataclass(frozen=True)
class Aggregation:
    """The method of each aggregate, and the share of children's weights a score may be missing.

    `levels` and `available` are by level of the aggregate, `groups` by its code.
    """

    choice: Choice
    levels: Mapping[int, Choice] = field(default_factory=dict)
    groups: Mapping[str, Choice] = field(default_factory=dict)
    available: Mapping[int, float] = field(default_factory=dict)

    def of(self, node: Node) -> Choice:
        """What makes the score of one aggregate."""
        return self.groups.get(node.code) or self.levels.get(node.level) or self.choice


@dataclass(frozen=True)
class Weighed:
    """The weight of one node beside its sisters: as used, as a share of their sum, and how it came about."""

    code: str
    weight: float
    share: float
    method: str
    notes: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Aggregated:
    """Scores of all indicators and aggregates, and the weights behind them by code."""

    table: Table
    weights: Mapping[str, Weighed]


def aggregate(
    tree: Tree,
    steps: Mapping[str, Table],
    how: Aggregation,
    weighting: Weighting,
    where: str,
    noise: Mapping[str, float] | None = None,
) -> Aggregated:
    """Scores from the indicators of `steps["normalised"]` up; `noise` multiplies weights by code."""
    table = steps["normalised"]
    scores = dict(zip(table.codes, table.values.T, strict=True))
    weights: dict[str, Weighed] = {}
    for code in tree.aggregates:
        children = tree.children(code)
        values = np.column_stack([scores[child.code] for child in children])
        choice = weighting.of(code, children[0].level)
        found = _weights(children, choice, values, steps, weighting, where)
        if noise is not None:
            found = Weights(
                found.weights * np.array([noise.get(child.code, 1.0) for child in children]), found.notes
            )
        _check_weights(found.weights, children, code, choice, where)
        scores[code] = _score(tree.nodes[code], children, values, found.weights, how, table.units, where)
        for child, weight in zip(children, found.weights, strict=True):
            share = float(weight / summed(found.weights))
            weights[child.code] = Weighed(child.code, float(weight), share, choice.method, found.notes)
    above = np.column_stack([scores[code] for code in tree.aggregates])
    return Aggregated(table.beside(tree.aggregates, above), weights)


def _weights(
    children: tuple[Node, ...],
    choice: Choice,
    values: Array,
    steps: Mapping[str, Table],
    weighting: Weighting,
    where: str,
) -> Weights:
    if choice.method == "equal":
        return Weights(np.ones(len(children)))
    if choice.method == "ahp":
        return compared(choice["matrix"])
    if choice.method == "entropy":
        return entropy(values)
    if choice.method == "pca":
        if all(child.level == 1 for child in children):
            values = steps[choice["dataset"]].select([child.code for child in children]).values
        return principal(values, choice["use"] == "squared")
    return Weights(np.array([weighting.values.get(child.code, child.weight) for child in children]))


def _check_weights(weights: Array, children: tuple[Node, ...], code: str, choice: Choice, where: str) -> None:
    key = choice.key or "weights"
    if np.isnan(weights).any():
        names = ", ".join(child.code for child in children)
        reason = {
            "entropy": "scores of 0 or more that are not all 0",
            "pca": "two units with all figures, and figures that differ",
        }.get(choice.method, "numbers")
        raise Misdeclared(where, key, f"{code}: {choice.method} weights of {names} need {reason}")
    if summed(weights) <= 1e-9 * summed(np.abs(weights)):
        because = "; they go against each other, take use: squared" if choice.method == "pca" else ""
        raise Misdeclared(where, key, f"{code}: the weights of its children must sum to more than 0{because}")


def _score(
    node: Node,
    children: tuple[Node, ...],
    values: Array,
    weights: Array,
    how: Aggregation,
    units: tuple[str, ...],
    where: str,
) -> Array:
    choice = how.of(node)
    _check_scores(values, choice, node, children, units, where)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        scores = mean_of(values, weights, choice)
    share = (~np.isnan(values)).mean(axis=1)
    return np.where(share < how.available.get(node.level, 0.0), math.nan, scores)


def _check_scores(
    values: Array, choice: Choice, node: Node, children: tuple[Node, ...], units: tuple[str, ...], where: str
) -> None:
    refused = _refused(values, choice)
    if refused.any():
        row, column = np.argwhere(refused)[0]
        bound = "a score of 0" if values[row, column] == 0 else "a score below 0"
        raise Misdeclared(
            where,
            choice.key or "aggregate",
            f"{node.code}: the {choice.method} mean cannot take {bound}, and {children[column].code} of unit "
            f"{units[row]} is {values[row, column]:g}; normalise to a range above 0 such as [1, 100], take the "
            "arithmetic mean, or say zeros: zero",
        )


def _refused(values: Array, choice: Choice) -> NDArray[np.bool_]:
    """Which scores a mean cannot take; one of 0 may be let through where the mean tends to 0 with it."""
    zeros: NDArray[np.bool_] = (values == 0) & (choice.values.get("zeros") != "zero")
    if choice.method == "geometric":
        return zeros | (values < 0)
    if choice.method == "power" and choice["p"] < 0:
        return zeros | (values < 0)
    if choice.method == "power" and choice["p"] != int(choice["p"]):
        return values < 0
    return zeros if choice.method == "harmonic" else np.zeros(values.shape, dtype=bool)


def mean_of(values: Array, weights: Array, choice: Choice) -> Array:
    """The weighted mean of each row over its scores that are there; NaN where there is none."""
    return _MEANS[choice.method](values, weights, choice)


def _present(values: Array, weights: Array) -> tuple[Array, Array]:
    there = ~np.isnan(values)
    return np.where(there, values, 0.0), np.where(there, weights, 0.0)


def _arithmetic(values: Array, weights: Array, choice: Choice) -> Array:
    x, w = _present(values, weights)
    whole = total(w, axis=1)
    out = total(np.where(w == 0, 0.0, w / whole[:, None]) * x, axis=1)
    return np.where(whole == 0, math.nan, out)


def _geometric(values: Array, weights: Array, choice: Choice) -> Array:
    _, w = _present(values, weights)
    logs = np.where(np.isnan(values) | (w == 0), 0.0, log(values))
    return exp(total(w * logs, axis=1) / total(w, axis=1))


def _harmonic(values: Array, weights: Array, choice: Choice) -> Array:
    _, w = _present(values, weights)
    parts = np.where(np.isnan(values), 0.0, w / values)
    out: Array = total(w, axis=1) / total(parts, axis=1)
    return out


def _power(values: Array, weights: Array, choice: Choice) -> Array:
    _, w = _present(values, weights)
    powers = np.where(np.isnan(values), 0.0, power(values, choice["p"]))
    return power(total(w * powers, axis=1) / total(w, axis=1), 1 / choice["p"])


def _copeland(values: Array, weights: Array, choice: Choice) -> Array:
    """Sum over all other units: 1 where more than half of the weights are with the unit, -1 where less.

    With `count: shares` the shares themselves are summed. Equal scores count half for each. After COINr's
    outrankMatrix: the share of a pair is computed for the earlier unit, the later one has the rest.
    """
    w = weights / summed(weights)
    units = len(values)
    scores = np.zeros(units)
    for first in range(units - 1):
        others = values[first + 1 :]
        share = total((values[first] > others) * w, axis=1) + total((values[first] == others) * w, axis=1) / 2
        if choice["count"] == "shares":
            scores[first] += summed(share)
            scores[first + 1 :] += 1 - share
            continue
        duel = np.where(np.isclose(share, 0.5, rtol=0, atol=1e-12), 0.0, np.sign(share - 0.5))
        scores[first] += summed(duel)
        scores[first + 1 :] -= duel
    return scores


_MEANS: Mapping[str, Callable[[Array, Array, Choice], Array]] = {
    "arithmetic": _arithmetic,
    "geometric": _geometric,
    "harmonic": _harmonic,
    "power": _power,
    "copeland": _copeland,
}
