"""All redshifts of all classes at once: how well a class' spectra, moved by each, go with a binned spectrum.

One product of matrices for many spectra. What it leaves out is put right where it matters
(galprism.infer.redshift_fit): bins are taken to be worth as in a typical spectrum when coefficients' errors are told.
"""

from __future__ import annotations

import numpy as np

from galprism.infer.moved_basis import MovedBasis
from galprism.prep.redshift_basis import BINS, RedshiftBasis

WORTH = 16.0
"""Of a bin, in units of the level: S/N 4, at which the scan weighs what is known of coefficients against the data."""
STEPS = {"galaxy": (3, 1), "qso": (8, 3), "star": (2, 1)}
"""Pixels from one redshift to the next, and bins that are taken together: lines of quasars are broad."""
CONTINUUM = 121
"""Bins, 33,000 km/s, over which a spectrum is averaged to be its continuum, which the scan leaves out: how bins are
worth differs between spectra too much for what is as bright as a continuum."""


class ClassScan:
    """One class at all its redshifts, `step` pixels apart, of `merge` bins taken together."""

    def __init__(self, moved: MovedBasis, worth: np.ndarray, step: int, merge: int) -> None:
        self.moved, self.step, self.merge = moved, step, merge
        self.shifts = np.arange(moved.low, moved.high + 1, step)
        worth = (worth * WORTH).astype(np.float32)
        n, k = len(self.shifts), moved.size
        self.matrix = np.empty((n, k, BINS // merge), np.float32)
        self.ln_det = np.empty(n, np.float32)
        for first in range(0, n, 64):
            rows = slice(first, first + 64)
            spectra, _ = moved.at(self.shifts[rows])
            lines = without_continuum(spectra, worth)
            lines = _merged(lines * worth, merge) / _merged(worth, merge)
            normal = (lines * _merged(worth, merge)) @ lines.swapaxes(1, 2) + np.eye(k)
            lower = np.linalg.cholesky(normal.astype(np.float64))
            self.matrix[rows] = np.linalg.solve(lower, lines)
            self.ln_det[rows] = 2.0 * np.log(np.diagonal(lower, axis1=1, axis2=2)).sum(axis=1)

    def __call__(self, told: np.ndarray, worth: np.ndarray) -> np.ndarray:
        """(N, Z), float32: about ln of the evidence of each shift, of what stands out of the continuum.

        told : (N, BINS), weighted fluxes without continuum; worth : (N,), mean weight of bins over that of the scan
        """
        n, k = len(self.shifts), self.moved.size
        found = _merged(told, self.merge) @ self.matrix.reshape(n * k, -1).T
        found *= found
        return 0.5 * (found.reshape(len(told), n, k).sum(axis=2) / worth[:, None] - self.ln_det)


def without_continuum(flux: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(…, BINS): fluxes less their weighted mean over CONTINUUM bins about each, twice over."""
    least = 1e-6 * weight.mean(axis=-1, keepdims=True) + 1e-12
    share = _boxcar(weight + least)
    smooth = _boxcar(_boxcar(flux * (weight + least)) / share * (weight + least)) / share
    return flux - smooth


def _boxcar(values: np.ndarray) -> np.ndarray:
    """Sums over CONTINUUM bins, fewer at the ends."""
    total = np.cumsum(values, axis=-1, dtype=np.float64)
    total = np.concatenate([np.zeros((*total.shape[:-1], 1)), total], axis=-1)
    at = np.arange(values.shape[-1])
    half = CONTINUUM // 2
    high, low = np.minimum(at + half + 1, values.shape[-1]), np.maximum(at - half, 0)
    return (total[..., high] - total[..., low]).astype(np.float32)


def _merged(values: np.ndarray, merge: int) -> np.ndarray:
    """Sums over `merge` bins, of the last axis."""
    kept = values.shape[-1] // merge * merge
    return values[..., :kept].reshape(*values.shape[:-1], -1, merge).sum(axis=-1) if merge > 1 else values


def scans(basis: RedshiftBasis) -> list[ClassScan]:
    """All classes' scans."""
    return [ClassScan(MovedBasis(one), basis.worth, *STEPS[one.name]) for one in basis.classes]
