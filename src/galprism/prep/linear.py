"""The Gaussian posterior of a galaxy's coefficients on a basis, from the fluxes of any bands, in closed form.

With a scale s known roughly, the flux of band b is f_b = s (t_b0 (1 + TAU e) + sum_k t_bk u_k) + noise: linear in e,
the error of the scale, and in the coefficients u, whose priors are N(0, 1). Bands are taken up one after another (a
Kalman filter without dynamics; Kalman 1960, J. Basic Eng. 82, 35), many sources at a time: a band that was not observed
does nothing, and no matrix is inverted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TAU = 1.0
"""Standard deviation of the relative error of the first guess of the scale."""
DIVERSITY = 0.5
"""How much galaxies of one scale differ in a band, as a fraction of the mean, for that first guess."""
GUESSES = 4
"""Fixed-point steps of the first guess."""
FEW_BANDS = 22
"""Up to so many bands the evidence is worked out flux by flux."""
BLOCK_ROWS = 1024
"""Sources that are worked on together: many enough for NumPy's calls to cost little, few enough for the cache."""


@dataclass(frozen=True, eq=False)
class Posterior:
    """Of N sources and D = K + 1 coefficients, the first of which is the error of the scale in units of TAU."""

    scale: np.ndarray
    """(N,), the first guess."""
    scale_err: np.ndarray
    """(N,), its error from the fluxes' errors alone."""
    mean: np.ndarray
    """(D, N)."""
    covariance: np.ndarray
    """(D, D, N), symmetric."""
    chi2: np.ndarray
    """(N,): of the fluxes under the prior and their errors; it has as many degrees of freedom as there are bands."""
    n_bands: np.ndarray
    """(N,), int16."""
    ln_evidence: np.ndarray | None = None
    """(N,): ln of the probability density of the fluxes, each in units of its error, up to a constant per band."""
    max_pull: np.ndarray | None = None
    """(N,): of the bands' fluxes against what the others say of them, in sigmas, the one that is farthest off."""
    expected: np.ndarray | None = None
    """(B, N), at a scale of 1: each band's flux as the others say; nan where it was not observed."""


def posterior(
    seen: np.ndarray,
    flux: np.ndarray,
    ivar: np.ndarray,
    model_error: float,
    floor: np.ndarray | None = None,
    *,
    pulls: bool = False,
    evidence: bool = False,
) -> Posterior:
    """The posterior of N sources.

    seen : (B, D, N), nJy at a scale of 1, what each band sees of each spectrum; finite wherever ivar > 0
    flux, ivar : (B, N), nJy and nJy^-2; ivar 0 where a band says nothing
    model_error : of every flux, relative, added to its error
    floor : (N,), nJy at a scale of 1; a flux below has the model error of one as large as this
    pulls : look at each band against all the others as well
    evidence : say how probable the fluxes are
    A source without any band has scale nan.
    """
    d, n = seen.shape[1:]
    result = Posterior(
        np.empty(n),
        np.empty(n),
        np.empty((d, n)),
        np.empty((d, d, n)),
        np.empty(n),
        np.empty(n, np.int16),
        np.empty(n) if evidence else None,
        np.empty(n) if pulls else None,
        np.empty(flux.shape) if pulls else None,
    )
    least = np.zeros(n) if floor is None else floor
    for start in range(0, n, BLOCK_ROWS):
        rows = slice(start, start + BLOCK_ROWS)
        _block(seen[:, :, rows], flux[:, rows], ivar[:, rows], model_error, least[rows], result, rows)
    return result


def ln_evidence(
    seen: np.ndarray, flux: np.ndarray, ivar: np.ndarray, model_error: float, floor: float = 0.0
) -> np.ndarray:
    """(N,): the `ln_evidence` of N sources at one redshift, -inf for a source without any band.

    seen : (B, D), for all of them; the others as of `posterior`. The same numbers as there, by other ways that cost
    less: where bands are few, fluxes are conditioned on fluxes; where they are many, on matrices of the coefficients.
    """
    result = np.empty(flux.shape[1])
    known = (ivar > 0).any(axis=1)
    seen, flux, ivar = seen[known].astype(np.float64), flux[known], ivar[known]
    spread = np.concatenate([seen[:, :1] * TAU, seen[:, 1:]], axis=1)
    by = _by_fluxes if len(seen) <= FEW_BANDS else _by_coefficients
    for start in range(0, flux.shape[1], BLOCK_ROWS):
        rows = slice(start, start + BLOCK_ROWS)
        used, w = ivar[:, rows] > 0, ivar[:, rows].astype(np.float64)
        f = np.where(used, flux[:, rows], 0.0).astype(np.float64)
        with np.errstate(all="ignore"):  # a source without bands comes out as nan
            scale, _ = _guess(seen[:, :1], f, w)
            value, w = f / scale, w * (scale * scale)
            noise = 1.0 / w + model_error**2 * (value * value + floor * floor)
            total = by(spread, np.where(used, value - seen[:, :1], 0.0), noise, np.where(used, w, 0.0))
        result[rows] = np.where(used.any(axis=0) & np.isfinite(total), -0.5 * total, -np.inf)
    return result


