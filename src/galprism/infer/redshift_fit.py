"""How probable a binned spectrum is at a redshift of a class: the evidence, in closed form.

d = a (t_0 + sum c_k t_k) + what calibrations are wrong by + noise, with Gaussian priors of all coefficients; the
evidence is that of a Gaussian (the same as of a linear regression, Bishop 2006, Sect. 3.5), with the noise that each
spectrum has. It is asked at the redshifts that galprism.infer.redshift_scan finds, and around the best of them.
"""

from __future__ import annotations

import numpy as np
from numpy.polynomial import legendre

from galprism.infer.moved_basis import MovedBasis
from galprism.prep.redshift_basis import BINS

TILTS, TILT = 4, 0.1
"""Legendre polynomials of the observed ln wavelength (from the first on) that calibrations may be wrong by, and how
much of the level each."""
LEVEL, LEVEL_ERROR = 1.0, 0.5
"""Mean and standard deviation of a, over the level."""
FOREST_SCATTER = 0.5
"""Of the forest: its standard deviation in a bin is this times sqrt(T (1 - T)) of the mean transmission T."""

BATCH = 64
"""Questions that are asked at a time."""


def tilts() -> np.ndarray:
    """(TILTS, BINS), float32."""
    return legendre.legvander(np.linspace(-1.0, 1.0, BINS), TILTS)[:, 1:].T.astype(np.float32)


def evidence(
    moved: MovedBasis, shift: np.ndarray, flux: np.ndarray, weight: np.ndarray, row: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """ln of the evidence (n,), over that of no light at all, and chi2 (n,) of the best coefficients, their priors
    counted in: of rows (n,) of binned spectra (N, BINS) with weights, at shifts (n,)."""
    ln_evidence, chi2 = np.empty((2, len(shift)))
    for first in range(0, len(shift), BATCH):
        some = slice(first, first + BATCH)
        ln_evidence[some], chi2[some] = _asked(moved, shift[some], flux[row[some]], weight[row[some]])
    return ln_evidence, chi2


def _asked(moved: MovedBasis, shift: np.ndarray, flux: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    spectra, through = moved.at(shift)
    n, k = len(shift), moved.size
    none = np.einsum("nb,nb,nb->n", weight, flux, flux, dtype=np.float64)
    ln_noise = np.zeros(n)
    if through is not None:
        forest = (FOREST_SCATTER**2) * through * (1.0 - through)
        if forest.any():
            unabsorbed = spectra[:, 0] / np.maximum(through, 0.05)
            more = 1.0 + weight * forest * unabsorbed**2
            weight = weight / more
            ln_noise = np.log(more).sum(axis=1)
    design = np.empty((n, k + TILTS, spectra.shape[2]), np.float32)
    design[:, :k] = spectra
    design[:, 0] *= LEVEL_ERROR
    design[:, k:] = TILT * tilts()
    data = flux - LEVEL * spectra[:, 0]
    told = weight * data
    normal = ((design * weight[:, None]) @ design.swapaxes(1, 2)).astype(np.float64)
    b = (design @ told[..., None]).astype(np.float64)
    normal += np.eye(k + TILTS)
    lower = np.linalg.cholesky(normal)
    coefficients = np.linalg.solve(normal, b)[..., 0]
    gain = (b[..., 0] * coefficients).sum(axis=1)
    chi2 = np.einsum("nb,nb->n", told, data, dtype=np.float64) - gain
    ln_det = 2.0 * np.log(np.diagonal(lower, axis1=1, axis2=2)).sum(axis=1)
    return 0.5 * (none - chi2 - ln_det - ln_noise), chi2
