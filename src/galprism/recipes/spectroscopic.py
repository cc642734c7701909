"""What finds redshifts of spectra, by a recipe: principal components of simulated spectra at rest."""

from __future__ import annotations

import numpy as np

from galprism.data import CLASSES
from galprism.errors import RequestError
from galprism.medium import vacuum_from_air
from galprism.mocks.spectra.instrument import sdss
from galprism.prep.redshift_basis import BIN, BINS, FIRST, ClassBasis, RedshiftBasis
from galprism.prep.spectroscopic import Spectroscopic
from galprism.recipes.recipe import Recipe, SpectroscopicConfig
from galprism.recipes.sky import libraries_of
from galprism.sps import SSPLibrary
from galprism.sps.rest_templates import galaxy_spectra, pixels, quasar_spectra, star_spectra
from galprism.sps.star_spectra import StarSpectra, load_star_spectra
from galprism.wavegrid import LogGrid

ROOM = 8
"""Pixels beyond what is looked at."""


def make_spectroscopic(recipe: Recipe) -> Spectroscopic:
    """What finds redshifts of spectra by a recipe: the same for the same seed. Raises RequestError for a recipe of
    something else, and for an atlas of stars that cannot be read or does not reach."""
    config = recipe.spectroscopic
    if config is None:
        raise RequestError(f"recipe {recipe.name} has no [spectroscopic]")
    (stars,) = libraries_of(recipe)
    basis = make_basis(config, stars, recipe.seed)
    return Spectroscopic(basis, dict(zip(CLASSES, config.shares, strict=True)), config.margin)


def make_basis(config: SpectroscopicConfig, library: SSPLibrary, seed: int) -> RedshiftBasis:
    """Principal components of simulated spectra of each class."""
    rng = np.random.default_rng(seed)
    n = config.spectra
    grids = {name: grid_for(getattr(config, f"{name}_redshift")) for name in CLASSES}
    galaxies = galaxy_spectra(library, grids["galaxy"], n, rng)
    quasars = quasar_spectra(grids["qso"], n, rng, (grids["galaxy"], galaxies))
    stars = star_spectra(library, grids["star"], n, rng, atlas_of(config.atlas))
    made = {"star": stars, "qso": quasars, "galaxy": galaxies}
    classes = []
    for name, spectra in made.items():
        found = components(spectra, getattr(config, f"{name}_components"), relative=name == "qso")
        first = round(grids[name].start / grids[name].step)
        classes.append(ClassBasis(name, first, found, getattr(config, f"{name}_redshift")))
    return RedshiftBasis(tuple(classes), worth())


def worth() -> np.ndarray:
    """(BINS,), float32: the inverse variance of the sky in SDSS's spectra, of mean 1; beyond them as little as any."""
    table = sdss()
    start = round(float(np.log10(table.wave[0])) * 1e4) - FIRST
    pixel = np.zeros(BINS * BIN)
    pixel[start : start + len(table.sky)] = table.sky[: len(pixel) - start] ** -2.0
    total = pixel.reshape(BINS, BIN).sum(axis=1)
    total[total == 0] = total[total > 0].min()
    return (total / total.mean()).astype(np.float32)


def grid_for(redshift: tuple[float, float], blue: float = 0.0) -> LogGrid:
    """The pixels at rest that are seen at these redshifts."""
    low, high = (round(float(np.log10(1.0 + z)) * 1e4) for z in redshift)
    ends = 10.0 ** (1e-4 * np.array([FIRST - high - ROOM, FIRST + BINS * BIN - low + ROOM]))
    return pixels(*ends)


def components(spectra: np.ndarray, k: int, relative: bool) -> np.ndarray:
    """(k + 1, W), float32: the mean, and the principal components scaled to the standard deviations of coefficients.

    relative : components of what spectra are over their mean, so that faint parts count as bright ones
    """
    mean = spectra.mean(axis=0, dtype=np.float64)
    scale = np.maximum(mean, 1e-3 * mean.max()) if relative else np.full(len(mean), mean.mean())
    off = ((spectra - mean) / scale).astype(np.float32)
    values, vectors = np.linalg.eigh((off @ off.T).astype(np.float64))  # of sources, fewer than pixels
    values, vectors = values[::-1][:k], vectors[:, ::-1][:, :k]
    lengths = np.sqrt(np.maximum(values, 1e-12))
    axes = (vectors.T @ off) / lengths[:, None]
    return np.concatenate([mean[None], axes * (lengths[:, None] / np.sqrt(len(off))) * scale]).astype(np.float32)


def atlas_of(folder: str) -> StarSpectra | None:
    """Stars of a folder (galprism.sps.star_spectra), whose wavelengths are in air; none where it is not named."""
    if not folder:
        return None
    atlas = load_star_spectra(folder)
    return StarSpectra(atlas.names, vacuum_from_air(atlas.wave), atlas.flux)
