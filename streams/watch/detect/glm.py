"""Log-linear quasi-Poisson regression, step for step as R's glm.fit: same start, same steps, same end.

Farrington's methods depend on more than the estimate: on whether R says it converged (within 25 steps, by the
deviance), and on the weights of its last step. statsmodels gives the same estimate but not those; see ADR 0025.
Source: McCullagh and Nelder, Generalized Linear Models, 1989, 2.5; R 4.2 stats::glm.fit, summary.glm, predict.lm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

EPSILON = 1e-8
STEPS = 25
TINY = float(np.finfo(float).eps)
DEPENDENT = 1e-11
"""A column whose part not explained by those before is smaller than this is explained by them."""


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted model; rows with a prior weight of 0 count for nothing.

    `weights` are the working weights of the last step, `residuals` the working residuals at its end, `hat` the
    leverages, `unscaled` the covariance of the coefficients at a dispersion of 1.
    """

    coefficients: Floats
    response: Floats
    fitted: Floats
    residuals: Floats
    weights: Floats
    hat: Floats
    unscaled: Floats
    converged: bool
    freedom: int

    def dispersion(self, weights: Floats | None = None) -> float:
        """Pearson's estimate (not a number where no degree of freedom is left)."""
        used = self.weights if weights is None else weights
        if self.freedom <= 0:
            return math.nan
        return float(np.sum((used * self.residuals**2)[used > 0])) / self.freedom

    def predict(self, row: Floats, offset: float, dispersion: float) -> tuple[float, float]:
        """The linear predictor at a row of the design, and its standard error."""
        return float(row @ self.coefficients) + offset, math.sqrt(
            float(row @ self.unscaled @ row) * dispersion
        )


def fit(
    design: Floats, response: Floats, prior: Floats | None = None, offset: Floats | None = None
) -> Fit | None:
    """Fit by iterated weighted least squares; None where R has none (dependent columns, overflow)."""
    if len(response) < design.shape[1] or np.any(response < 0):
        return None
    with np.errstate(all="ignore"):
        ones, zeros = np.ones_like(response), np.zeros_like(response)
        return _iterate(
            design, response, ones if prior is None else prior, zeros if offset is None else offset
        )


def _iterate(design: Floats, response: Floats, prior: Floats, offset: Floats) -> Fit | None:
    eta = np.log(response + 0.1)
    mu = _mean(eta)
    deviance, before = _deviance(response, mu, prior), None
    last = None
    for _ in range(STEPS):
        last = _least_squares(design, response, prior, offset, eta, mu)
        if last is None:
            return None
        coefficients, weights, half, q = last
        eta, mu, now, coefficients = _halved(design, response, prior, offset, coefficients, before)
        if not math.isfinite(now):
            return None
        converged = abs(now - deviance) / (abs(now) + 0.1) < EPSILON
        deviance, before = now, coefficients
        if converged:
            break
    inverse = np.linalg.inv(half)
    hat = np.sum(q**2, axis=1)
    return Fit(
        coefficients=coefficients, response=response, fitted=mu, residuals=(response - mu) / _mean(eta),
        weights=weights, hat=np.where(hat > 1 - 10 * TINY, 1.0, hat), unscaled=inverse @ inverse.T,
        converged=bool(converged), freedom=int(np.sum(prior > 0)) - design.shape[1],
    )  # fmt: skip


def _mean(eta: Floats) -> Floats:
    return np.maximum(np.exp(eta), TINY)


def _deviance(response: Floats, mu: Floats, prior: Floats) -> float:
    positive = response > 0
    logarithm = np.log(np.where(positive, response, 1.0) / np.where(positive, mu, 1.0))
    return 2 * float(np.sum(np.where(positive, prior * (response * logarithm - (response - mu)), mu * prior)))


def _least_squares(
    design: Floats, response: Floats, prior: Floats, offset: Floats, eta: Floats, mu: Floats
) -> tuple[Floats, Floats, Floats, Floats] | None:
    """(coefficients, working weights, R, Q) of one step; None where columns depend on each other."""
    weights = np.where(prior > 0, prior * mu, 0.0)  # prior x mu.eta^2 / variance
    root = np.sqrt(weights)
    scaled = design * root[:, None]
    if not np.all(np.isfinite(scaled)):
        return None
    q, half = np.linalg.qr(scaled)
    if np.any(np.abs(np.diag(half)) <= DEPENDENT * np.linalg.norm(scaled, axis=0)):
        return None
    target = ((eta - offset) + (response - mu) / mu) * root
    coefficients = np.linalg.solve(half, q.T @ target)
    return (coefficients, weights, half, q) if np.all(np.isfinite(coefficients)) else None


def _halved(
    design: Floats,
    response: Floats,
    prior: Floats,
    offset: Floats,
    coefficients: Floats,
    before: Floats | None,
) -> tuple[Floats, Floats, float, Floats]:
    """(eta, mu, deviance, coefficients), the step halved until they are finite; if that fails, an infinite one."""
    for _ in range(STEPS + 1):
        eta = design @ coefficients + offset
        mu = _mean(eta)
        deviance = _deviance(response, mu, prior)
        if math.isfinite(deviance) and bool(np.all(np.isfinite(mu))):
            return eta, mu, deviance, coefficients
        if before is None:
            break
        coefficients = (coefficients + before) / 2
    return eta, mu, math.inf, coefficients
