"""The template fits that a recipe is held against: the grid, and the exact posterior under the recipe's own prior."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from galprism import config, surveys
from galprism.bundle import Bundle
from galprism.data import Predictions, Sources
from galprism.errors import RequestError
from galprism.fit import ModelCache, fit_grid, fit_posterior, load_cache, magnitude_prior, save_cache, shipped
from galprism.flags import Flag
from galprism.infer.duplicates import repeated
from galprism.infer.own_models import MAGNITUDES, check_posteriors
from galprism.mocks import PopulationConfig, counts_of, unstated_error
from galprism.recipes.recipe import ANY, Recipe, for_survey

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
    if method not in METHODS:
        raise RequestError(f"method {method!r}; accepted: {', '.join(METHODS)}")
    survey = surveys.get(recipe.survey)
    assert sources.flags is not None
    twice = repeated(sources.id) * np.uint32(Flag.DUPLICATE_ID)
    sources = replace(sources, flags=sources.flags | twice)
    model_error = unstated_error(survey, recipe.noise)
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


def reference_cache(recipe: Recipe, method: str, folder: Path | None = None) -> ModelCache:
    """Model fluxes for a method: the shipped grid of the survey, or what stands in `folder`, or made and put there.

    Making needs PyTorch and takes minutes. Raises RequestError when it is needed and there is no folder to keep it in,
    and for a cache that was made for something else than the recipe says.
    """
    check_fitted(recipe, method)
    survey = surveys.get(recipe.survey)
    if method == "grid" and folder is None and survey.name in shipped():
        cache = load_cache(survey.name, survey)
        check_cache(cache, recipe, method, f"the shipped grid of {survey.name}")
        return cache
    if folder is None:
        raise RequestError(
            f"no cache of model fluxes for {method} fits of {survey.name} is shipped; "
            "give a file with --cache, where it is kept once it is made"
        )
    path = folder / f"{method}-{survey.name}.npz" if folder.suffix != ".npz" else folder
    if path.exists():
        cache = load_cache(path, survey)
        check_cache(cache, recipe, method, str(path))
        return cache
    cache = make_reference_cache(recipe, method)
    save_cache(cache, path)
    return cache


def check_fitted(recipe: Recipe, method: str) -> None:
    """Raises RequestError for populations that a fit's models would not be of."""
    if recipe.libraries:
        raise RequestError(
            f"libraries = {list(recipe.libraries)}: a fit's models are of one library; accepted: none beside `library`"
        )
    if method == "grid" and recipe.population.single:
        raise RequestError(
            "population.single = true: the grid is of delayed histories; accepted for simple populations: posterior"
        )


def models_of(bundle: Bundle, survey: str | None, path: Path) -> ModelCache:
    """The draws that a model's answers are checked against (galprism.infer.predictive): of the population that it was
    trained on, for its survey, or the one of that name or file for a model of any bands. They are read from `path`, or
    made and kept there, which needs PyTorch and takes minutes.

    Raises RequestError where they are of something else, and where there can be none.
    """
    check_posteriors(bundle)
    recipe = config.fill(Recipe, bundle.recipe)
    if recipe.survey == ANY:
        if survey is None:
            raise RequestError(f"{bundle.name} takes any bands: say which survey its models are to be of")
        recipe = for_survey(recipe, survey)
    check_fitted(recipe, "posterior")
    of_survey = surveys.get(recipe.survey)
    if not path.exists():
        save_cache(make_reference_cache(recipe, "posterior"), path)
    models = load_cache(path)
    if models.meta.get("survey", of_survey.name) != of_survey.name:
        raise RequestError(f"{path} holds models of survey {models.meta['survey']}; expected {of_survey.name}")
    models.check_passbands(of_survey)
    as_many = replace(recipe, fit=replace(recipe.fit, n_draws=models.meta.get("n", recipe.fit.n_draws)))
    check_cache(models, as_many, "posterior", str(path), "--predictive-check")
    return models


def check_cache(cache: ModelCache, recipe: Recipe, method: str, name: str, option: str = "--cache") -> None:
    """Raises RequestError where a cache is of another method, or not of what the recipe says. option : where its file
    is said."""
    kind = "posterior" if "population" in cache.meta else "grid"
    if kind != method:
        raise RequestError(f"{name} holds the models of a {kind} fit, not of {method}; give another file with {option}")
    library = cache.meta["library"]
    held = {"library": library.get("asked", library["name"]), "nebular": cache.meta["nebular"]}
    wanted: dict[str, Any] = {"library": recipe.stars[0], "nebular": recipe.nebular}
    if method == "grid":
        held["population.logu"], wanted["population.logu"] = cache.meta["logu"], recipe.population.logu
    else:
        held["fit.n_draws"], wanted["fit.n_draws"] = cache.meta["n"], recipe.fit.n_draws
        default = config.plain(PopulationConfig())  # settings that came later than the cache
        for key, value in config.plain(recipe.population).items():
            if key not in MAGNITUDES:
                held[f"population.{key}"] = {**default, **cache.meta["population"]}[key]
                wanted[f"population.{key}"] = value
    for key, value in wanted.items():
        if held[key] != value:
            raise RequestError(
                f"{name} was made for {key} = {held[key]!r}, and the recipe says {value!r}; give another file with "
                f"{option}, where the models are kept once they are made"
            )


def make_reference_cache(recipe: Recipe, method: str, progress: Callable[[int], None] | None = None) -> ModelCache:
    """Model fluxes for a method, from the forward model. Needs PyTorch."""
    from galprism.fit.make_cache import make_draws, make_grid
    from galprism.sps import load_library

    survey, stars = surveys.get(recipe.survey), load_library(recipe.stars[0])
    common: dict[str, Any] = {"nebular": recipe.nebular, "progress": progress, "step": recipe.fit.redshift_step}
    if method == "grid":
        population = recipe.population
        cache = make_grid(survey, stars, redshift=population.redshift, logu=population.logu, **common)
    else:
        cache = make_draws(survey, stars, recipe.population, recipe.fit.n_draws, seed=recipe.seed + 1, **common)
    library = {**cache.meta["library"], "asked": recipe.stars[0]}
    return replace(cache, meta={**cache.meta, "library": library})
