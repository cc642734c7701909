"""The share that each class has at a magnitude: the prior of a classifier that knows no counts of its own."""

from __future__ import annotations

import numpy as np

from galprism.data import CLASSES
from galprism.errors import RequestError

LEAST = 1.0
"""Sources of each class that a bin is thought to have had beside its own, so that no share is zero."""


def shares_by_magnitude(magnitude: np.ndarray, classes: np.ndarray, at: np.ndarray, *, bins: int = 12) -> np.ndarray:
    """(M, K), shares of the classes at magnitudes `at` (M,), from sources (N,) of known class, index into CLASSES.

    They are told in bins of as many sources each, and go straight from the middle of one to the next; beyond the first
    and the last they are what they are there, and where `at` is NaN those of all. Sources without a magnitude, or of
    class -1, do not count. Raises RequestError for other shapes, and where no source counts.
    """
    magnitude, classes, at = np.asarray(magnitude, float), np.asarray(classes), np.asarray(at, float)
    if magnitude.ndim != 1 or magnitude.shape != classes.shape or at.ndim != 1:
        raise RequestError(
            f"magnitudes of shape {magnitude.shape}, classes of {classes.shape}, asked at {at.shape}; expected (N,), "
            "(N,) and (M,)"
        )
    known = np.isfinite(magnitude) & (classes >= 0)
    if not known.any() or bins < 1:
        raise RequestError(f"{known.sum()} sources of known class and magnitude, {bins} bins; accepted: 1 or more")
    order = np.flatnonzero(known)[np.argsort(magnitude[known], kind="stable")]
    parts = [part for part in np.array_split(order, bins) if len(part)]
    middle = np.array([np.median(magnitude[part]) for part in parts])
    counts = np.array([np.bincount(classes[part], minlength=len(CLASSES)) for part in parts]) + LEAST
    told = counts / counts.sum(axis=1, keepdims=True)
    shares = np.stack([np.interp(at, middle, column) for column in told.T], axis=1)
    every = counts.sum(axis=0) / counts.sum()
    return np.where(np.isfinite(at)[:, None], shares, every)
