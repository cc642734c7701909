"""How far fluxes are from those of galaxies whose parameters are known, as far as these parameters say.

Galaxies with the parameters of a draw have ln fluxes about ln F with a covariance S, of what the parameters leave open
(histories, dust curves, lines). Fluxes f with variances R are then as far from F as

    T = d' (S + N)^-1 d,    d = (f - F) / L(f, F),    N = diag(R / L(f, E)^2),

where L(x, y) = (x - y) / ln(x / y) is the logarithmic mean, by which d is ln f - ln F where a flux is well measured and
d / sqrt(N) a number of errors where it is not, and E is what f and F together say of the flux without its noise. T is
distributed about as chi2 of B bands if the galaxy has the parameters of the draw, so that

    p = mean over the posterior of P(chi2_B > T)

is the posterior-predictive p-value of this realized discrepancy (Gelman, Meng & Stern 1996, Stat. Sinica 6, 733).
"""

from __future__ import annotations

import numpy as np
from scipy.special import chdtrc

FREE = 9.0
"""Variance of ln flux, where no parameter says how massive a galaxy is."""


def tail_probability(
    flux: np.ndarray, variance: np.ndarray, ln_flux: np.ndarray, covariance: np.ndarray, *, free: bool = False
) -> np.ndarray:
    """(N,): p-values as the head of this file says.

    flux, variance : (N, B), nJy and nJy^2, the latter infinite where a band has no part; ln_flux : (N, S, B), ln nJy,
    of S draws; covariance : (N, B, B), of ln flux; free : the scale of the fluxes says nothing. NaN where there is no
    number to be had.
    """
    used = np.isfinite(variance)
    n_bands = used.sum(axis=1)
    error = np.sqrt(np.where(used, variance, 1.0))
    flux = np.where(used, flux, 0.0)
    ln_positive = np.log(np.hypot(np.maximum(flux, 0.0), error))  # of the flux, softly kept above its error
    if free:
        weight = np.where(used, np.exp(ln_positive) / error, 0.0)[:, None] ** 2
        total = np.maximum(weight.sum(axis=2, keepdims=True), 1e-300)
        ln_flux = ln_flux + (weight * (ln_positive[:, None] - ln_flux)).sum(axis=2, keepdims=True) / total
        covariance, n_bands = covariance + FREE, n_bands - 1
    flux, error, ln_positive, used = (each[:, None] for each in (flux, error, ln_positive, used))
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is no number in the end
        mean = logarithmic_mean(ln_flux, ln_positive)
        off = np.where(used, (flux - np.exp(ln_flux)) / mean, 0.0)
        open_to = np.einsum("nbb->nb", covariance)[:, None]
        share = open_to / (open_to + (error / mean) ** 2)
        noise = error / logarithmic_mean(ln_flux + share * (ln_positive - ln_flux), ln_positive)
    total = np.where(used[..., None] & used[..., None, :], covariance[:, None], 0.0)
    total = total + np.where(used, noise**2, 1.0)[..., None] * np.eye(used.shape[2])
    good = np.isfinite(total).all(axis=(1, 2, 3)) & np.isfinite(off).all(axis=(1, 2)) & (n_bands > 0)
    result = np.full(len(flux), np.nan)
    solved = np.linalg.solve(total[good], off[good][..., None])[..., 0]
    result[good] = chdtrc(n_bands[good, None], (off[good] * solved).sum(axis=2)).mean(axis=1)
    return result


def logarithmic_mean(ln_x: np.ndarray, ln_y: np.ndarray) -> np.ndarray:
    """(x - y) / (ln x - ln y)."""
    ratio = ln_y - ln_x
    ratio = np.where(np.abs(ratio) < 1e-6, 1e-6, ratio)
    return np.exp(ln_x) * np.expm1(ratio) / ratio
