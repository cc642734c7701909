"""The simulated sky of a recipe, and catalogues of it. Needs PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from galprism import surveys
from galprism.config import plain
from galprism.data.tables import CatalogueWriter, check_writable
from galprism.errors import RequestError
from galprism.mocks.simulate import Sky, simulate
from galprism.params import COSMOLOGY
from galprism.recipes.recipe import Recipe
from galprism.sps import SSPLibrary, load_bc03_miles


@lru_cache(maxsize=2)
def library(name: str) -> SSPLibrary:
    """The simple stellar populations that a recipe names. Raises RequestError for a name that is not known."""
    if name != "bc03-miles":
        raise RequestError(f"library = {name!r}; accepted: bc03-miles")
    return load_bc03_miles()


def sky(recipe: Recipe) -> Sky:
    """The sky that the recipe's galaxies live in."""
    return Sky(
        recipe.population,
        surveys.get(recipe.survey),
        library(recipe.library),
        seed=recipe.seed,
        nebular=recipe.nebular,
    )


def describe(recipe: Recipe) -> dict[str, object]:
    """What a catalogue of this recipe says of itself."""
    stars = library(recipe.library)
    return {
        "made_by": "galprism's simulator: no real galaxy is in this table",
        "recipe": recipe.name,
        "survey": recipe.survey,
        "seed": recipe.seed,
        "population": plain(recipe.population),
        "noise": plain(recipe.noise),
        "library": stars.name,
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
