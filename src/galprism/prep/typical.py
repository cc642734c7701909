"""How like the training set a source is, all inputs taken together.

A small mixture of Gaussians is fitted to the standardised inputs of the training set. A source is unlike it when its
density under the mixture is below that of all but one in a thousand of the training set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

FIT_ROWS = 20_000
"""The mixture is fitted to at most this many sources; its threshold is taken from all."""
BLOCK_ROWS = 1024
"""Sources that are compared at a time: what that needs stays in the cache of one core."""
RARE = 1e-3
"""The share of the training set that is itself called unlike it."""


@dataclass(frozen=True, eq=False)
class Typical:
    """K Gaussians over V standardised values; the distance of a source is -2 ln of its density, constants left out."""

    whiten: np.ndarray
    """(V, K V), float32: component k's values are x @ whiten[:, kV:(k+1)V] - centre[kV:(k+1)V]."""
    centre: np.ndarray
    """(K V,), float32."""
    offset: np.ndarray
    """(K,), float32: ln det of the covariance less 2 ln of the weight."""
    threshold: float

    @classmethod
    def fit(cls, values: np.ndarray, components: int = 4, iterations: int = 20, seed: int = 0) -> Typical:
        """By expectation maximisation on standardised values (N, V).

        Each covariance is widened by 0.01 in the variance of every value, so that one that hardly varies in training
        does not call everything else unlike it.
        """
        x = values[np.random.default_rng(seed).permutation(len(values))[:FIT_ROWS]].astype(np.float64)
        n, v = x.shape
        # the first centres lie apart along the direction in which the inputs vary most
        order = np.argsort(x @ np.linalg.eigh(x.T @ x)[1][:, -1])
        share = np.zeros((n, components))
        for k, rows in enumerate(np.array_split(order, components)):
            share[rows, k] = 1.0
        for _ in range(iterations):
            weight = share.sum(axis=0) / n + 1e-9
            mean = (share.T @ x) / (n * weight[:, None])
            roots, lndet = [], []
            for k in range(components):
                d = x - mean[k]
                cov = (d * share[:, k, None]).T @ d / (n * weight[k]) + 0.01 * np.eye(v)
                low = np.linalg.cholesky(cov)
                roots.append(np.linalg.inv(low).T)
                lndet.append(2 * np.log(np.diag(low)).sum())
            whiten = np.concatenate(roots, axis=1)
            centre = np.concatenate([mean[k] @ roots[k] for k in range(components)])
            offset = np.array(lndet) - 2 * np.log(weight)
            distance = (x @ whiten - centre) ** 2 @ np.repeat(np.eye(components), v, axis=0) + offset
            share = np.exp(-0.5 * (distance - distance.min(axis=1, keepdims=True)))
            share /= share.sum(axis=1, keepdims=True)
        fitted = cls(whiten.astype(np.float32), centre.astype(np.float32), offset.astype(np.float32), np.inf)
        threshold = float(np.quantile(fitted.distance(values), 1.0 - RARE))
        return cls(fitted.whiten, fitted.centre, fitted.offset, threshold)

    def to_plain(self) -> dict[str, Any]:
        """Lists and numbers that JSON holds; seven digits, which is what float32 has."""
        lists = {name: [float(f"{x:.7g}") for x in getattr(self, name).flat] for name in ("whiten", "centre", "offset")}
        return {**lists, "threshold": self.threshold}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Typical:
        """The inverse of `to_plain`."""
        whiten, centre, offset = (np.array(plain[name], np.float32) for name in ("whiten", "centre", "offset"))
        return cls(whiten.reshape(-1, len(centre)), centre, offset, float(plain["threshold"]))

    def distance(self, values: np.ndarray) -> np.ndarray:
        """(N,): the squared Mahalanobis distance to the nearest component, plus that component's offset."""
        k, v = len(self.offset), self.whiten.shape[0]
        sums = np.repeat(np.eye(k, dtype=np.float32), v, axis=0)  # (K V, K): adds up each component's V values
        each = np.empty((len(values), k), np.float32)
        with np.errstate(over="ignore", invalid="ignore"):  # infinitely far is far
            for start in range(0, len(values), BLOCK_ROWS):
                white = values[start : start + BLOCK_ROWS] @ self.whiten
                white -= self.centre
                white *= white
                np.matmul(white, sums, out=each[start : start + BLOCK_ROWS])
            each += self.offset
            return np.minimum.reduce([each[:, i] for i in range(k)])

    def beyond(self, values: np.ndarray) -> np.ndarray:
        """(N,), float32: the distance relative to the threshold; above 0, or not a number, is unlike training."""
        return self.distance(values) - np.float32(self.threshold)

    def unlike(self, values: np.ndarray) -> np.ndarray:
        """(N,), bool."""
        return ~(self.beyond(values) <= 0)
