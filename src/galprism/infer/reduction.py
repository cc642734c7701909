"""Mixtures of many Gaussians brought down to a few, with the mean and the covariance of the whole kept.

Two components at a time are replaced by the one with their weight, mean and covariance; those are taken for which that
costs least, by an upper bound on the Kullback-Leibler divergence that it adds (Runnalls 2007, IEEE Trans. AES 43, 989,
eq. 21): of weights w, covariances C and the covariance C_ij of both together
((w_i + w_j) ln|C_ij| - w_i ln|C_i| - w_j ln|C_j|) / 2, which does not depend on the coordinates' units. Components that
lie apart stay apart; of those that all but coincide nothing is lost.

Arrays are source last, as in galprism.nets.mixture: I components of N sources over D coordinates have weights (I, N),
means (D, I, N) and covariances (D, D, I, N), of which the lower triangle alone is looked at. Inside, covariances are
times their weight: these scatters add up.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

LEAST_VARIANCE = 1e-12
"""Of a coordinate when those before it are known: less is rounding."""
LEAST_WEIGHT = 1e-30
"""A component of less has none."""

Rows = list[list[np.ndarray]]
"""Of a lower triangular matrix, each as far as its diagonal or to before it."""


def reduced(weight: np.ndarray, mean: np.ndarray, cov: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights (n, N), means (D, n, N) and covariances (D, D, n, N) of the n components that are left of I; where
    I <= n all stay.

    Components without weight, of sources that have fewer than others, are the first to go.
    """
    scatter = weight * cov
    held = [weight.copy(), mean.copy(), scatter, _weighed_ln_det(weight, _copied(scatter))]
    size, rows = len(weight), np.arange(weight.shape[1])
    cost = np.full((len(rows), size, size), np.inf)
    for i in range(1, size):
        found = _cost([each[..., i, :] for each in held], [each[..., :i, :] for each in held])
        cost[:, i, :i] = cost[:, :i, i] = found.T
    for last in range(size - 1, n - 1, -1):
        # the first of equals, hence i < j
        i, j = np.divmod(cost[:, : last + 1, : last + 1].reshape(len(rows), -1).argmin(axis=1), last + 1)
        one = _merged(*([each[..., k, rows] for each in held[:3]] for k in (i, j)))
        for each, value in zip(held, one, strict=True):
            each[..., i, rows] = value
            each[..., j, rows] = each[..., last, rows]  # it takes the place of the one that is gone
        cost[rows, j], cost[rows, :, j] = cost[rows, last], cost[rows, :, last]
        found = _cost(one, [each[..., :last, :] for each in held])
        cost[rows, i, :last] = cost[rows, :last, i] = found.T
        cost[rows, i, i] = cost[rows, j, j] = np.inf
    weight, mean, scatter = (each[..., :n, :] for each in held[:3])
    return weight, mean, scatter / np.maximum(weight, LEAST_WEIGHT)


def _merged(one: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Weight (N,), mean (D, N), scatter (D, D, N) and weighed ln determinant (N,) of one component of each source and
    another together."""
    weight, rows = _both(one, other)
    share = np.divide(one[0], weight, out=np.full(weight.shape, 0.5), where=weight > 0)
    scatter = np.zeros((len(rows), len(rows), *weight.shape))
    for a, row in enumerate(rows):
        scatter[a, : a + 1] = row
    return [weight, other[1] + share * (one[1] - other[1]), scatter, _weighed_ln_det(weight, rows)]


def _cost(one: Sequence[np.ndarray], others: Sequence[np.ndarray]) -> np.ndarray:
    """(M, N), twice nat, of merging one component of each source, (N,), (D, N) and so on, with each of M others."""
    one = [each[..., None, :] for each in one]
    return _weighed_ln_det(*_both(one, others)) - one[3] - others[3]


def _both(one: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> tuple[np.ndarray, Rows]:
    """Weight and scatter of two components together."""
    weight = one[0] + other[0]
    off = one[1] - other[1]
    between = np.divide(one[0] * other[0], weight, out=np.zeros(weight.shape), where=weight > 0) * off
    rows: Rows = []
    for a in range(len(off)):
        rows.append([])
        for b in range(a + 1):
            value = between[a] * off[b]
            value += one[2][a, b]
            value += other[2][a, b]
            rows[a].append(value)
    return weight, rows


def _copied(matrix: np.ndarray) -> Rows:
    """The lower triangle of a matrix (D, D, …)."""
    return [[matrix[a, b].copy() for b in range(a + 1)] for a in range(len(matrix))]


def _weighed_ln_det(weight: np.ndarray, scatter: Rows) -> np.ndarray:
    """Weight times ln determinant of the covariances; the scatters are used up."""
    weighed = np.maximum(weight, LEAST_WEIGHT)
    product = np.ones(weight.shape)
    for variance in _eliminate(scatter, LEAST_VARIANCE * weighed):
        product *= variance / weighed
    return weight * np.log(product)


def _eliminate(matrix: Rows, least: np.ndarray | float) -> list[np.ndarray]:
    """A symmetric matrix as L diag(d) L^T, L unit lower triangular: returns d, and leaves L d below the diagonal."""
    d: list[np.ndarray] = []
    for j in range(len(matrix)):
        d.append(np.maximum(matrix[j][j], least))
        for i in range(j + 1, len(matrix)):
            share = matrix[i][j] / d[j]
            for k in range(j + 1, i + 1):
                matrix[i][k] -= share * matrix[k][j]
    return d


def regressions(cov: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of covariances (D, D, …): ln sigma (D, …) and slopes b (D (D - 1) / 2, …), row by row, of each coordinate on
    those before it: the parametrisation of galprism.nets.mixture, B = 1 - L^-1."""
    lower = _copied(cov)
    variance = _eliminate(lower, LEAST_VARIANCE)
    slopes: Rows = []
    for d, row in enumerate(lower):
        own = [row[j] / variance[j] for j in range(d)]
        slopes.append([own[j] - sum(own[i] * slopes[i][j] for i in range(j + 1, d)) for j in range(d)])
    flat = [slope for row in slopes for slope in row]
    return 0.5 * np.log(variance), np.reshape(flat, (len(flat), *cov.shape[2:]))
