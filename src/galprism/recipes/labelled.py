"""Sources whose classes are known, for a classifier to learn from: chosen of a simulated field, or from a catalogue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from galprism import surveys
from galprism.config import plain
from galprism.data import Sources
from galprism.data.tables import open_table
from galprism.data.tables.truth import classes_in
from galprism.errors import RequestError
from galprism.mocks import observe
from galprism.mocks.images.cutouts import from_noise, image_batches, in_noise, sky_sigma
from galprism.mocks.simulate import error_sample
from galprism.recipes.recipe import Recipe
from galprism.recipes.sky import field_of, seen_of
from galprism.recipes.stages import digest
from galprism.sps import load_library

FILES = ("ident", "flux", "classes", "redshift", "pixels", "fwhm")


@dataclass(frozen=True, eq=False)
class Labelled:
    """N sources with their classes."""

    ident: np.ndarray
    """(N,), integers."""
    classes: np.ndarray
    """(N,), int8, index into CLASSES."""
    redshift: np.ndarray
    """(N,), the true one, 0 of stars; NaN where it is not known."""
    flux: np.ndarray
    """(N, B), float32, nJy, before noise, in the survey's bands; (N, 0) where `sources` has them as measured."""
    pixels: np.ndarray
    """(N, b, H, W), float16, the images in units of the sky's noise, NaN where masked; b = 0 without images."""
    fwhm: np.ndarray
    """(N, b), float32, arcsec."""
    sources: Sources | None = None
    """Of a catalogue."""

    def __len__(self) -> int:
        return len(self.classes)

    def take(self, rows: Any) -> Labelled:
        """Some of them."""
        some = None if self.sources is None else self.sources.take(rows)
        names = ("ident", "classes", "redshift", "flux", "pixels", "fwhm")
        return Labelled(**{name: getattr(self, name)[rows] for name in names}, sources=some)


def labelled(recipe: Recipe, folder: Path, progress: Callable[[int], None] | None = None) -> Labelled:
    """The sources of a recipe of classes: of a catalogue those whose class it says, or of a simulated field as many as
    training, validation and test take, kept in `folder`, where other recipes of the same sky find them.

    Raises RequestError for a catalogue that cannot be read, has no such column, or other classes.
    """
    assert recipe.classes is not None
    if recipe.field is None:
        return _catalogue(recipe)
    n = recipe.sample.train + recipe.sample.validation + recipe.sample.test
    made_of = [recipe.field, recipe.chosen, recipe.images, recipe.survey, recipe.seed]
    hashes = [load_library(name).hash for name in recipe.stars]
    place = folder / f"labelled-{digest([*(plain(one) for one in made_of), hashes, n])}"
    if not place.exists():
        _simulate(recipe, n, place, progress)
    return Labelled(**{name: np.load(place / f"{name}.npy", mmap_mode="r") for name in FILES})


def measure_of(recipe: Recipe, known: Labelled) -> Callable[[np.ndarray, np.random.Generator], Sources]:
    """(rows, rng) -> those rows as the survey measures them: simulated ones with fresh noise each time."""
    if known.sources is not None:
        return lambda rows, rng: known.sources.take(rows)  # type: ignore[union-attr]
    survey = surveys.get(recipe.survey)
    reference = error_sample(recipe.noise, survey)
    sky = sky_sigma(survey, recipe.images) if recipe.images else None

    def measured(rows: np.ndarray, rng: np.random.Generator) -> Sources:
        photometry = observe(known.flux[rows], survey, recipe.noise, rng, reference)
        cutouts = None
        if recipe.images is not None and sky is not None:
            cutouts = from_noise(known.pixels[rows], known.fwhm[rows], sky, recipe.images)
        return Sources(id=known.ident[rows], redshift=known.redshift[rows], photometry=photometry, cutouts=cutouts)

    return measured


def _simulate(recipe: Recipe, n: int, place: Path, progress: Callable[[int], None] | None) -> None:
    field, images = field_of(recipe), recipe.images
    shape = (len(images.bands), images.size, images.size) if images else (0, 1, 1)
    part = place.with_suffix(".part")
    part.mkdir(parents=True, exist_ok=True)
    columns = {
        "ident": ((), np.int64),
        "classes": ((), np.int8),
        "redshift": ((), np.float32),
        "flux": ((len(field.survey.bands),), np.float32),
        "pixels": (shape, np.float16),
        "fwhm": ((shape[0],), np.float32),
    }
    kept = {
        name: np.lib.format.open_memmap(part / f"{name}.npy", "w+", dtype, (n, *rest))
        for name, (rest, dtype) in columns.items()
    }
    sky = sky_sigma(field.survey, images) if images else None
    done = 0
    for seen in seen_of(recipe, field, n):
        many = len(seen.sources)
        rows, members = slice(done, done + many), seen.patch.members.take(slice(0, many))
        kept["ident"][rows], kept["flux"][rows] = seen.sources.id, members.flux
        kept["classes"][rows], kept["redshift"][rows] = seen.truth.classes, members.redshift
        if images is not None and sky is not None:
            at = done
            for ids, taken in image_batches(seen.patch, field.survey, images, seed=recipe.seed, n=many):
                here = slice(at, at + len(ids))
                kept["pixels"][here] = in_noise(taken.flux, taken.observed, sky)
                kept["fwhm"][here] = taken.psf_fwhm
                at += len(ids)
        done += many
        if progress is not None:
            progress(many)
    for array in kept.values():
        array.flush()
    part.replace(place)


def _catalogue(recipe: Recipe) -> Labelled:
    assert recipe.classes is not None
    labels = recipe.classes.labels
    if not labels.catalogue:
        raise RequestError(
            f"recipe {recipe.name} learns from a catalogue of known classes; give it with classes.labels.catalogue=FILE"
        )
    table = open_table(labels.catalogue)
    if labels.column not in table.columns:
        raise RequestError(
            f"{labels.catalogue}: no column {labels.column!r} of classes; accepted for classes.labels.column: "
            f"{', '.join(table.columns)}"
        )
    classes = classes_in(table, labels.column, table.read([labels.column]))
    sources = surveys.read(labels.catalogue, recipe.survey, columns_map=labels.columns or None)
    n = len(sources)
    redshift = np.full(n, np.nan) if sources.redshift is None else sources.redshift
    blank = np.zeros((n, 0), np.float32)
    pixels = np.zeros((n, 0, 1, 1), np.float16)
    known = Labelled(np.arange(n), classes, redshift, blank, pixels, blank, sources)
    return known.take(np.flatnonzero(classes >= 0))
