"""A simulated catalogue: a population, its light through a survey's passbands, and the survey's noise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np
import torch

from galprism import passbands, surveys
from galprism.data import Photometry, Sources, Truth
from galprism.errors import RequestError
from galprism.mocks.counts import Counts, counts_of
from galprism.mocks.described import LOG_GYR, NAMES, described
from galprism.mocks.noise import ErrorSample, NoiseConfig, observe
from galprism.mocks.population import BLOCK, Draws, PopulationConfig, block_rng, draw_stars
from galprism.mocks.tabulated import read_histories
from galprism.sps import Composite, ForwardModel, Galaxies, Observed, SSPLibrary, Tabulated
from galprism.sps.dust import dust_of
from galprism.surveys import Survey
from galprism.units import njy_from_abmag

HISTORY = ("tau", "age", "f_burst", "tau_burst", "age_burst", "constant", "change", "age_change")
"""What a history of the population's own is made of."""


@dataclass(frozen=True, eq=False)
class Block:
    """Simulated galaxies before any noise."""

    sources: Sources
    """id, redshift, and true fluxes whose errors are not known (ivar NaN)."""
    truth: Truth
    number: int
    """Which block of ids this is: the key of its random numbers."""

    def __len__(self) -> int:
        return len(self.sources)


class Sky:
    """A sky of galaxies in a survey's bands, the same for the same seed however it is asked for."""

    def __init__(
        self,
        population: PopulationConfig,
        survey: Survey,
        libraries: SSPLibrary | Sequence[SSPLibrary],
        *,
        seed: int,
        nebular: bool = True,
    ):
        """libraries : of several, each galaxy's stars are of one, each as likely."""
        if population.band not in survey.band_names:
            raise RequestError(
                f"population.band = {population.band!r} is not a band of {survey.name}: {', '.join(survey.band_names)}"
            )
        self.population = population
        self.survey = survey
        self.seed = seed
        curves = [passbands.get(band.passband) for band in survey.bands]
        self.libraries = (libraries,) if isinstance(libraries, SSPLibrary) else tuple(libraries)
        metallicity, dust = population.metallicity, dust_of(population.dust)
        self.models = [
            ForwardModel(library, curves, nebular=nebular, metallicity=metallicity, dust=dust)
            for library in self.libraries
        ]

    @property
    def model(self) -> ForwardModel:
        """Of the first library."""
        return self.models[0]

    @cached_property
    def counts(self) -> Counts:
        """The joint distribution of magnitude and redshift."""
        return counts_of(self.population, self.survey)

    def draw(self, number: int) -> Draws:
        """The galaxies of one block of ids."""
        rng = block_rng(self.seed, number, "population")
        redshift, magnitude = self.counts.draw(BLOCK, rng)
        which = rng.integers(0, len(self.libraries), BLOCK) if len(self.libraries) > 1 else np.zeros(BLOCK, int)
        grids = [(library.age, library.z_met) for library in self.libraries]
        stars = draw_stars(self.population, redshift, rng, grids, which)
        if not self.population.histories:
            return Draws(redshift, magnitude, stars, which=which)
        tabulated = read_histories(self.population.histories).draw(redshift, self.population.histories_share, rng)
        if "f_second" in stars:
            stars["f_second"] = np.where(tabulated.has, 0.0, stars["f_second"])
        return Draws(redshift, magnitude, stars, tabulated, which)

    def block(self, number: int) -> Block:
        """One block of galaxies with ids from number x BLOCK on, their true fluxes and truth."""
        draws = self.draw(number)
        observed = self._observed(draws)
        band = self.survey.band_names.index(self.population.band)
        flux = observed.flux.double().numpy()
        log_mass = np.log10(njy_from_abmag(draws.magnitude) / flux[:, band])  # formed, Msun
        flux = (flux * 10 ** log_mass[:, None]).astype(np.float32)
        ident = number * BLOCK + np.arange(BLOCK)
        values = described(observed, draws.stars, log_mass)
        if draws.tabulated is not None:
            has = draws.tabulated.has
            values["tau"] = np.where(has, np.nan, values["tau"])
            values["age"] = np.where(has, draws.tabulated.oldest, values["age"])
            values["log_age"] = np.log10(values["age"]) + LOG_GYR
        truth = Truth(
            id=ident,
            names=NAMES,
            values=np.stack([values[name] for name in NAMES], axis=1),
            labels=self._labels(draws),
        )
        photometry = Photometry(flux=flux, ivar=np.full_like(flux, np.nan), bands=self.survey.band_names)
        return Block(Sources(id=ident, redshift=draws.redshift, photometry=photometry), truth, number)

    def _observed(self, draws: Draws) -> Observed:
        """Every galaxy in the light of its own library."""
        galaxies = galaxies_of(draws)
        if len(self.models) == 1 or draws.which is None:
            return self.model(galaxies)
        whose = [np.flatnonzero(draws.which == number) for number in range(len(self.models))]
        parts = [model(galaxies.take(torch.from_numpy(rows))) for model, rows in zip(self.models, whose, strict=True)]
        back = torch.from_numpy(np.argsort(np.concatenate(whose)))
        columns = {f.name: torch.cat([getattr(part, f.name) for part in parts])[back] for f in fields(Observed)}
        return Observed(**columns)

    def _labels(self, draws: Draws) -> dict[str, np.ndarray]:
        """Whose spectra each galaxy's stars have, where there are several libraries."""
        if len(self.libraries) == 1 or draws.which is None:
            return {}
        names = {"library": [library.name for library in self.libraries], "imf": [x.imf for x in self.libraries]}
        return {label: np.array(values)[draws.which] for label, values in names.items()}

    def blocks(self, n: int, first: int = 0) -> Iterator[Block]:
        """The galaxies with ids `first` … `first + n - 1`, before any noise, block by block."""
        for number, rows in block_rows(n, first):
            block = self.block(number)
            yield Block(block.sources.take(rows), block.truth.take(rows), number)


