"""A population of galaxies: the priors of what they are made of, and how many there are at each (redshift, magnitude).

The stellar populations are those of the MLP-GaP paper (Guo et al. 2024, Table 1): every range uniform, every galaxy
independent of its redshift but for its age, which is at most that of the Universe. Redshift and magnitude come from
a catalogue of the user's, as in the paper, or from a built-in distribution (`galprism.mocks.counts`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from galprism.cosmology import age_gyr
from galprism.errors import RequestError

BLOCK = 4096
"""Galaxies are drawn in blocks of this many ids, each from its own stream of random numbers: the answer depends on
the seed and the id, never on how many are asked for at once."""

STREAMS = ("population", "noise", "split", "draws", "prior")


def block_rng(seed: int, block: int, stream: str) -> np.random.Generator:
    """The random numbers of one block of ids, for one purpose."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, block, STREAMS.index(stream)))))


@dataclass(frozen=True)
class PopulationConfig:
    """Priors of the stellar populations (Guo et al. 2024, Table 1) and the distribution of (redshift, magnitude)."""

    tau: tuple[float, float] = (0.25, 8.0)
    """Gyr, e-folding time of the delayed history."""
    age_min: float = 0.25
    """Gyr; the oldest is the age of the Universe at the galaxy's redshift."""
    z_met: tuple[float, ...] = (0.0001, 0.0004, 0.004, 0.008, 0.02, 0.05)
    """Metallicities (mass fractions), equally likely."""
    av: tuple[float, float] = (0.0, 2.0)
    """mag; the paper's A_V, 3.1 x the stellar E(B-V)."""
    steps: bool = False
    """Draw tau and age on the paper's steps of 0.05 Gyr and A_V on 0.01 mag, instead of anywhere between."""
    logu: float = -3.0
    """Ionisation parameter of the nebular emission."""
    catalogue: str = ""
    """A table whose rows give (redshift, magnitude) together; empty for the built-in distribution below."""
    redshift: tuple[float, float] = (0.01, 3.0)
    band: str = "r"
    """The band that the magnitudes are of, and that every galaxy is scaled to."""
    magnitude: tuple[float, float] = (16.0, 24.0)
    counts_slope: float = 0.33
    """d log10 N / dm of the number counts."""
    median_redshift: float = 0.75
    """Median redshift at magnitude 24; it falls by `median_slope` dex a magnitude towards the bright."""
    median_slope: float = 0.125

    def __post_init__(self) -> None:
        for name in ("tau", "av", "redshift", "magnitude"):
            low, high = getattr(self, name)
            if not low < high:
                raise RequestError(f"population.{name} = [{low}, {high}]: the first must be below the second")
        if self.redshift[0] <= 0 or self.tau[0] <= 0 or self.age_min <= 0:
            raise RequestError("population: redshift, tau and age_min must be above zero")
        if self.age_min >= age_gyr(self.redshift[1]):
            raise RequestError(
                f"population.age_min = {self.age_min} Gyr is more than the age of the Universe at "
                f"z = {self.redshift[1]}, {age_gyr(self.redshift[1]):.2f} Gyr"
            )


@dataclass(frozen=True, eq=False)
class Draws:
    """Galaxies drawn from a population, before any light is computed; every field is (N,) float64."""

    redshift: np.ndarray
    magnitude: np.ndarray
    """AB, in the population's band."""
    tau: np.ndarray
    """Gyr."""
    age: np.ndarray
    """Gyr since star formation began."""
    z_met: np.ndarray
    av: np.ndarray
    """mag."""

    def __len__(self) -> int:
        return len(self.redshift)

    @property
    def ebv(self) -> np.ndarray:
        """Stellar E(B-V) in mag: A_V / 3.1 (Guo et al. 2024, Table 2, with CIGALE's factor 0.44)."""
        return self.av / 3.1


def draw_stars(config: PopulationConfig, redshift: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """tau, age, z_met and av, each (N,), of galaxies at the given redshifts (N,)."""
    n = len(redshift)
    if config.steps:
        tau = _on_steps(rng, config.tau[0], config.tau[1], 0.05, n)
        age = _on_steps(rng, config.age_min, age_gyr(redshift), 0.05, n)
        av = _on_steps(rng, config.av[0], config.av[1], 0.01, n)
    else:
        tau = rng.uniform(*config.tau, n)
        age = rng.uniform(config.age_min, age_gyr(redshift), n)
        av = rng.uniform(*config.av, n)
    return {"tau": tau, "age": age, "z_met": rng.choice(np.array(config.z_met), n), "av": av}


def _on_steps(rng, low, high, step: float, n: int) -> np.ndarray:
    """Uniform over low, low + step, … up to at most high."""
    count = np.floor((np.asarray(high) - low) / step + 1e-9).astype(int) + 1
    return low + step * rng.integers(0, count, n)
