"""The Gaussian posterior of a galaxy's coefficients on a basis, from the fluxes of any bands, in closed form.

With a scale s known roughly, the flux of band b is f_b = s (t_b0 (1 + TAU e) + sum_k t_bk u_k) + noise: linear in e,
the error of the scale, and in the coefficients u, whose priors are N(0, 1). With H what coefficients of 1 add to the
bands and R the fluxes' variances, their posterior has the covariance

    1 - H' (H H' + R)^-1 H = (1 + H' R^-1 H)^-1

(Tarantola 2005, Inverse Problem Theory, eqs. 3.37 and 3.38): the left side is worked out where bands are few, the
right where they are many. Both go by Cholesky factors, many sources at a time, and a band that was not observed does
nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

TAU = 1.0
"""Standard deviation of the relative error of the first guess of the scale."""
DIVERSITY = 0.5
"""How much galaxies of one scale differ in a band, as a fraction of the mean, for that first guess."""
GUESSES = 4
"""Fixed-point steps of the first guess."""
FEW_BANDS = 22
"""Up to so many bands matrices are of the bands, beyond of the coefficients."""
BLOCK_ROWS = 512
"""Sources that are worked on together: many enough for NumPy's calls to cost little, few enough for the cache."""
LEAST_LEFT = 1e-3
"""Of a band's variance, at the least, is said to be left when the coefficients are known: rounding may leave less."""


