"""Back to single indicators: what each of them contributes to the score of the index."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from dagster_project.composite.aggregate import Aggregated, Aggregation
from dagster_project.composite.methods import Choice
from dagster_project.composite.table import Array, Table
from dagster_project.composite.tree import Tree
from schemas.arithmetic.columns import power, total


def contributions(tree: Tree, aggregated: Aggregated, how: Aggregation) -> Table:
    """Parts of the index's score by indicator and unit, summing to it; missing where copeland is on the way.

    An indicator's part is its score times the derivative of the index by it. Weighted means are homogeneous
    of degree one, so the parts sum to the score (Euler); for arithmetic means they are weight times score.
    """
    scores = aggregated.table
    slope: dict[str, Array] = {tree.top: np.ones(len(scores.units))}
    for code in reversed(tree.aggregates):
        children = [child.code for child in tree.children(code)]
        values = scores.select(children).values
        weights = np.array([aggregated.weights[child].weight for child in children])
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            parts = _slopes(values, weights, scores.column(code), how.of(tree.nodes[code]))
        for at, child in enumerate(children):
            slope[child] = np.where(np.isnan(values[:, at]), 0.0, slope[code] * parts[:, at])
    found = [
        np.where(np.isnan(scores.column(code)), 0.0, scores.column(code)) * slope[code]
        for code in tree.indicators
    ]
    values = np.where(np.isnan(scores.column(tree.top))[:, None], math.nan, np.column_stack(found))
    return Table(scores.units, scores.names, tree.indicators, values)


def _slopes(values: Array, weights: Array, score: Array, choice: Choice) -> Array:
    """Derivatives of the weighted mean by each of its scores."""
    if choice.method == "copeland":
        return np.full(values.shape, math.nan)
    w = np.where(np.isnan(values), 0.0, weights)
    share: Array = w / total(w, axis=1)[:, None]
    exponent = choice["p"] if choice.method == "power" else _POWERS[choice.method]
    if exponent == 1:
        return share
    out: Array = np.where(score[:, None] == 0, 0.0, share * power(values / score[:, None], exponent - 1))
    return out


_POWERS: Mapping[str, float] = {"arithmetic": 1.0, "geometric": 0.0, "harmonic": -1.0}
