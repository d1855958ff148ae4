"""EM imputation: missing figures as a multivariate normal expects them, given those that are there."""

from __future__ import annotations

import numpy as np

from dagster_project.composite.table import Array

_RIDGE = 1e-6
"""Added to the diagonal of the correlations: more indicators than units must not make them singular."""


def expect(values: Array, iterations: int, tolerance: float) -> Array:
    """The figures with the missing ones at their conditional expectation, after EM has settled.

    Works on standardised columns (Dempster, Laird, Rubin 1977; Little and Rubin 2002, chapter 11.2). A column
    without two different figures is left as it is.
    """
    usable = np.array([len(np.unique(column[~np.isnan(column)])) > 1 for column in values.T], dtype=bool)
    part = values[:, usable]
    if not np.isnan(part).any():
        return values
    centre, spread = np.nanmean(part, axis=0), np.nanstd(part, axis=0)
    settled = _settle((part - centre) / spread, iterations, tolerance) * spread + centre
    out = values.copy()
    out[:, usable] = np.where(np.isnan(part), settled, part)
    return out


def _settle(x: Array, iterations: int, tolerance: float) -> Array:
    missing = np.isnan(x)
    filled = np.where(missing, 0.0, x)
    mean, cov = filled.mean(axis=0), np.cov(filled, rowvar=False, bias=True).reshape(x.shape[1], x.shape[1])
    for _ in range(iterations):
        filled, spare = _expectation(x, missing, mean, cov + _RIDGE * np.eye(len(mean)))
        before, mean = mean, filled.mean(axis=0)
        off = filled - mean
        cov = (off.T @ off + spare) / len(x)
        if np.abs(mean - before).max() < tolerance:
            break
    return filled


def _expectation(
    x: Array, missing: np.typing.NDArray[np.bool_], mean: Array, cov: Array
) -> tuple[Array, Array]:
    """Rows with expected figures, and the sum of the covariances of what was missing."""
    filled, spare = np.where(missing, 0.0, x), np.zeros_like(cov)
    for row, gaps in enumerate(missing):
        if not gaps.any():
            continue
        known = ~gaps
        slope = np.linalg.solve(cov[np.ix_(known, known)], cov[np.ix_(known, gaps)]).T
        filled[row, gaps] = mean[gaps] + slope @ (x[row, known] - mean[known])
        spare[np.ix_(gaps, gaps)] += cov[np.ix_(gaps, gaps)] - slope @ cov[np.ix_(known, gaps)]
    return filled, spare
