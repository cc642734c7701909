"""Chi-square of model fluxes against observed fluxes with the overall scale of each model free.

Formulated as matrix products: with m (M, B) the fluxes of M models, f and w (N, B) the fluxes and inverse variances
of N sources, the sums s1 = sum_b w f m and s2 = sum_b w m^2 are two (N, B) x (B, M) products, the best scale of a
model is s1 / s2, and its chi2 is sum_b w f^2 - s1^2 / s2.

Upper limits enter as in Sawicki (2012, eqs. A10 and A11): a band with limit L and error sigma adds
-2 ln Phi((L - a m) / sigma), and the scale a is then the root of the derivative of the whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr

CUT = 32.0
"""Models whose chi2 is this much above the best are left out: each weighs less than 1.2e-7 of the best."""

CANCELLATION = 1e4
"""Above this total (S/N)^2 the float32 difference of sums is not trusted to 0.01 in chi2: residuals are taken."""

NEWTON_STEPS = 30


@dataclass(frozen=True, eq=False)
class Weighted:
    """Sources in units of their best-measured band, so that float32 serves any flux unit."""

    flux: np.ndarray
    """(N, B), float64, observed flux / unit; 0 where there is none."""
    weight: np.ndarray
    """(N, B), float64, inverse variance x unit^2; 0 where the band is not measured or is a limit."""
    limit_err: np.ndarray
    """(N, B), float64, error / unit of the bands that are upper limits; 0 elsewhere."""
    unit: np.ndarray
    """(N,), nJy: the smallest error of each source."""
    total: np.ndarray
    """(N,), sum over bands of flux^2 weight: the total (S/N)^2."""

    def __len__(self) -> int:
        return len(self.unit)

    def take(self, rows) -> Weighted:
        return Weighted(self.flux[rows], self.weight[rows], self.limit_err[rows], self.unit[rows], self.total[rows])


def weigh(flux: np.ndarray, ivar: np.ndarray, limit: np.ndarray | None, model_error: np.ndarray | float) -> Weighted:
    """Fluxes (N, B) and inverse variances (N, B), both in nJy, ready to be compared with models.

    model_error : a fraction, or (B,) fractions, of the observed flux, added to its error in quadrature
    (CIGALE's `additionalerror`; a band's calibration error).
    """
    flux = np.asarray(flux, dtype=np.float64)
    ivar = np.asarray(ivar, dtype=np.float64)
    seen = ivar > 0
    limit = np.zeros(flux.shape, bool) if limit is None else np.asarray(limit) & seen
    variance = np.zeros_like(ivar)
    np.divide(1.0, ivar, out=variance, where=seen)
    variance += np.where(limit, 0.0, (np.asarray(model_error) * flux) ** 2)
    error = np.sqrt(variance)
    unit = np.where(seen, error, np.inf).min(axis=1)
    unit = np.where(np.isfinite(unit), unit, 1.0)
    flux, error = np.where(seen, flux, 0.0) / unit[:, None], error / unit[:, None]
    weight = np.zeros_like(flux)
    np.divide(1.0, error**2, out=weight, where=seen & ~limit)
    return Weighted(flux, weight, np.where(limit, error, 0.0), unit, (flux**2 * weight).sum(axis=1))


@dataclass(frozen=True, eq=False)
class Table:
    """Fluxes of M models, laid out for the products."""

    flux: np.ndarray
    """(M, B), float32, or float64 where sums must not cancel."""
    columns: np.ndarray
    """(B, M), the same, transposed and contiguous."""
    squares: np.ndarray
    """(B, M), its square."""

    @classmethod
    def of(cls, flux: np.ndarray) -> Table:
        """From fluxes (M, B)."""
        columns = np.ascontiguousarray(flux.T)
        return cls(flux, columns, columns * columns)

    def sums(self, sources: Weighted) -> tuple[np.ndarray, np.ndarray]:
        """s1 and s2, each (N, M), of the precision of the models."""
        weighted = (sources.flux * sources.weight).astype(self.flux.dtype)
        return weighted @ self.columns, sources.weight.astype(self.flux.dtype) @ self.squares


def residual_chi2(flux, weight, models, scale):
    """(K,) chi2 in float64 of one source, flux and weight (B,), against models (K, B) times scale (K,)."""
    residual = flux - scale[:, None] * models
    return (residual * residual) @ weight


def limit_chi2(flux, limit_err, models, scale):
    """(K,) sum over the upper limits of one source of -2 ln Phi((L - scale m) / sigma)."""
    chi2 = np.zeros(len(models))
    for band in np.flatnonzero(limit_err):
        chi2 -= 2.0 * log_ndtr((flux[band] - scale * models[:, band]) / limit_err[band])
    return chi2


def inverse_mills(u):
    """phi(u) / Phi(u) of a standard normal, |u| + 1 / |u| where that is exact to 1e-8."""
    near = np.maximum(u, -1e3)
    exact = np.exp(-0.5 * near * near - log_ndtr(near)) / np.sqrt(2.0 * np.pi)
    return np.where(u < -1e3, -u - 1.0 / np.minimum(u, -1e3), exact)


def scale_under_limits(flux, limit_err, models, scale, s2):
    """(K,) the scale that minimises the whole chi2 of each model, limits included.

    flux, limit_err : (B,), one source. models : (K, B). scale : (K,), the best scale without the limits. s2 : (K,).
    The derivative rises and is convex in the scale, and is not negative where we start, so Newton's steps come down
    to the root without passing it.
    """
    bands = np.flatnonzero(limit_err)
    slope = models[:, bands] / limit_err[bands]  # (K, L)
    level = flux[bands] / limit_err[bands]
    scale0, scale, s2 = scale, scale.copy(), s2.astype(np.float64)
    for _ in range(NEWTON_STEPS):
        u = level - scale[:, None] * slope
        mills = inverse_mills(u)
        first = s2 * (scale - scale0) + (slope * mills).sum(axis=1)
        second = s2 + (slope * slope * mills * (u + mills)).sum(axis=1)
        step = first / second
        scale -= step
        if np.all(np.abs(step) <= 1e-6 * np.abs(scale0)):
            break
    return scale
