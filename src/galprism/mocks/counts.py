"""How many galaxies there are at each redshift and magnitude: built in, or as a catalogue of the user's has it."""

from __future__ import annotations

import numpy as np
from scipy.special import gammainc, gammaincinv

from galprism import surveys
from galprism.errors import RequestError
from galprism.mocks.population import PopulationConfig
from galprism.surveys import Survey
from galprism.units import abmag_from_njy


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
        magnitude = self._magnitudes(n, rng)
        if self.config.even_redshift:
            return rng.uniform(*self.config.redshift, n), magnitude
        inside = [gammainc(2.0, (edge / self._z0(magnitude)) ** 1.5) for edge in self.config.redshift]
        redshift = self._z0(magnitude) * gammaincinv(2.0, inside[0] + rng.random(n) * (inside[1] - inside[0])) ** (
            2 / 3
        )
        return np.clip(redshift, *self.config.redshift), magnitude

    def _magnitudes(self, n: int, rng: np.random.Generator) -> np.ndarray:
        low, high = self.config.magnitude
        if self.config.magnitude_step:
            levels = np.arange(low, high + 1e-6 * self.config.magnitude_step, self.config.magnitude_step)
            return rng.choice(levels, n)
        k = self.config.counts_slope * np.log(10.0)
        u = rng.random(n)
        return high + np.log(u + (1 - u) * np.exp(-k * (high - low))) / k if k else low + u * (high - low)

    def log_density(self, magnitude: np.ndarray, redshift: np.ndarray) -> np.ndarray:
        """ln p(magnitude, redshift), not normalised, -inf outside the ranges; the arguments broadcast.

        Where magnitudes are steps, this is the density that they are steps of.
        """
        magnitude, redshift = np.broadcast_arrays(magnitude, redshift)
        inside = (magnitude >= self.config.magnitude[0]) & (magnitude <= self.config.magnitude[1])
        inside &= (redshift >= self.config.redshift[0]) & (redshift <= self.config.redshift[1])
        if self.config.even_redshift:
            return np.where(inside, self.config.counts_slope * np.log(10.0) * magnitude, -np.inf)
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


Counts = MagnitudeRedshift | CatalogueMagnitudeRedshift


def counts_of(population: PopulationConfig, survey: Survey) -> Counts:
    """The joint distribution of magnitude and redshift that a population asks for.

    Raises RequestError when its catalogue cannot be read or has too few rows with a redshift and a magnitude.
    """
    if not population.catalogue:
        return MagnitudeRedshift(population)
    sources = surveys.read(population.catalogue, survey)
    if sources.redshift is None or sources.photometry is None:
        raise RequestError(f"population.catalogue = {population.catalogue!r} has no redshifts")
    flux = sources.photometry.select([population.band]).flux[:, 0]
    good = (flux > 0) & np.isfinite(sources.redshift)
    return CatalogueMagnitudeRedshift(population, sources.redshift[good], abmag_from_njy(flux[good]))
