"""Log-linear quasi-Poisson regression, step for step as R's glm.fit: same start, same steps, same end.

Farrington's methods depend on more than the estimate: on whether R says it converged (within 25 steps, by the
deviance), and on the weights of its last step. statsmodels gives the same estimate but not those; see ADR 0025.
The same bits on every processor: `schemas.arithmetic`, see ADR 0081.
Source: McCullagh and Nelder, Generalized Linear Models, 1989, 2.5; R 4.2 stats::glm.fit, summary.glm, predict.lm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from schemas.arithmetic.columns import Floats, dot, exp, log, total
from schemas.arithmetic.matrices import (
    Factored,
    back_substituted,
    factored,
    inverse_of_triangle,
    multiplied,
)

EPSILON = 1e-8
STEPS = 25
TINY = 2.0**-52
LOG_TINY = -36.04365338911715
"""Its logarithm: below this linear predictor, R's log link gives TINY for the mean."""
DEPENDENT = 1e-11
"""A column whose part not explained by those before is smaller than this is explained by them."""


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted model; rows with a prior weight of 0 count for nothing.

    `eta` are the linear predictors, `weights` the working weights of the last step, `residuals` the working
    residuals at its end, `last` is that step's Q R.
    """

    coefficients: Floats
    response: Floats
    eta: Floats
    fitted: Floats
    residuals: Floats
    weights: Floats
    last: Factored
    converged: bool
    freedom: int

    @cached_property
    def hat(self) -> Floats:
        """The leverages."""
        hat = self.last.leverages()
        return np.where(hat > 1 - 10 * TINY, 1.0, hat)

    @cached_property
    def root(self) -> Floats:
        """The matrix whose product with its transpose is the covariance of the coefficients."""
        return inverse_of_triangle(self.last.half)

    def dispersion(self, weights: Floats | None = None) -> float:
        """Pearson's estimate (not a number where no degree of freedom is left)."""
        used = self.weights if weights is None else weights
        if self.freedom <= 0:
            return math.nan
        return float(total((used * self.residuals * self.residuals)[used > 0])) / self.freedom

    @property
    def unscaled(self) -> Floats:
        """The covariance of the coefficients at a dispersion of 1."""
        return multiplied(self.root, self.root.T)

    def error(self, row: Floats, dispersion: float) -> float:
        """The standard error of the linear predictor at a row of the design."""
        along = multiplied(self.root.T, row)
        return math.sqrt(dot(along, along) * dispersion)

    def predict(self, row: Floats, offset: float, dispersion: float) -> tuple[float, float]:
        """The linear predictor at a row of the design, and its standard error."""
        return dot(row, self.coefficients) + offset, self.error(row, dispersion)


def fit(
    design: Floats, response: Floats, prior: Floats | None = None, offset: Floats | None = None
) -> Fit | None:
    """Fit by iterated weighted least squares; None where R has none (dependent columns, overflow)."""
    if len(response) < design.shape[1] or bool(np.any(response < 0)):
        return None
    prior = np.ones_like(response) if prior is None else prior
    offset = np.zeros_like(response) if offset is None else offset
    with np.errstate(all="ignore"):
        return _fit(design, response, prior, offset)


def _fit(design: Floats, response: Floats, prior: Floats, offset: Floats) -> Fit | None:
    logs = log(np.where(response > 0, response, 1.0))
    eta = log(response + 0.1)
    mu = _mean(eta)
    deviance, before = _deviance(response, logs, eta, mu, prior), None
    last = None
    for _ in range(STEPS):
        last = _least_squares(design, response, prior, offset, eta, mu)
        if last is None:
            return None
        coefficients, weights, parts = last
        eta, mu, now, coefficients = _halved(design, response, logs, prior, offset, coefficients, before)
        if not math.isfinite(now):
            return None
        converged = abs(now - deviance) / (abs(now) + 0.1) < EPSILON
        deviance, before = now, coefficients
        if converged:
            break
    return Fit(
        coefficients=coefficients, response=response, eta=eta, fitted=mu, residuals=(response - mu) / mu,
        weights=weights, last=parts, converged=bool(converged),
        freedom=int(np.count_nonzero(prior > 0)) - design.shape[1],
    )  # fmt: skip


def _mean(eta: Floats) -> Floats:
    return np.maximum(exp(eta), TINY)


def _deviance(response: Floats, logs: Floats, eta: Floats, mu: Floats, prior: Floats) -> float:
    """Twice the sum of y ln(y / mu) - (y - mu); the logarithm of mu is eta."""
    parts = response * (logs - np.maximum(eta, LOG_TINY)) - (response - mu)
    return 2 * dot(prior, np.where(response > 0, parts, mu))


def _least_squares(
    design: Floats, response: Floats, prior: Floats, offset: Floats, eta: Floats, mu: Floats
) -> tuple[Floats, Floats, Factored] | None:
    """(coefficients, working weights, Q R) of one step; None where columns depend on each other."""
    weights = np.where(prior > 0, prior * mu, 0.0)  # prior x mu.eta^2 / variance
    root = np.sqrt(weights)
    scaled = design * root[:, None]
    if not np.all(np.isfinite(scaled)):
        return None
    target = ((eta - offset) + (response - mu) / mu) * root
    parts = factored(scaled, target)
    if np.any(np.abs(np.diag(parts.half)) <= DEPENDENT * np.sqrt(total(scaled * scaled))):
        return None
    coefficients = back_substituted(parts.half, parts.rest)
    return (coefficients, weights, parts) if np.all(np.isfinite(coefficients)) else None


def _halved(
    design: Floats,
    response: Floats,
    logs: Floats,
    prior: Floats,
    offset: Floats,
    coefficients: Floats,
    before: Floats | None,
) -> tuple[Floats, Floats, float, Floats]:
    """(eta, mu, deviance, coefficients), the step halved until they are finite; if that fails, an infinite one."""
    for _ in range(STEPS + 1):
        eta = multiplied(design, coefficients) + offset
        mu = _mean(eta)
        deviance = _deviance(response, logs, eta, mu, prior)
        if math.isfinite(deviance) and bool(np.all(np.isfinite(mu))):
            return eta, mu, deviance, coefficients
        if before is None:
            break
        coefficients = (coefficients + before) / 2
    return eta, mu, math.inf, coefficients
