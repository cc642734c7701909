"""Moments and quantiles of weighted samples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

FEW = 4096
BINS = 512


def weighted_mean_std(values: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of values (K,) under weights (K,), in float64."""
    total = weights.sum()
    mean = float(weights @ values / total)
    excess = values - mean
    excess *= excess
    return mean, float(np.sqrt(weights @ excess / total))


def weighted_quantiles(values: np.ndarray, weights: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """The smallest value at which the cumulative weight reaches each level: (Q,) from values (K,), weights (K,).

    Exact whatever K: a large sample is first cut into bins, and only the bin that a level falls in is sorted.
    """
    share = np.asarray(levels, dtype=np.float64)
    low, high = values.min(), values.max()
    if len(values) <= FEW or not high > low:
        return _by_sorting(values, weights, share * weights.sum(dtype=np.float64))
    bins = ((values - low) * ((BINS - 1) / (high - low))).astype(np.int16)
    below = np.concatenate(([0.0], np.cumsum(np.bincount(bins, weights, BINS))))
    out = np.empty(len(share))
    for i, target in enumerate(share * below[-1]):
        chosen = int(np.searchsorted(below[1:-1], target))
        members = np.flatnonzero(bins == chosen)
        out[i] = _by_sorting(values[members], weights[members], np.array([target - below[chosen]]))[0]
    return out


def _by_sorting(values: np.ndarray, weights: np.ndarray, targets: np.ndarray) -> np.ndarray:
    order = np.argsort(values)
    reached = np.cumsum(weights[order], dtype=np.float64)
    return values[order[np.minimum(np.searchsorted(reached, targets), len(order) - 1)]].astype(np.float64)
