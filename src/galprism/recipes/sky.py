"""The simulated sky of a recipe. Needs PyTorch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from galprism import surveys
from galprism.config import plain
from galprism.errors import RequestError
from galprism.mocks import PopulationConfig, pool_survey
from galprism.mocks.simulate import Sky, galaxies_of
from galprism.mocks.sky.chosen import Chosen, observe_chosen
from galprism.mocks.sky.field import Field, Observed, observe_field
from galprism.params import COSMOLOGY
from galprism.prep.basis import Basis, fit_basis
from galprism.recipes.recipe import ANY, Recipe, check_population
from galprism.sps import SSPLibrary, load_library
from galprism.surveys import Survey
from galprism.wavegrid import LogGrid

BASIS_BLOCKS = 4
"""Blocks of galaxies that a basis is fitted to."""
BLUEST = 911.8
"""Angstrom, the Lyman limit: a basis begins here."""


def survey_of(recipe: Recipe) -> Survey:
    """The survey of a recipe: one by name, or the pool that random ones are drawn from."""
    if recipe.survey == ANY:
        return pool_survey(recipe.surveys, recipe.population.band)
    return surveys.get(recipe.survey)


def sky(recipe: Recipe) -> Sky:
    """The sky that the recipe's galaxies live in. Raises RequestError where the recipe's library cannot make it."""
    libraries = libraries_of(recipe)
    check_population(recipe)
    for stars in libraries:
        check_metallicities(recipe.population, stars)
    return Sky(recipe.population, survey_of(recipe), libraries, seed=recipe.seed, nebular=recipe.nebular)


def field_of(recipe: Recipe) -> Field:
    """The magnitude-limited field of a recipe. Raises RequestError where the recipe has none, or none can be made."""
    if recipe.field is None:
        raise RequestError(f"recipe {recipe.name} has no [field]: its sky is a population of galaxies")
    (library,) = libraries_of(recipe)
    return Field(recipe.field, survey_of(recipe), library, seed=recipe.seed)


def libraries_of(recipe: Recipe) -> tuple[SSPLibrary, ...]:
    """The stellar populations of a recipe. Raises RequestError where one cannot make mocks."""
    found = tuple(load_library(name) for name in recipe.stars)
    for name, stars in zip(recipe.stars, found, strict=True):
        if not np.isfinite(stars.surviving).all():
            raise RequestError(f"library = {name!r}: {stars.name} does not say what mass survives")
    return found


def check_metallicities(population: PopulationConfig, stars: SSPLibrary) -> None:
    """Raises RequestError where a library lacks metallicities that a population asks for."""
    has, wanted = stars.z_met, population.z_met
    if population.on_grid:
        return
    if population.z_met_between:
        if min(wanted) < 0.99 * has[0] or max(wanted) > 1.01 * has[-1]:
            raise RequestError(
                f"population.z_met goes from {min(wanted):g} to {max(wanted):g}; accepted: {has[0]:.3g} to "
                f"{has[-1]:.3g}, what {stars.name} has"
            )
        return
    for z_met in wanted:
        if not np.isclose(has, z_met, rtol=0.01, atol=0.0).any():
            accepted = ", ".join(f"{z:.3g}" for z in has)
            raise RequestError(f"population.z_met has {z_met:g}; accepted, those of {stars.name}: {accepted}")


@dataclass(frozen=True, eq=False)
class RestSpectra:
    """Light that leaves N simulated galaxies, redwards of the Lyman limit."""

    grid: LogGrid
    continuum: np.ndarray
    """(N, W), Lsun/Angstrom per Msun formed."""
    line_wave: np.ndarray
    """(L,), Angstrom."""
    line: np.ndarray
    """(N, L), Lsun per Msun formed."""


def rest_spectra(made: Sky, blocks: Iterable[int], bluest: float = BLUEST) -> RestSpectra:
    """The spectra of whole blocks of a sky's galaxies from `bluest` Angstrom on; light below the Lyman limit counts as
    none. Of several libraries each block has another's light."""
    grid = made.model.grid
    first = int(np.searchsorted(grid.edges, bluest))
    models = made.models
    seds = [models[k % len(models)].rest_sed(galaxies_of(made.draw(number))) for k, number in enumerate(blocks)]
    trimmed = LogGrid(grid.start + first * grid.step, grid.step, grid.size - first)
    wave = seds[0].line_wave.double().numpy()
    kept = wave >= trimmed.edges[0]
    continuum = np.concatenate([sed.flux[:, first:].numpy() for sed in seds])
    return RestSpectra(trimmed, continuum, wave[kept], np.concatenate([sed.line.numpy()[:, kept] for sed in seds]))


def make_basis(recipe: Recipe) -> Basis:
    """The basis of spectra that holds the light of the recipe's galaxies, lines included: for a survey of its own as
    far as its bands see at the recipe's redshifts, for any bands from the Lyman limit on."""
    made, bluest = sky(recipe), BLUEST
    if recipe.survey != ANY:
        seen = min(curve.wave[0] for curve in made.model.passbands) / (1.0 + recipe.population.redshift[1])
        bluest = max(BLUEST, seen * np.exp(-2.0 * made.model.grid.step))
    spectra = rest_spectra(made, range(BASIS_BLOCKS), bluest)
    return fit_basis(spectra.grid, spectra.continuum, spectra.line_wave, spectra.line, recipe.prep.basis_size)


def describe(recipe: Recipe) -> dict[str, object]:
    """What a catalogue of this recipe says of itself."""
    libraries = [load_library(name) for name in recipe.stars]
    return {
        "made_by": "galprism's simulator: no real galaxy is in this table",
        "recipe": recipe.name,
        "survey": recipe.survey,
        "seed": recipe.seed,
        **_described_sky(recipe),
        "noise": plain(recipe.noise),
        "library": ", ".join(stars.name for stars in libraries),
        "library_hash": ", ".join(stars.hash for stars in libraries),
        "imf": ", ".join(dict.fromkeys(stars.imf for stars in libraries)),
        "cosmology": COSMOLOGY,
    }


def _described_sky(recipe: Recipe) -> dict[str, object]:
    if recipe.field is None:
        return {"population": plain(recipe.population)}
    images = {} if recipe.images is None else {"images": plain(recipe.images)}
    chosen = {} if recipe.chosen is None else {"chosen": plain(recipe.chosen)}
    spectra = {} if recipe.spectra is None else {"spectra": plain(recipe.spectra)}
    return {"field": plain(recipe.field), **chosen, **images, **spectra}


def seen_of(recipe: Recipe, field: Field, n: int, first: int = 0) -> Iterator[Observed]:
    """n sources of a recipe's field as its survey would measure them: all from patch `first` on, or those chosen.

    Raises RequestError for a first patch of chosen sources, which are the whole of their choice.
    """
    if recipe.chosen is None:
        yield from observe_field(field, recipe.noise, n, first)
        return
    if first:
        raise RequestError(f"first = {first}: chosen sources are drawn from the first on; accepted: 0")
    (library,) = libraries_of(recipe)
    yield from observe_chosen(Chosen(recipe.chosen, field, library, n), recipe.noise, recipe.images)
