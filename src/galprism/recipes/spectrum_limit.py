"""The exact posterior of the spectra of a recipe's galaxies. Needs PyTorch."""

from __future__ import annotations

from collections.abc import Callable

from galprism import surveys
from galprism.data import Predictions, Sources
from galprism.errors import RequestError
from galprism.fit.spectrum_posterior import SpectrumPosterior, spectrum_posterior
from galprism.fit.tempering import TemperingConfig
from galprism.mocks.sky.galaxies import FieldGalaxies
from galprism.mocks.spectra.model import SpectrumModel
from galprism.recipes.recipe import Recipe
from galprism.recipes.sky import libraries_of


def posterior_of(recipe: Recipe, config: TemperingConfig | None = None) -> SpectrumPosterior:
    """The exact posterior of spectra of a recipe's galaxies: of its very field, spectra and choice."""
    if recipe.field is None or recipe.chosen is None or recipe.spectra is None:
        raise RequestError(f"recipe {recipe.name}; accepted: a recipe with [field], [chosen] and [spectra]")
    (library,) = libraries_of(recipe)
    bright, limit = recipe.chosen.galaxy_magnitude[0], recipe.chosen.galaxy_magnitude[-1]
    field = FieldGalaxies(recipe.field.galaxies, surveys.get(recipe.survey), recipe.field.band, limit, library)
    return SpectrumPosterior(field, SpectrumModel(library, recipe.spectra), bright=bright, config=config)


def exact_answers(
    recipe: Recipe,
    sources: Sources,
    config: TemperingConfig | None = None,
    *,
    progress: Callable[[int], None] | None = None,
) -> Predictions:
    """What it says of sources, by the recipe's seed; see galprism.fit.spectrum_posterior."""
    return spectrum_posterior(sources, posterior_of(recipe, config), seed=recipe.seed, progress=progress)
