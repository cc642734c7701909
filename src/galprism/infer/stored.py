"""Joint posteriors as a column of bytes in a table of predictions, and what is read back from it.

A posterior is a mixture of K Gaussians over D coordinates (galprism.nets.mixture has its parametrisation), of which the
parameters in their source's frame (galprism.prep.frames) are linear functions. A component takes a byte for its weight,
two for each mean, one for each ln sigma and two for each slope: 9 bytes for two parameters, 36 for five; eight
components take 72 and 288. What is read back is exact to a few per cent of a sigma.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr

from galprism.data.tables import open_table
from galprism.errors import RequestError
from galprism.infer.quantiles import mixture_quantiles
from galprism.prep.frames import Frame, mean_fraction

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


def pack(raw: np.ndarray, n_components: int, n_coordinates: int) -> np.ndarray:
    """(N, n_bytes), uint8: what a network says of N sources, raw (N, rows x K), in its rows' order."""
    n, d = len(raw), n_coordinates
    rows = raw.reshape(n, -1, n_components).transpose(0, 2, 1).astype(np.float64)  # (N, K, rows)
    top = rows[:, :, 0].max(axis=1, keepdims=True)
    log_weight = rows[:, :, 0] - top - np.log(np.exp(rows[:, :, 0] - top).sum(axis=1, keepdims=True))
    low, high = LN_SIGMA
    middle, half = 0.5 * (low + high), 0.5 * (high - low)
    ln_sigma = middle + half * np.tanh((rows[:, :, 1 + d : 1 + 2 * d] - middle) / half)
    parts = [
        np.clip(np.rint(-log_weight / WEIGHT_STEP), 0, NOTHING).astype(np.uint8),
        _as_bytes(rows[:, :, 1 : 1 + d]),
        np.rint((ln_sigma - low) / (high - low) * 255).astype(np.uint8).reshape(n, -1),
        _as_bytes(rows[:, :, 1 + 2 * d :]),
    ]
    return np.concatenate(parts, axis=1)


def _as_bytes(values: np.ndarray) -> np.ndarray:
    """(N, 2 x the rest), uint8: as little-endian half floats."""
    limited = np.clip(values, -6e4, 6e4).astype("<f2")
    return np.ascontiguousarray(limited.reshape(len(values), -1)).view(np.uint8)


