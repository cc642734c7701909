"""The template fits that a recipe is held against: the grid, and the exact posterior under the recipe's own prior."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from galprism import surveys
from galprism.data import Predictions, Sources
from galprism.errors import RequestError
from galprism.fit import ModelCache, fit_grid, fit_posterior, load_cache, magnitude_prior, save_cache, shipped
from galprism.mocks import calibration_error, counts_of
from galprism.recipes.recipe import Recipe

METHODS = ("grid", "posterior")


def fit(
    recipe: Recipe,
    sources: Sources,
    method: str,
    cache: ModelCache,
    *,
    workers: int = 1,
    levels: tuple[float, ...] = (0.025, 0.16, 0.5, 0.84, 0.975),
    progress: Callable[[int], None] | None = None,
) -> Predictions:
    """Template-fit sources by `grid` or `posterior`, with the noise model and the prior of the recipe.

    cache : as `reference_cache` gives it for the method. Raises RequestError for another method.
    """
    survey = surveys.get(recipe.survey)
    model_error: np.ndarray | float = calibration_error(survey) if recipe.noise.calibration else 0.0
    if method == "grid":
        return fit_grid(
            sources,
            cache,
            parameters=recipe.targets.names,
            levels=levels,
            flux_err=survey.flux_err,
            model_error=model_error,
            progress=progress,
        )
    if method == "posterior":
        return fit_posterior(
            sources,
            cache,
            magnitude_prior(recipe.population, counts_of(recipe.population, survey)),
            parameters=recipe.targets.names,
            levels=levels,
            flux_err=survey.flux_err,
            model_error=model_error,
            workers=workers,
            progress=progress,
        )
    raise RequestError(f"method {method!r}; accepted: {', '.join(METHODS)}")


def reference_cache(recipe: Recipe, method: str, folder: Path | None = None) -> ModelCache:
    """Model fluxes for a method: the shipped grid of the survey, or what stands in `folder`, or made and put there.

    Making needs PyTorch and takes minutes. Raises RequestError when it is needed and there is no folder to keep it in.
    """
    survey = surveys.get(recipe.survey)
    if method == "grid" and folder is None and survey.name in shipped():
        return load_cache(survey.name, survey)
    if folder is None:
        raise RequestError(
            f"no cache of model fluxes for {method} fits of {survey.name} is shipped; "
            "give a file with --cache, where it is kept once it is made"
        )
    path = folder / f"{method}-{survey.name}.npz" if folder.suffix != ".npz" else folder
    if path.exists():
        return load_cache(path, survey)
    cache = make_reference_cache(recipe, method)
    save_cache(cache, path)
    return cache


def make_reference_cache(recipe: Recipe, method: str, progress: Callable[[int], None] | None = None) -> ModelCache:
    """Model fluxes for a method, from the forward model. Needs PyTorch."""
    from galprism.fit.make_cache import make_draws, make_grid
    from galprism.sps import load_library

    survey, stars = surveys.get(recipe.survey), load_library(recipe.library)
    common: dict[str, Any] = {"nebular": recipe.nebular, "progress": progress, "step": recipe.fit.redshift_step}
    if method == "grid":
        population = recipe.population
        return make_grid(survey, stars, redshift=population.redshift, logu=population.logu, **common)
    return make_draws(survey, stars, recipe.population, recipe.fit.n_draws, seed=recipe.seed + 1, **common)
