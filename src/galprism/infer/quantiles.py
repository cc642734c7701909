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

    The network's own steps (galprism.nets.quantiles) from `start` (M,), until a bracket that starts from the
    components' own quantiles is closed; a step that leaves it, and a bracket that has not halved in four steps, halve
    it instead.
    """
    weight, mean, sigma, level = (np.asarray(x, np.float64) for x in (weight, mean, sigma, level))
    weight = weight / weight.sum(axis=1, keepdims=True)
    own = mean + sigma * ndtri(level)[:, None]
    low, high = own.min(axis=1), own.max(axis=1)
    centre = (weight * mean).sum(axis=1, keepdims=True)
    close = CLOSE * np.sqrt((weight * (sigma**2 + (mean - centre) ** 2)).sum(axis=1))
    result = 0.5 * (low + high)
    x = result.copy() if start is None else np.where(np.isfinite(start), np.clip(start, low, high), result)
    wide = np.full(len(x), np.inf)
    rows, step = np.arange(len(x)), 0
    while len(rows):
        u = (x[:, None] - mean) / sigma
        below = np.clip((weight * ndtr(u)).sum(axis=1), 1e-15, 1 - 1e-15)
        low, high = np.where(below < level, x, low), np.where(below < level, high, x)
        move = _halley(weight, sigma, u, below, level)
        # a root that is all but reached is stepped over, to close the bracket from its other side
        new = x + move + np.where(np.abs(move) < close, np.copysign(0.5 * close, move), 0.0)
        step += 1
        halve = ~((new > low) & (new < high))
        if step % 4 == 0:
            halve |= high - low > 0.5 * wide
            wide = high - low
        x = np.where(halve, 0.5 * (low + high), new)
        result[rows] = 0.5 * (low + high)
        left = high - low > close
        if not left.all():
            rows, x, low, high, close, level, wide = (v[left] for v in (rows, x, low, high, close, level, wide))
            weight, mean, sigma = weight[left], mean[left], sigma[left]
    return result


def _halley(weight: np.ndarray, sigma: np.ndarray, u: np.ndarray, below: np.ndarray, level: np.ndarray) -> np.ndarray:
    """(M,): Halley's step towards the level, on the logit of the distribution function `below` (M,)."""
    bell = weight * np.exp(-0.5 * u * u) / (sigma * np.sqrt(2 * np.pi))
    f = np.maximum(bell.sum(axis=1), 1e-290)
    climb = f / (below * (1 - below))
    gap = (np.log(below / (1 - below)) - np.log(level / (1 - level))) / climb
    bow = -(bell * u / sigma).sum(axis=1) / f - climb * (1 - 2 * below)
    with np.errstate(over="ignore", invalid="ignore"):
        return -gap / np.clip(1 - 0.5 * gap * bow, 0.5, 2.0)


def mixture_cdf(weight: np.ndarray, mean: np.ndarray, sigma: np.ndarray, x: np.ndarray) -> np.ndarray:
    """(M,): the probability below x (M,) of M mixtures, weight, mean and sigma each (M, K)."""
    weight = np.asarray(weight, np.float64)
    below = ndtr((np.asarray(x, np.float64)[:, None] - mean) / sigma)
    return (weight * below).sum(axis=1) / weight.sum(axis=1)
