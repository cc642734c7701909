"""The exact posterior of the spectra of a recipe's galaxies. Needs PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from galprism import surveys
from galprism.data import Predictions, Sources
from galprism.errors import RequestError
from galprism.fit.spectrum_posterior import SpectrumPosterior, spectrum_posterior
from galprism.fit.tempering import TemperingConfig
from galprism.mocks.sky.galaxies import FieldGalaxies
from galprism.mocks.spectra.model import SpectrumModel
from galprism.recipes.processes import shared_out
from galprism.recipes.recipe import Recipe
from galprism.recipes.sky import libraries_of

PIECE = 4
"""Sources that a worker is given at a time."""


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
    workers: int = 1,
    progress: Callable[[int], None] | None = None,
) -> Predictions:
    """What it says of sources, by the recipe's seed; see galprism.fit.spectrum_posterior. The answers are the same with
    any number of workers, which are processes of one thread each: threads would wait for each other."""
    n_pieces = max(-(-len(sources) // PIECE), 1)
    pieces = [sources.take(rows) for rows in np.array_split(np.arange(len(sources)), n_pieces)]
    parts = []
    for part in shared_out(_asked, (recipe, config), pieces, workers):
        parts.append(part)
        if progress is not None:
            progress(len(part))
    return Predictions.joined(parts)


def _asked(recipe: Recipe, config: TemperingConfig | None) -> Callable[[Sources], Predictions]:
    return partial(spectrum_posterior, posterior=posterior_of(recipe, config), seed=recipe.seed)