@dataclass(frozen=True, eq=False)
class Posterior:
    """Of N sources and D = K + 1 coefficients, the first of which is the error of the scale in units of TAU."""

    scale: np.ndarray
    """(N,), the first guess."""
    scale_err: np.ndarray
    """(N,), its error from the fluxes' errors alone."""
    mean: np.ndarray
    """(D, N)."""
    variance: np.ndarray
    """(D, N)."""
    covariance: np.ndarray | None
    """(D (D - 1) / 2, N), row after row of what is above the diagonal, as np.triu_indices(D, 1) has it; None where it
    was not asked for."""
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
    seen: np.ndarray | Callable[[slice], np.ndarray],
    flux: np.ndarray,
    ivar: np.ndarray,
    model_error: float,
    floor: np.ndarray | None = None,
    *,
    across: bool = True,
    pulls: bool = False,
    evidence: bool = False,
) -> Posterior:
    """The posterior of N sources.

    seen : (B, D, N), nJy at a scale of 1, what each band sees of each spectrum, finite wherever ivar > 0; or what gives
    that of some of the sources, with many of which it is large
    flux, ivar : (B, N), nJy and nJy^-2; ivar 0 where a band says nothing
    model_error : of every flux, relative, added to its error
    floor : (N,), nJy at a scale of 1; a flux below has the model error of one as large as this
    across : say how coefficients covary
    pulls : look at each band against all the others as well
    evidence : say how probable the fluxes are
    A source without any band has scale nan.
    """
    n = flux.shape[1]
    of = (lambda rows: seen[:, :, rows]) if isinstance(seen, np.ndarray) else seen
    d = of(slice(0, 0)).shape[1]
    result = Posterior(
        np.empty(n),
        np.empty(n),
        np.empty((d, n)),
        np.empty((d, n)),
        np.empty((d * (d - 1) // 2, n)) if across else None,
        np.empty(n),
        np.empty(n, np.int16),
        np.empty(n) if evidence else None,
        np.empty(n) if pulls else None,
        np.empty(flux.shape) if pulls else None,
    )
    least = np.zeros(n) if floor is None else floor
    for start in range(0, n, BLOCK_ROWS):
        rows = slice(start, start + BLOCK_ROWS)
        _block(of(rows), flux[:, rows], ivar[:, rows], model_error, least[rows], result, rows)
    return result


def ln_evidence(
    seen: np.ndarray, flux: np.ndarray, ivar: np.ndarray, model_error: float, floor: float = 0.0
) -> np.ndarray:
    """(N,): the `ln_evidence` of N sources at one redshift, -inf for a source without any band.

    seen : (B, D), for all of them; the others as of `posterior`. The same numbers as there, for less: all sources
    share what their bands see.
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
    """(N,): chi2 and ln of the volume. spread : (B, D), what coefficients of 1 add to a band; left, noise, weight :
    (B, N), what the mean leaves, its variance, and 1 over the stated one."""
    used = weight > 0
    between = np.repeat((spread @ spread.T)[:, :, None], left.shape[1], axis=2)
    root = _cholesky(_with_diagonal(between, np.where(used, noise, np.inf)))
    volume = np.log(weight * _squared_diagonal(root), out=np.zeros_like(weight), where=used).sum(axis=0)
    return (_solve(root, left) ** 2).sum(axis=0) + volume


def _by_coefficients(spread: np.ndarray, left: np.ndarray, noise: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The same by the coefficients' matrix of information, of which all sources' are one matrix product."""
    used, d = weight > 0, spread.shape[1]
    precise = np.where(used, 1.0 / noise, 0.0)
    i, j = np.tril_indices(d)
    information = np.zeros((d, d, left.shape[1]))
    information[i, j] = (spread[:, i] * spread[:, j]).T @ precise
    root = _cholesky(_with_diagonal(information, 1.0))
    solved = _solve(root, spread.T @ (precise * left))
    volume = np.log(_squared_diagonal(root)).sum(axis=0)
    volume += np.log(noise * weight, out=np.zeros_like(noise), where=used).sum(axis=0)
    return (precise * left * left).sum(axis=0) - (solved * solved).sum(axis=0) + volume


def _block(seen, flux, ivar, model_error: float, floor: np.ndarray, result: Posterior, rows: slice) -> None:
    used = (ivar > 0) & np.isfinite(seen[:, 0])
    spread = np.where(used[:, None], seen, 0.0).astype(np.float64)
    flux, ivar = np.where(used, flux, 0.0).astype(np.float64), ivar.astype(np.float64)
    with np.errstate(all="ignore"):  # a source without bands comes out as nan
        scale, scale_err = _guess(spread[:, 0], flux, ivar)
        value = flux / scale
        noise = 1.0 / (ivar * scale * scale) + model_error**2 * (value * value + floor * floor)
        noise[~used] = 1.0  # such a band sees nothing, and has nothing left
        left = value - spread[:, 0]
        spread[:, 0] *= TAU
        few = len(spread) <= FEW_BANDS
        asked = {"across": result.covariance is not None, "pulls": result.max_pull is not None}
        found = (_few_bands if few else _many_bands)(spread, left, noise, **asked)
    result.scale[rows], result.scale_err[rows] = scale, scale_err
    result.mean[:, rows], result.variance[:, rows], result.chi2[rows] = found.mean, found.variance, found.chi2
    if result.covariance is not None:
        result.covariance[:, rows] = found.covariance
    result.n_bands[rows] = used.sum(axis=0)
    if result.max_pull is not None and result.expected is not None:
        result.max_pull[rows] = (np.abs(found.alone) / np.sqrt(found.alone_ivar)).max(axis=0, where=used, initial=0.0)
        result.expected[:, rows] = np.where(used, value - found.alone / found.alone_ivar, np.nan)
    if result.ln_evidence is not None:  # in nJy, and relative to the errors as stated
        stated = np.log(ivar * scale * scale, out=np.zeros_like(ivar), where=used).sum(axis=0)
        result.ln_evidence[rows] = -0.5 * (found.chi2 + found.ln_det + stated)


@dataclass(frozen=True, eq=False)
class _Found:
    """A posterior, as of Posterior, and what makes the evidence and the pulls."""

    mean: np.ndarray
    variance: np.ndarray
    covariance: np.ndarray
    """(0, N) where it was not asked for."""
    chi2: np.ndarray
    ln_det: np.ndarray
    """(N,), of the covariance that the prior and the errors give the fluxes, S."""
    alone: np.ndarray
    """(B, N), S^-1 times what the mean leaves of each flux: over `alone_ivar` that is the flux less what the others
    say of it (Rasmussen & Williams 2006, Gaussian Processes for Machine Learning, eqs. 5.10 to 5.12)."""
    alone_ivar: np.ndarray
    """(B, N), the diagonal of S^-1: 1 over the variance of that."""


def _few_bands(spread: np.ndarray, left: np.ndarray, noise: np.ndarray, *, across: bool, pulls: bool) -> _Found:
    """By the covariance of the fluxes, S = H H' + R. spread : H, (B, D, N); left, noise : (B, N)."""
    b, d, n = spread.shape
    between = np.empty((b, b, n))
    for k in range(b):
        np.einsum("dn,jdn->jn", spread[k], spread[: k + 1], out=between[k, : k + 1])
    root = _cholesky(_with_diagonal(between, noise))
    white = _solve(root, np.concatenate([spread, left[:, None]], axis=1))
    gain, rest = white[:, :d], white[:, d]
    none = np.zeros((0, n))
    covariance = _products(gain) if across else none
    np.negative(covariance, out=covariance)
    inverse = _inverse(root) if pulls else none
    return _Found(
        mean=np.einsum("bdn,bn->dn", gain, rest),
        variance=1.0 - np.einsum("bdn,bdn->dn", gain, gain),
        covariance=covariance,
        chi2=(rest * rest).sum(axis=0),
        ln_det=np.log(_squared_diagonal(root)).sum(axis=0),
        alone=np.einsum("kbn,kn->bn", inverse, rest) if pulls else none,
        alone_ivar=np.einsum("kbn,kbn->bn", inverse, inverse) if pulls else none,
    )


def _many_bands(spread: np.ndarray, left: np.ndarray, noise: np.ndarray, *, across: bool, pulls: bool) -> _Found:
    """By the information on the coefficients, 1 + H' R^-1 H; as above."""
    d, n = spread.shape[1:]
    precise = 1.0 / noise
    weighted = precise[:, None] * spread
    information = np.empty((d, d, n))
    for k in range(d):
        np.einsum("bn,bjn->jn", weighted[:, k], spread[:, : k + 1], out=information[k, : k + 1])
    root = _cholesky(_with_diagonal(information, 1.0))
    inverse = _inverse(root)
    solved = _solve(root, np.einsum("bdn,bn->dn", weighted, left))
    mean = np.einsum("kdn,kn->dn", inverse, solved)
    variance = np.einsum("kdn,kdn->dn", inverse, inverse)
    covariance = _products(inverse, lower=True) if across else np.zeros((0, n))
    alone, alone_ivar = np.zeros((2, 0, n))
    if pulls:  # S^-1 = R^-1 - R^-1 H (1 + H' R^-1 H)^-1 H' R^-1
        alone = precise * (left - np.einsum("bdn,dn->bn", spread, mean))
        white = np.zeros_like(noise)
        for k in range(d):
            white += np.einsum("jn,bjn->bn", inverse[k, : k + 1], spread[:, : k + 1]) ** 2
        alone_ivar = precise * np.maximum(1.0 - precise * white, LEAST_LEFT)
    chi2 = (precise * left * left).sum(axis=0) - (solved * solved).sum(axis=0)
    ln_det = np.log(_squared_diagonal(root)).sum(axis=0) + np.log(noise).sum(axis=0)
    return _Found(mean, variance, covariance, chi2, ln_det, alone, alone_ivar)


def _products(rows: np.ndarray, *, lower: bool = False) -> np.ndarray:
    """(D (D - 1) / 2, N): what is above the diagonal of rows' rows, for rows (K, D, N); lower : of lower triangles."""
    d, n = rows.shape[1:]
    result = np.empty((d * (d - 1) // 2, n))
    first = 0
    for k in range(d - 1):
        some = rows[k + 1 :] if lower else rows
        np.einsum("bn,bjn->jn", some[:, k], some[:, k + 1 :], out=result[first : first + d - 1 - k])
        first += d - 1 - k
    return result


def _with_diagonal(matrix: np.ndarray, added: np.ndarray | float) -> np.ndarray:
    """A matrix (K, K, N) to whose diagonal something was added, in place."""
    k = np.arange(len(matrix))
    matrix[k, k] += added
    return matrix


def _cholesky(matrix: np.ndarray) -> np.ndarray:
    """Lower factors of N symmetric matrices (K, K, N), of which the lower triangle is read; in place, what is above
    the diagonal being left as it was."""
    for k in range(len(matrix)):
        column = matrix[k:, k]
        if k:
            column -= np.einsum("ijn,jn->in", matrix[k:, :k], matrix[k, :k])
        np.sqrt(column[0], out=column[0])
        column[1:] /= column[0]
    return matrix


def _solve(root: np.ndarray, right: np.ndarray) -> np.ndarray:
    """L^-1 right, with N lower factors (K, K, N) and right (K, …, N)."""
    solved = np.empty_like(right)
    for k in range(len(root)):
        solved[k] = right[k]
        if k:
            solved[k] -= np.einsum("jn,j...n->...n", root[k, :k], solved[:k])
        solved[k] /= root[k, k]
    return solved


def _inverse(root: np.ndarray) -> np.ndarray:
    """L^-1, with zeros above the diagonal."""
    inverse = np.zeros_like(root)
    for k in range(len(root)):
        np.divide(1.0, root[k, k], out=inverse[k, k])
        if k:
            inverse[k, :k] = np.einsum("jn,jin->in", root[k, :k], inverse[:k, :k])
            inverse[k, :k] *= -inverse[k, k]
    return inverse


def _squared_diagonal(root: np.ndarray) -> np.ndarray:
    """(K, N): multiplied together, the determinants of the matrices whose lower factors these are."""
    k = np.arange(len(root))
    return root[k, k] ** 2


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
