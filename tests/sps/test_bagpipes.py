"""The forward model against bagpipes (Carnall et al. 2018), which shares its grids and nothing else.

What is known to differ is matched or excluded here, each for itself:

1. Age bins. bagpipes averages SSPs into bins of 0.1 dex, which costs up to 0.013 mag; it is given our bins, and its
   nebular grids, which come in 0.1 dex bins, are spread over them as our model does.
2. Sampling of the history. bagpipes samples the SFR in steps of 0.0025 dex from 1 Myr on, so that all younger stars
   become 1 Myr old; it is given 8 samples within each age bin.
3. Dust emission. bagpipes adds Draine & Li (2007) emission, whose tail reaches the rest-frame near infrared; we leave
   dust emission out, so it is switched off.
4. Wavelengths. The grids are in air; bagpipes takes them as vacuum. Our library is told so as well.
5. Attenuation. bagpipes dims stars, gas and lines with one Calzetti et al. (2000) curve, which it continues bluewards
   of 1200 A by a power law; our `Dust` is given that curve and factor 1.
6. Stellar mass. bagpipes counts living stars alone: our `mlive`.
7. SFR. bagpipes averages over 100 Myr: our `sfr_100myr`.
8. Sampling of wavelength. bagpipes interpolates spectra and curves at points; R_phot is raised from 100 to 1000.
9. Distances. bagpipes interpolates the luminosity distance in steps of 0.01 in z, wrong by 2 mmag at z = 0.015: the
   draws begin at z = 0.05.
"""

import contextlib
import dataclasses
import io
import warnings

import numpy as np
import pytest

from galprism.sps import Dust, ForwardModel
from galprism.sps.dust import calzetti

N = 100
LOGU = -2.3
T_BC = 0.01 * (1.0 - 1e-9)
"""Gyr; a hair below 10 Myr, since bagpipes divides by zero when this falls on an edge of an age bin."""
C_ANGSTROM = 2.99792458e18


def bagpipes_calzetti(wave):
    """Calzetti et al. (2000) as bagpipes continues it."""
    wave = np.asarray(wave, float)
    return np.where(wave < 1200.0, (wave / 1200.0) ** -0.77 * calzetti(1200.0), calzetti(wave))


@pytest.fixture(scope="module")
def bagpipes():
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        import bagpipes
    return bagpipes


@pytest.fixture(scope="module")
def pipes(bagpipes, library, kids, model, draw, tmp_path_factory):
    """Photometry in nJy (N, 9), log living mass and SFR of bagpipes for the draws, one solar mass formed each."""
    config = bagpipes.config
    patch = pytest.MonkeyPatch()
    edges = model.spectra.age_edges.numpy()
    neb = library.nebular
    edges = np.union1d(edges, neb.age_edges)  # difference 1
    middle = 0.5 * (edges[1:] + edges[:-1])
    raw = np.searchsorted(library.age_edges, middle) - 1
    patch.setattr(config, "age_bins", edges * 1e9)
    patch.setattr(config, "age_widths", np.diff(edges) * 1e9)
    patch.setattr(config, "age_sampling", library.age[raw] * 1e9)
    row = np.searchsorted(neb.age_edges, middle[middle < neb.age_edges[-1]])  # rows count from 1
    patch.setattr(config, "neb_ages", middle[: len(row)])
    inside = [k for k, u in enumerate(config.logU) if abs(u - LOGU) < 0.5]
    hdus = [0] + [7 * k + i + 1 for k in inside for i in range(7)]
    rows = np.concatenate([[0], row])
    patch.setattr(config, "logU", config.logU[inside])
    patch.setattr(config, "line_grid", [None] + [config.line_grid[h][rows] for h in hdus[1:]])
    patch.setattr(config, "cont_grid", [None] + [config.cont_grid[h][rows] for h in hdus[1:]])
    patch.setattr(config, "R_phot", 1000.0)  # difference 8
    patch.setattr(config, "max_redshift", 3.1)

    folder = tmp_path_factory.mktemp("curves")
    files = []
    for curve in kids:
        files.append(str(folder / curve.name.replace("/", "_")))
        np.savetxt(files[-1], np.c_[curve.wave, curve.throughput], fmt="%.9g")

    galaxies = draw(N, 4, logu=LOGU)
    columns = {k: getattr(galaxies, k).numpy() for k in ("redshift", "tau", "age", "z_met", "ebv")}
    flux, mass, sfr = np.empty((N, 9)), np.empty(N), np.empty(N)
    pipes = None
    for n in range(N):
        g = {k: v[n] for k, v in columns.items()}
        delayed = {"age": g["age"], "tau": g["tau"], "massformed": 0.0, "metallicity": g["z_met"] / 0.02}
        dust = {"type": "Calzetti", "Av": 4.05 * g["ebv"]}
        components = {"redshift": g["redshift"], "delayed": delayed, "dust": dust, "nebular": {"logU": LOGU}}
        components["t_bc"] = T_BC
        if pipes is None:
            pipes = bagpipes.model_galaxy(components, filt_list=files)
            fine = np.linspace(edges[:-1], edges[1:], 8, endpoint=False).T.ravel() * 1e9  # difference 2
            pipes.sfh.age_lhs = np.union1d(fine, [1e8, edges[-1] * 1e9])
            pipes.sfh.ages = 0.5 * (pipes.sfh.age_lhs[1:] + pipes.sfh.age_lhs[:-1])
            pipes.sfh.age_widths = np.diff(pipes.sfh.age_lhs)
            pipes.dust_emission.spectrum = lambda *_: 0.0  # difference 3
        pipes.update(components)
        flux[n], mass[n], sfr[n] = pipes.photometry, pipes.sfh.stellar_mass, pipes.sfh.sfr
    pivot = np.array([curve.pivot for curve in kids])
    patch.undo()
    return galaxies, flux * pivot**2 / C_ANGSTROM * 1e32, mass, sfr


@pytest.fixture(scope="module")
def ours(pipes, library, kids):
    matched = dataclasses.replace(library, medium="vacuum")
    dust = Dust(stars=bagpipes_calzetti, gas=bagpipes_calzetti, factor=1.0)
    return ForwardModel(matched, kids, dust=dust, z_max=3.1)(pipes[0])


def test_magnitudes(pipes, ours):
    dm = np.abs(2.5 * np.log10(ours.flux.numpy() / pipes[1]))
    assert np.all(np.median(dm, axis=0) <= 0.001)
    assert np.all(dm.max(axis=0) <= 0.02)


def test_living_mass(pipes, ours):
    assert np.abs(np.log10(ours.mlive.numpy()) - pipes[2]).max() <= 5e-4


def test_sfr(pipes, ours):
    assert np.abs(ours.sfr_100myr.numpy() / pipes[3] - 1.0).max() <= 5e-4
