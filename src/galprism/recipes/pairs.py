"""Galaxies of a simulated sky with photometry, images and spectra: what networks of several modalities learn from.

Kept in a folder, so that several recipes of the same sky find them: fluxes and spectra before noise with what their
noise is, so that they can be measured afresh; images with their noise; three-colour pictures as they come.
Needs PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from galprism import surveys
from galprism.config import plain
from galprism.data import Sources, Spectra, Truth
from galprism.data.spectrum_files.sdss import DEX_PER_PIXEL
from galprism.data.three_colour import pictures_of
from galprism.errors import RequestError
from galprism.mocks import light_factor, observe
from galprism.mocks.images.cutouts import from_noise, image_batches, in_noise, sky_sigma
from galprism.mocks.simulate import error_sample
from galprism.mocks.sky.chosen import Chosen
from galprism.mocks.sky.patch import Patch
from galprism.mocks.spectra.model import SpectrumModel
from galprism.mocks.spectra.noise import Exposures, exposures
from galprism.prep.spectrum_basis import SpectrumBasis, on_grid
from galprism.recipes.recipe import Recipe
from galprism.recipes.sky import field_of, libraries_of
from galprism.recipes.stages import digest
from galprism.sps import load_library

FILES = ("ident", "redshift", "values", "flux", "pixels", "fwhm", "pictures")
OF_SPECTRA = ("light", "err")
OF_ALL = ("wave", "lsf_sigma", "excess", "bend")
NAMES = (
    *("mean_log_age_lw", "mean_logzsol_lw", "log_age_lw", "logzsol_lw"),
    *("ebv", "logmstar", "logssfr", "redshift"),
)
"""What is known of each: ages and metallicities of the light in the fibre, all else of the whole galaxy."""
OF_FIBRE = 4
"""So many of NAMES are of the light in the fibre."""
CUT = 64
"""px: images are kept so large, about their middle; pictures as they are."""
BASIS_AT = 0.15
"""Redshift at which the galaxies of a basis are looked at, so that all show the same wavelengths at rest."""
BASIS_GALAXIES = 4000


@dataclass(frozen=True, eq=False)
class PairSpectra:
    """Of N galaxies."""

    light: np.ndarray
    """(N, L), float32, 1e-17 erg/s/cm2/A: before noise."""
    err: np.ndarray
    """(N, L), float32: the standard deviation of their noise as it is stated."""
    wave: np.ndarray
    """(L,), Angstrom."""
    lsf_sigma: np.ndarray
    """(L,), Angstrom."""
    excess: np.ndarray
    bend: np.ndarray
    """As of galprism.mocks.spectra.noise.Exposures."""

    def exposed(self, rows: np.ndarray, rng: np.random.Generator) -> Spectra:
        """Of some of them, with fresh noise."""
        err = np.asarray(self.err[rows])
        seen = Exposures(err, self.excess, self.bend).drawn(np.asarray(self.light[rows]), rng)
        return Spectra(seen, 1 / err**2, self.wave, self.lsf_sigma)


@dataclass(frozen=True, eq=False)
class Pairs:
    """N galaxies."""

    ident: np.ndarray
    """(N,), integers."""
    redshift: np.ndarray
    """(N,), float64."""
    values: np.ndarray
    """(N, P), by NAMES; NaN of the light in the fibre where there are no spectra."""
    flux: np.ndarray
    """(N, B), float32, nJy, before noise, in the survey's bands."""
    pixels: np.ndarray
    """(N, b, CUT, CUT), float16, the images in units of the sky's noise; NaN where they are masked."""
    fwhm: np.ndarray
    """(N, b), float32, arcsec."""
    pictures: np.ndarray
    """(N, H, W, 3), uint8; without width where the images have not g, r and i."""
    spectra: PairSpectra | None
    """None of a recipe without them."""

    def __len__(self) -> int:
        return len(self.ident)

    def truth(self, rows: np.ndarray | slice) -> Truth:
        """Of some of them."""
        return Truth(id=np.asarray(self.ident[rows]), names=NAMES, values=np.asarray(self.values[rows]))

    def column(self, name: str) -> np.ndarray:
        """(N,), one of NAMES."""
        return np.asarray(self.values[:, NAMES.index(name)])


