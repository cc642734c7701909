"""What photometry can tell of the redshifts of a recipe's galaxies, and no network better: the exact posterior under
the very population, choice by magnitude and noise that they are simulated with. Needs PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from galprism import surveys
from galprism.data import Photometry
from galprism.errors import RequestError
from galprism.fit.field_draws import FieldPosteriorConfig
from galprism.fit.field_redshift import Evidence, FieldRedshift, RedshiftDistributions
from galprism.fit.likelihood import Weighted
from galprism.mocks import unstated_error
from galprism.mocks.sky.galaxies import FieldGalaxies
from galprism.recipes.processes import shared_out
from galprism.recipes.recipe import Recipe
from galprism.recipes.sky import libraries_of

CAREFUL = FieldPosteriorConfig(block=1500, most=1, looks=4)
"""Draws of each range of magnitude in each cell of redshift: a network's errors are told to a hundredth by it."""


def redshift_posterior(recipe: Recipe, config: FieldPosteriorConfig = CAREFUL, *, seed: int = 0) -> FieldRedshift:
    """Of a recipe's very field and choice, with draws of their own.

    Raises RequestError for a recipe without a field or galaxies chosen of it.
    """
    if recipe.field is None or recipe.chosen is None:
        raise RequestError(f"recipe {recipe.name} has no [field] or no [chosen]; accepted: galaxies chosen of a field")
    (library,) = libraries_of(recipe)
    magnitudes = recipe.chosen.galaxy_magnitude
    survey, band = surveys.get(recipe.survey), recipe.field.band
    field = FieldGalaxies(recipe.field.galaxies, survey, band, magnitudes[-1], library)
    return FieldRedshift(field, magnitudes, seed=recipe.seed + 1 + 1000 * seed, config=config)


def exact_redshifts(
    recipe: Recipe,
    photometry: Photometry,
    config: FieldPosteriorConfig = CAREFUL,
    *,
    seed: int = 0,
    workers: int = 1,
    progress: Callable[[float], None] | None = None,
) -> RedshiftDistributions:
    """Of a recipe's galaxies by their photometry, the same with any number of processes.

    seed : of the draws; two tell how repeatable the answers are. progress : called with the part that is done.
    """
    posterior = redshift_posterior(recipe, config, seed=seed)
    unstated = unstated_error(surveys.get(recipe.survey), recipe.noise)
    sources, pieces = posterior.weighed(photometry, unstated), posterior.pieces
    given = recipe, config, seed, sources
    found = []
    for evidence in shared_out(_asked, given, pieces, workers):
        found.append(evidence)
        if progress is not None:
            progress(len(found) / len(pieces))
    return posterior.joined(found)


def _asked(
    recipe: Recipe, config: FieldPosteriorConfig, seed: int, sources: Weighted
) -> Callable[[tuple[int, int]], Evidence]:
    return partial(redshift_posterior(recipe, config, seed=seed).evidence, sources=sources)
