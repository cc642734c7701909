"""Whether stated uncertainties are what they say: coverage, PIT, and the width that it costs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import kolmogorov, ndtr, ndtri

from galprism.errors import RequestError

NOMINAL = (0.68, 0.95)
"""Central intervals that are reported: 16-84 % and 2.5-97.5 %."""

NEAR = 0.01
"""Quantile levels this close to a nominal interval stand for it (0.1587-0.8413 for 68 %)."""

TOLERANCE = {0.68: 0.02, 0.95: 0.01}
"""Coverage this close to the nominal one is called right: 66-70 % and 94-96 %."""


@dataclass(frozen=True)
class Coverage:
    """How often the truth lies in a central interval."""

    nominal: float
    observed: float
    low: float
    high: float
    """The 68 % Wilson interval of the observed fraction."""
    mean_width: float | None
    """Mean width of the interval in the parameter's unit; None when only the PIT is known."""

    @property
    def err(self) -> float:
        """Half the width of the binomial interval."""
        return (self.high - self.low) / 2


@dataclass(frozen=True)
class Calibration:
    """Calibration of one parameter of one method. Nothing here depends on the point estimate."""

    n: int
    n_crossed: int
    """Rows whose quantiles are not in ascending order; they are left out of everything here."""
    pit_from: str
    """`column` when the method gave its own, else `quantiles`."""
    levels: tuple[float, ...]
    coverage: tuple[Coverage, ...]
    ks: float
    """Kolmogorov-Smirnov distance of the PIT from uniform."""
    ks_p: float
    """Probability of a larger distance, were the PIT uniform."""
    pinball: float | None
    """Mean over rows and levels of 2 x the pinball loss: the CRPS as the levels see it, in the parameter's unit."""

    def at(self, nominal: float) -> Coverage | None:
        """The coverage of the interval nearest to `nominal`, if one is near enough."""
        near = [c for c in self.coverage if abs(c.nominal - nominal) <= NEAR]
        return min(near, key=lambda c: abs(c.nominal - nominal)) if near else None

    @property
    def verdict(self) -> str:
        """In words: whether the intervals are as stated, too narrow or too wide, beyond tolerance and chance."""
        offsets = [
            (c.observed - c.nominal) / (TOLERANCE[nominal] + 2 * c.err)
            for nominal in NOMINAL
            if (c := self.at(nominal)) is not None
        ]
        if not offsets:
            return "no interval to judge"
        worst = max(offsets, key=abs)
        if abs(worst) <= 1:
            return "as stated"
        return "too narrow" if worst < 0 else "too wide"


def wilson(successes: int, n: int, z: float = 1.0) -> tuple[float, float]:
    """The Wilson (1927) score interval of a binomial fraction, at z standard deviations; n > 0."""
    p = successes / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return max(0.0, centre - half), min(1.0, centre + half)


def coverage(inside, nominal: float, mean_width: float | None = None) -> Coverage:
    """Coverage from whether each row's truth is inside its interval, (N,) bool, N > 0."""
    inside = np.asarray(inside, bool)
    successes, n = int(inside.sum()), len(inside)
    return Coverage(nominal, successes / n, *wilson(successes, n), mean_width=mean_width)


def pit_from_quantiles(true, quantiles, levels) -> np.ndarray:
    """(N,), the probability that each posterior gives to values below the truth.

    true (N,), quantiles (N, Q) ascending along Q, levels (Q,) ascending, Q >= 2. Between quantiles the probit of
    the probability is taken as linear in the parameter, and beyond the outer ones as well: exact for a Gaussian,
    Gaussian in the tails for anything else. Where neighbouring quantiles coincide the truth is below, above, or
    half-way between their levels. NaN where a value is not finite or the quantiles do not ascend.
    """
    true, quantiles = np.asarray(true, np.float64), np.asarray(quantiles, np.float64)
    levels = np.asarray(levels, np.float64)
    z = ndtri(levels)
    rows = np.arange(len(true))
    left = np.clip((quantiles <= true[:, None]).sum(axis=1) - 1, 0, len(levels) - 2)
    x0, x1 = quantiles[rows, left], quantiles[rows, left + 1]
    width = x1 - x0
    flat = width < 1e-200  # narrower ones have no finite slope
    slope = (z[left + 1] - z[left]) / np.where(flat, 1.0, width)
    smooth = ndtr(z[left] + (true - x0) * slope)
    step = np.where(true < x0, 0.0, np.where(true > x1, 1.0, (levels[left] + levels[left + 1]) / 2))
    return np.where(_usable(true, quantiles), np.where(flat, step, smooth), np.nan)