def pairs(recipe: Recipe, folder: Path, n: int, progress: Callable[[int], None] | None = None) -> Pairs:
    """The first n galaxies of a recipe's sky, made in `folder` where they are not there yet.

    Raises RequestError for a recipe without a field, galaxies chosen of it, or images.
    """
    for name in ("field", "chosen", "images"):
        if getattr(recipe, name) is None:
            raise RequestError(f"recipe {recipe.name} has no [{name}]; galaxies with images need one")
    made_of = [recipe.field, recipe.chosen, recipe.images, recipe.spectra, recipe.survey, recipe.seed]
    hashes = [load_library(name).hash for name in recipe.stars]
    place = folder / f"pairs-{digest([*(plain(one) for one in made_of), hashes, n])}"
    if not place.exists():
        _simulate(recipe, n, place, progress)

    def mapped(names: tuple[str, ...]) -> dict[str, np.ndarray]:
        return {name: np.load(place / f"{name}.npy", mmap_mode="r") for name in names}

    spectra = None
    if recipe.spectra is not None:
        with np.load(place / "all.npz", allow_pickle=False) as shared:
            spectra = PairSpectra(**mapped(OF_SPECTRA), **{name: shared[name] for name in OF_ALL})
    return Pairs(**mapped(FILES), spectra=spectra)


def measure_of(recipe: Recipe, known: Pairs) -> Callable[[np.ndarray, np.random.Generator], Sources]:
    """(rows, rng) -> those rows as they are measured: photometry and spectra, if there are any, with fresh noise each
    time, images with the noise that they have."""
    survey = surveys.get(recipe.survey)
    reference = error_sample(recipe.noise, survey)
    assert recipe.images is not None
    images = recipe.images
    sky = sky_sigma(survey, images)

    def measured(rows: np.ndarray, rng: np.random.Generator) -> Sources:
        factor = light_factor(len(rows), survey, recipe.noise, rng) if recipe.noise.model_error else None
        photometry = observe(known.flux[rows], survey, recipe.noise, rng, reference, factor)
        cutouts = from_noise(known.pixels[rows], known.fwhm[rows], sky, images)
        if factor is not None:
            own = factor[:, [survey.band_names.index(band) for band in images.bands]]
            cutouts = replace(cutouts, flux=cutouts.flux * own[:, :, None, None])
        return Sources(
            id=np.asarray(known.ident[rows]),
            redshift=np.asarray(known.redshift[rows]),
            photometry=photometry,
            cutouts=cutouts,
            spectra=None if known.spectra is None else known.spectra.exposed(rows, rng),
        )

    return measured


def spectrum_basis(recipe: Recipe, size: int) -> SpectrumBasis:
    """A basis of so many coefficients, of the spectra at rest of galaxies of the recipe's sky."""
    assert recipe.spectra is not None
    (library,) = libraries_of(recipe)
    model = SpectrumModel(library, recipe.spectra)
    n, seed = BASIS_GALAXIES, recipe.seed + 1
    flux = []
    for patch, own in chosen_of(replace(recipe, seed=seed), n).patches(None):
        bodies = patch.members.bodies
        assert bodies is not None
        same = replace(bodies, redshift=np.full(len(bodies), BASIS_AT))
        alike = replace(patch, members=replace(patch.members, bodies=same))
        flux.append(model(alike, seed=seed, rows=slice(0, own)).flux)
    wave = model.instrument.wave
    blank = Spectra(np.zeros((1, len(wave)), np.float32), np.zeros((1, len(wave)), np.float32), wave)
    first, _ = on_grid(blank)
    return SpectrumBasis.fit(first - round(np.log10(1 + BASIS_AT) / DEX_PER_PIXEL), np.concatenate(flux), size)


def chosen_of(recipe: Recipe, n: int) -> Chosen:
    """Galaxies chosen of the sky of a recipe. Raises RequestError for other classes beside them."""
    (library,) = libraries_of(recipe)
    assert recipe.chosen is not None
    if recipe.chosen.star or recipe.chosen.qso:
        raise RequestError(
            f"recipe {recipe.name}: chosen.star = {recipe.chosen.star:g}, chosen.qso = {recipe.chosen.qso:g}; "
            "accepted: 0, pairs of images and spectra are of galaxies alone"
        )
    return Chosen(recipe.chosen, field_of(recipe), library, n)


