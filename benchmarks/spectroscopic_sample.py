"""Simulated spectra whose redshifts are known: for benchmarks/spectroscopic_redshift.py.

Galaxies are those of a simulated field, of the stars, gas and motions of galprism.mocks.spectra, of which the basis has
seen none. Quasars and stars are drawn as those of the basis were, with other random numbers, and quasars have a forest
that scatters about its mean. All have the noise of SDSS, its excess at lines of the sky and bent calibrations.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from galprism import surveys
from galprism.data import Spectra
from galprism.igm import optical_depth
from galprism.mocks.sky.field_config import GalaxyConfig
from galprism.mocks.sky.galaxies import FieldGalaxies
from galprism.mocks.sky.patch import Patch
from galprism.mocks.spectra.config import SpectrumConfig
from galprism.mocks.spectra.instrument import instrument
from galprism.mocks.spectra.model import SimulatedSpectra, SpectrumModel
from galprism.mocks.spectra.noise import observe_spectra
from galprism.recipes.spectroscopic import atlas_of, grid_for
from galprism.sps import load_bc03_miles
from galprism.sps.rest_templates import galaxy_spectra, quasar_spectra, star_spectra

CONFIG = SpectrumConfig(wave_range=(3569.0, 10340.0), farthest=1.0, sn=(0.7, 30.0), sn_from="range")
RANGES = {"qso": (0.1, 4.8), "star": (-0.002, 0.002)}


def galaxies(n: int, seed: int) -> tuple[Spectra, np.ndarray]:
    """(n,) of the field to z = 1, as many in each range of ln(1 + z)."""
    library = load_bc03_miles()
    field = FieldGalaxies(GalaxyConfig(redshift=(0.003, 1.0)), surveys.get("sdss"), "r", 21.5, library)
    rng = np.random.default_rng(seed)
    members = field.patch(0.4, rng)
    redshift = members.values["redshift"]
    worth = 1.0 / np.histogram(np.log1p(redshift), 12, (0, 0.7))[0].clip(1)
    chance = worth[np.minimum((np.log1p(redshift) / 0.7 * 12).astype(int), 11)]
    rows = rng.choice(len(redshift), n, replace=False, p=chance / chance.sum())
    patch = Patch(np.arange(n) + 1000 * seed, members.take(rows))
    return observe_spectra(SpectrumModel(library, CONFIG)(patch, seed=seed), CONFIG, seed=seed), redshift[rows]


def moved(rest: np.ndarray, start: float, redshift: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(n, L), float32: spectra at rest on a grid of ln wavelength from `start` as they are seen, behind a forest."""
    pixels = instrument(CONFIG)
    step = np.log(pixels.wave[1] / pixels.wave[0])
    out = np.empty((len(rest), len(pixels.wave)), np.float32)
    for i, z in enumerate(redshift):
        at = (np.log(pixels.wave / (1 + z)) - start) / step
        out[i] = np.interp(at, np.arange(rest.shape[1]), rest[i])
        depth = optical_depth(pixels.wave / (1 + z), max(z, 0.0))
        if depth.any():
            rough = np.repeat(rng.standard_normal(len(depth) // 3 + 1), 3)[: len(depth)]
            out[i] *= np.exp(-depth * np.exp(0.9 * rough - 0.2))
    return out


def observed(flux: np.ndarray, redshift: np.ndarray, seed: int) -> Spectra:
    """With noise."""
    pixels = instrument(CONFIG)
    flux = flux * (3.0 / np.maximum(np.median(flux, axis=1), 0.05))[:, None].astype(np.float32)
    n = len(flux)
    made = SimulatedSpectra(
        np.arange(n) + 1000 * seed, redshift, pixels.wave, flux, pixels.lsf_sigma, np.ones((n, 2)), {}
    )
    return observe_spectra(made, CONFIG, seed=seed)


def quasars(n: int, seed: int) -> tuple[Spectra, np.ndarray]:
    """(n,) from z = 0.1 to 4.8, evenly in ln(1 + z)."""
    rng = np.random.default_rng(seed)
    redshift = np.expm1(rng.uniform(*np.log1p(RANGES["qso"]), n))
    near, grid = grid_for((0.0, 1.1)), grid_for((0.0, 5.0))
    hosts = galaxy_spectra(load_bc03_miles(), near, min(n, 100), rng)
    rest = quasar_spectra(grid, n, rng, (near, hosts))
    return observed(moved(rest, grid.start, redshift, rng), redshift, seed), redshift


def stars(n: int, seed: int, atlas: str = "") -> tuple[Spectra, np.ndarray]:
    """(n,) with velocities to 600 km/s."""
    rng = np.random.default_rng(seed)
    redshift = np.clip(rng.normal(0.0, 4e-4, n), *RANGES["star"])
    grid = grid_for((-0.004, 0.004))
    rest = star_spectra(load_bc03_miles(), grid, n, rng, atlas_of(atlas))
    return observed(moved(rest, grid.start, redshift, rng), redshift, seed), redshift


def sample(n: int, seed: int, atlas: str = "") -> tuple[Spectra, np.ndarray, np.ndarray]:
    """Spectra of 2 n galaxies, n quasars and n // 2 stars; their redshifts and classes."""
    parts = [galaxies(2 * n, seed), quasars(n, seed + 1), stars(n // 2, seed + 2, atlas)]
    names = np.repeat(["galaxy", "qso", "star"], [2 * n, n, n // 2])
    return Spectra.joined([part for part, _ in parts]), np.concatenate([z for _, z in parts]), names


def kept(path: Path, n: int, seed: int, atlas: str = "") -> tuple[Spectra, np.ndarray, np.ndarray]:
    """The same, from a file where it is there."""
    if not path.exists():
        spectra, redshift, names = sample(n, seed, atlas)
        np.savez(path, flux=spectra.flux, ivar=spectra.ivar, wave=spectra.wave, z=redshift, names=names)
    with np.load(path) as held:
        return Spectra(held["flux"], held["ivar"], held["wave"]), held["z"], held["names"]
