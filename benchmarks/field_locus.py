"""Zero points by the stellar locus: how far each band of real stars is from where simulated stars have it.

After High et al. (2009, AJ 138, 110): one offset a band moves the real stars, in all colours at once, onto the locus.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import KDTree

ROUNDS = 300
NEIGHBOURS = 8
"""Simulated stars whose mean a real one is held against."""
WIDTH = 0.05
"""mag, the scatter of the locus in a colour, in quadrature with a star's errors."""
FAR = 5.0
"""Stars that are further from the locus than this, in rms over the bands, have no say: they are no dwarfs."""
RESAMPLINGS = 100


def locus_offsets(mag: np.ndarray, error: np.ndarray, locus: np.ndarray, reference: int) -> np.ndarray:
    """(B,), mag to be added to the magnitudes (N, B) of real stars, errors (N, B), so that their colours against band
    `reference` are those of simulated ones (M, B); its own is 0. Stars with a NaN are left out."""
    known = np.isfinite(mag).all(axis=1)
    mag, weight = mag[known], 1.0 / np.hypot(error[known], WIDTH)
    model = locus - locus[:, reference, None]
    offset, scale = np.zeros(mag.shape[1]), np.median(weight, axis=0)
    tree = KDTree(model * scale)
    for _ in range(ROUNDS):
        own = mag + offset
        colour = own - own[:, reference, None]
        _, near = tree.query(colour * scale, k=NEIGHBOURS)
        residual = model[near].mean(axis=1) - colour
        rms = np.sqrt(np.mean((residual * weight) ** 2, axis=1))
        step = np.median(residual[rms < FAR], axis=0)
        step[reference] = 0.0
        offset += step
        if np.abs(step).max() < 1e-4:
            break
    return offset


def resampled(mag: np.ndarray, error: np.ndarray, locus: np.ndarray, reference: int) -> np.ndarray:
    """(B,), the standard deviation of the offsets over stars drawn anew with replacement."""
    rng = np.random.default_rng(2)
    draws = rng.integers(0, len(mag), (RESAMPLINGS, len(mag)))
    return np.std([locus_offsets(mag[rows], error[rows], locus, reference) for rows in draws], axis=0)
