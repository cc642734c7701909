"""The exact posterior of a spectrum: its likelihood is a Gaussian written out; simulated galaxies are found again."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from galprism import surveys
from galprism.data import Sources, Spectra
from galprism.errors import RequestError
from galprism.fit.spectrum_likelihood import SpectrumLikelihood
from galprism.fit.spectrum_posterior import NAMES, SpectrumPosterior, r_hat, spectrum_posterior
from galprism.fit.tempering import TemperingConfig
from galprism.flags import Flag
from galprism.mocks.sky.at_redshift import MOTION, GalaxiesAt
from galprism.mocks.sky.field_config import GalaxyConfig
from galprism.mocks.sky.galaxies import FieldGalaxies
from galprism.mocks.spectra.config import SpectrumConfig
from galprism.mocks.spectra.model import SimulatedSpectra, SpectrumModel
from galprism.mocks.spectra.noise import observe_spectra
from galprism.sps import load_bc03_miles

Z = 0.08
CONFIG = SpectrumConfig(wave_range=(5200.0, 6800.0), farthest=0.09)
FEW = TemperingConfig(points=72, sweeps=1, settle=1, final=3, kept=0.3)
"""Enough to arrive; not to have converged."""


@pytest.fixture(scope="module")
def posterior():
    torch.set_num_threads(1)
    library = load_bc03_miles()
    field = FieldGalaxies(GalaxyConfig(redshift=(0.07, 0.09)), surveys.get("sdss"), "r", 17.77, library)
    return SpectrumPosterior(field, SpectrumModel(library, CONFIG), bright=13.5, config=FEW)


@pytest.fixture(scope="module")
def galaxy(posterior):
    """One galaxy of the prior, its spectrum and what is true of it."""
    at = GalaxiesAt(posterior.field, Z, 13.5)
    x, quiescent = at.draw(1, np.random.default_rng(6))
    bodies, wave = at.bodies(x, quiescent), posterior.model.instrument.wave
    flux, share, values = posterior.model.of_bodies(bodies, at.shapes(x), x[:, MOTION])
    lsf = posterior.model.instrument.lsf_sigma
    made = SimulatedSpectra(np.array([7]), bodies.redshift, wave, flux, lsf, share, values)
    whole = posterior.field.light_of(bodies, at.shapes(x)).values
    true = np.array([(values if name in values and name != "logmstar" else whole)[name][0] for name in NAMES])
    return Sources(id=made.id, redshift=made.redshift, spectra=observe_spectra(made, CONFIG, seed=3)), true


def test_the_likelihood_is_a_gaussian_written_out():
    rng = np.random.default_rng(1)
    wave = np.linspace(-1, 1, 40)
    bend = 0.05 * np.stack([np.exp(-0.5 * ((wave - knot) / 0.4) ** 2) for knot in (-1, 0, 1)], axis=1)
    sigma, models = rng.uniform(0.1, 0.3, 40), rng.uniform(2, 3, (3, 40))
    flux = models[0] * (1 + bend @ rng.standard_normal(3)) + sigma * rng.standard_normal(40)
    found = SpectrumLikelihood(flux, sigma, bend)(models)
    covs = [np.diag(sigma**2) + (m[:, None] * bend) @ (m[:, None] * bend).T for m in models]
    wanted = [multivariate_normal(m, c).logpdf(flux) for m, c in zip(models, covs, strict=True)]
    np.testing.assert_allclose(found - found[0], np.subtract(wanted, wanted[0]), atol=1e-9)


def test_pixels_without_data_say_nothing():
    rng = np.random.default_rng(2)
    flux, sigma, bend = rng.standard_normal(20), np.full(20, 0.5), 0.1 * rng.standard_normal((20, 2))
    models = rng.standard_normal((4, 20))
    fewer = SpectrumLikelihood(flux[:12], sigma[:12], bend[:12])(models[:, :12])
    sigma[12:] = np.inf
    np.testing.assert_allclose(SpectrumLikelihood(flux, sigma, bend)(models), fewer, rtol=1e-12)


def test_likelihoods_of_nonsense_are_refused():
    with pytest.raises(RequestError, match=r"sigma = 0\.0"):
        SpectrumLikelihood(np.ones(3), np.zeros(3), np.ones((3, 1)))
    with pytest.raises(RequestError, match=r"flux \(3,\), sigma \(2,\)"):
        SpectrumLikelihood(np.ones(3), np.ones(2), np.ones((3, 1)))


def test_r_hat_of_runs_that_agree_and_of_runs_that_do_not():
    rng = np.random.default_rng(3)
    first, second = rng.standard_normal((2, 4000, 1))
    assert r_hat(first, second) == pytest.approx(1.0, abs=0.002)
    assert r_hat(first, second + 2.0) == pytest.approx(np.sqrt(3.0), rel=0.03)  # 1 + 2^2 / 2


def test_a_simulated_galaxy_is_found_again(posterior, galaxy):
    """Short runs: the fibre's age and metallicity lie where the draws are, and far nearer than the prior's spread."""
    sources, true = galaxy
    found = spectrum_posterior(sources, posterior, seed=1)
    spread = 0.5 * (found.quantiles[0, :, 3] - found.quantiles[0, :, 1])
    assert (np.abs(found.point[0] - true) < 4 * spread + 0.02).all()
    x, _ = GalaxiesAt(posterior.field, Z, 13.5).draw(300, np.random.default_rng(1))
    mass = x[:, 0].std()
    assert spread[NAMES.index("logmstar")] < 0.5 * mass
    assert np.isfinite(found.extra["rhat"]).all()
    assert bool(found.flags[0] & Flag.LOW_SAMPLE_SIZE) == (not found.extra["converged"][0])
    again = spectrum_posterior(sources, posterior, seed=1)
    np.testing.assert_array_equal(again.point, found.point)


def test_rows_that_cannot_be_answered_are_flagged(posterior, galaxy):
    sources, _ = galaxy
    three = sources.take([0, 0, 0, 0])
    seen = three.spectra
    nothing = np.array([[0.0], [1.0], [1.0], [1.0]], np.float32)
    spectra = replace(seen, flux=seen.flux * nothing, ivar=seen.ivar * nothing)
    flags = np.array([Flag.DUPLICATE_ID, 0, 0, Flag.NOT_A_GALAXY], np.uint32)
    blind = replace(three, redshift=np.array([Z, np.nan, 0.5, Z]), spectra=spectra, flags=flags)
    done = []
    found = spectrum_posterior(blind, posterior, progress=done.append)
    assert sum(done) == 4
    assert np.isnan(found.point).all()
    wanted = [Flag.SPECTRUM_MISSING, Flag.REDSHIFT_MISSING, Flag.REDSHIFT_OUT_OF_RANGE, 0]
    assert found.flags.tolist() == [was | flag | Flag.NOT_INFERRED for was, flag in zip(flags, wanted, strict=True)]
    with pytest.raises(RequestError, match="whole numbers"):
        spectrum_posterior(replace(blind, id=np.array(["a", "b", "c", "d"])), posterior)


def test_spectra_in_other_pixels_are_refused(posterior):
    other = Spectra(np.ones((1, 5)), np.ones((1, 5)), np.arange(5000.0, 5005.0))
    with pytest.raises(RequestError, match="5 pixels from 5000"):
        spectrum_posterior(Sources(id=np.arange(1), redshift=np.array([Z]), spectra=other), posterior)
    with pytest.raises(RequestError, match="spectra: none"):
        spectrum_posterior(Sources(id=np.arange(1), redshift=np.array([Z])), posterior)
