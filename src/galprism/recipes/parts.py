"""What bundles of all recipes have in common: where they come from, and what a network of parameters answers."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import numpy as np

from galprism import passbands, surveys
from galprism.config import plain
from galprism.nets import Regressor
from galprism.prep import Targets
from galprism.recipes.estimators import coordinates_of, readout_of
from galprism.recipes.recipe import Recipe


def origin(recipe: Recipe, bands: tuple[str, ...], described: Mapping[str, object]) -> dict[str, Any]:
    """Fields of a Bundle that say which recipe it is of, and what made it.

    bands : those of the recipe's survey that go in, in the order of the preparation; none for a model of any
    described : what is said of the sources that it learned from, see galprism.recipes.sky.describe
    """
    curves = {band.name: band.passband for band in surveys.get(recipe.survey).bands} if bands else {}
    return {
        "name": recipe.name,
        "title": recipe.title,
        "survey": recipe.survey,
        "passbands": {band: {"name": curves[band], "hash": passbands.get(curves[band]).hash} for band in bands},
        "recipe": plain(recipe),
        "seed": recipe.seed,
        "provenance": {**described, "torch": version("torch"), "numpy": np.__version__},
    }


def answers(estimator: Regressor, targets: Targets, n_inputs: int) -> dict[str, Any]:
    """Fields of a Bundle that make parameters of what the network, trained, says of `n_inputs` numbers."""
    return {
        "targets": targets.names,
        "anchored": tuple(targets.anchored.tolist()),
        "ranges": targets.ranges,
        "kind": "mixture" if estimator.head is not None else "point",
        "coordinates": coordinates_of(estimator, targets),
        "model": readout_of(estimator, targets, n_inputs),
    }


def middle_band(recipe: Recipe) -> str:
    """The band of the recipe's survey by which sources are called bright or faint: r where it has one."""
    names = surveys.get(recipe.survey).band_names
    return "r" if "r" in names else names[len(names) // 2]