def _usable(true: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """(N,) bool: everything is finite and the quantiles ascend."""
    return np.isfinite(true) & np.isfinite(quantiles).all(axis=1) & ~_crossed(quantiles)


def _crossed(quantiles: np.ndarray) -> np.ndarray:
    """(N,) bool: a quantile is below one of a lower level."""
    return np.any(quantiles[:, 1:] < quantiles[:, :-1], axis=1)


def ks_uniform(pit) -> tuple[float, float]:
    """Kolmogorov-Smirnov distance of a PIT (N,) from uniform, and its asymptotic p-value; N > 0."""
    ordered, n = np.sort(np.asarray(pit, np.float64)), len(pit)
    above = np.arange(1, n + 1) / n - ordered
    below = ordered - np.arange(n) / n
    distance = float(max(above.max(), below.max()))
    return distance, float(kolmogorov(distance * math.sqrt(n)))


def pinball(true, quantiles, levels) -> float:
    """Mean over rows and levels of 2 (level - [true < q]) (true - q)."""
    error = np.asarray(true, np.float64)[:, None] - np.asarray(quantiles, np.float64)
    return float(np.mean(2 * (np.asarray(levels) - (error < 0)) * error))


def central_intervals(levels) -> list[tuple[float, int, int]]:
    """(nominal, index of the lower level, index of the upper) of every pair of levels that leaves equal tails."""
    levels = list(levels)
    pairs = []
    for i, low in enumerate(levels):
        for j, high in enumerate(levels):
            if low < 0.5 < high and math.isclose(low, 1 - high, abs_tol=1e-6):
                pairs.append((high - low, i, j))
    return sorted(pairs)


def calibrate(true, quantiles=None, levels=(), pit=None) -> Calibration | None:
    """Calibration of one parameter against `true` (N,).

    `quantiles` (N, Q) at `levels` (Q,), and/or the method's own `pit` (N,), which goes before one interpolated from
    quantiles. Rows that lack any of them are left out. None when there is neither a PIT nor two quantiles, or when
    no row is left. Raises RequestError for a PIT outside 0-1 and for levels that do not ascend within 0-1.
    """
    true = np.asarray(true, np.float64)
    has_quantiles = quantiles is not None and len(levels) >= 2
    if pit is None and not has_quantiles:
        return None
    good, n_crossed = np.isfinite(true), 0
    if has_quantiles:
        levels = tuple(float(level) for level in levels)
        if not (levels[0] > 0 and levels[-1] < 1 and np.all(np.diff(levels) > 0)):
            raise RequestError(f"quantile levels {levels} do not ascend between 0 and 1")
        quantiles = np.asarray(quantiles, np.float64)
        n_crossed = int((good & _crossed(quantiles)).sum())
        good &= _usable(true, quantiles)
    if pit is not None:
        pit = np.asarray(pit, np.float64)
        if np.any((pit < 0) | (pit > 1)):
            raise RequestError(f"a PIT of {pit[(pit < 0) | (pit > 1)][0]:g} is not a probability; accepted: 0 to 1")
        good &= np.isfinite(pit)
    if not good.any():
        return None
    true = true[good]
    found: list[Coverage] = []
    score = None
    if has_quantiles:
        assert quantiles is not None
        quantiles = quantiles[good]
        for nominal, i, j in central_intervals(levels):
            low, high = quantiles[:, i], quantiles[:, j]
            found.append(coverage((low <= true) & (true <= high), nominal, float(np.mean(high - low))))
        score = pinball(true, quantiles, levels)
    values = pit_from_quantiles(true, quantiles, levels) if pit is None else pit[good]
    if pit is not None:
        for nominal in NOMINAL:
            if all(abs(c.nominal - nominal) > NEAR for c in found):
                found.append(coverage(np.abs(values - 0.5) <= nominal / 2, nominal))
    distance, p = ks_uniform(values)
    return Calibration(
        n=len(true),
        n_crossed=n_crossed,
        pit_from="quantiles" if pit is None else "column",
        levels=tuple(levels) if has_quantiles else (),
        coverage=tuple(sorted(found, key=lambda c: c.nominal)),
        ks=distance,
        ks_p=p,
        pinball=score,
    )