@dataclass(frozen=True, eq=False)
class Posteriors:
    """Joint posteriors of P parameters of N sources; NaN where nothing was inferred.

    They are mixtures of Gaussians in x, which is the parameter, or of one within a range the probit of where it lies.
    """

    names: tuple[str, ...]
    weight: np.ndarray
    """(N, K), sums to one."""
    mean: np.ndarray
    """(N, K, P), of x."""
    factor: np.ndarray
    """(N, K, P, D): a component's covariance in x is factor @ factor.T."""
    frame: Frame
    """What makes parameters of x."""

    @classmethod
    def unpack(cls, data: np.ndarray, point: np.ndarray, layout: Mapping[str, Any]) -> Posteriors:
        """Of bytes (N, n_bytes), the sources' means (N, P), and what the table says of the layout.

        Raises KeyError or RequestError where the layout lacks something or does not fit the bytes.
        """
        names, k = tuple(layout["names"]), int(layout["components"])
        linear, offset, anchored = (np.array(layout[name], np.float64) for name in ("linear", "offset", "anchored"))
        d, n = linear.shape[1], len(data)
        if data.shape[1] != n_bytes(k, d):
            raise RequestError(f"column {COLUMN} has {data.shape[1]} bytes a source; expected {n_bytes(k, d)}")
        ends = np.cumsum([k, 2 * k * d, k * d])
        coded, means, spreads, slopes = np.split(np.ascontiguousarray(data), ends, axis=1)
        weight = np.where(coded == NOTHING, 0.0, np.exp(-WEIGHT_STEP * coded.astype(np.float64)))
        weight /= np.maximum(weight.sum(axis=1, keepdims=True), 1e-30)
        mu = np.ascontiguousarray(means).view("<f2").reshape(n, k, d).astype(np.float64)
        low, high = LN_SIGMA
        sigma = np.exp(low + (high - low) / 255 * spreads.reshape(n, k, d).astype(np.float64))
        b = np.ascontiguousarray(slopes).view("<f2").reshape(n, k, d * (d - 1) // 2).astype(np.float64)
        # y - mu = (1 - B)^-1 S e, row by row
        root = np.zeros((n, k, d, d))
        place = 0
        for i in range(d):
            root[:, :, i, i] = sigma[:, :, i]
            for j in range(i):
                root[:, :, i] += b[:, :, place, None] * root[:, :, j]
                place += 1
        mean, factor = mu @ linear.T + offset, linear @ root
        # the anchors, and the Universe's ages, are those with which the means are the sources' own
        p = int(np.flatnonzero(anchored)[0]) if anchored.any() else 0
        anchor = (point[:, p] - (weight * mean[:, :, p]).sum(axis=1)) / anchored[p] if anchored.any() else np.zeros(n)
        ranges = layout.get("ranges", [None] * len(names))
        of_universe = [j for j, limits in enumerate(ranges) if limits and isinstance(limits[1], str)]
        known = [limits and (limits[0], np.nan if j in of_universe else limits[1]) for j, limits in enumerate(ranges)]
        frame = Frame.of(anchored, known, anchor, None)
        for j in of_universe:
            fraction = mean_fraction(mean[:, :, j], np.sqrt((factor[:, :, j] ** 2).sum(axis=2)))
            frame.span[j] = (point[:, j] - frame.low[j]) / (weight * fraction).sum(axis=1)
        mean += np.where(frame.bounded, 0.0, frame.low.T)[:, None]
        frame.low[~frame.bounded] = 0.0
        mean[np.isnan(point).any(axis=1)] = np.nan
        return cls(names, weight, mean, factor, frame)

    def __len__(self) -> int:
        return len(self.weight)

    def marginal(self, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Weights, means and standard deviations (N, K) of one parameter's x.

        Raises RequestError where it is not here.
        """
        p = self._place(name)
        return self.weight, self.mean[:, :, p], np.sqrt((self.factor[:, :, p] ** 2).sum(axis=2))

    def quantile(self, name: str, level: float) -> np.ndarray:
        """(N,), one quantile of one parameter. Raises RequestError for a level that is not between 0 and 1."""
        if not 0 < level < 1:
            raise RequestError(f"level = {level}; accepted: between 0 and 1")
        weight, mean, sigma = self.marginal(name)
        found, good = np.full(len(self), np.nan), np.isfinite(mean).all(axis=1)
        levels = np.full(int(good.sum()), level)
        found[good] = mixture_quantiles(weight[good], mean[good], sigma[good], levels)
        return self._frame(name).values(found[None])[0]

    def density(self, name: str, values: np.ndarray) -> np.ndarray:
        """(N, M): the probability density of one parameter at values (M,); 0 outside its range."""
        weight, mean, sigma = (array[:, :, None] for array in self.marginal(name))
        frame, values = self._frame(name), np.asarray(values, np.float64)
        x = np.stack([frame.coordinates(np.full((1, len(self)), value))[0] for value in values], axis=1)  # (N, M)
        inside = np.isfinite(x)
        x = np.where(inside, x, 0.0)
        bell = np.exp(-0.5 * ((x[:, None] - mean) / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))
        density = np.where(inside, (weight * bell).sum(axis=1) / frame.span.T, 0.0)
        return density * (np.sqrt(2 * np.pi) * np.exp(0.5 * x * x) if frame.bounded[0] else 1.0)

    def below(self, name: str, values: np.ndarray) -> np.ndarray:
        """(N,): the probability of one parameter below each source's own value (N,)."""
        weight, mean, sigma = self.marginal(name)
        x = self._frame(name).coordinates(np.asarray(values, np.float64)[None])[0]
        return (weight * ndtr((x[:, None] - mean) / sigma)).sum(axis=1)

    def draws(self, n: int, seed: int = 0) -> np.ndarray:
        """(n, N, P): joint draws of each source. Raises RequestError for a number of them that is none."""
        if not isinstance(n, int | np.integer) or n < 1:
            raise RequestError(f"n = {n}; accepted: a whole number from 1 on")
        rng = np.random.default_rng(seed)
        edges = np.cumsum(self.weight, axis=1)
        which = (rng.random((n, len(self), 1)) > edges[:, :-1]).sum(axis=2)  # (n, N)
        rows = np.arange(len(self))
        noise = rng.standard_normal((n, len(self), self.factor.shape[3]))
        x = self.mean[rows, which] + np.einsum("nipd,nid->nip", self.factor[rows, which], noise)
        return self.frame.values(x.transpose(0, 2, 1)).transpose(0, 2, 1)

    def _place(self, name: str) -> int:
        if name not in self.names:
            raise RequestError(f"the posteriors have no {name}; they have {', '.join(self.names)}")
        return self.names.index(name)

    def _frame(self, name: str) -> Frame:
        """Of one parameter."""
        one = slice(self._place(name), self._place(name) + 1)
        return Frame(self.frame.bounded[one], self.frame.low[one], self.frame.span[one])


def reweighted(draws: np.ndarray, log_ratio: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means (N, P) and standard deviations (N, P) under another prior, and the effective sample size (N,) behind them.

    draws : (n, N, P), under the prior of the training; log_ratio : (n, N), ln of the new prior over the old one at each
    draw, up to a constant of each source. A size far below n says that the two priors hardly overlap there (Kish 1965).
    """
    if draws.ndim != 3 or log_ratio.shape != draws.shape[:2]:
        raise RequestError(f"draws {draws.shape} and log_ratio {log_ratio.shape}; expected (n, N, P) and (n, N)")
    if np.isnan(log_ratio).any():
        raise RequestError("log_ratio is nan somewhere; accepted: numbers, and -inf where the new prior has nothing")
    weight = np.exp(log_ratio - log_ratio.max(axis=0))
    weight /= weight.sum(axis=0)
    mean = np.einsum("ni,nip->ip", weight, draws)
    return mean, np.sqrt(np.einsum("ni,nip->ip", weight, (draws - mean) ** 2)), 1.0 / (weight**2).sum(axis=0)


def read_posteriors(path: str | os.PathLike[str]) -> Posteriors:
    """The posteriors of a table that was written with them (`galprism predict --posterior`).

    Raises RequestError for a table that has none.
    """
    with open_table(path) as table:
        layout = table.meta.get("predictions", {}).get(COLUMN)
        if layout is None or COLUMN not in table.columns:
            raise RequestError(
                f"{path}: no column {COLUMN} with its layout; write it with `galprism predict --posterior`"
            )
        names = list(layout["names"])
        columns = table.read([COLUMN, *names])
    point = np.stack([np.asarray(columns[name], np.float64) for name in names], axis=1)
    return Posteriors.unpack(np.asarray(columns[COLUMN]), point, layout)
