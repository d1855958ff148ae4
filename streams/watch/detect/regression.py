"""The regression of Farrington's methods: quasi-Poisson, past outbreaks weighted down, a trend if it holds.

Source: Farrington et al., J R Stat Soc A 1996; 159: 547-563; Noufaily et al., Stat Med 2013; 32: 1206-1222;
R surveillance 1.20.3, algo.farrington and algo.farrington.glm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from schemas.arithmetic.columns import Floats, exp, power, total
from schemas.arithmetic.elementary import exp as exp_
from streams.watch.detect.distributions import two_sided_t
from streams.watch.detect.glm import LOG_TINY, TINY, Fit, fit

NEAR = 1e-9
"""What differs by no more than this share is equal: p-values, an expected count and the greatest one seen."""
FLAT = 1e-9
"""A trend that changes the count by no more than this share over all years is 0."""


@dataclass(frozen=True, eq=False)
class Reference:
    """What a point is compared with: past counts, when they were, and the point's own place.

    `seasons` has a column for each season but the first (none where there is one); `season` is the point's row.
    `offset` and `offset_now` are log populations, or zeros.
    """

    response: Floats
    time: Floats
    seasons: Floats
    offset: Floats
    now: float
    season: Floats
    offset_now: float

    def design(self, trend: bool) -> Floats:
        """The design matrix: a constant, the time where a trend is wanted, the seasons."""
        middle = [self.time] if trend else []
        return np.column_stack([np.ones_like(self.time), *middle, self.seasons])

    def row(self, trend: bool) -> Floats:
        """The point's own row of the design."""
        return np.concatenate([[1.0], [self.now] if trend else [], self.season])


@dataclass(frozen=True)
class Fitting:
    """How to fit. `threshold`: residuals above it are weighted down. `flexible`: as farringtonFlexible does.

    That uses the weights against outbreaks in place of the working weights for the dispersion behind standard
    errors (the classic method uses phi), and has no result where R's regression did not converge.
    """

    reweight: bool
    threshold: float
    p_trend: float
    enough_years: bool
    flexible: bool


@dataclass(frozen=True, eq=False)
class Model:
    """A fit, its dispersion phi (at least 1), the dispersion behind standard errors, and its weights."""

    fit: Fit
    phi: float
    dispersion: float
    trend: bool


@dataclass(frozen=True)
class Prediction:
    """What is expected at the point: linear predictor, its standard error, phi, and the trend if any."""

    eta: float
    error: float
    phi: float
    slope: float | None

    @property
    def expected(self) -> float:
        """The expected count, never quite 0 (as R's log link has it)."""
        return max(exp_(self.eta), TINY) if self.eta < 709 else math.inf


def predict(reference: Reference, how: Fitting, trend: bool) -> Prediction | None:
    """Fit, keep the trend where it holds, and predict the point; None where R has no result."""
    model = _model(reference, how, trend)
    if model is not None and model.trend:
        holds = _holds(model, reference, how)
        model = model if holds else None if holds is None else _model(reference, how, trend=False)
    if model is None:
        return None
    eta, error = _at_point(model, reference)
    return Prediction(eta, error, model.phi, float(model.fit.coefficients[1]) if model.trend else None)


def _at_point(model: Model, reference: Reference) -> tuple[float, float]:
    return model.fit.predict(reference.row(model.trend), reference.offset_now, model.dispersion)


def _holds(model: Model, reference: Reference, how: Fitting) -> bool | None:
    """A trend holds where it is significant, rests on three years and stays within what was seen.

    None where nobody can say: no degree of freedom is left to tell significance.
    """
    eta, _ = _at_point(model, reference)
    most = float(np.max(reference.response))
    if not how.enough_years or exp_(min(eta, 709)) > most * (1 + NEAR):
        return False
    chance = _chance_of_no_trend(model, reference, how)
    return None if math.isnan(chance) else chance <= how.p_trend * (1 + NEAR) and how.p_trend > 0


def _chance_of_no_trend(model: Model, reference: Reference, how: Fitting) -> float:
    """The p-value of the trend; not a number where no degree of freedom is left.

    A flat trend (`FLAT`) has a p of 1, so that rounding never decides whether it stays. Counts that are all 1 are
    the exception: their linear predictor is 0, their dispersion 0 to the last bit, and any slope significant.
    """
    dispersion = model.dispersion if how.flexible else model.fit.dispersion()
    if math.isnan(dispersion):
        return math.nan
    if bool(np.all(np.abs(model.fit.eta) <= FLAT)) and dispersion <= TINY:
        return 0.0
    slope, span = float(model.fit.coefficients[1]), float(reference.now - np.min(reference.time))
    if abs(slope) * span <= FLAT:
        return 1.0
    error = model.fit.error(np.eye(len(model.fit.coefficients))[1], dispersion)
    return 0.0 if error == 0 else two_sided_t(slope / error, model.fit.freedom)


def _model(reference: Reference, how: Fitting, trend: bool) -> Model | None:
    design = reference.design(trend)
    first = fit(design, reference.response, offset=reference.offset)
    if first is not None and not first.converged and trend:
        return _model(reference, how, trend=False)
    if first is None or (how.flexible and not first.converged):
        return None
    if not how.reweight:
        return _with_phi(first, trend, None, how)
    weights = against_outbreaks(anscombe_residuals(first, _phi(first)), how.threshold)
    second = (
        fit(design, reference.response, weights, reference.offset) if np.all(np.isfinite(weights)) else None
    )
    return _with_phi(second, trend, weights, how) if second is not None else None


def _phi(fitted: Fit) -> float:
    """The dispersion, at least 1; not a number where no degree of freedom is left."""
    dispersion = fitted.dispersion()
    return dispersion if math.isnan(dispersion) else max(dispersion, 1.0)


def _with_phi(fitted: Fit, trend: bool, weights: Floats | None, how: Fitting) -> Model:
    phi = _phi(fitted)
    return Model(fitted, phi, fitted.dispersion(weights) if how.flexible else phi, trend)


def anscombe_residuals(fitted: Fit, phi: float) -> Floats:
    """Standardized Anscombe residuals of counts; 0 for a count that its season's estimate rests on alone.

    R divides two rounding errors there, and weighs by what comes out.
    """
    mu, free = fitted.fitted, 1 - fitted.hat
    sixth = exp(np.maximum(fitted.eta, LOG_TINY) / -6)
    raw = 1.5 * (power(fitted.response, 2 / 3) * sixth - np.sqrt(mu))
    return np.where(free > 0, raw / np.sqrt(phi * np.where(free > 0, free, 1.0)), 0.0 * phi)


def against_outbreaks(residuals: Floats, threshold: float) -> Floats:
    """Weights that count a residual s above the threshold s^-2, scaled to sum to the number of points."""
    with np.errstate(all="ignore"):
        raw = np.where(residuals > threshold, 1 / (residuals * residuals), 1.0)
        raw = np.where(np.isnan(residuals), np.nan, raw)
        return np.asarray(raw * (len(raw) / total(raw)), dtype=np.float64)
