"""The calibration certificate of a model: how often its intervals hold the truth, on simulated galaxies that it never
saw, by what a user may ask about. It travels in the bundle. Needs PyTorch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from galprism import surveys
from galprism.bundle import Bundle
from galprism.data import Sources
from galprism.errors import RequestError
from galprism.infer import predict
from galprism.mocks import observe, observe_at_random
from galprism.mocks.population import block_rng
from galprism.mocks.simulate import error_sample
from galprism.prep import drop
from galprism.recipes.recipe import ANY, Recipe, for_survey
from galprism.recipes.sky import sky
from galprism.surveys.reading import concatenate
from galprism.units import abmag_from_njy

LEVELS = (0.025, 0.16, 0.84, 0.975)
EDGES: dict[str, tuple[float, ...]] = {
    "redshift": (0.0, 0.3, 0.6, 1.0, 1.5, 2.0, 3.0),
    "magnitude": (10.0, 18.0, 20.0, 22.0, 24.0, 26.0),
    "S/N of the best band": (0.0, 5.0, 10.0, 30.0, 100.0, np.inf),
    "bands": (1, 4, 7, 13, 25, 100),
}
FEWEST = 200
"""Galaxies below which a row says nothing."""
A_SURVEY = 100
"""Galaxies that one random survey sees."""
N_SURVEY = 5000
"""Galaxies simulated for each survey by name."""
N_BLIND = 2000
"""Of those, whose redshifts are inferred."""


@dataclass(frozen=True, eq=False)
class Asked:
    """Galaxies as measured, their true targets (N, P), and their true magnitudes in the population's band."""

    sources: Sources
    values: np.ndarray
    magnitude: np.ndarray

    def take(self, rows: slice) -> Asked:
        return Asked(self.sources.take(rows), self.values[rows], self.magnitude[rows])


def certified(recipe: Recipe, bundle: Bundle) -> Bundle:
    """The bundle with its certificate among its metrics, on `recipe.sample.test` galaxies behind those of the training.

    A model of any bands is asked about random surveys as in its training, and about the surveys by name in which the
    population's magnitudes have a band. Raises RequestError for a model without uncertainties.
    """
    if bundle.kind != "mixture":
        raise RequestError(f"bundle {bundle.name} has point estimates only; there is nothing to certify")
    whole = _joined([_answer(bound, asked) for bound, asked in _test_sets(recipe, bundle)])
    rows = [_row("all", "", whole, bundle)]
    for by, edges in EDGES.items():
        for low, high in pairwise(edges):
            inside = (whole[by] >= low) & (whole[by] < high)
            rows.append(_row(by, f"{low:g} to {high:g}", {k: v[inside] for k, v in whole.items()}, bundle))
    if recipe.survey == ANY:
        for name in surveys.names():
            if "r" in surveys.get(name).band_names:
                asked, bound = _named(recipe, name), bundle.bind(surveys.get(name))
                rows.append(_row("survey", name, _answer(bound, asked), bundle))
                if bundle.ranking:
                    blind = _blind(asked.take(slice(0, N_BLIND)))
                    rows.append(_row("redshift inferred", name, _answer(bound, blind), bundle, "redshift"))
    kept = [row for row in rows if row["n"] >= FEWEST]
    return replace(bundle, metrics={**bundle.metrics, "certificate": {"levels": [0.68, 0.95], "rows": kept}})


