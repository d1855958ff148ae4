"""What the figures say about themselves: statistics, correlations, reliability."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from dagster_project.composite.moments import kurtosis, present, skewness
from dagster_project.composite.normalise import rank_min
from dagster_project.composite.table import Array, Table
from dagster_project.composite.tree import Tree
from schemas.arithmetic.columns import deviation, mean, summed

CORRELATIONS = ("pearson", "spearman", "kendall")


@dataclass(frozen=True)
class Alpha:
    """Cronbach's alpha of the items of one level under an aggregate, in one data set."""

    dataset: str
    code: str
    level: int
    items: int
    alpha: float


def correlations(table: Table, kind: str) -> Array:
    """Correlations of all columns, over the units where both figures are there; NaN where none can be told."""
    values, count = table.values, len(table.codes)
    out = np.full((count, count), math.nan)
    for row in range(count):
        for column in range(row, count):
            both = ~np.isnan(values[:, row]) & ~np.isnan(values[:, column])
            out[row, column] = out[column, row] = correlation(values[both, row], values[both, column], kind)
    return out


def correlation(x: Array, y: Array, kind: str) -> float:
    """Pearson's r, Spearman's rho or Kendall's tau-b of two columns without missing figures."""
    if len(x) < 2 or not (np.isfinite(x).all() and np.isfinite(y).all()):
        return math.nan
    if kind == "kendall":
        return _kendall(x, y)
    if kind == "spearman":
        x, y = rank_min(x, "average"), rank_min(y, "average")
    x, y = x - mean(x), y - mean(y)
    scale = math.sqrt(summed(x * x) * summed(y * y))
    return summed(x * y) / scale if scale > 0 else math.nan


def _kendall(x: Array, y: Array) -> float:
    upper = np.triu_indices(len(x), 1)
    left, right = np.sign(np.subtract.outer(x, x))[upper], np.sign(np.subtract.outer(y, y))[upper]
    scale = math.sqrt(summed(np.abs(left)) * summed(np.abs(right)))
    return summed(left * right) / scale if scale > 0 else math.nan


def cronbach(values: Array) -> float:
    """Cronbach's alpha: k^2 times the mean covariance of two items over the sum of all covariances.

    Covariances are pairwise over complete pairs, as COINr's get_cronbach computes them.
    """
    count = values.shape[1]
    if count < 2:
        return math.nan
    cov = np.full((count, count), math.nan)
    for row in range(count):
        for column in range(row, count):
            both = ~np.isnan(values[:, row]) & ~np.isnan(values[:, column])
            x, y = values[both, row], values[both, column]
            if len(x) > 1 and np.isfinite(x).all() and np.isfinite(y).all():
                found = summed((x - mean(x)) * (y - mean(y))) / (len(x) - 1)
                cov[row, column] = cov[column, row] = found
    total = summed(present(cov))
    if total == 0:
        return math.nan
    apart = (total - summed(present(np.diag(cov)))) / (count * (count - 1))
    return float(count * count * apart / total)


def alphas(tree: Tree, steps: Mapping[str, Table]) -> list[Alpha]:
    """Alpha of every aggregate: its indicators in each data set, and what stands on levels between."""
    return list(_alphas(tree, steps))


def _alphas(tree: Tree, steps: Mapping[str, Table]) -> Iterator[Alpha]:
    for code in reversed(tree.aggregates):
        for level in range(1, tree.nodes[code].level):
            items = tree.at_level(code, level)
            if len(items) < 2:
                continue
            names = ("raw", "treated", "normalised") if level == 1 else ("aggregated",)
            for name in names:
                alpha = cronbach(steps[name].select(items).values)
                yield Alpha(name, code, level, len(items), alpha)


def statistics(table: Table) -> list[tuple[object, ...]]:
    """A row an indicator, after `STATISTICS`."""
    return [(code, *_statistics(column)) for code, column in zip(table.codes, table.values.T, strict=True)]


STATISTICS = (
    "iCode",
    "Min",
    "Max",
    "Mean",
    "Median",
    "Std",
    "Skew",
    "Kurt",
    "N.Avail",
    "N.Missing",
    "N.Unique",
)


def _statistics(x: Array) -> tuple[object, ...]:
    there = present(x)
    counts = (len(there), len(x) - len(there), len(np.unique(there)))
    if not len(there):
        return (*(math.nan,) * 7, *counts)
    spread = deviation(there) if len(there) > 1 else math.nan
    ends = (float(there.min()), float(there.max()), mean(there), float(np.median(there)))
    return (*ends, spread, skewness(x), kurtosis(x), *counts)
