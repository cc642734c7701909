"""Making templates of stars, quasars and galaxies from the project's own light: a grid, or the sources of a field.

Needs the forward model, and with it PyTorch. In a grid, each star counts alike, and at one redshift each quasar and
each galaxy; quasars count alike in ln(1 + z), and galaxies, of which few of a magnitude are at high redshift, as
n(z) ~ z^2 exp(-(z / z0)^1.5) (Smail, Ellis & Fitchett 1994, MNRAS 270, 245). The sources of a field are as many as the
sky has, which is the prior of a magnitude-limited sample.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from itertools import product
from typing import Any

import numpy as np

from galprism import passbands
from galprism.cosmology import age_gyr
from galprism.data import CLASSES
from galprism.errors import RequestError
from galprism.fit.class_templates import ClassTemplates
from galprism.mocks.population import block_rng
from galprism.mocks.sky.field import FIELD_IDS, PATCH_IDS, Field
from galprism.mocks.sky.quasar_hosts import Hosts
from galprism.passbands import Passband
from galprism.sps import ForwardModel, Galaxies, SSPLibrary
from galprism.sps.quasars import Nuclei, QuasarModel
from galprism.sps.star_colours import GIANTS, bluest_reddest, white_dwarfs
from galprism.sps.star_spectra import StarSpectra
from galprism.sps.stars import StarModel
from galprism.surveys import Survey

MEDIAN_OVER_SCALE = 1.412
"""Median redshift of n(z) over its z0."""
QUASAR_M_I = -25.0
"""M_i(z=2) at which the light of a quasar's lines and its host's share are told; the scale is free."""
MOST_PATCHES = 12
"""Of a field, each twice as large as the one before, until there are as many sources of a class as are wanted."""


@dataclass(frozen=True)
class ClassGridConfig:
    """What stars, quasars and galaxies a grid is of."""

    g_i_step: float = 0.04
    """mag of g-i along the stellar locus."""
    feh: tuple[float, ...] = (-2.5, -1.5, -1.0, -0.5, 0.0)
    """[Fe/H] of dwarfs and giants."""
    teff: tuple[float, float, int] = (4000.0, 80000.0, 40)
    """K, lowest and highest, and how many, even in the logarithm, of white dwarfs of either atmosphere."""
    redshift_step: float = 0.01
    """In ln(1 + z)."""
    qso_redshift: tuple[float, float] = (0.05, 6.0)
    qso_slope: tuple[float, ...] = (-0.5, -0.25, 0.0, 0.25, 0.5)
    """What is added to the slope of f_nu ~ nu^alpha."""
    qso_lines: tuple[float, ...] = (-1.0, 0.5, 2.0)
    """Type of the lines (galprism.sps.quasar_lines)."""
    qso_ebv: tuple[float, ...] = (0.0, 0.05, 0.15, 0.3)
    """mag."""
    qso_host: tuple[float, ...] = (0.0, 0.25, 0.5)
    """Share of the host in the light at 4000 to 5000 A …"""
    host_redshift: float = 1.5
    """… up to this redshift; beyond, there is no host."""
    galaxy_redshift: tuple[float, float] = (0.003, 3.0)
    galaxy_median_redshift: float = 0.4
    """Of a sample's galaxies. The default is for r < 22, between the 0.2 of GAMA to r = 19.8 (Driver et al. 2011) and
    the 0.6 of zCOSMOS to I = 22.5 (Lilly et al. 2007). Infinite for as many at every ln(1 + z)."""
    tau: tuple[float, ...] = (0.3, 1.0, 3.0, 8.0)
    """Gyr, of SFR ~ t exp(-t / tau)."""
    age: tuple[float, ...] = (0.3, 1.0, 2.5, 5.0, 9.0, 12.5)
    """Gyr; none older than the Universe."""
    z_met: tuple[float, ...] = (0.004, 0.02)
    ebv: tuple[float, ...] = (0.0, 0.1, 0.25, 0.45)
    """mag, of the stars."""

    def __post_init__(self) -> None:
        for name in ("g_i_step", "redshift_step", "galaxy_median_redshift"):
            if not getattr(self, name) > 0:
                raise RequestError(f"{name} = {getattr(self, name)}; accepted: above zero")
        for name in ("qso_redshift", "galaxy_redshift"):
            low, high = getattr(self, name)
            if not 0 < low < high:
                raise RequestError(f"{name} = [{low}, {high}]; accepted: two numbers above zero, rising")
        if not all(0 <= share < 1 for share in self.qso_host):
            raise RequestError(f"qso_host = {list(self.qso_host)}; accepted: shares from 0, below 1")
        for entry in fields(self):
            if not np.size(getattr(self, entry.name)):
                raise RequestError(f"{entry.name} is empty; accepted: one value or more")


def grid_templates(
    survey: Survey, library: SSPLibrary, config: ClassGridConfig | None = None, *, spectra: StarSpectra | None = None
) -> ClassTemplates:
    """A grid of stars, quasars and galaxies in the bands of a survey.

    library : the stars of the galaxies. spectra : stars as they are, in place of the published locus and beside the
    white dwarfs. Raises RequestError where spectra or library do not cover the bands.
    """
    config = config or ClassGridConfig()
    curves = [passbands.get(band.passband) for band in survey.bands]
    stars = _stars(curves, config, spectra)
    quasars, qso_z = _quasars(curves, config)
    galaxies, galaxy_z = _galaxies(curves, library, config)
    meta = {
        "survey": survey.name,
        "grid": asdict(config),
        "library": {"name": library.name, "imf": library.imf, "hash": library.hash},
    }
    return _templates(
        survey,
        [stars, quasars, galaxies],
        [np.zeros(len(stars)), qso_z, galaxy_z],
        [np.ones(len(stars)), _alike(qso_z), _alike(galaxy_z) * _galaxies_at(galaxy_z, config.galaxy_median_redshift)],
        meta,
    )


def field_templates(field: Field, n: int) -> ClassTemplates:
    """About n sources of each class of a field, without noise: as many as a patch has that is large enough.

    The patches are none of the field's own. Raises RequestError where there are too few even so.
    """
    flux, redshift = [], []
    for kind in CLASSES:
        parts, have, area = [], 0, field.config.area
        for k in range(MOST_PATCHES):
            parts.append(field.kinds[kind].patch(area, block_rng(field.seed, FIELD_IDS // PATCH_IDS + k, kind)))
            have += len(parts[-1])
            if have >= n:
                break
            area *= 2.0
        else:
            raise RequestError(f"{have} sources of class {kind} on {area:.3g} square degrees; accepted: fewer than {n}")
        flux.append(np.concatenate([part.flux for part in parts])[:n])
        redshift.append(np.concatenate([part.redshift for part in parts])[:n])
    meta = {"survey": field.survey.name, "field": asdict(field.config), "n": n, "seed": field.seed}
    return _templates(field.survey, flux, redshift, [np.ones(n)] * len(CLASSES), meta)


def _templates(
    survey: Survey,
    flux: list[np.ndarray],
    redshift: list[np.ndarray],
    weight: list[np.ndarray],
    meta: dict[str, Any],
) -> ClassTemplates:
    """Of parts, one a class."""
    classes = np.repeat(np.arange(len(CLASSES), dtype=np.int8), [len(part) for part in flux])
    return ClassTemplates(
        survey.band_names, np.concatenate(flux), classes, np.concatenate(redshift), np.concatenate(weight), meta
    )


def _alike(redshift: np.ndarray) -> np.ndarray:
    """(M,), weights with which each redshift of a grid counts alike, however many models there are at it."""
    _, place, count = np.unique(redshift, return_inverse=True, return_counts=True)
    return 1.0 / count[place]


def _galaxies_at(redshift: np.ndarray, median: float) -> np.ndarray:
    """(M,), galaxies per ln(1 + z) to a factor."""
    if np.isinf(median):
        return np.ones(len(redshift))
    x = redshift * MEDIAN_OVER_SCALE / median
    return x**2 * np.exp(-(x**1.5)) * (1.0 + redshift)


def _stars(curves: list[Passband], config: ClassGridConfig, spectra: StarSpectra | None) -> np.ndarray:
    """Flux (M, B) of dwarfs, giants and white dwarfs."""
    model = StarModel(curves)
    low, high, n = config.teff
    teff = np.geomspace(low, high, n)
    parts = []
    for kind in ("DA", "DB"):
        own = white_dwarfs(kind).teff
        parts.append(model.white_dwarfs(0.0, teff[(teff >= own[-1]) & (teff <= own[0])], kind))
    if spectra is not None:
        parts.append(np.stack([spectra.through(curve) for curve in curves], axis=1))
    else:
        bluest, reddest = bluest_reddest()
        g_i, feh = _grid(np.arange(bluest, reddest, config.g_i_step), config.feh)
        parts.append(model.dwarfs(0.0, g_i, feh))
        g_i, feh = _grid(np.arange(*GIANTS, config.g_i_step), config.feh)
        parts.append(model.giants(0.0, g_i, feh))
    return np.concatenate([part / part.mean(axis=1, keepdims=True) for part in parts])


def _quasars(curves: list[Passband], config: ClassGridConfig) -> tuple[np.ndarray, np.ndarray]:
    """Flux (M, B) and redshift (M,)."""
    z, slope, lines, ebv = _grid(
        _redshifts(config.qso_redshift, config), config.qso_slope, config.qso_lines, config.qso_ebv
    )
    model = QuasarModel(curves, z_max=config.qso_redshift[1] * 1.0001)
    nuclei = Nuclei(z, np.full(len(z), QUASAR_M_I), slope, lines, ebv)
    nucleus, optical = model(nuclei), model.optical_luminosity(nuclei)
    hosts = Hosts(curves, config.qso_redshift)
    flux, redshift = [], []
    for share in config.qso_host:
        near = np.flatnonzero((z <= config.host_redshift) | (share == 0.0))
        host, _ = hosts.light(z[near], share / (1.0 - share) * optical[near])
        flux.append(nucleus[near] + host)
        redshift.append(z[near])
    return _lit(np.concatenate(flux), np.concatenate(redshift))


def _galaxies(curves: list[Passband], library: SSPLibrary, config: ClassGridConfig) -> tuple[np.ndarray, np.ndarray]:
    """Flux (M, B) and redshift (M,)."""
    redshift = _redshifts(config.galaxy_redshift, config)
    age, tau, z_met, ebv = _grid(config.age, config.tau, config.z_met, config.ebv)
    model = ForwardModel(library, curves, metallicity="interpolate", z_max=config.galaxy_redshift[1] * 1.0001)
    galaxies = Galaxies.from_numpy(redshift=redshift[0], age=age, tau=tau, z_met=z_met, ebv=ebv, logu=-3.0)
    flux = model.fluxes_at(galaxies, redshift).numpy()  # (Z, M, B)
    there = age <= age_gyr(redshift)[:, None]
    return _lit(flux[there], np.broadcast_to(redshift[:, None], there.shape)[there])


def _redshifts(between: tuple[float, float], config: ClassGridConfig) -> np.ndarray:
    low, high = np.log1p(between)
    return np.expm1(np.linspace(low, high, 1 + int(np.ceil((high - low) / config.redshift_step))))


def _grid(*axes) -> tuple[np.ndarray, ...]:
    """Columns of all combinations."""
    return tuple(np.array(list(product(*axes)), float).T)


def _lit(flux: np.ndarray, redshift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Those that have any light in the bands at all."""
    seen = np.asarray(flux.max(axis=1) > 0)
    return np.asarray(flux[seen], float), redshift[seen]
