"""Weights of the children of one aggregate: given, equal, from principal components, entropy or comparisons."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from dagster_project.composite.methods import Choice, Method, Parameter, catalogue
from dagster_project.composite.table import Array
from schemas.arithmetic.columns import deviation, log, mean, summed
from schemas.arithmetic.elementary import log as log_
from schemas.arithmetic.matrices import multiplied, principal_of_positive, principal_of_symmetric

DATASETS = ("raw", "denominated", "imputed", "treated", "normalised")
METHODS = catalogue(
    Method("given", "the weights of the tree, or those under `values`", ("original", "none", "meta")),
    Method("equal", "the same for all sisters"),
    Method(
        *("pca", "from the first principal component of the sisters' correlations", ("get_pca",)),
        (
            Parameter(
                *("use", "text", "loadings", "its loadings, or their squares"),
                choices=("loadings", "squared"),
            ),
            Parameter(
                "dataset", "text", "normalised", "step of the indicators to look at", ("dset",), DATASETS
            ),
        ),
    ),
    Method("entropy", "more for a sister whose scores differ more between units (Shannon)"),
    Method(
        *("ahp", "from pairwise comparisons: the principal eigenvector (Saaty)"),
        parameters=(Parameter("matrix", "matrix", (), "rows in the order of the children"),),
    ),
)
RANDOM_INDEX = (0, 0, 0, 0.58, 0.90, 1.12, 1.24, 1.32, 1.41, 1.45, 1.49, 1.51, 1.48, 1.56, 1.57, 1.59)
"""Mean consistency index of random comparisons by size (Saaty 1980)."""
CONSISTENT = 0.1
"""Comparisons with a consistency ratio above this should be thought over (Saaty)."""


@dataclass(frozen=True)
class Weighting:
    """How weights come about: the method, at which levels it holds, and what differs for some aggregates.

    `values` replace weights of the tree by code. `levels` are the levels of the weighted nodes.
    """

    choice: Choice
    levels: tuple[int, ...] = ()
    groups: Mapping[str, Choice] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)

    def of(self, parent: str, level: int) -> Choice:
        """What weights the children, standing on `level`, of one aggregate."""
        if parent in self.groups:
            return self.groups[parent]
        return self.choice if level in self.levels else Choice("given")


@dataclass(frozen=True)
class Weights:
    """Weights of sisters in their order, and what is worth knowing about how they came about."""

    weights: Array
    notes: Mapping[str, float] = field(default_factory=dict)


def principal(values: Array, squared: bool) -> Weights:
    """Loadings of the first principal component of standardised columns, their sum not below 0.

    Units with a missing figure are left out, as COINr's get_PCA does. Weights are used relative to their sum,
    so the sign a decomposition happens to choose does not matter.
    """
    complete = values[~np.isnan(values).any(axis=1)]
    count = values.shape[1]
    if count == 1:
        return Weights(np.ones(1), {"explained": 1.0})
    if len(complete) < 2 or (complete.min(axis=0) == complete.max(axis=0)).any():
        return Weights(np.full(count, math.nan))
    parts, first = principal_of_symmetric(_correlations(complete))
    first = first * (-1 if summed(first) < 0 else 1)
    explained = float(parts[-1]) / summed(parts)
    return Weights(first * first if squared else first, {"explained": explained})


def _correlations(complete: Array) -> Array:
    """Pearson's correlations of columns that vary."""
    off = np.column_stack([(x - mean(x)) / deviation(x) for x in complete.T])
    return multiplied(off.T, off) / (len(off) - 1)


def entropy(values: Array) -> Weights:
    """1 - entropy of each column's shares, the columns' sum being 1; NaN where a score is below 0.

    e = -sum(p ln p) / ln n with p = x / sum(x) over the units with a score (Shannon; Zeleny 1982).
    """
    spread = [_divergence(column[~np.isnan(column)]) for column in values.T]
    total = math.fsum(spread)
    if math.isnan(total) or total <= 0:
        return Weights(np.full(values.shape[1], 1.0 if total == 0 else math.nan))
    return Weights(np.array(spread) / total)


def _divergence(x: Array) -> float:
    if len(x) < 2 or not np.isfinite(x).all() or (x < 0).any() or summed(x) <= 0:
        return math.nan
    share = x[x > 0] / summed(x)
    return max(0.0, 1 + summed(share * log(share)) / log_(len(x)))


def compared(matrix: Sequence[Sequence[float]]) -> Weights:
    """The principal eigenvector of pairwise comparisons with its consistency ratio.

    CI = (lambda_max - n) / (n - 1), CR = CI / RI(n); 0 for two things, which cannot contradict (Saaty 1980).
    """
    a = np.array(matrix, dtype=np.float64)
    n = len(a)
    greatest, first = principal_of_positive(a)
    index = (greatest - n) / (n - 1) if n > 1 else 0.0
    ratio = index / RANDOM_INDEX[n] if n > 2 else 0.0
    return Weights(first, {"lambda_max": greatest, "consistency_index": index, "consistency_ratio": ratio})
