"""A population of galaxies: the priors of what they are made of, and how many there are at each (redshift, magnitude).

The stellar populations are those of the MLP-GaP paper (Guo et al. 2024, Table 1): every range uniform, every galaxy
independent of its redshift but for its age, which is at most that of the Universe. Redshift and magnitude come from
a catalogue of the user's, as in the paper, or from a built-in distribution.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import gammainc, gammaincinv

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


class MagnitudeRedshift:
    """The built-in joint distribution of magnitude and redshift, KiDS-like by default.

    Number counts 10^(slope m) between two magnitudes; at each magnitude p(z) ~ z^2 exp(-(z / z0)^1.5) (the form of
    Smail et al. 1994), whose median is 1.412 z0, cut to the redshift range. The medians (0.10 at r = 17, 0.42 at 22,
    0.75 at 24) follow those of KiDS photometric redshifts to a tenth.
    """

    def __init__(self, config: PopulationConfig):
        self.config = config

    def draw(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """(redshift (N,), magnitude (N,))."""
        low, high = self.config.magnitude
        k = self.config.counts_slope * np.log(10.0)
        u = rng.random(n)
        magnitude = high + np.log(u + (1 - u) * np.exp(-k * (high - low))) / k
        inside = [gammainc(2.0, (edge / self._z0(magnitude)) ** 1.5) for edge in self.config.redshift]
        redshift = self._z0(magnitude) * gammaincinv(2.0, inside[0] + rng.random(n) * (inside[1] - inside[0])) ** (
            2 / 3
        )
        return np.clip(redshift, *self.config.redshift), magnitude

    def log_density(self, magnitude: np.ndarray, redshift: np.ndarray) -> np.ndarray:
        """ln p(magnitude, redshift), not normalised, -inf outside the ranges; the arguments broadcast."""
        magnitude, redshift = np.broadcast_arrays(magnitude, redshift)
        z0 = self._z0(magnitude)
        low, high = (gammainc(2.0, (edge / z0) ** 1.5) for edge in self.config.redshift)
        with np.errstate(divide="ignore", invalid="ignore"):
            log_p = (
                self.config.counts_slope * np.log(10.0) * magnitude
                + 2 * np.log(redshift / z0)
                - (redshift / z0) ** 1.5
                - np.log(z0)
                - np.log(high - low)
            )
        inside = (magnitude >= self.config.magnitude[0]) & (magnitude <= self.config.magnitude[1])
        inside &= (redshift >= self.config.redshift[0]) & (redshift <= self.config.redshift[1])
        return np.where(inside, log_p, -np.inf)

    def _z0(self, magnitude: np.ndarray) -> np.ndarray:
        median = self.config.median_redshift * 10 ** (self.config.median_slope * (magnitude - 24.0))
        return median / 1.412


class CatalogueMagnitudeRedshift:
    """The joint distribution of magnitude and redshift as a catalogue has it: rows drawn with replacement."""

    def __init__(self, config: PopulationConfig, redshift: np.ndarray, magnitude: np.ndarray):
        inside = (redshift >= config.redshift[0]) & (redshift <= config.redshift[1])
        inside &= (magnitude >= config.magnitude[0]) & (magnitude <= config.magnitude[1])
        if inside.sum() < 100:
            raise RequestError(
                f"population.catalogue = {config.catalogue!r} has {int(inside.sum())} rows with a redshift in "
                f"{list(config.redshift)} and a magnitude in {list(config.magnitude)}; at least 100 are needed"
            )
        self.redshift, self.magnitude = redshift[inside], magnitude[inside]
        bins = (np.linspace(*config.magnitude, 41), np.linspace(*config.redshift, 61))
        self._counts, self._m_edges, self._z_edges = np.histogram2d(self.magnitude, self.redshift, bins=bins)

    def draw(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """(redshift (N,), magnitude (N,))."""
        rows = rng.integers(0, len(self.redshift), n)
        return self.redshift[rows], self.magnitude[rows]

    def log_density(self, magnitude: np.ndarray, redshift: np.ndarray) -> np.ndarray:
        """ln p(magnitude, redshift), not normalised, from a histogram with half a count added everywhere inside."""
        magnitude, redshift = np.broadcast_arrays(magnitude, redshift)
        i = np.searchsorted(self._m_edges, magnitude, side="right") - 1
        j = np.searchsorted(self._z_edges, redshift, side="right") - 1
        inside = (i >= 0) & (i < self._counts.shape[0]) & (j >= 0) & (j < self._counts.shape[1])
        counts = self._counts[np.where(inside, i, 0), np.where(inside, j, 0)]
        return np.where(inside, np.log(counts + 0.5), -np.inf)
