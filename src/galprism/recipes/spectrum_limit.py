"""Methods that read spectra beside the exact posterior of the spectrum, on the same galaxies. Needs PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from galprism import surveys
from galprism.data import Predictions
from galprism.errors import RequestError
from galprism.evaluate.compare import rms_ratio
from galprism.evaluate.tables import Table, number
from galprism.fit.spectrum_posterior import SpectrumPosterior
from galprism.fit.tempering import TemperingConfig
from galprism.mocks.sky.galaxies import FieldGalaxies
from galprism.mocks.spectra.model import SpectrumModel
from galprism.recipes.mmlforgalam_bars import errors_of
from galprism.recipes.recipe import Recipe
from galprism.recipes.sky import libraries_of

FEW_POINTS = TemperingConfig(points=72, sweeps=1, settle=1, final=3, kept=0.3)
"""For `--quick`: it runs, and is not expected to converge."""


def posterior_of(recipe: Recipe, config: TemperingConfig | None = None) -> SpectrumPosterior:
    """The exact posterior of spectra of a recipe's galaxies: of its very field, spectra and choice."""
    if recipe.field is None or recipe.chosen is None or recipe.spectra is None:
        raise RequestError(f"recipe {recipe.name}; accepted: a recipe with [field], [chosen] and [spectra]")
    (library,) = libraries_of(recipe)
    bright, limit = recipe.chosen.galaxy_magnitude[0], recipe.chosen.galaxy_magnitude[-1]
    field = FieldGalaxies(recipe.field.galaxies, surveys.get(recipe.survey), recipe.field.band, limit, library)
    return SpectrumPosterior(field, SpectrumModel(library, recipe.spectra), bright=bright, config=config)


def against_limit(
    limit: Predictions,
    methods: Mapping[str, Predictions],
    names: tuple[str, ...],
    ids: np.ndarray,
    true: np.ndarray,
    sn: np.ndarray,
) -> dict[str, Any]:
    """The rms of all methods over that of the exact posterior's mean, on the galaxies whose two runs agree: ratios and
    their errors; and of the posterior itself what it takes to be believed, the share of true values within its central
    68 % and how many of the galaxies converged."""
    place = {one: k for k, one in enumerate(ids.tolist())}
    good = limit.extra["converged"] == 1.0
    rows = np.array([place[one] for one in np.asarray(limit.id)[good].tolist()], int)
    exact, own = columns_of(limit, names)[good], true[rows]
    inside = [
        float(np.mean((limit.quantile(name, 0.16)[good] < own[:, j]) & (own[:, j] < limit.quantile(name, 0.84)[good])))
        if len(rows)
        else np.nan
        for j, name in enumerate(names)
    ]
    ratios = {}
    for name, found in methods.items():
        point = columns_of(found, names)[rows]
        there = np.isfinite(point).all(axis=1)
        pairs = [rms_ratio((point - own)[there, j], (exact - own)[there, j]) for j in range(len(names))]
        ratios[name] = {"ratio": [ratio for ratio, _ in pairs], "err": [err for _, err in pairs]}
    errors = errors_of(exact, own)
    sn_median = float(np.median(sn[rows])) if len(rows) else np.nan
    asked = len(limit)
    return {"errors": errors, "inside": inside, "ratios": ratios, "n": len(rows), "asked": asked, "sn": sn_median}


def limit_table(limit: dict[str, Any], names: list[str]) -> str:
    """`against_limit` in Markdown."""
    rows = []
    for name, each in limit["ratios"].items():
        cells = [
            "–" if ratio is None else number(ratio, 3) + ("" if err is None else f" ± {number(err, 3)}")
            for ratio, err in zip(each["ratio"], each["err"], strict=True)
        ]
        rows.append((name, *cells))
    head = ("method", *(f"rms over the limit's: {name}" for name in names))
    within = ", ".join(
        f"{name} {number(sd, 4)}" + ("" if np.isnan(inside) else f" ({100 * inside:.0f} % of true values in its 68 %)")
        for name, sd, inside in zip(names, limit["errors"]["sd"], limit["inside"], strict=True)
    )
    told = (
        f"On {limit['n']} galaxies, those of {limit['asked']} whose two runs agree, of a median S/N of "
        f"{number(limit['sn'], 1)}. SD of the posterior's mean: {within}."
    )
    return f"### The exact posterior of the spectrum\n\n{told}\n\n" + Table(head, tuple(rows), "").markdown()


def columns_of(found: Predictions, names: tuple[str, ...]) -> np.ndarray:
    """(N, P), float64."""
    return np.stack([found.column(name) for name in names], axis=1).astype(float)