def _by_fluxes(spread: np.ndarray, left: np.ndarray, noise: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(N,): chi2 and ln of the volume, each flux conditioned on those before it. spread : (B, D), what coefficients of
    1 add to a band; left, noise, weight : (B, N), what the mean leaves, its variance, and 1 over the stated one."""
    covariance = np.repeat((spread @ spread.T)[:, :, None], left.shape[1], axis=2)
    total, left = np.zeros(left.shape[1]), left.copy()
    for b, (error, stated) in enumerate(zip(noise, weight, strict=True)):
        variance = covariance[b, b] + np.where(stated > 0, error, np.inf)
        gain = covariance[b + 1 :, b] / variance
        total += np.where(stated > 0, left[b] ** 2 / variance + np.log(variance * stated), 0.0)
        left[b + 1 :] -= gain * left[b]
        covariance[b + 1 :, b + 1 :] -= gain[:, None] * covariance[b, b + 1 :]
    return total


def _by_coefficients(spread: np.ndarray, left: np.ndarray, noise: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The same by the coefficients' matrix of information, of which all sources' are one matrix product."""
    d = spread.shape[1]
    precise = np.where(weight > 0, 1.0 / noise, 0.0)
    i, j = np.triu_indices(d)
    flat = precise.T @ (spread[:, i] * spread[:, j])  # (N, D (D + 1) / 2)
    information = np.empty((len(flat), d, d))
    information[:, i, j] = information[:, j, i] = flat
    information[:, np.arange(d), np.arange(d)] += 1.0
    root = np.ascontiguousarray(np.linalg.cholesky(information).transpose(1, 2, 0))  # (D, D, N)
    toward = spread.T @ (precise * left)  # (D, N)
    solved = np.empty_like(toward)
    for k in range(d):
        solved[k] = (toward[k] - (root[k, :k] * solved[:k]).sum(axis=0)) / root[k, k]
    volume = 2.0 * np.log(root[np.arange(d), np.arange(d)]).sum(axis=0)
    volume += np.log(noise * weight, out=np.zeros_like(noise), where=weight > 0).sum(axis=0)
    return (precise * left * left).sum(axis=0) - (solved * solved).sum(axis=0) + volume


def _block(seen, flux, ivar, model_error: float, floor: np.ndarray, result: Posterior, rows: slice) -> None:
    used = ivar > 0
    seen = np.where(used[:, None], seen, 0.0).astype(np.float64)
    flux, ivar = np.where(used, flux, 0.0).astype(np.float64), ivar.astype(np.float64)
    with np.errstate(all="ignore"):  # a source without bands comes out as nan
        scale, scale_err = _guess(seen[:, 0], flux, ivar)
        value = flux / scale
        noise = 1.0 / (ivar * scale * scale) + model_error**2 * (value * value + floor * floor)
        noise[~used] = np.inf
        d, n = seen.shape[1:]
        mean, covariance = np.zeros((d, n)), np.zeros((d, d, n))
        covariance[np.arange(d), np.arange(d)] = 1.0
        chi2, volume = np.zeros(n), np.zeros(n)
        wanted = result.ln_evidence is not None
        work = np.empty_like(covariance)
        start = value - seen[:, 0]
        seen[:, 0] *= TAU
        for one, y, error, seen_by in zip(seen, start, noise, used, strict=True):
            miss = y - (one * mean).sum(axis=0)
            v = np.einsum("ijn,jn->in", covariance, one)
            inverse = 1.0 / ((one * v).sum(axis=0) + error)
            if wanted:
                volume += np.log(inverse, out=np.zeros(n), where=seen_by)
            gain = v * inverse
            mean += gain * miss
            chi2 += miss * miss * inverse
            np.multiply(gain[:, None], v, out=work)
            covariance -= work
        if result.max_pull is not None and result.expected is not None:
            # A band's residual against the prediction of the others follows from that against all of them:
            # (y - h m) / sqrt(R - h P h), Gelfand, Dey & Chang (1992).
            worst = np.zeros(n)
            for b, (one, y, error) in enumerate(zip(seen, start, noise, strict=True)):
                miss = y - (one * mean).sum(axis=0)
                left = error - (one * np.einsum("ijn,jn->in", covariance, one)).sum(axis=0)
                left = np.maximum(left, 1e-3 * error)
                np.maximum(worst, np.where(used[b], np.abs(miss) / np.sqrt(left), 0.0), out=worst)
                result.expected[b, rows] = np.where(used[b], value[b] - miss * error / left, np.nan)
            result.max_pull[rows] = worst
    result.scale[rows], result.scale_err[rows] = scale, scale_err
    result.mean[:, rows], result.covariance[:, :, rows] = mean, covariance
    result.chi2[rows], result.n_bands[rows] = chi2, used.sum(axis=0)
    if result.ln_evidence is not None:
        with np.errstate(divide="ignore"):  # to nJy, and relative to the errors as stated
            volume -= np.log(ivar * scale * scale, out=np.zeros_like(ivar), where=used).sum(axis=0)
        result.ln_evidence[rows] = 0.5 * (volume - chi2)


def _guess(model: np.ndarray, flux: np.ndarray, ivar: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(scale, its error), each (N,), of the mean galaxy's fluxes (B, N): positive, whatever the fluxes' signs."""
    weight, scale = ivar, np.zeros(flux.shape[1])
    error = scale
    for _ in range(GUESSES):
        total = (weight * model * model).sum(axis=0)
        best, error = (weight * model * flux).sum(axis=0) / total, 1.0 / np.sqrt(total)
        bent = np.hypot(best, 2.0 * error)
        scale = np.where(best > 0, 0.5 * (best + bent), 2.0 * error * error / (bent - best))
        spread = (DIVERSITY * scale * model) ** 2
        weight = ivar / (1.0 + ivar * spread)
    return scale, 1.0 / np.sqrt((ivar * model * model).sum(axis=0))