def _simulate(recipe: Recipe, n: int, place: Path, progress: Callable[[int], None] | None) -> None:
    images = recipe.images
    assert images is not None
    (library,) = libraries_of(recipe)
    model = None if recipe.spectra is None else SpectrumModel(library, recipe.spectra)
    survey = surveys.get(recipe.survey)
    bands, side = len(images.bands), min(images.size, CUT)
    size = images.size if set(images.bands) >= {"g", "r", "i"} else 0
    columns: dict[str, tuple[tuple[int, ...], Any]] = {
        "ident": ((), np.int64),
        "redshift": ((), np.float64),
        "values": ((len(NAMES),), np.float64),
        "flux": ((len(survey.bands),), np.float32),
        "pixels": ((bands, side, side), np.float16),
        "fwhm": ((bands,), np.float32),
        "pictures": ((images.size, size, 3), np.uint8),
    }
    if model is not None:
        columns |= {name: ((len(model.instrument.wave),), np.float32) for name in OF_SPECTRA}
    part = place.with_suffix(".part")
    part.mkdir(parents=True, exist_ok=True)
    kept = {
        name: np.lib.format.open_memmap(part / f"{name}.npy", "w+", dtype, (n, *rest))
        for name, (rest, dtype) in columns.items()
    }
    done = 0
    for patch, own in chosen_of(recipe, n).patches(images):
        rows = slice(done, done + own)
        columns_of = _of_patch(patch, own)
        if model is not None:
            of_spectra, exposed = _exposed(recipe, model, patch, own)
            columns_of["values"][:, :OF_FIBRE] = of_spectra.pop("values")
            columns_of |= of_spectra
        for name, value in columns_of.items():
            kept[name][rows] = value
        _take_images(recipe, patch, own, kept, done, size)
        done += own
        if progress is not None:
            progress(own)
    for array in kept.values():
        array.flush()
    if model is not None:
        wave, lsf_sigma = model.instrument.wave, model.instrument.lsf_sigma
        np.savez(part / "all.npz", wave=wave, lsf_sigma=lsf_sigma, excess=exposed.excess, bend=exposed.bend)
    part.replace(place)


def _of_patch(patch: Patch, n: int) -> dict[str, np.ndarray]:
    """Columns of the first n sources of a patch, but for their images and spectra."""
    members = patch.members.take(slice(0, n))
    nothing = np.full(n, np.nan)
    values = [nothing] * OF_FIBRE + [members.values[name] for name in NAMES[OF_FIBRE:]]
    return {
        "ident": patch.id[:n],
        "redshift": members.values["redshift"],
        "values": np.stack(values, axis=1),
        "flux": members.flux,
    }


def _exposed(recipe: Recipe, model: SpectrumModel, patch: Patch, n: int) -> tuple[dict[str, np.ndarray], Exposures]:
    """Columns of the spectra of the first n sources of a patch, with the `values` of the light in their fibres; and
    how they are exposed."""
    made = model(patch, seed=recipe.seed, rows=slice(0, n))
    exposed = exposures(made, model.config, seed=recipe.seed)
    values = np.stack([made.values[name] for name in NAMES[:OF_FIBRE]], axis=1)
    return {"light": made.flux, "err": exposed.error, "values": values, "redshift": made.redshift}, exposed


def _take_images(recipe: Recipe, patch: Patch, n: int, kept: Mapping[str, np.ndarray], at: int, size: int) -> None:
    survey, images = surveys.get(recipe.survey), recipe.images
    assert images is not None
    sky = sky_sigma(survey, images)
    low = (images.size - kept["pixels"].shape[-1]) // 2
    middle = slice(low, low + kept["pixels"].shape[-1])
    for ids, taken in image_batches(patch, survey, images, seed=recipe.seed, n=n):
        rows = slice(at, at + len(ids))
        part = np.s_[:, :, middle, middle]
        kept["pixels"][rows] = in_noise(taken.flux[part], taken.observed[part], sky)
        kept["fwhm"][rows] = taken.psf_fwhm
        if size:
            kept["pictures"][rows] = pictures_of(taken)
        at += len(ids)
