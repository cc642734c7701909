"""What is known of a source's parameters before its network is asked: what they are relative to, or lie within.

The network's answer x for a parameter t of a source is anchor + x, or, where t lies between low and high,
low + (high - low) Phi(x) with Phi the normal distribution function: x has no edges, of which a mixture of Gaussians
could know nothing, and is standard normal where t is even over its range.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from galprism.cosmology import age_gyr
from galprism.errors import RequestError

AGES, LOG_AGES = (
    ("age", "age_mw", "age_lw"),
    ("log_age", "log_age_mw", "log_age_lw", "mean_log_age_mw", "mean_log_age_lw"),
)
"""Gyr, and dex(yr); never above the age of the Universe at the source's redshift."""
UNIVERSE = {"age": age_gyr, "log_age": lambda z: np.log10(age_gyr(z)) + 9.0}
"""That age, by what a range calls it."""
WIDER = 1e-3
"""A range is that of the training set, and this share of it more on each side: its ends have a finite x."""
FAR = 8.0
"""Beyond this x a parameter is at the end of its range, to double precision."""
LEAST_SIGMA = 1e-6
"""Of what is all at the end of its range, in x."""

Range = tuple[float, float | str] | None
"""Of a parameter: low and high, or in place of high a name in UNIVERSE; None for one that has no range."""


def ranges_of(names: Sequence[str], bounded: Sequence[str], values: np.ndarray) -> tuple[Range, ...]:
    """The range of each of P parameters, values (N, P); those that are not among `bounded` have none."""
    found: list[Range] = []
    for j, name in enumerate(names):
        if name not in bounded:
            found.append(None)
            continue
        low, high = float(values[:, j].min()), float(values[:, j].max())
        if not high > low:
            raise RequestError(f"targets.bounded: {name} is {low} throughout, which is no range")
        if name in AGES:
            found.append((0.0, "age"))
        else:
            more = WIDER * (high - low)
            found.append((low - more, "log_age" if name in LOG_AGES else high + more))
    return tuple(found)


@dataclass(frozen=True, eq=False)
class Frame:
    """Of N sources and P parameters: t = low + span x, and with Phi(x) for x where they are bounded."""

    bounded: np.ndarray
    """(P,), bool."""
    low: np.ndarray
    """(P, N)."""
    span: np.ndarray
    """(P, N)."""

    @classmethod
    def of(
        cls,
        anchored: Sequence[float] | np.ndarray,
        ranges: Sequence[Range],
        anchor: np.ndarray,
        redshift: np.ndarray | None,
    ) -> Frame:
        """Of sources with anchors (N,) and redshifts (N,), which only the age of the Universe is taken from."""
        low = np.array(anchored, np.float64)[:, None] * np.asarray(anchor, np.float64)
        span = np.ones_like(low)
        for j, limits in enumerate(ranges):
            if limits is not None:
                low[j] = limits[0]
                high = limits[1]
                span[j] = (UNIVERSE[high](np.asarray(redshift, float)) if isinstance(high, str) else high) - limits[0]
        return cls(np.array([limits is not None for limits in ranges]), low, span)

    def values(self, x: np.ndarray) -> np.ndarray:
        """Parameters of x, both (..., P, N)."""
        return self.low + self.span * self.fractions(x)

    def fractions(self, x: np.ndarray) -> np.ndarray:
        """x (..., P, N) with how far up the range it is in place of those that are bounded."""
        x = np.array(x)
        x[..., self.bounded, :] = ndtr(x[..., self.bounded, :])
        return x

    def coordinates(self, values: np.ndarray) -> np.ndarray:
        """x of parameters, both (P, N); infinite for values that are not within their range."""
        x = (values - self.low) / self.span
        x[self.bounded] = ndtri(np.clip(x[self.bounded], 0.0, 1.0))
        return x


def mean_fraction(mean: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """The mean of Phi(x) for Gaussian x: Phi(mean / sqrt(1 + sigma^2))."""
    return ndtr(mean / np.sqrt(1.0 + sigma * sigma))


def narrowed(mean: np.ndarray, sigma: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian x of a range as about what they are of a wider one, of which theirs is the lower `share` (<= 1).

    Mean and sigma are those that keep the points one sigma from the mean where they are.
    """
    mean, sigma = np.clip(np.asarray(mean, np.float64), -FAR, FAR), np.asarray(sigma, np.float64)
    below, above = ndtri(share * ndtr(np.clip(np.stack([mean - sigma, mean + sigma]), -3.0 * FAR, None)))
    part = share < 1.0
    with np.errstate(invalid="ignore"):  # of all of a range, whose upper end may be infinite, nothing is taken
        moved, spread = 0.5 * (below + above), np.maximum(0.5 * (above - below), LEAST_SIGMA)
    return np.where(part, moved, mean), np.where(part, spread, sigma)
