"""The exact posterior of the spectra of a recipe's galaxies. Needs PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np

from galprism import surveys
from galprism.data import Predictions, Sources
from galprism.errors import RequestError
from galprism.fit.spectrum_posterior import SpectrumPosterior, spectrum_posterior
from galprism.fit.tempering import TemperingConfig
from galprism.mocks.sky.galaxies import FieldGalaxies
from galprism.mocks.spectra.model import SpectrumModel
from galprism.recipes.recipe import Recipe
from galprism.recipes.sky import libraries_of
from galprism.train.device import one_thread

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
    if workers < 2 or len(sources) < 2:
        return spectrum_posterior(sources, posterior_of(recipe, config), seed=recipe.seed, progress=progress)
    pieces = [sources.take(rows) for rows in np.array_split(np.arange(len(sources)), -(-len(sources) // PIECE))]
    parts = []
    with ProcessPoolExecutor(
        min(workers, len(pieces)), get_context("spawn"), initializer=_begin, initargs=(recipe, config)
    ) as pool:
        for part in pool.map(_answer, pieces):
            parts.append(part)
            if progress is not None:
                progress(len(part))
    return Predictions.joined(parts)


_worker: dict[str, Any] = {}
"""What a worker has made once."""


def _begin(recipe: Recipe, config: TemperingConfig | None) -> None:
    one_thread()
    _worker.update(posterior=posterior_of(recipe, config), seed=recipe.seed)


def _answer(sources: Sources) -> Predictions:
    return spectrum_posterior(sources, _worker["posterior"], seed=_worker["seed"])
