"""Quantiles of mixtures of Gaussians where the network's few steps were not enough, in float64 and to the end."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, ndtri

CLOSE = 1e-6
"""The bracket is closed to this many standard deviations."""


def mixture_quantiles(
    weight: np.ndarray, mean: np.ndarray, sigma: np.ndarray, level: np.ndarray, start: np.ndarray | None = None
) -> np.ndarray:
    """(M,): the quantiles at levels (M,) of M mixtures of K Gaussians, weight, mean and sigma each (M, K).

    Newton's method on the probability from `start` (M,), bracketed by the components' own quantiles; a step that leaves
    the bracket, and every third step in any case, halves it, so that it always closes.
    """
    weight, mean, sigma, p = (np.asarray(x, np.float64) for x in (weight, mean, sigma, level))
    weight = weight / weight.sum(axis=1, keepdims=True)
    own = mean + sigma * ndtri(p)[:, None]
    low, high = own.min(axis=1), own.max(axis=1)
    centre = (weight * mean).sum(axis=1, keepdims=True)
    tolerance = CLOSE * np.sqrt((weight * (sigma**2 + (mean - centre) ** 2)).sum(axis=1))
    x = 0.5 * (low + high) if start is None else np.clip(np.nan_to_num(start), low, high)
    step = 0
    while np.any(high - low > tolerance):
        u = (x[:, None] - mean) / sigma
        excess = (weight * ndtr(u)).sum(axis=1) - p
        low, high = np.where(excess < 0, x, low), np.where(excess < 0, high, x)
        density = (weight * np.exp(-0.5 * u * u) / sigma).sum(axis=1) / np.sqrt(2 * np.pi)
        move = -excess / np.maximum(density, 1e-300)
        newton = x + move + np.sign(move) * 0.25 * tolerance  # a step past the root closes the bracket there
        step += 1
        halve = (newton <= low) | (newton >= high) | (step % 3 == 0)
        x = np.where(halve, 0.5 * (low + high), newton)
    return 0.5 * (low + high)


def mixture_cdf(weight: np.ndarray, mean: np.ndarray, sigma: np.ndarray, x: np.ndarray) -> np.ndarray:
    """(M,): the probability below x (M,) of M mixtures, weight, mean and sigma each (M, K)."""
    weight = np.asarray(weight, np.float64)
    below = ndtr((np.asarray(x, np.float64)[:, None] - mean) / sigma)
    return (weight * below).sum(axis=1) / weight.sum(axis=1)
