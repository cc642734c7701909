"""Joint posteriors that are read back: quantiles, densities and draws of what a table's column of bytes says.

A posterior is a mixture of K Gaussians over D coordinates, of which the parameters in their source's frame
(galprism.prep.frames) are linear functions. Where redshifts were inferred, the redshift is one of the parameters
(galprism.infer.joint): ln(1 + z) lies within the range of redshifts that were asked, and ages that end with that of the
Universe do so at the redshift of each draw.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.special import ndtr

from galprism.data.tables import open_table
from galprism.errors import RequestError
from galprism.infer.joint import REDSHIFT, probit
from galprism.infer.quantiles import mixture_quantiles
from galprism.infer.stored import COLUMN, Components
from galprism.prep.frames import LEAST_SIGMA, UNIVERSE, Frame, mean_fraction, narrowed

_NODES, _SHARES = np.polynomial.hermite_e.hermegauss(7)
_SHARES /= _SHARES.sum()
"""Points of a Gaussian, in sigmas, and their weights: the redshifts of a component at which ages are looked at."""


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
    """What makes parameters of x: of a redshift that was inferred its ln(1 + z), and of ages below the Universe's at
    that redshift nothing; their span is NaN."""
    redshift: int | None = None
    """Which parameter is a redshift that was inferred, if any."""
    universe: Mapping[int, str] = field(default_factory=dict)
    """Which parameters end with the age of the Universe at that redshift; by its name in UNIVERSE."""

    @classmethod
    def unpack(cls, data: np.ndarray, point: np.ndarray, layout: Mapping[str, Any]) -> Posteriors:
        """Of bytes (N, n_bytes), the sources' means (N, P), and what the table says of the layout.

        Raises KeyError or RequestError where the layout lacks something or does not fit the bytes.
        """
        names = tuple(layout["names"])
        linear, offset, anchored = (np.array(layout[name], np.float64) for name in ("linear", "offset", "anchored"))
        held = Components.from_bytes(data, int(layout["components"]), linear.shape[1])
        weight, mean, factor = held.weight, held.mean @ linear.T + offset, linear @ held.root()
        ranges = list(layout.get("ranges", [None] * len(names)))
        universe = {j: limits[1] for j, limits in enumerate(ranges) if limits and isinstance(limits[1], str)}
        known = [limits and (limits[0], np.nan if j in universe else limits[1]) for j, limits in enumerate(ranges)]
        redshift = names.index(REDSHIFT) if REDSHIFT in layout else None
        if redshift is not None:
            mean[:, :, redshift] += probit(point[:, redshift], ranges[redshift])[:, None]
            known[redshift] = tuple(np.log1p(ranges[redshift]))
        # the anchors, and the Universe's ages, are those with which the means are the sources' own
        p = int(np.flatnonzero(anchored)[0]) if anchored.any() else 0
        own = (weight * mean[:, :, p]).sum(axis=1)
        anchor = (point[:, p] - own) / anchored[p] if anchored.any() else np.zeros(len(data))
        frame = Frame.of(anchored, known, anchor, None)
        if redshift is None:
            for j in universe:
                fraction = mean_fraction(mean[:, :, j], np.sqrt((factor[:, :, j] ** 2).sum(axis=2)))
                frame.span[j] = (point[:, j] - frame.low[j]) / (weight * fraction).sum(axis=1)
            universe = {}
        mean += np.where(frame.bounded, 0.0, frame.low.T)[:, None]
        frame.low[~frame.bounded] = 0.0
        mean[np.isnan(point).any(axis=1)] = np.nan
        return cls(names, weight, mean, factor, frame, redshift, universe)

    def __len__(self) -> int:
        return len(self.weight)

    def marginal(self, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Weights, means and standard deviations (N, K) of one parameter's x.

        There are more of an age that ends with the Universe's at a redshift that was inferred, and x is then within the
        widest range that it has. Raises RequestError where the parameter is not here.
        """
        return self._seen(name)[:3]

    def quantile(self, name: str, level: float) -> np.ndarray:
        """(N,), one quantile of one parameter. Raises RequestError for a level that is not between 0 and 1."""
        if not 0 < level < 1:
            raise RequestError(f"level = {level}; accepted: between 0 and 1")
        weight, mean, sigma, frame = self._seen(name)
        found, good = np.full(len(self), np.nan), np.isfinite(mean).all(axis=1)
        levels = np.full(int(good.sum()), level)
        found[good] = mixture_quantiles(weight[good], mean[good], sigma[good], levels)
        values = frame.values(found[None])[0]
        return np.expm1(values) if self._place(name) == self.redshift else values

    def density(self, name: str, values: np.ndarray) -> np.ndarray:
        """(N, M): the probability density of one parameter at values (M,); 0 outside its range."""
        *mixture, frame = self._seen(name)
        weight, mean, sigma = (array[:, :, None] for array in mixture)
        values, slope = self._framed(name, values)
        x = np.stack([frame.coordinates(np.full((1, len(self)), value))[0] for value in values], axis=1)  # (N, M)
        inside = np.isfinite(x)
        x = np.where(inside, x, 0.0)
        bell = np.exp(-0.5 * ((x[:, None] - mean) / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))
        density = np.where(inside, (weight * bell).sum(axis=1) * slope / frame.span.T, 0.0)
        density[np.isnan(mean).any(axis=(1, 2))] = np.nan
        return density * (np.sqrt(2 * np.pi) * np.exp(0.5 * x * x) if frame.bounded[0] else 1.0)

    def below(self, name: str, values: np.ndarray) -> np.ndarray:
        """(N,): the probability of one parameter below each source's own value (N,)."""
        weight, mean, sigma, frame = self._seen(name)
        x = frame.coordinates(self._framed(name, values)[0][None])[0]
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
        values = self.frame.values(x.transpose(0, 2, 1))
        if self.redshift is not None:
            z = values[:, self.redshift] = np.expm1(values[:, self.redshift])
            for j, age in self.universe.items():
                low = self.frame.low[j]
                values[:, j] = low + (UNIVERSE[age](z) - low) * ndtr(x[:, :, j])
        return values.transpose(0, 2, 1)

    def _place(self, name: str) -> int:
        if name not in self.names:
            raise RequestError(f"the posteriors have no {name}; they have {', '.join(self.names)}")
        return self.names.index(name)

    def _framed(self, name: str, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values of a parameter as its frame has them, and the slope of these."""
        values = np.asarray(values, np.float64)
        if self._place(name) != self.redshift:
            return values, np.ones_like(values)
        values = np.maximum(values, -0.999)  # far below any range
        return np.log1p(values), 1.0 / (1.0 + values)

    def _seen(self, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, Frame]:
        """The marginal of one parameter's x, and the frame of it alone."""
        p, z = self._place(name), self.redshift
        weight, mean, sigma = self.weight, self.mean[:, :, p], np.sqrt((self.factor[:, :, p] ** 2).sum(axis=2))
        one = slice(p, p + 1)
        frame = Frame(self.frame.bounded[one], self.frame.low[one], self.frame.span[one])
        if z is None or p not in self.universe:
            return weight, mean, sigma, frame
        # x at some redshifts of each component, as about what it is of the widest of the ranges there
        spread = np.sqrt((self.factor[:, :, z] ** 2).sum(axis=2))
        slope = (self.factor[:, :, p] * self.factor[:, :, z]).sum(axis=2) / spread
        rest = np.sqrt(np.maximum(sigma**2 - slope**2, LEAST_SIGMA**2))
        weight = (weight[:, :, None] * _SHARES).reshape(len(self), -1)
        mean, place = (
            (centre[:, :, None] + change[:, :, None] * _NODES).reshape(len(self), -1)
            for centre, change in ((mean, slope), (self.mean[:, :, z], spread))
        )
        ln = self.frame.low[z][:, None] + self.frame.span[z][:, None] * ndtr(place)
        span = UNIVERSE[self.universe[p]](np.expm1(ln)) - frame.low.T
        widest = np.where(weight > 0, span, 0.0).max(axis=1, keepdims=True)
        widest[np.isnan(mean).any(axis=1)] = np.nan
        # where a redshift has no weight its range may be wider still
        mean, sigma = narrowed(mean, np.repeat(rest, len(_NODES), axis=1), np.minimum(span / widest, 1.0))
        return weight, mean, sigma, Frame(frame.bounded, frame.low, widest.T)


def reweighted(draws: np.ndarray, log_ratio: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means (N, P) and standard deviations (N, P) under another prior, and the effective sample size (N,) behind them.

    draws : (n, N, P), under the prior of the training; log_ratio : (n, N), ln of the new prior over the old one at each
    draw, up to a constant of each source. A size far below n says that the two priors hardly overlap there (Kish 1965);
    where the new prior has nothing at any draw it is 0 and the others NaN.
    """
    if draws.ndim != 3 or log_ratio.shape != draws.shape[:2]:
        raise RequestError(f"draws {draws.shape} and log_ratio {log_ratio.shape}; expected (n, N, P) and (n, N)")
    if np.isnan(log_ratio).any():
        raise RequestError("log_ratio is nan somewhere; accepted: numbers, and -inf where the new prior has nothing")
    top = log_ratio.max(axis=0)
    overlap = top > -np.inf
    weight = np.exp(log_ratio - np.where(overlap, top, 0.0))
    weight /= np.where(overlap, weight.sum(axis=0), np.nan)
    mean = np.einsum("ni,nip->ip", weight, draws)
    sigma = np.sqrt(np.einsum("ni,nip->ip", weight, (draws - mean) ** 2))
    return mean, sigma, np.where(overlap, 1.0 / (weight**2).sum(axis=0), 0.0)


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
