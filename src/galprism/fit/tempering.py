"""Draws of a posterior by tempering: from the prior, the likelihood is let in little by little (sequential Monte Carlo;
Del Moral et al. 2006, J. R. Stat. Soc. B 68, 411).

Points have a kind, 0 or 1, and D numbers. At each step they are weighed, drawn anew by weight, and moved: within their
kind by proposals that keep a Student t fitted to them (t-preconditioned Crank-Nicolson; Grumitt et al. 2024, Inverse
Problems 40, 125023), and to the other kind by the affine map from the one's fit to the other's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from galprism.errors import RequestError

Target = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]
"""(x (n, D), kind (n,)) -> ln prior (n,), ln likelihood (n,), and values (n, P) that are asked for; where the prior is
-inf the others mean nothing."""
DEGREES = 8.0
"""Of freedom of the Student t."""
FLIP = 0.15
"""Share of the moves that go to the other kind."""
SHORTEST = 0.6
"""Proposals are of all sizes from this part of the longest on: where the posterior bends, short ones are taken."""
ACCEPTED = 0.3
"""Share of proposals by which their size is set."""
LEAST_VARIANCE = 1e-9
"""That a fit has in every direction, so that points that resampling has made the same have one."""
FEWEST = 2
"""Times D: fewer points of a kind have their covariance from all points."""


@dataclass(frozen=True)
class TemperingConfig:
    """How carefully."""

    points: int = 384
    """Of 17 numbers a covariance is known well from so many: one long move in four is taken, of 128 one in ten."""
    kept: float = 0.5
    """Effective share of the points that a step leaves."""
    sweeps: int = 3
    """Moves of all points at each step."""
    settle: int = 6
    """Moves at the end whose points are not yet counted …"""
    final: int = 16
    """… and those whose points are."""
    most_steps: int = 200

    def __post_init__(self) -> None:
        if not (self.points >= 8 and 0 < self.kept < 1 and min(self.sweeps, self.final, self.most_steps) >= 1):
            raise RequestError(f"{self}; accepted: 8 points or more, kept between 0 and 1, moves of 1 or more")


@dataclass(frozen=True, eq=False)
class Draws:
    """What one run found."""

    values: np.ndarray
    """(final, points, P): points move on along the first axis."""
    kind: np.ndarray
    """(final, points)."""
    evaluations: int


@dataclass(frozen=True, eq=False)
class Fit:
    """Means (2, D), Cholesky factors of covariances (2, D, D) of both kinds."""

    mean: np.ndarray
    lower: np.ndarray

    @classmethod
    def of(cls, x: np.ndarray, kind: np.ndarray, weight: np.ndarray) -> Fit:
        """Of weighted points."""
        d = x.shape[1]
        every, own = _moments(x, weight), []
        for one in (0, 1):
            there = (kind == one) & (weight > 0)
            effective = weight[there].sum() ** 2 / max((weight[there] ** 2).sum(), 1e-300)
            own.append(_moments(x[there], weight[there]) if effective > FEWEST * d else every)
        return cls(np.stack([mean for mean, _ in own]), np.stack([np.linalg.cholesky(cov) for _, cov in own]))

    def whitened(self, x: np.ndarray, kind: np.ndarray) -> np.ndarray:
        """(n, D)."""
        return np.linalg.solve(self.lower[kind], (x - self.mean[kind])[..., None])[..., 0]

    def placed(self, y: np.ndarray, kind: np.ndarray) -> np.ndarray:
        """Its inverse."""
        return self.mean[kind] + np.einsum("nij,nj->ni", self.lower[kind], y)

    def log_volume(self, kind: np.ndarray) -> np.ndarray:
        """(n,), ln of the determinants of the factors."""
        return np.log(np.diagonal(self.lower, axis1=1, axis2=2)).sum(axis=1)[kind]


class Tempering:
    """One run: points, what is known of them, and the size of their moves."""

    def __init__(
        self, target: Target, x: np.ndarray, kind: np.ndarray, config: TemperingConfig, rng: np.random.Generator
    ):
        """x, kind : `config.points` draws of the prior."""
        self.target, self.config, self.rng = target, config, rng
        self.x, self.kind = np.array(x, float), np.asarray(kind).astype(int)
        self.prior, self.likelihood, self.values = target(self.x, self.kind)
        self.beta, self.size, self.evaluations = 0.0, 0.7, len(x)

    def run(self) -> Draws:
        """Raises RequestError where `most_steps` do not reach the posterior."""
        steps, config = 0, self.config
        while self.beta < 1.0:
            if steps == config.most_steps:
                raise RequestError(f"{steps} steps reached {self.beta:.3g} of the likelihood; accepted: more points")
            self._step()
            steps += 1
        for _ in range(config.settle):
            fit = Fit.of(self.x, self.kind, np.ones(len(self.x)))
            self._sweep(fit)
        fit = Fit.of(self.x, self.kind, np.ones(len(self.x)))
        values, kinds = [], []
        for _ in range(config.final):
            self._sweep(fit, adapt=False)
            values.append(self.values.copy())
            kinds.append(self.kind.copy())
        return Draws(np.stack(values), np.stack(kinds), self.evaluations)

    def _step(self) -> None:
        """More of the likelihood: as much as leaves the effective share of the points."""
        low, high = 0.0, 1.0 - self.beta
        if _effective(high * self.likelihood) < self.config.kept:
            for _ in range(100):
                middle = 0.5 * (low + high)
                low, high = (middle, high) if _effective(middle * self.likelihood) > self.config.kept else (low, middle)
            self.beta += low
        else:
            low, self.beta = high, 1.0
        weight = _weights(low * self.likelihood)
        fit = Fit.of(self.x, self.kind, weight)
        n = len(weight)
        rows = np.searchsorted(np.cumsum(weight), (self.rng.random() + np.arange(n)) / n)  # systematic
        self._take(np.minimum(rows, n - 1))
        for _ in range(self.config.sweeps):
            self._sweep(fit)

    def _take(self, rows: np.ndarray) -> None:
        for name in ("x", "kind", "prior", "likelihood", "values"):
            setattr(self, name, getattr(self, name)[rows])

    def _sweep(self, fit: Fit, adapt: bool = True) -> None:
        """One move of every point."""
        rng, (n, d) = self.rng, self.x.shape
        flips = np.asarray(rng.random(n)) < FLIP
        there = fit.whitened(self.x, self.kind)
        square = (there**2).sum(axis=1)
        spread = (0.5 * (DEGREES + square)) / rng.gamma(0.5 * (d + DEGREES), size=n)
        size = self.size * rng.uniform(SHORTEST, 1.0, (n, 1))
        moved = np.sqrt(1.0 - size**2) * there + size * np.sqrt(spread)[:, None] * rng.standard_normal((n, d))
        log_ratio = 0.5 * (d + DEGREES) * (np.log1p((moved**2).sum(axis=1) / DEGREES) - np.log1p(square / DEGREES))
        other = np.where(flips, 1 - self.kind, self.kind)
        volume = fit.log_volume(other) - fit.log_volume(self.kind)
        log_ratio = np.where(flips, volume, log_ratio)
        x = fit.placed(np.where(flips[:, None], there, moved), other)
        prior, likelihood, values = self.target(x, other)
        self.evaluations += n
        with np.errstate(invalid="ignore"):
            log_ratio += prior - self.prior + self.beta * (likelihood - self.likelihood)
        taken = np.isfinite(prior) & (np.log(np.asarray(rng.random(n))) < log_ratio)
        self.x[taken], self.kind[taken] = x[taken], other[taken]
        self.prior[taken], self.likelihood[taken], self.values[taken] = prior[taken], likelihood[taken], values[taken]
        if adapt:
            within = taken[~flips].mean() if (~flips).any() else ACCEPTED
            self.size = float(np.clip(self.size * np.exp(within - ACCEPTED), 0.05, 0.95))


def _weights(log_weight: np.ndarray) -> np.ndarray:
    weight = np.exp(log_weight - log_weight.max())
    return weight / weight.sum()


def _effective(log_weight: np.ndarray) -> float:
    """Share of the points, 1 / (n sum of squares of the weights)."""
    return float(1.0 / (len(log_weight) * (_weights(log_weight) ** 2).sum()))


def _moments(x: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean, and covariance."""
    share = weight / weight.sum()
    mean = share @ x
    off = x - mean
    cov = (share[:, None] * off).T @ off
    return mean, cov + LEAST_VARIANCE * np.eye(x.shape[1])
