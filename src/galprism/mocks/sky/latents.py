"""The random numbers that the galaxies of a field follow from: all else of them is a function of these, of mass, of
redshift and of whether they are quiescent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr, ndtr

SCATTERS = 6
"""Normal numbers of a galaxy, the last of which is drawn and not used."""


@dataclass(frozen=True, eq=False)
class Latents:
    """Of N galaxies, all independent of one another and of the mass."""

    normal: np.ndarray
    """(SCATTERS, N), standard normal: of the rate, the bulge's share, the bulge's rate, metals and dust."""
    starburst: np.ndarray
    """(N,), uniform from 0 to 1, as are the next two and the last: below the share of starbursts it is one."""
    old: np.ndarray
    """(N,), of when the oldest stars began to form."""
    disc: np.ndarray
    """(N,), of when a disc did."""
    old_dust: np.ndarray
    """(N,), exponential with a mean of 1: dust of quiescent galaxies."""
    logu: np.ndarray
    """(N,), of the ionisation parameter."""

    @classmethod
    def drawn(cls, n: int, rng: np.random.Generator) -> Latents:
        """n galaxies' numbers."""
        normal = rng.standard_normal((SCATTERS, n))
        starburst, old, disc = rng.random(n), rng.random(n), rng.random(n)
        return cls(normal, starburst, old, disc, rng.standard_exponential(n), rng.random(n))

    @classmethod
    def of_normals(cls, x: np.ndarray) -> Latents:
        """From standard normal numbers (N, WIDTH) alone: the others are their images."""
        scatters = np.concatenate([x[:, : SCATTERS - 1].T, np.zeros((1, len(x)))])
        starburst, old, disc, dust, logu = x[:, SCATTERS - 1 :].T
        return cls(scatters, ndtr(starburst), ndtr(old), ndtr(disc), -log_ndtr(-dust), ndtr(logu))


WIDTH = SCATTERS - 1 + 5
"""Normal numbers that a galaxy's Latents follow from."""
