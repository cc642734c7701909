"""Mixtures of Gaussians as bytes: the column of joint posteriors in a table of predictions.

A component takes a byte for its weight, two for each mean, one for each ln sigma and two for each slope: 9 bytes for
two coordinates, 36 for five, 64 for seven; eight components take 72, 288 and 512. What is read back is exact to a few
per cent of a sigma.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from galprism.errors import RequestError

COLUMN = "posterior"
"""Its name in a table; what it takes to read it stands in the table's metadata under the same name."""
WEIGHT_STEP = 0.03
"""Of -ln weight; the largest byte stands for none, as of a weight below 0.0005."""
LN_SIGMA = (-6.0, 2.0)
"""The range that a network's ln sigma is held in."""
NOTHING = 255


def n_bytes(n_components: int, n_coordinates: int) -> int:
    """Bytes a source."""
    d = n_coordinates
    return n_components * (1 + 3 * d + d * (d - 1))


@dataclass(frozen=True, eq=False)
class Components:
    """K Gaussians over D coordinates y for each of N sources, in the parametrisation of galprism.nets.mixture:
    y_d given those before it has mean mu_d + sum_{j<d} b_dj (y_j - mu_j) and standard deviation sigma_d."""

    weight: np.ndarray
    """(N, K), sums to one."""
    mean: np.ndarray
    """(N, K, D), mu."""
    ln_sigma: np.ndarray
    """(N, K, D)."""
    slope: np.ndarray
    """(N, K, D (D - 1) / 2), b row by row."""

    @classmethod
    def of_network(cls, raw: np.ndarray, n_components: int, n_coordinates: int) -> Components:
        """Of what a network puts out, raw (N, rows x K), in its rows' order."""
        d = n_coordinates
        rows = np.array(raw.T, np.float64, order="C").reshape(-1, n_components, len(raw)).T  # (N, K, rows)
        weight = np.exp(rows[:, :, 0] - rows[:, :, 0].max(axis=1, keepdims=True))
        low, high = LN_SIGMA
        middle, half = 0.5 * (low + high), 0.5 * (high - low)
        ln_sigma = middle + half * np.tanh((rows[:, :, 1 + d : 1 + 2 * d] - middle) / half)
        return cls(weight / weight.sum(axis=1, keepdims=True), rows[:, :, 1 : 1 + d], ln_sigma, rows[:, :, 1 + 2 * d :])

    @classmethod
    def from_bytes(cls, data: np.ndarray, n_components: int, n_coordinates: int) -> Components:
        """Of bytes (N, n_bytes). Raises RequestError for another number of them."""
        k, d, n = n_components, n_coordinates, len(data)
        if data.shape[1] != n_bytes(k, d):
            raise RequestError(f"column {COLUMN} has {data.shape[1]} bytes a source; expected {n_bytes(k, d)}")
        coded, means, spreads, slopes = np.split(data, np.cumsum([k, 2 * k * d, k * d]), axis=1)
        weight = np.where(coded == NOTHING, 0.0, np.exp(-WEIGHT_STEP * coded.astype(np.float64)))
        low, high = LN_SIGMA
        return cls(
            weight / np.maximum(weight.sum(axis=1, keepdims=True), 1e-30),
            _from_halves(means, (n, k, d)),
            low + (high - low) / 255 * spreads.reshape(n, k, d).astype(np.float64),
            _from_halves(slopes, (n, k, d * (d - 1) // 2)),
        )

    def to_bytes(self) -> np.ndarray:
        """(N, n_bytes), uint8; what is beyond the range of a byte or a half float is at its end."""
        low, high = LN_SIGMA
        spread = np.rint((self.ln_sigma - low) / (high - low) * 255)
        weight = np.rint(-np.log(np.maximum(self.weight, 1e-30)) / WEIGHT_STEP)
        parts = [
            np.clip(weight, 0, NOTHING).astype(np.uint8),
            _to_halves(self.mean),
            np.clip(spread, 0, 255).astype(np.uint8).reshape(len(spread), -1),
            _to_halves(self.slope),
        ]
        return np.concatenate(parts, axis=1)

    def root(self) -> np.ndarray:
        """(N, K, D, D), lower triangular: a component's covariance is root @ root.T; (1 - B)^-1 S, row by row."""
        n, k, d = self.mean.shape
        sigma, slope = np.exp(self.ln_sigma.T), self.slope.T  # sources last, for the speed of it
        root = np.zeros((d, d, k, n))
        place = 0
        for i in range(d):
            root[i, i] = sigma[i]
            for j in range(i):
                for m in range(j + 1):
                    root[i, m] += slope[place] * root[j, m]
                place += 1
        return root.transpose(3, 2, 0, 1)


def _to_halves(values: np.ndarray) -> np.ndarray:
    """(N, 2 x the rest), uint8: as little-endian half floats."""
    limited = np.clip(values, -6e4, 6e4).astype("<f2")
    return np.ascontiguousarray(limited.reshape(len(values), -1)).view(np.uint8)


def _from_halves(data: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return np.ascontiguousarray(data).view("<f2").reshape(shape).astype(np.float64)