def _test_sets(recipe: Recipe, bundle: Bundle) -> Iterator[tuple[Bundle, Asked]]:
    """What the model is asked, by the noise of its own training; bound to the bands where it takes any."""
    made = sky(recipe)
    first = recipe.sample.train + recipe.sample.validation
    band = made.survey.band_names.index(recipe.population.band)
    reference = None if recipe.survey == ANY else error_sample(recipe.noise, made.survey)
    tables = bundle.bind(made.survey) if recipe.survey == ANY else bundle
    for block in made.blocks(recipe.sample.test, first):
        assert block.sources.photometry is not None
        flux = block.sources.photometry.flux
        rng = block_rng(recipe.seed + 1, block.number, "noise")
        values = np.stack([block.truth.column(name) for name in bundle.targets], axis=1)
        magnitude = abmag_from_njy(flux[:, band])
        if recipe.survey == ANY:
            drawn = observe_at_random(flux, replace(recipe.surveys, sources=A_SURVEY), rng)
        else:
            measured = observe(flux, made.survey, recipe.noise, rng, reference)
            drawn = iter([(np.arange(len(flux)), drop(measured, recipe.drop, rng))])
        for rows, photometry in drawn:
            sources = replace(block.sources.take(rows), photometry=photometry)
            bound = replace(tables, preparation=replace(tables.preparation, bands=photometry.bands))
            yield bound if recipe.survey == ANY else bundle, Asked(sources, values[rows], magnitude[rows])


def _named(recipe: Recipe, name: str) -> Asked:
    """The recipe's galaxies as a survey by name measures them, where they have an S/N of 5 in r."""
    made = sky(for_survey(recipe, name))
    values, magnitude, parts = [], [], []
    for block in made.blocks(N_SURVEY, recipe.sample.train + recipe.sample.validation):
        assert block.sources.photometry is not None
        flux = block.sources.photometry.flux
        seen = observe(flux, made.survey, recipe.noise, block_rng(recipe.seed + 2, block.number, "noise"))
        r = made.survey.band_names.index("r")
        bright = seen.flux[:, r] * np.sqrt(seen.ivar[:, r]) > 5.0
        parts.append(replace(block.sources, photometry=seen).take(bright))
        magnitude.append(abmag_from_njy(flux[bright, r]))
        values.append(np.stack([block.truth.column(name) for name in recipe.targets.names], axis=1)[bright])
    sources = concatenate(parts, made.survey)
    return Asked(sources, np.concatenate(values), np.concatenate(magnitude))


def _blind(asked: Asked) -> Asked:
    """The same without their redshifts, which are asked for instead."""
    assert asked.sources.redshift is not None
    values = np.concatenate([asked.values, asked.sources.redshift[:, None]], axis=1)
    return Asked(replace(asked.sources, redshift=None), values, asked.magnitude)


def _answer(bundle: Bundle, asked: Asked) -> dict[str, np.ndarray]:
    """Of each galaxy that was answered: what it is sorted by, errors (N, P), whether the truth is inside (N, P, 2)."""
    found = predict(bundle, asked.sources, LEVELS, infer_redshift=asked.sources.redshift is None)
    photometry = asked.sources.photometry
    assert found.quantiles is not None
    assert photometry is not None
    low, below, above, high = np.moveaxis(found.quantiles, 2, 0)
    true = asked.values
    inside = np.stack([(below < true) & (true < above), (low < true) & (true < high)], axis=2)
    known = np.isfinite(photometry.ivar)
    best = (photometry.flux * np.sqrt(np.where(known, photometry.ivar, 0.0))).max(axis=1)
    told = {
        "redshift": asked.values[:, -1] if asked.sources.redshift is None else asked.sources.redshift,
        "magnitude": asked.magnitude,
        "S/N of the best band": best,
        "bands": found.n_bands,
        "error": found.point - true,
        "inside": inside,
    }
    there = np.isfinite(found.point).all(axis=1)
    return {name: np.asarray(value)[there] for name, value in told.items()}


def _joined(answers: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([answer[name] for answer in answers]) for name in answers[0]}


def _row(by: str, what: str, told: dict[str, np.ndarray], bundle: Bundle, *more: str) -> dict[str, Any]:
    """One line of the certificate; more : what else was asked for, behind the bundle's targets."""
    row: dict[str, Any] = {"by": by, "what": what, "n": len(told["error"])}
    if not row["n"]:
        return row
    for j, name in enumerate((*bundle.targets, *more)):
        row[name] = {
            "bias": round(float(told["error"][:, j].mean()), 4),
            "rms": round(float(np.sqrt((told["error"][:, j] ** 2).mean())), 4),
            "covers": [round(float(told["inside"][:, j, k].mean()), 4) for k in (0, 1)],
        }
    return row