def block_rows(n: int, first: int = 0) -> Iterator[tuple[int, slice]]:
    """Which blocks, and which rows of each, hold the ids `first` … `first + n - 1`."""
    for number in range(first // BLOCK, -(-(first + n) // BLOCK)):
        yield number, slice(max(first - number * BLOCK, 0), min(first + n - number * BLOCK, BLOCK))


def simulate(sky: Sky, noise: NoiseConfig, n: int, first: int = 0) -> Iterator[tuple[Sources, Truth]]:
    """A catalogue of `n` galaxies as the survey would measure it, with its truth, block by block."""
    reference = error_sample(noise, sky.survey)
    for number, rows in block_rows(n, first):
        block = sky.block(number)
        assert block.sources.photometry is not None
        rng = block_rng(sky.seed, number, "noise")  # the whole block, so that a part of it has the same noise
        photometry = observe(block.sources.photometry.flux, sky.survey, noise, rng, reference)
        yield replace(block.sources, photometry=photometry).take(rows), block.truth.take(rows)


def error_sample(noise: NoiseConfig, survey: Survey) -> ErrorSample | None:
    """The sample of errors that the noise is drawn from; None when it comes from depths."""
    if noise.errors != "catalogue":
        return None
    photometry = surveys.read(noise.catalogue, survey).photometry
    assert photometry is not None
    return ErrorSample(photometry)


def galaxies_of(draws: Draws) -> Galaxies:
    """Draws as the forward model takes them."""
    galaxies = Galaxies.from_numpy(redshift=draws.redshift, **draws.stars)
    if draws.tabulated is None:
        return galaxies
    told = draws.tabulated
    edges, rates, has = (torch.from_numpy(np.asarray(x, float)) for x in (told.edges, told.rates, told.has))
    assert galaxies.history is not None
    history = Composite([galaxies.history, Tabulated(edges, rates)], torch.stack([1.0 - has, has], dim=1))
    others = {name: value for name, value in draws.stars.items() if name not in HISTORY}
    return Galaxies.from_numpy(redshift=draws.redshift, history=history, **others)
