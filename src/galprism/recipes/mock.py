"""Catalogues of a recipe's sky with their truth, and images and spectra of the same sources. Needs PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np

from galprism.data import CLASSES, Truth
from galprism.data.cutout_file import CutoutWriter
from galprism.data.spectrum_files.sdss_folder import SdssFolderWriter
from galprism.data.tables import CatalogueWriter, check_apart, check_writable
from galprism.errors import RequestError
from galprism.mocks.images.cutouts import image_batches
from galprism.mocks.simulate import simulate
from galprism.mocks.sky.field import Observed
from galprism.mocks.spectra.model import OF_FIBRE, SimulatedSpectra, SpectrumModel
from galprism.mocks.spectra.noise import observe_spectra
from galprism.recipes.recipe import Recipe
from galprism.recipes.sky import describe, field_of, libraries_of, seen_of, sky


def write_mock(
    recipe: Recipe,
    n: int,
    path: Path,
    *,
    first: int = 0,
    cutouts: Path | None = None,
    spectra: Path | None = None,
    progress: Callable[[int], None] | None = None,
) -> float | None:
    """A catalogue of `n` simulated sources with their truth, ids from `first` on, of a field from patch number `first`
    on; whole or not at all. Returns the area of a field's sources, in square degrees.

    cutouts : a file of images of the same sources (galprism.data.cutout_file), of a recipe that has [images].
    spectra : a new folder of spectra of the same galaxies (galprism.data.spectrum_files.sdss_folder), of a recipe that
        has [spectra]; the truth of such recipes has OF_FIBRE too.
    """
    if n < 1:
        raise RequestError(f"n = {n}; accepted: 1 or more sources")
    if first < 0:
        raise RequestError(f"first = {first}; accepted: 0 or more")
    places = [each.absolute() for each in (path, cutouts, spectra) if each is not None]
    for one in places:
        if places.count(one) > 1 or (spectra is not None and spectra.absolute() in one.parents):
            raise RequestError(f"{one}: stands for two outputs; accepted: table, cutouts and spectra each by itself")
    for each in places:
        check_apart(each, [name for name in (recipe.population.catalogue, recipe.noise.catalogue) if name])
    check_writable(path)
    for wanted, block in ((cutouts, "images"), (spectra, "spectra")):
        if wanted is not None and (recipe.field is None or getattr(recipe, block) is None):
            raise RequestError(
                f"recipe {recipe.name} has no [field] and [{block}]; {block} are made of such recipes alone"
            )
    told = describe(recipe)
    if recipe.spectra is not None:
        told |= {"of_fibre": f"{' and '.join(OF_FIBRE)} are of the light in a fibre of {recipe.spectra.fibre:g} arcsec"}
    with ExitStack() as stack:
        table = stack.enter_context(CatalogueWriter(path, n, told))
        if recipe.field is None:
            for sources, truth in simulate(sky(recipe), recipe.noise, n, first):
                table.write(sources, truth)
                if progress is not None:
                    progress(len(sources))
            return None
        field = field_of(recipe)
        images = None if cutouts is None else stack.enter_context(CutoutWriter(cutouts, told))
        folder = None if spectra is None else stack.enter_context(SdssFolderWriter(spectra, told))
        model = None if recipe.spectra is None else SpectrumModel(libraries_of(recipe)[0], recipe.spectra)
        area = 0.0
        for seen in seen_of(recipe, field, n, first):
            area += recipe.field.area * len(seen.sources) / max(len(seen.patch), 1)
            truth = seen.truth
            if model is not None:
                made = model(seen.patch, seed=recipe.seed, rows=_galaxies(seen))
                truth = _with_fibre(truth, made)
                if folder is not None:
                    _write_spectra(folder, seen, made, model, recipe.seed)
            table.write(seen.sources, truth)
            if images is not None and recipe.images is not None:
                n_seen = len(seen.sources)
                for ids, taken in image_batches(seen.patch, field.survey, recipe.images, seed=recipe.seed, n=n_seen):
                    images.write(ids, taken)
            if progress is not None:
                progress(len(seen.sources))
        return area if recipe.chosen is None else None


def _galaxies(seen: Observed) -> np.ndarray:
    """The rows of those sources that are galaxies."""
    assert seen.truth.classes is not None
    return np.flatnonzero(seen.truth.classes == CLASSES.index("galaxy"))


def _with_fibre(truth: Truth, made: SimulatedSpectra) -> Truth:
    """With OF_FIBRE, NaN where there is no spectrum."""
    rows = np.flatnonzero(np.isin(truth.id, made.id))
    own = np.full((len(truth), len(OF_FIBRE)), np.nan)
    own[rows] = np.stack([made.values[name] for name in OF_FIBRE], axis=1)
    return replace(truth, names=(*truth.names, *OF_FIBRE), values=np.concatenate([truth.values, own], axis=1))


def _write_spectra(
    folder: SdssFolderWriter, seen: Observed, made: SimulatedSpectra, model: SpectrumModel, seed: int
) -> None:
    rows = _galaxies(seen)
    places = {name: None if (each := getattr(seen.sources, name)) is None else each[rows] for name in ("ra", "dec")}
    folder.write(made.id, observe_spectra(made, model.config, seed=seed), made.redshift, **places)
