"""The simulated sky of a recipe, and catalogues of it. Needs PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from galprism import surveys
from galprism.config import plain
from galprism.data.tables import CatalogueWriter, check_writable
from galprism.errors import RequestError
from galprism.mocks.simulate import Sky, simulate
from galprism.params import COSMOLOGY
from galprism.recipes.recipe import Recipe
from galprism.sps import load_library


def sky(recipe: Recipe) -> Sky:
    """The sky that the recipe's galaxies live in. Raises RequestError where the recipe's library cannot make it."""
    stars = load_library(recipe.library)
    if not np.isfinite(stars.surviving).all():
        raise RequestError(f"library = {recipe.library!r}: {stars.name} does not say what mass survives")
    for z_met in recipe.population.z_met:
        if not np.isclose(stars.z_met, z_met, rtol=0.01, atol=0.0).any():
            accepted = ", ".join(f"{z:.3g}" for z in stars.z_met)
            raise RequestError(f"population.z_met has {z_met:g}; accepted, those of {stars.name}: {accepted}")
    survey = surveys.get(recipe.survey)
    return Sky(recipe.population, survey, stars, seed=recipe.seed, nebular=recipe.nebular)


def describe(recipe: Recipe) -> dict[str, object]:
    """What a catalogue of this recipe says of itself."""
    stars = load_library(recipe.library)
    return {
        "made_by": "galprism's simulator: no real galaxy is in this table",
        "recipe": recipe.name,
        "survey": recipe.survey,
        "seed": recipe.seed,
        "population": plain(recipe.population),
        "noise": plain(recipe.noise),
        "library": stars.name,
        "library_hash": stars.hash,
        "imf": stars.imf,
        "cosmology": COSMOLOGY,
    }


def write_mock(
    recipe: Recipe, n: int, path: Path, *, first: int = 0, progress: Callable[[int], None] | None = None
) -> None:
    """A catalogue of `n` simulated galaxies with their truth, ids from `first` on; whole or not at all."""
    if n < 1:
        raise RequestError(f"n = {n}; accepted: 1 or more galaxies")
    check_writable(path)
    made = sky(recipe)
    with CatalogueWriter(path, n, describe(recipe)) as writer:
        for sources, truth in simulate(made, recipe.noise, n, first):
            writer.write(sources, truth)
            if progress is not None:
                progress(len(sources))
