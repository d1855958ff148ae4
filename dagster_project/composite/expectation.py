"""EM imputation: missing figures as a multivariate normal expects them, given those that are there."""

from __future__ import annotations

import numpy as np

from dagster_project.composite.moments import present
from dagster_project.composite.table import Array
from schemas.arithmetic.columns import deviation, mean, total
from schemas.arithmetic.matrices import multiplied, solved

RIDGE = 1e-6
"""By default: some 1e-6 of an indicator's variance; no more than that moves what is expected."""


def expect(values: Array, iterations: int, tolerance: float, ridge: float = RIDGE) -> Array:
    """The figures with the missing ones at their conditional expectation, after EM has converged.

    Works on standardised columns (Dempster, Laird, Rubin 1977; Little and Rubin 2002, chapter 11.2), with `ridge`
    added to their variances. A column without two different figures is left as it is. ValueError where what is
    known determines itself, as with more indicators than units and no ridge.
    """
    usable = np.array([len(np.unique(column[~np.isnan(column)])) > 1 for column in values.T], dtype=bool)
    part = values[:, usable]
    if not np.isnan(part).any():
        return values
    centre = np.array([mean(present(column)) for column in part.T])
    spread = np.array([deviation(present(column), 0) for column in part.T])
    converged = (
        _expectation_maximisation((part - centre) / spread, iterations, tolerance, ridge) * spread + centre
    )
    out = values.copy()
    out[:, usable] = np.where(np.isnan(part), converged, part)
    return out


def _expectation_maximisation(x: Array, iterations: int, tolerance: float, ridge: float) -> Array:
    missing = np.isnan(x)
    filled = np.where(missing, 0.0, x)
    middle, cov = _moments(filled, 0.0)
    for _ in range(iterations):
        filled, spare = _expectation(x, missing, middle, cov + ridge * np.eye(len(middle)))
        before = middle
        middle, cov = _moments(filled, spare)
        if np.abs(middle - before).max() < tolerance:
            break
    return filled


def _moments(filled: Array, spare: Array | float) -> tuple[Array, Array]:
    """Means of columns, and their covariances (over n) with what was missing of them."""
    middle = total(filled) / len(filled)
    off = filled - middle
    return middle, (multiplied(off.T, off) + spare) / len(filled)


def _expectation(
    x: Array, missing: np.typing.NDArray[np.bool_], middle: Array, cov: Array
) -> tuple[Array, Array]:
    """Rows with expected figures, and the sum of the covariances of what was missing."""
    filled, spare = np.where(missing, 0.0, x), np.zeros_like(cov)
    for row, gaps in enumerate(missing):
        if not gaps.any():
            continue
        known = ~gaps
        slope = solved(cov[np.ix_(known, known)], cov[np.ix_(known, gaps)]).T
        filled[row, gaps] = middle[gaps] + multiplied(slope, x[row, known] - middle[known])
        spare[np.ix_(gaps, gaps)] += cov[np.ix_(gaps, gaps)] - multiplied(slope, cov[np.ix_(known, gaps)])
    return filled, spare
