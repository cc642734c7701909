"""Which models a bundle's answers can be checked against: draws of its own population, in its own bands."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from galprism.bundle import Bundle
from galprism.errors import RequestError

MAGNITUDES = ("catalogue", "band", "magnitude", "counts_slope", "median_redshift", "median_slope")
"""What a population says of magnitudes, of which models per mass know nothing."""


class Models(Protocol):
    """Draws of a population through the forward model: galprism.fit.ModelCache."""

    @property
    def bands(self) -> tuple[str, ...]: ...

    @property
    def values(self) -> dict[str, np.ndarray]: ...

    @property
    def meta(self) -> dict[str, Any]: ...

    def __len__(self) -> int: ...

    @property
    def redshift_range(self) -> tuple[float, float]: ...

    @property
    def identity(self) -> str: ...

    def ln_flux(self, redshift: np.ndarray, rows: np.ndarray) -> np.ndarray: ...

    def interpolation_variance(self, redshift: np.ndarray, rows: np.ndarray) -> np.ndarray: ...


def check_posteriors(bundle: Bundle) -> None:
    """Raises RequestError for a bundle whose answers cannot be checked."""
    if bundle.kind != "mixture" or bundle.spectroscopic is not None:
        raise RequestError(f"bundle {bundle.name} has no posterior that could be checked")


def check_models(bundle: Bundle, models: Models) -> None:
    """Raises RequestError where models are not of a bundle's bands, targets or population, as far as they say."""
    check_posteriors(bundle)
    made_with, survey = models.meta.get("passbands", {}), models.meta.get("survey", "?")
    for band, curve in bundle.passbands.items():
        if band not in models.bands or made_with.get(band) != curve["hash"]:
            has = "another curve of it" if band in models.bands else ", ".join(models.bands)
            raise RequestError(
                f"the models are of survey {survey} and bundle {bundle.name} is of {bundle.survey}, band {band} "
                f"({curve['name']}): they have {has}; expected models of the bundle's own bands"
            )
    missing = [name for name in bundle.targets if name not in models.values]
    if missing:
        raise RequestError(
            f"the models have no {', '.join(missing)}, which bundle {bundle.name} infers; they have "
            f"{', '.join(models.values)}"
        )
    if "population" not in models.meta:
        raise RequestError(
            f"the models are not draws of a population: bundle {bundle.name} is checked against draws of its own, as "
            "for `galprism fit --method posterior`"
        )
    check_population(bundle, models.meta)


def check_population(bundle: Bundle, made: Mapping[str, Any]) -> None:
    """Raises RequestError where models were made of something else than a bundle's recipe says, as far as both say."""
    recipe, library = bundle.recipe, made.get("library", {})
    held: dict[str, Any] = {
        "library": library.get("asked", library.get("name")),
        "libraries": [],
        "nebular": made.get("nebular"),
    }
    other = (*MAGNITUDES, "redshift")  # models of fewer redshifts leave the others out
    held |= {f"population.{key}": value for key, value in made["population"].items() if key not in other}
    wanted: dict[str, Any] = {key: recipe[key] for key in ("library", "libraries", "nebular") if key in recipe}
    wanted |= {f"population.{key}": value for key, value in recipe.get("population", {}).items()}
    for key in held.keys() & wanted.keys():
        if json.dumps(held[key]) != json.dumps(wanted[key]):
            raise RequestError(
                f"the models were made for {key} = {held[key]!r}, and bundle {bundle.name} is of {wanted[key]!r}; its "
                "answers are checked against draws of its own population"
            )
